#include <algorithm>
#include <numeric>

#include "wildrayzer/worlds/drawing.h"
#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

constexpr float kClearance = 0.35F;    // metres between a camera and anything
constexpr double kNearestDepth = 0.3;  // least depth in a view over its median
constexpr float kBrightest = 0.92F;
constexpr float kLeastDepth = 1.2F;    // metres, the median of a view
constexpr double kLeastThings = 0.25;  // share of a view
constexpr int kCameraGrid = 8;         // points a side of what is tried
constexpr int kCameraAttempts = 48;
constexpr int kRefusals = 12;  // for lack of overlap, until the way shrinks

// How the last camera of a path stands to the first.
struct Journey {
  Float3 shift;  // metres, in the first camera's yaw
  float yaw = 0, pitch = 0, roll = 0;
  bool looks_at = false;
  Float3 target;  // of all cameras, if looks_at
  float first_pitch = 0, first_roll = 0;
};

float Laplace(Random& random, double scale) {
  const double u = random.Uniform(-0.5, 0.5);
  return static_cast<float>(-scale * std::copysign(std::log(std::max(1.0 - 2.0 * std::abs(u), 1e-9)), u));
}

Journey DrawJourney(float depth, double motion, Random& random) {
  Journey journey;
  const float length = depth * LogBetween(random, 0.03, 0.8) * static_cast<float>(motion);
  // Mostly sideways and about level.
  const float bearing = Chance(random, 0.6)
                            ? Radians(90.0 + random.Uniform(-45, 45)) * (Chance(random, 0.5) ? 1.0F : -1.0F)
                            : Between(random, 0, 6.2832);
  journey.shift = length * Normalized({std::sin(bearing), Between(random, -0.3, 0.3), std::cos(bearing)});
  const bool wide = Chance(random, 0.5);
  const double yaw = Chance(random, 0.15) ? 60 : 30;
  journey.yaw =
      Radians(motion * (wide ? random.Uniform(-yaw, yaw) : std::clamp(Laplace(random, 8), -60.0F, 60.0F)));
  journey.pitch =
      Radians(motion * (wide ? random.Uniform(-12, 12) : std::clamp(Laplace(random, 3), -12.0F, 12.0F)));
  journey.roll =
      Radians(motion * (wide ? random.Uniform(-5, 5) : std::clamp(Laplace(random, 1.5), -5.0F, 5.0F)));
  journey.first_pitch = Radians(random.Uniform(-10, 6));
  journey.first_roll = Radians(random.Uniform(-2, 2));
  journey.looks_at = Chance(random, 0.4);
  journey.target = {0, -depth * std::sin(journey.first_pitch), depth * std::cos(journey.first_pitch)};
  return journey;
}

// The camera a share s of the way; shares beyond [0, 1] go on beyond its ends.
RelativeView AlongJourney(const Journey& journey, float s, double motion, Random& random) {
  const bool between = s != 0 && s != 1;
  const float stray = between ? 0.15F * Length(journey.shift) : 0.0F;
  RelativeView view;
  view.position =
      s * journey.shift + Float3{stray * Between(random, -1, 1), 0.4F * stray * Between(random, -1, 1),
                                 stray * Between(random, -1, 1)};
  const auto wobble = [&](double degrees) {
    return between ? Radians(motion * degrees * random.Uniform(-1, 1)) : 0.0F;
  };
  float yaw = s * journey.yaw + wobble(4), pitch = journey.first_pitch + s * journey.pitch + wobble(2);
  if (journey.looks_at) {
    const Float3 to = journey.target - view.position;
    yaw = std::atan2(to.x, to.z) + wobble(3);
    pitch = std::asin(std::clamp(-to.y / std::max(Length(to), 1e-6F), -1.0F, 1.0F)) + wobble(2);
  }
  view.axes = Turned(yaw, pitch, journey.first_roll + s * journey.roll + wobble(1));
  return view;
}

template <typename T>
void ShuffleViews(std::vector<T>& items, Random& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.Below(i)]);
}

// Inputs at both ends and between, targets between or, some, beyond; both in any order, so that the first
// view, to which all is relative, may be anywhere on the way.
std::vector<RelativeView> DrawPath(float depth, double motion, const WorldOptions& options, Random& random) {
  const Journey journey = DrawJourney(depth, motion, random);
  std::vector<float> inputs{0.0F, 1.0F}, targets;
  inputs.resize(static_cast<size_t>(std::min(options.inputs, options.views)));
  for (size_t i = 2; i < inputs.size(); ++i) inputs[i] = Between(random, 0.1, 0.9);
  for (int i = options.inputs; i < options.views; ++i) {
    const bool outside = Chance(random, options.outside);
    const float beyond = Between(random, 0.05, 0.35);
    targets.push_back(!outside ? Between(random, 0.05, 0.95) : Chance(random, 0.5) ? -beyond : 1.0F + beyond);
  }
  ShuffleViews(inputs, random);
  ShuffleViews(targets, random);
  inputs.insert(inputs.end(), targets.begin(), targets.end());
  std::vector<RelativeView> views;
  for (const float s : inputs) views.push_back(AlongJourney(journey, s, motion, random));
  return views;
}

// Relative to the first one's position and yaw.
std::vector<RelativeView> FromTheFirst(const std::vector<RelativeView>& views) {
  const RelativeView first = views[0];
  const Frame3 back = Turned(-std::atan2(first.axes.z.x, first.axes.z.z));
  std::vector<RelativeView> out;
  for (const RelativeView& view : views)
    out.push_back({ToWorld(back, view.position - first.position), Compose(back, view.axes)});
  return out;
}

bool IsFree(const World& world, const Place& place, Float3 point) {
  if (point.y > place.floor - kClearance || point.y < place.ceiling + kClearance) return false;
  if (!place.open &&
      (std::abs(point.x) > place.half_x - kClearance || std::abs(point.z) > place.half_z - kClearance))
    return false;
  for (int i = 0; i < world.still; ++i) {
    const Primitive& thing = world.primitives[static_cast<size_t>(i)];
    if (thing.shape != Shape::kRoom && DistanceTo(thing, point) < kClearance) return false;
  }
  return true;
}

// A point at eye height or a little below, and where to look from there.
WorldView DrawStand(const Place& place, float focal, Random& random) {
  WorldView view;
  const float reach = place.open ? 0.5F : 0.9F;
  view.position = {reach * place.half_x * Between(random, -1, 1), place.floor - Between(random, 0.9, 1.7),
                   reach * place.half_z * Between(random, -1, 1)};
  if (!place.open) view.position.y = std::max(view.position.y, place.ceiling + kClearance);
  view.axes = Turned(Between(random, 0, 6.2832));
  view.focal = focal;
  return view;
}

// Share of the points of a grid at which the view sees a thing and not the room or the ground.
double ShareOfThings(const WorldPointers& world, const WorldView& view, const WorldOptions& options) {
  int things = 0;
  const float angle = PixelAngle(view, options.width, options.height);
  for (int i = 0; i < kCameraGrid * kCameraGrid; ++i) {
    const Float3 ray = GridRay(view, options.width, options.height, kCameraGrid, i);
    const PointHit hit = TracePoint(world, view, ray, angle);
    things += hit.still.primitive >= 0 && world.primitives[hit.still.primitive].shape != Shape::kRoom;
  }
  return static_cast<double>(things) / (kCameraGrid * kCameraGrid);
}

bool KeepsItsDistance(const std::vector<float>& depths, float median) {
  return *std::min_element(depths.begin(), depths.end()) >= kNearestDepth * median;
}

// Scales the light so that the first view's mean over a grid is `brightness`, as cameras do on their own.
void Expose(const TextureBank& bank, float brightness, const WorldOptions& options, World& world) {
  const WorldPointers pointers = PointersOf(world, bank);
  const WorldView& view = world.views[0];
  const float angle = PixelAngle(view, options.width, options.height);
  std::vector<float> values;
  for (int i = 0; i < kCameraGrid * kCameraGrid; ++i) {
    const Float3 ray = GridRay(view, options.width, options.height, kCameraGrid, i);
    const RayHit hit = TracePoint(pointers, view, ray, angle).still;
    const Float3 point = view.position + hit.t * ray;
    const int face = FaceAt(pointers.primitives[hit.primitive], point);
    const Float3 colour = ShadePoint(pointers, hit.primitive, face, point, view.position, angle).colour;
    values.push_back((colour.x + colour.y + colour.z) / 3);
  }
  std::sort(values.begin(), values.end());
  const float mean = std::accumulate(values.begin(), values.end(), 0.0F) / static_cast<float>(values.size());
  // Nine tenths of it must not be white.
  const float bright = values[values.size() * 9 / 10];
  const float scale = std::min(brightness / std::max(mean, 1e-3F), kBrightest / std::max(bright, 1e-3F));
  world.ambient = scale * world.ambient;
  for (Light& light : world.lights) light.colour = scale * light.colour;
}

// Exposure, white balance, noise and blur of every view.
void DrawRecording(const WorldOptions& options, Random& random, World& world) {
  const float noise = Between(random, 0, 1);
  for (WorldView& view : world.views) {
    view.seed = static_cast<uint32_t>(random.Next());
    if (!options.camera_noise) continue;
    const float exposure = Between(random, 0.9, 1.1);
    const auto channel = [&] { return exposure * Between(random, 0.97, 1.03); };
    view.gain = {channel(), channel(), channel()};
    view.noise = 0.02F * noise * noise;
    if (Chance(random, 0.2)) view.spread = Between(random, 1.3, 2.0);
  }
}

}  // namespace

bool SeesEnough(const WorldPointers& pointers, const std::vector<WorldView>& views,
                const WorldOptions& options, double least) {
  for (size_t i = 0; i < views.size(); ++i) {
    const std::vector<float> depths =
        GridDepths(pointers, views[i], options.width, options.height, kCameraGrid);
    if (!KeepsItsDistance(depths, Median(depths))) return false;
    if (i == 0) continue;
    const double there = SharedView(pointers, views[i], views[0], options.width, options.height, kCameraGrid);
    if (there < least) return false;
    if (SharedView(pointers, views[0], views[i], options.width, options.height, kCameraGrid) < least)
      return false;
  }
  return true;
}

bool DrawCameras(const TextureBank& bank, const Place& place, const WorldOptions& options,
                 const std::vector<RelativeView>& path, Random& random, Wanted& wanted, World& world) {
  const WorldPointers pointers = PointersOf(world, bank);
  const float focal =
      world.views.empty() ? 0.5F / std::tan(0.5F * Radians(random.Uniform(40, 80))) : world.views[0].focal;
  const bool bare = Chance(random, 0.1);
  for (int attempt = 0; attempt < kCameraAttempts; ++attempt) {
    const WorldView stand = DrawStand(place, focal, random);
    if (!IsFree(world, place, stand.position)) continue;
    const std::vector<float> depths = GridDepths(pointers, stand, options.width, options.height, kCameraGrid);
    const float depth = Median(depths);
    if (depth < kLeastDepth) continue;
    // People photograph things, seldom a bare wall.
    if (!bare && ShareOfThings(pointers, stand, options) < kLeastThings) continue;
    Random way(wanted.seed);
    const std::vector<RelativeView> relative =
        path.empty() ? FromTheFirst(DrawPath(depth, wanted.motion, options, way)) : path;
    std::vector<WorldView> views;
    for (const RelativeView& view : relative) {
      WorldView camera = stand;
      camera.position = stand.position + ToWorld(stand.axes, view.position);
      camera.axes = Compose(stand.axes, view.axes);
      if (!IsFree(world, place, camera.position)) break;
      views.push_back(camera);
    }
    // Along the cameras of another world little can be chosen.
    const double least = path.empty() ? options.min_overlap : 0.7 * options.min_overlap;
    if (views.size() < relative.size()) continue;
    if (!SeesEnough(pointers, views, options, least)) {
      if (++wanted.refused % kRefusals == 0) wanted.motion *= 0.85;
      continue;
    }
    world.views = views;
    world.inputs = options.inputs;
    world.unit = Median(GridDepths(pointers, views[0], options.width, options.height, 2 * kCameraGrid));
    Expose(bank, Between(random, 0.35, 0.6), options, world);
    DrawRecording(options, random, world);
    return true;
  }
  return false;
}

}  // namespace wildrayzer
