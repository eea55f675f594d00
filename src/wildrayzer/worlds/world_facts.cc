#include "wildrayzer/worlds/world_facts.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using FactsJson = nlohmann::ordered_json;

// Names of the numbers of a view, and where they are.
struct ViewNumber {
  const char* name;
  double MeasuredView::*own;
  double WorldViewFacts::*fact;

  double& Of(MeasuredView& view) const { return own != nullptr ? view.*own : view.facts.*fact; }
};
constexpr ViewNumber kViewNumbers[] = {
    {"overlap", nullptr, &WorldViewFacts::overlap}, {"translation", nullptr, &WorldViewFacts::translation},
    {"yaw", nullptr, &WorldViewFacts::yaw},         {"pitch", nullptr, &WorldViewFacts::pitch},
    {"roll", nullptr, &WorldViewFacts::roll},       {"rotation", nullptr, &WorldViewFacts::rotation},
    {"cover", nullptr, &WorldViewFacts::cover},     {"nearest", nullptr, &WorldViewFacts::nearest},
    {"visible", &MeasuredView::visible, nullptr}};

double Short(double value) { return std::stod(fmt::format("{:.6g}", value)); }

// Mean of all values, and standard deviation of the pixels' means.
void MeasureLight(const RenderedWorld& rendered, MeasuredWorld& world) {
  const size_t pixels = static_cast<size_t>(rendered.width()) * static_cast<size_t>(rendered.height());
  double sum = 0, squares = 0;
  for (size_t view = 0; view < static_cast<size_t>(rendered.views); ++view) {
    const float* planes = rendered.seen.data() + 3 * view * pixels;
    for (size_t p = 0; p < pixels; ++p) {
      const double value = (planes[p] + planes[pixels + p] + planes[2 * pixels + p]) / 3.0;
      sum += value;
      squares += value * value;
    }
  }
  const double count = static_cast<double>(pixels) * rendered.views;
  world.brightness = sum / count;
  world.contrast = std::sqrt(std::max(0.0, squares / count - world.brightness * world.brightness));
}

}  // namespace

RenderedWorld::RenderedWorld(const FrameShape& s, int p, int v) : shape(s), patch(p), views(v) {
  const auto count = static_cast<size_t>(v);
  const size_t pixels = count * static_cast<size_t>(width()) * static_cast<size_t>(height());
  const size_t centres = count * static_cast<size_t>(patches());
  seen.resize(3 * pixels);
  clean.resize(3 * pixels);
  cover.resize(pixels);
  depth.resize(pixels);
  matches.resize(2 * centres);
  log_depth.resize(centres);
  visible.resize(centres);
}

WorldFrames RenderedWorld::frames() {
  return {width(),      height(),     patch,          seen.data(),      clean.data(),
          cover.data(), depth.data(), matches.data(), log_depth.data(), visible.data()};
}

MeasuredWorld MeasureWorld(int index, const World& world, const TextureBank& bank,
                           const RenderedWorld& rendered) {
  MeasuredWorld measured;
  measured.index = index;
  measured.shape = rendered.shape;
  measured.open = world.open;
  measured.movers = world.movers;
  measured.twins = world.twins;
  measured.unit = world.unit;
  measured.field_of_view = 360.0 / std::numbers::pi * std::atan(0.5 / world.views[0].focal);
  MeasureLight(rendered, measured);
  const std::vector<WorldViewFacts> facts = FactsOf(world, bank, rendered.width(), rendered.height());
  const auto patches = static_cast<size_t>(rendered.patches());
  for (size_t view = 0; view < facts.size(); ++view) {
    double visible = 0;
    for (size_t p = 0; p < patches; ++p) visible += rendered.visible[view * patches + p];
    measured.views.push_back({facts[view], visible / static_cast<double>(patches)});
  }
  return measured;
}

std::string FactsLine(const MeasuredWorld& world) {
  FactsJson line = {{"world", world.index},
                    {"columns", world.shape.columns},
                    {"rows", world.shape.rows},
                    {"open", world.open},
                    {"movers", world.movers},
                    {"twins", world.twins},
                    {"unit", Short(world.unit)},
                    {"field_of_view", Short(world.field_of_view)},
                    {"brightness", Short(world.brightness)},
                    {"contrast", Short(world.contrast)}};
  line["views"] = FactsJson::array();
  for (MeasuredView view : world.views) {
    FactsJson numbers;
    for (const ViewNumber& number : kViewNumbers) numbers[number.name] = Short(number.Of(view));
    line["views"].push_back(std::move(numbers));
  }
  return line.dump() + "\n";
}

MeasuredWorld ParseFactsLine(const std::string& line, const std::filesystem::path& path) {
  try {
    const FactsJson parsed = FactsJson::parse(line);
    MeasuredWorld world;
    world.index = parsed.at("world").get<int>();
    world.shape = {parsed.at("columns").get<int>(), parsed.at("rows").get<int>()};
    world.open = parsed.at("open").get<bool>();
    world.movers = parsed.at("movers").get<int>();
    world.twins = parsed.at("twins").get<int>();
    world.unit = parsed.at("unit").get<double>();
    world.field_of_view = parsed.at("field_of_view").get<double>();
    world.brightness = parsed.at("brightness").get<double>();
    world.contrast = parsed.at("contrast").get<double>();
    for (const FactsJson& numbers : parsed.at("views")) {
      MeasuredView& view = world.views.emplace_back();
      for (const ViewNumber& number : kViewNumbers) number.Of(view) = numbers.at(number.name).get<double>();
    }
    return world;
  } catch (const FactsJson::exception&) {
    throw FileError(path.string(), "is damaged; remove it to have the worlds made again");
  }
}

}  // namespace wildrayzer
