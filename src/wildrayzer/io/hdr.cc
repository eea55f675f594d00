// Pictures of high dynamic range for ordinary displays.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "wildrayzer/io/colour.h"

namespace wildrayzer {
namespace {

constexpr double kSdrWhite = 203;  // cd/m2 of white paper in HDR, ITU-R BT.2408
constexpr double kPeak = 1000;     // cd/m2: the nominal display of HLG, and what most of PQ is made for

// Light (1 = white of SDR) of a value of PQ.
double PqToLight(double value) {
  const double p = std::pow(value, 1 / 78.84375);
  return 10000 / kSdrWhite *
         std::pow(std::max(p - 0.8359375, 0.0) / (18.8515625 - 18.6875 * p), 1 / 0.1593017578125);
}

// The same of a value of HLG. What a display makes of the scene's light, brighter parts with more contrast,
// is done to each of red, green and blue, as cameras for ordinary displays do (ITU-R BT.2390, "traditional
// colour"), not to luminance.
double HlgToLight(double value) {
  const double scene =
      value <= 0.5 ? value * value / 3 : (std::exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12;
  return kPeak / kSdrWhite * std::pow(scene, 1.2);
}

// A display's value of light as in video of ordinary range (ITU-R BT.1886), so that a clip in both kinds is
// read alike.
double ValueOf(double light) { return std::pow(light, 1 / 2.4); }
double LightOf(double value) { return std::pow(value, 2.4); }

// Brightest of a pixel's three lights to what an ordinary display shows: its value unchanged up to a
// shoulder, above which Reinhard's curve leads to 1 at the peak, without a kink.
double Shoulder(double light) {
  constexpr double kKnee = 0.92;
  const double value = ValueOf(light);
  if (value <= kKnee) return light;
  const double most = (ValueOf(kPeak / kSdrWhite) - kKnee) / (1 - kKnee);
  const double above = std::min((value - kKnee) / (1 - kKnee), most);
  return LightOf(kKnee + (1 - kKnee) * above * (1 + above / (most * most)) / (1 + above));
}

struct HdrPrimaries {
  Chromaticities chromaticities;
  std::array<float, 9> to_srgb;  // light to light, rows
};

// ITU-R BT.2087 and SMPTE EG 432-1, through XYZ; all have the same white.
constexpr std::array<HdrPrimaries, 3> kHdrPrimaries = {
    HdrPrimaries{kBt2020Primaries,
                 {1.660491f, -0.587641f, -0.072850f, -0.124550f, 1.132900f, -0.008349f, -0.018151f,
                  -0.100579f, 1.118730f}},
    HdrPrimaries{kDisplayP3Primaries,
                 {1.224940f, -0.224940f, 0, -0.042057f, 1.042057f, 0, -0.019638f, -0.078636f, 1.098274f}},
    HdrPrimaries{kSrgbPrimaries, {1, 0, 0, 0, 1, 0, 0, 0, 1}}};

// f at the 65536 values of [0, 1].
template <typename F>
std::vector<float> TableOf(F f) {
  std::vector<float> table(65536);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(f(static_cast<double>(i) / 65535));
  return table;
}

}  // namespace

bool HdrToSrgb(Samples<uint16_t>& samples, const ColourSpace& space) {
  const auto primaries = std::find_if(kHdrPrimaries.begin(), kHdrPrimaries.end(), [&](const HdrPrimaries& p) {
    return p.chromaticities == space.primaries;
  });
  if (primaries == kHdrPrimaries.end()) return false;
  static const std::vector<float> kPqTable = TableOf(PqToLight);
  static const std::vector<float> kHlgTable = TableOf(HlgToLight);
  static const std::vector<float> kValueTable = TableOf([](double light) { return 65535 * ValueOf(light); });
  const std::vector<float>& table = space.transfer == Transfer::kHlg ? kHlgTable : kPqTable;
  const auto& m = primaries->to_srgb;
  const auto step = static_cast<size_t>(samples.channels);
  for (uint16_t* p = samples.values.data(); p != samples.values.data() + samples.values.size(); p += step) {
    const float r = table[p[0]], g = table[p[1]], b = table[p[2]];
    float light[3];
    for (size_t c = 0; c < 3; ++c)
      light[c] = std::max(0.0f, m[3 * c] * r + m[3 * c + 1] * g + m[3 * c + 2] * b);
    const float brightest = std::max({light[0], light[1], light[2]});
    // All three by one factor, so that the hue stays.
    const float scale = brightest > 0.8f ? static_cast<float>(Shoulder(brightest)) / brightest : 1.0f;
    for (size_t c = 0; c < 3; ++c) {
      const float place = std::clamp(65535 * scale * light[c], 0.0f, 65535.0f);
      p[c] = static_cast<uint16_t>(std::lrint(kValueTable[static_cast<size_t>(std::lrint(place))]));
    }
  }
  return true;
}

}  // namespace wildrayzer
