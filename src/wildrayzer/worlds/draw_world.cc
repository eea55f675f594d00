#include "wildrayzer/worlds/draw_world.h"

#include <algorithm>

#include "wildrayzer/util/error.h"
#include "wildrayzer/worlds/drawing.h"
#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

constexpr int kPlaces = 200;

World DrawWith(const TextureBank& bank, const WorldOptions& options, const std::vector<RelativeView>& path,
               float focal, Random& random) {
  if (options.views < 2 || options.inputs < 1 || options.inputs > options.views)
    throw Error("a world needs two views, of which at least one is an input");
  Wanted wanted{random.Next(), options.motion, 0};
  for (int attempt = 0; attempt < kPlaces; ++attempt) {
    World world;
    const Place place = DrawPlace(bank, options, random, world);
    if (!path.empty()) world.views.resize(1), world.views[0].focal = focal;
    if (!DrawCameras(bank, place, options, path, random, wanted, world)) continue;
    DrawMovers(bank, place, options, random, world);
    return world;
  }
  throw Error("no place was found from which the cameras see enough of the same; ask for less overlap");
}

}  // namespace

Frame3 Turned(float yaw, float pitch, float roll) {
  const float cy = std::cos(yaw), sy = std::sin(yaw), cp = std::cos(pitch), sp = std::sin(pitch);
  const Frame3 tilted{{cy, 0, -sy}, {sy * sp, cp, cy * sp}, {sy * cp, -sp, cy * cp}};
  const float cr = std::cos(roll), sr = std::sin(roll);
  return {cr * tilted.x + sr * tilted.y, cr * tilted.y - sr * tilted.x, tilted.z};
}

Frame3 Compose(const Frame3& outer, const Frame3& inner) {
  return {ToWorld(outer, inner.x), ToWorld(outer, inner.y), ToWorld(outer, inner.z)};
}

Float3 GridRay(const WorldView& view, int width, int height, int grid, int i) {
  return RayThrough(view, width, height, (static_cast<float>(i % grid) + 0.5F) / static_cast<float>(grid),
                    (static_cast<float>(i / grid) + 0.5F) / static_cast<float>(grid));
}

std::vector<float> GridDepths(const WorldPointers& world, const WorldView& view, int width, int height,
                              int grid) {
  std::vector<float> depths;
  const float angle = PixelAngle(view, width, height);
  for (int i = 0; i < grid * grid; ++i) {
    const Float3 ray = GridRay(view, width, height, grid, i);
    RayHit hit;
    for (int thing = 0; thing < world.still; ++thing) Meet(world, thing, view.position, ray, angle, hit);
    depths.push_back(hit.t);
  }
  return depths;
}

float Median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double SharedView(const WorldPointers& world, const WorldView& view, const WorldView& other, int width,
                  int height, int grid) {
  WorldView from = view, to = other;
  from.movers = to.movers = 0;
  int seen = 0;
  for (int i = 0; i < grid * grid; ++i) {
    seen += TruthOf(world, from, to, width, height,
                    (static_cast<float>(i % grid) + 0.5F) / static_cast<float>(grid),
                    (static_cast<float>(i / grid) + 0.5F) / static_cast<float>(grid))
                .visible;
  }
  return static_cast<double>(seen) / (grid * grid);
}

World DrawWorld(const TextureBank& bank, const WorldOptions& options, Random& random) {
  return DrawWith(bank, options, {}, 1.0F, random);
}

World DrawWorldAlong(const World& path, const TextureBank& bank, const WorldOptions& options,
                     Random& random) {
  const WorldView& first = path.views[0];
  const Frame3 back = Turned(-std::atan2(first.axes.z.x, first.axes.z.z));
  std::vector<RelativeView> relative;
  for (const WorldView& view : path.views)
    relative.push_back({ToWorld(back, view.position - first.position), Compose(back, view.axes)});
  WorldOptions same = options;
  same.views = static_cast<int>(path.views.size());
  same.inputs = path.inputs;
  return DrawWith(bank, same, relative, first.focal, random);
}

std::vector<WorldViewFacts> FactsOf(const World& world, const TextureBank& bank, int width, int height,
                                    int grid) {
  const WorldPointers pointers = PointersOf(world, bank);
  const auto degrees = [](double radians) { return radians * 180.0 / std::numbers::pi; };
  std::vector<WorldViewFacts> all;
  for (size_t i = 0; i < world.views.size(); ++i) {
    const WorldView& view = world.views[i];
    WorldViewFacts facts;
    facts.overlap = std::min(SharedView(pointers, view, world.views[0], width, height, grid),
                             SharedView(pointers, world.views[0], view, width, height, grid));
    const WorldCamera camera = CameraOf(world, static_cast<int>(i), width, height);
    const auto at = [&](int row, int column) { return static_cast<double>(camera.c2w[4 * row + column]); };
    facts.translation = std::hypot(at(0, 3), at(1, 3), at(2, 3));
    // c2w = Ry(yaw) Rx(pitch) Rz(roll).
    facts.yaw = degrees(std::atan2(at(0, 2), at(2, 2)));
    facts.pitch = degrees(std::asin(std::clamp(-at(1, 2), -1.0, 1.0)));
    facts.roll = degrees(std::atan2(at(1, 0), at(1, 1)));
    facts.rotation = degrees(std::acos(std::clamp(0.5 * (at(0, 0) + at(1, 1) + at(2, 2) - 1.0), -1.0, 1.0)));
    const std::vector<float> depths = GridDepths(pointers, view, width, height, grid);
    facts.nearest = *std::min_element(depths.begin(), depths.end()) / Median(depths);
    const float angle = PixelAngle(view, width, height);
    int covered = 0;
    for (int point = 0; point < grid * grid; ++point) {
      const Float3 ray = GridRay(view, width, height, grid, point);
      covered += TracePoint(pointers, view, ray, angle).mover.primitive >= 0;
    }
    facts.cover = static_cast<double>(covered) / (grid * grid);
    all.push_back(facts);
  }
  return all;
}

}  // namespace wildrayzer
