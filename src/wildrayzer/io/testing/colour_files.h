// Colours, profiles and bytes for tests of pictures.
#pragma once

#include <lcms2.h>

#include <array>
#include <cstdint>
#include <opencv2/imgcodecs.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/io/colour.h"
#include "wildrayzer/io/mat.h"

namespace wildrayzer {

using Rgb8 = std::array<uint8_t, 3>;
inline constexpr Rgb8 kGreen = {40, 200, 40};

inline Image Flat(int width, int height, const Rgb8& colour) {
  Image image(width, height);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = colour[i % 3];
  return image;
}

inline std::span<const std::byte> AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string Big32(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}
inline std::string Little32(uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
          static_cast<char>(v >> 24)};
}

inline std::string LosslessWebp(const Image& image) {
  std::vector<uchar> bytes;
  cv::imencode(".webp", ToBgr(image), bytes, {cv::IMWRITE_WEBP_QUALITY, 101});  // above 100: lossless
  return {bytes.begin(), bytes.end()};
}

// Closes it.
inline std::string SavedProfile(cmsHPROFILE profile) {
  cmsUInt32Number size = 0;
  cmsSaveProfileToMem(profile, nullptr, &size);
  std::string bytes(size, '\0');
  cmsSaveProfileToMem(profile, bytes.data(), &size);
  cmsCloseProfile(profile);
  return bytes;
}

inline std::string RgbProfile(const Chromaticities& c, double gamma) {
  const double srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  cmsToneCurve* curve =
      gamma > 0 ? cmsBuildGamma(nullptr, gamma) : cmsBuildParametricToneCurve(nullptr, 4, srgb);  // 0: sRGB's
  cmsToneCurve* curves[3] = {curve, curve, curve};
  const cmsCIExyY white = {c[0], c[1], 1};
  const cmsCIExyYTRIPLE primaries = {{c[2], c[3], 1}, {c[4], c[5], 1}, {c[6], c[7], 1}};
  cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsFreeToneCurve(curve);
  return SavedProfile(profile);
}

inline std::string SrgbProfile() { return RgbProfile(kSrgbPrimaries, 0); }

inline std::vector<std::pair<std::string, std::string>> WideProfiles() {
  return {{"Display P3", RgbProfile(kDisplayP3Primaries, 0)},
          {"Adobe RGB", RgbProfile(kAdobeRgbPrimaries, 563.0 / 256)},
          {"ProPhoto", RgbProfile({0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001}, 1.8)}};
}

inline std::string GreyProfile(double gamma) {
  cmsToneCurve* curve = cmsBuildGamma(nullptr, gamma);
  cmsHPROFILE profile = cmsCreateGrayProfile(cmsD50_xyY(), curve);
  cmsFreeToneCurve(curve);
  return SavedProfile(profile);
}

// Red's light is what magenta leaves, green's what cyan leaves.
inline std::string SwappedCmykProfile() {
  cmsHPROFILE profile = cmsCreateProfilePlaceholder(nullptr);
  cmsSetProfileVersion(profile, 2.1);
  cmsSetDeviceClass(profile, cmsSigOutputClass);
  cmsSetColorSpace(profile, cmsSigCmykData);
  cmsSetPCS(profile, cmsSigLabData);
  cmsHPROFILE srgb = cmsCreate_sRGBProfile();
  cmsHPROFILE lab = cmsCreateLab2Profile(nullptr);
  cmsHTRANSFORM to_lab =
      cmsCreateTransform(srgb, TYPE_RGB_16, lab, TYPE_LabV2_16, INTENT_RELATIVE_COLORIMETRIC,
                         cmsFLAGS_NOOPTIMIZE | cmsFLAGS_NOCACHE);
  cmsPipeline* pipeline = cmsPipelineAlloc(nullptr, 4, 3);
  cmsStage* table = cmsStageAllocCLut16bit(nullptr, 13, 4, 3, nullptr);
  const cmsSAMPLER16 sample = [](const cmsUInt16Number in[], cmsUInt16Number out[], void* transform) {
    const auto light = [&](int ink) {
      return static_cast<cmsUInt16Number>((65535 - in[ink]) * (65535.0 - in[3]) / 65535);
    };
    const cmsUInt16Number rgb[3] = {light(1), light(0), light(2)};
    cmsDoTransform(transform, rgb, out, 1);
    return TRUE;
  };
  cmsStageSampleCLut16bit(table, sample, to_lab, 0);
  cmsPipelineInsertStage(pipeline, cmsAT_END, table);
  cmsWriteTag(profile, cmsSigAToB0Tag, pipeline);
  cmsWriteTag(profile, cmsSigAToB1Tag, pipeline);
  cmsWriteTag(profile, cmsSigMediaWhitePointTag, cmsD50_XYZ());
  const std::string bytes = SavedProfile(profile);
  cmsPipelineFree(pipeline);
  cmsDeleteTransform(to_lab);
  cmsCloseProfile(lab);
  cmsCloseProfile(srgb);
  return bytes;
}

}  // namespace wildrayzer
