#include "wildrayzer/worlds/world_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "wildrayzer/worlds/histograms.h"

namespace wildrayzer {
namespace {

using StatisticsJson = nlohmann::ordered_json;

// All numbers, as histograms; the name in statistics.json comes first.
struct Quantity {
  const char* name;
  Histogram histogram;
};

std::vector<double> OfViews(const std::vector<MeasuredWorld>& worlds, bool first_too, bool moving_only,
                            double (*number)(const MeasuredView&)) {
  std::vector<double> values;
  for (const MeasuredWorld& world : worlds) {
    if (moving_only && world.movers == 0) continue;
    for (size_t v = first_too ? 0 : 1; v < world.views.size(); ++v) values.push_back(number(world.views[v]));
  }
  return values;
}

// Of the inputs other than the first.
std::vector<double> OfInputs(const std::vector<MeasuredWorld>& worlds, int inputs,
                             double WorldViewFacts::*number) {
  std::vector<double> values;
  for (const MeasuredWorld& world : worlds) {
    for (size_t v = 1; v < static_cast<size_t>(inputs); ++v) values.push_back(world.views[v].facts.*number);
  }
  return values;
}

std::vector<double> OfWorlds(const std::vector<MeasuredWorld>& worlds, double MeasuredWorld::*number) {
  std::vector<double> values;
  for (const MeasuredWorld& world : worlds) values.push_back(world.*number);
  return values;
}

std::vector<Quantity> Quantities(const std::vector<MeasuredWorld>& w, const WorldOptions& options) {
  const auto views = [&](double (*number)(const MeasuredView&)) { return OfViews(w, false, false, number); };
  std::vector<Quantity> all;
  const auto add = [&all](const char* name, const char* title, std::vector<double> values, double low,
                          double high) {
    all.push_back({name, {title, std::move(values), low, high, false, 24, std::nullopt}});
    return &all.back().histogram;
  };
  add("overlap", "overlap with the first view", views([](const MeasuredView& v) { return v.facts.overlap; }),
      0, 1)
      ->accepted = {options.min_overlap, 1.0};
  Histogram* translation = add("translation", "translation / median depth",
                               views([](const MeasuredView& v) { return v.facts.translation; }), 0.01, 2);
  translation->log = true;
  translation->accepted = {0.03 * options.motion, 0.8 * options.motion};
  Histogram* baseline = add("baseline", "the same of inputs alone",
                            OfInputs(w, options.inputs, &WorldViewFacts::translation), 0.01, 2);
  baseline->log = true;
  baseline->accepted = {0.03 * options.motion, 0.8 * options.motion};
  add("visible", "share of matches that are visible", views([](const MeasuredView& v) { return v.visible; }),
      0, 1);
  add("yaw", "yaw, degrees", views([](const MeasuredView& v) { return v.facts.yaw; }), -60, 60);
  add("pitch", "pitch, degrees", views([](const MeasuredView& v) { return v.facts.pitch; }), -30, 30);
  add("roll", "roll, degrees", views([](const MeasuredView& v) { return v.facts.roll; }), -20, 20);
  add("rotation", "whole rotation, degrees", views([](const MeasuredView& v) { return v.facts.rotation; }), 0,
      60);
  add("input_rotation", "the same of inputs alone", OfInputs(w, options.inputs, &WorldViewFacts::rotation), 0,
      60);
  add("field_of_view", "field of view, degrees", OfWorlds(w, &MeasuredWorld::field_of_view), 30, 90)
      ->accepted = {40.0, 80.0};
  add("cover", "cover by movers, where there are",
      OfViews(w, true, true, [](const MeasuredView& v) { return v.facts.cover; }), 0, 0.4)
      ->accepted = {0.02, 0.25};
  add("nearest", "least depth / median depth",
      OfViews(w, true, false, [](const MeasuredView& v) { return v.facts.nearest; }), 0, 1)
      ->accepted = {0.3, 1.0};
  add("unit", "median depth, metres", OfWorlds(w, &MeasuredWorld::unit), 0, 12);
  add("brightness", "mean brightness of a world", OfWorlds(w, &MeasuredWorld::brightness), 0, 1);
  add("contrast", "contrast of a world", OfWorlds(w, &MeasuredWorld::contrast), 0, 0.4);
  return all;
}

StatisticsJson Summary(const Histogram& h) {
  StatisticsJson json_of;
  std::vector<double> sorted = h.values;
  std::sort(sorted.begin(), sorted.end());
  json_of["count"] = sorted.size();
  if (sorted.empty()) return json_of;
  const auto rounded = [](double value) { return std::stod(fmt::format("{:.5g}", value)); };
  json_of["mean"] =
      rounded(std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size()));
  json_of["least"] = sorted.front();
  json_of["greatest"] = sorted.back();
  for (const int percent : {5, 25, 50, 75, 95}) {
    const double place = percent / 100.0 * static_cast<double>(sorted.size() - 1);
    json_of["quantiles"][fmt::format("{}%", percent)] = sorted[static_cast<size_t>(std::lround(place))];
  }
  if (!h.accepted) return json_of;
  json_of["accepted"] = {rounded(h.accepted->first), rounded(h.accepted->second)};
  const auto inside = std::count_if(sorted.begin(), sorted.end(), [&](double value) {
    return value >= h.accepted->first && value <= h.accepted->second;
  });
  json_of["inside"] = rounded(static_cast<double>(inside) / static_cast<double>(sorted.size()));
  return json_of;
}

}  // namespace

StatisticsJson WorldStatistics(const std::vector<MeasuredWorld>& worlds, const WorldOptions& options) {
  int open = 0, moving = 0, movers = 0, twins = 0;
  size_t views = 0;
  for (const MeasuredWorld& world : worlds) {
    open += world.open ? 1 : 0;
    moving += world.movers > 0 ? 1 : 0;
    movers += world.movers;
    twins += world.twins;
    views += world.views.size();
  }
  StatisticsJson statistics = {{"worlds", worlds.size()}, {"views", views},   {"open", open},
                               {"with_movers", moving},   {"movers", movers}, {"twins", twins}};
  for (const Quantity& quantity : Quantities(worlds, options)) {
    statistics[quantity.name] = Summary(quantity.histogram);
  }
  return statistics;
}

std::string WorldHistograms(const std::vector<MeasuredWorld>& worlds, const WorldOptions& options) {
  std::vector<Histogram> histograms;
  for (Quantity& quantity : Quantities(worlds, options)) histograms.push_back(std::move(quantity.histogram));
  return HistogramsSvg(histograms);
}

}  // namespace wildrayzer
