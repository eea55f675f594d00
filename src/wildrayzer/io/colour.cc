#include "wildrayzer/io/colour.h"

#include <lcms2.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
using Profile = std::unique_ptr<void, CloseProfile>;
using Transform = std::unique_ptr<void, DeleteTransform>;

Profile ProfileOf(const ColourSpace& space) {
  if (!space.icc.empty())
    return Profile(cmsOpenProfileFromMem(space.icc.data(), static_cast<cmsUInt32Number>(space.icc.size())));
  const Chromaticities& c = space.primaries;
  const cmsCIExyY white = {c[0], c[1], 1};
  const cmsCIExyYTRIPLE primaries = {{c[2], c[3], 1}, {c[4], c[5], 1}, {c[6], c[7], 1}};
  // IEC 61966-2-1, as a parametric curve of type 4
  const double srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  const double gamma = space.transfer == Transfer::kPower   ? space.gamma
                       : space.transfer == Transfer::kVideo ? 2.4
                                                            : 0;
  cmsToneCurve* curve =
      gamma > 0 ? cmsBuildGamma(nullptr, gamma) : cmsBuildParametricToneCurve(nullptr, 4, srgb);
  if (curve == nullptr) return nullptr;
  cmsToneCurve* curves[3] = {curve, curve, curve};
  Profile profile(cmsCreateRGBProfile(&white, &primaries, curves));
  cmsFreeToneCurve(curve);
  return profile;
}

// Format of pixels for LittleCMS: `colours` channels of a model, then `more` that are passed over.
template <typename T>
constexpr cmsUInt32Number PixelFormat(uint32_t model, int colours, int more, bool reversed = false) {
  return COLORSPACE_SH(model) | CHANNELS_SH(static_cast<uint32_t>(colours)) |
         EXTRA_SH(static_cast<uint32_t>(more)) | BYTES_SH(sizeof(T)) | FLAVOR_SH(reversed ? 1u : 0u);
}

// All colours of a grid of nine values a channel: what a transform does to them shows whether it is needed.
template <typename T>
Samples<T> ColourGrid(int channels) {
  constexpr int kMax = static_cast<T>(-1);
  Samples<T> grid(81, 9, channels);
  for (int i = 0; i < 729; ++i) {
    for (int c = 0; c < channels; ++c)
      grid.Pixel(i % 81, i / 81)[c] = static_cast<T>((c == 0   ? i % 9
                                                      : c == 1 ? i / 9 % 9
                                                      : c == 2 ? i / 81
                                                               : 8) *
                                                     kMax / 8);
  }
  return grid;
}

// In place where `out` is `in`; channels beyond the colours stay as they are then.
template <typename T>
void Run(const Transform& transform, const Samples<T>& in, Samples<T>& out) {
  const auto bytes = [](const Samples<T>& s) {
    return static_cast<cmsUInt32Number>(static_cast<size_t>(s.width) * static_cast<size_t>(s.channels) *
                                        sizeof(T));
  };
  cmsDoTransformLineStride(transform.get(), in.values.data(), out.values.data(),
                           static_cast<cmsUInt32Number>(in.width), static_cast<cmsUInt32Number>(in.height),
                           bytes(in), bytes(out), 0, 0);
}

// True when no colour changes by more than a 255th: sRGB under another name, as most profiles are.
template <typename T>
bool ChangesNothing(const Transform& transform, int channels) {
  const Samples<T> before = ColourGrid<T>(channels);
  Samples<T> after = before;
  Run(transform, before, after);
  for (size_t i = 0; i < before.values.size(); ++i) {
    if (std::abs(before.values[i] - after.values[i]) > static_cast<T>(-1) / 255) return false;
  }
  return true;
}

template <typename T>
bool IsGrey(const Samples<T>& samples) {
  const auto step = static_cast<size_t>(samples.channels);
  for (size_t i = 0; samples.channels > 1 && i < samples.values.size(); i += step) {
    if (samples.values[i] != samples.values[i + 1] || samples.values[i] != samples.values[i + 2])
      return false;
  }
  return true;
}

template <typename T>
Samples<T> RepeatedGrey(const Samples<T>& grey) {
  Samples<T> rgb(grey.width, grey.height, 3);
  for (size_t i = 0; i < rgb.values.size(); ++i) rgb.values[i] = grey.values[i / 3];
  return rgb;
}

// Why it cannot be done; nullptr when it is done.
template <typename T>
const char* ConvertByProfile(Samples<T>& samples, const ColourSpace& space) {
  const Profile profile = ProfileOf(space);
  if (!profile) return "its colour profile is damaged";
  const cmsColorSpaceSignature model = cmsGetColorSpace(profile.get());
  const bool grey = model == cmsSigGrayData;
  if (grey ? !IsGrey(samples) || samples.cmyk : model == cmsSigCmykData ? !samples.cmyk : samples.cmyk)
    return "its colour profile is for another kind of picture";
  if (!grey && model != cmsSigRgbData && model != cmsSigCmykData)
    return "its colour profile is of a kind that is not supported";
  if (samples.channels == 1 && !grey) samples = RepeatedGrey(samples);
  const int colours = grey ? 1 : samples.cmyk ? 4 : 3;
  const int more = samples.channels - colours;
  const cmsUInt32Number from = PixelFormat<T>(grey           ? PT_GRAY
                                              : samples.cmyk ? PT_CMYK
                                                             : PT_RGB,
                                              colours, more, samples.cmyk);
  const bool in_place = samples.channels > 1 && !samples.cmyk;
  ColourSpace target;
  if (space.transfer == Transfer::kVideo)
    target.transfer = Transfer::kVideo;  // other primaries, the same curve
  const Profile srgb = ProfileOf(target);
  const Transform transform(cmsCreateTransform(
      profile.get(), from, srgb.get(), PixelFormat<T>(PT_RGB, 3, in_place ? samples.channels - 3 : 0),
      INTENT_RELATIVE_COLORIMETRIC,
      // Of 16 bits LittleCMS would make a coarse table, which is off by some levels.
      cmsFLAGS_BLACKPOINTCOMPENSATION | (sizeof(T) == 2 ? cmsFLAGS_NOOPTIMIZE : 0)));
  if (!srgb || !transform) return "its colour profile is damaged";
  if (in_place) {
    if (grey || !ChangesNothing<T>(transform, samples.channels)) Run(transform, samples, samples);
  } else {
    Samples<T> rgb(samples.width, samples.height, 3);
    Run(transform, samples, rgb);
    samples = std::move(rgb);
  }
  return nullptr;
}

Samples<uint16_t> Widened(const DecodedSamples& samples) {
  if (const auto* wide = std::get_if<Samples<uint16_t>>(&samples)) return *wide;
  const auto& narrow = std::get<Samples<uint8_t>>(samples);
  Samples<uint16_t> wide(narrow.width, narrow.height, narrow.channels);
  std::transform(narrow.values.begin(), narrow.values.end(), wide.values.begin(),
                 [](uint8_t v) { return static_cast<uint16_t>(257 * v); });
  return wide;
}

const char* ConvertHdr(DecodedSamples& samples, const ColourSpace& space) {
  Samples<uint16_t> wide = Widened(samples);
  if (wide.channels == 1) wide = RepeatedGrey(wide);
  if (wide.cmyk || !HdrToSrgb(wide, space)) return "its HDR colours are of an unusual kind";
  samples = std::move(wide);
  return nullptr;
}

}  // namespace

void ConvertToSrgb(DecodedSamples& samples, const ColourSpace& space, const std::string& name) {
  const char* problem = space.problem.empty() ? nullptr : space.problem.c_str();
  if (problem == nullptr && !space.IsSrgb()) {
    problem = space.transfer == Transfer::kPq || space.transfer == Transfer::kHlg
                  ? ConvertHdr(samples, space)
                  : std::visit([&](auto& s) { return ConvertByProfile(s, space); }, samples);
  }
  if (problem != nullptr) LogWarning("{}: {}; its colours are read as sRGB and may be off", name, problem);
  if (std::visit([](const auto& s) { return s.cmyk; }, samples)) samples = PlainRgbOfCmyk(samples);
}

}  // namespace wildrayzer
