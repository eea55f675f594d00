#include <algorithm>

#include "wildrayzer/worlds/drawing.h"
#include "wildrayzer/worlds/pixel.h"
#include "wildrayzer/worlds/render_worlds.h"

namespace wildrayzer {
namespace {

constexpr int kMoverGrid = 16;  // points a side by which cover is measured
constexpr int kMoverAttempts = 120;
constexpr int kChangeEvery = 20;  // attempts, until something else is tried
// Of a view. A mover that is in a view covers about this much of it, together they cover at most kMostCover.
constexpr double kLeastCover = 0.02, kMostCover = 0.25;

// What a mover is made of, standing at (0, 0, 0), and where it is in each view.
struct Mover {
  std::vector<Primitive> parts;
  struct Stand {
    bool present = true;
    Float3 base;
    float yaw = 0;
  };
  std::vector<Stand> stands;
};

float HeightOf(const std::vector<Primitive>& parts) {
  float height = 0;
  for (const Primitive& part : parts) height = std::max(height, part.half.y - part.centre.y);
  return height;
}

// Cut-outs mostly; shapes otherwise.
std::vector<Primitive> DrawParts(const TextureBank& bank, float height, Random& random, World& world) {
  if (Chance(random, 0.35) || bank.cutouts().count() == 0) {
    std::vector<Primitive> parts = DrawThing(bank, height, random, world);
    if (Chance(random, 0.3)) {
      // Something on top of it.
      const float below = HeightOf(parts);
      for (Primitive part : DrawThing(bank, 0.6F * height, random, world)) {
        part.centre.y -= below;
        parts.push_back(part);
      }
    }
    return parts;
  }
  const int texture =
      bank.cutouts().begin + static_cast<int>(random.Below(static_cast<uint64_t>(bank.cutouts().count())));
  Primitive card;
  card.shape = Shape::kCard;
  card.half = {0.5F * height * bank.Aspect(texture), 0.5F * height, 0};
  card.centre = {0, -card.half.y, 0};
  const float gain = Between(random, 0.85, 1.2);
  std::fill(std::begin(card.paper), std::end(card.paper),
            CutoutPaper(texture, card.half, Chance(random, 0.5), {gain, gain, gain}, world));
  return {card};
}

// Something that may move.
struct Thing {
  std::vector<Primitive> parts;
  bool stands = true;  // on the floor
  bool has_twin = false;
};
Thing DrawMovingThing(const TextureBank& bank, const Place& place, Random& random, World& world) {
  const float height = place.open ? LogBetween(random, 0.5, 2.2) : LogBetween(random, 0.3, 1.7);
  Thing thing{DrawParts(bank, height, random, world), true, false};
  // People and animals stand.
  thing.stands = Chance(random, thing.parts[0].shape == Shape::kCard ? 0.95 : 0.6);
  for (Primitive& part : thing.parts) part.shade = part.shadow = 0;
  return thing;
}

// Movers must leave no trace outside their masks but the shadows of those that throw one.
void GiveShadow(bool throws, Random& random, std::vector<Primitive>& parts) {
  const float strength = Between(random, 0.25, 0.6), contact = Between(random, 0.3, 0.6);
  for (Primitive& part : parts) {
    part.shade = throws ? contact : 0.0F;
    part.shade_reach = 0.15F;
    part.shadow = throws ? strength : 0.0F;
  }
}

// Where something of `height` metres stands, or hangs, in sight of the view.
Mover::Stand InSight(const Place& place, const WorldPointers& pointers, const WorldView& view,
                     const WorldOptions& options, float height, bool stands, Random& random) {
  const Float3 ray =
      RayThrough(view, options.width, options.height, Between(random, 0.1, 0.9), Between(random, 0.3, 0.8));
  const float depth =
      TracePoint(pointers, view, ray, PixelAngle(view, options.width, options.height)).still.t;
  const float away = std::min(depth, 12.0F) * Between(random, 0.35, 0.85);
  Mover::Stand stand;
  stand.base = view.position + away * ray;
  stand.base.y = stands ? place.floor : std::min(stand.base.y + 0.5F * height, place.floor);
  // About towards the camera.
  stand.yaw =
      std::atan2(view.position.x - stand.base.x, view.position.z - stand.base.z) + Between(random, -0.4, 0.4);
  return stand;
}

// A walk of 0.1 to 1.5 m in all, with turns of up to 50 degrees, seen at one moment in each view.
void Walk(const Place& place, const WorldOptions& options, const Mover::Stand& middle, bool stands,
          Random& random, Mover& mover) {
  const auto views = static_cast<size_t>(options.views);
  const float bearing = Between(random, 0, 6.2832), rise = stands ? 0.0F : Between(random, -0.5, 0.5);
  const float length = LogBetween(random, 0.1, 1.5);
  const Float3 way = length * Normalized({std::sin(bearing), rise, std::cos(bearing)});
  // Moments that differ from view to view.
  std::vector<float> moments(views);
  for (size_t i = 0; i < views; ++i)
    moments[i] = (static_cast<float>(i) + Between(random, 0, 0.8)) / static_cast<float>(views);
  for (size_t i = views; i > 1; --i) std::swap(moments[i - 1], moments[random.Below(i)]);
  const bool now_and_then = Chance(random, 0.3);
  const auto seen = static_cast<size_t>(random.Below(static_cast<uint64_t>(options.inputs)));
  mover.stands.assign(views, middle);
  for (size_t i = 0; i < views; ++i) {
    Mover::Stand& stand = mover.stands[i];
    stand.base = middle.base + (moments[i] - 0.5F) * way;
    if (!place.open) {
      stand.base.x = std::clamp(stand.base.x, -place.half_x + 0.1F, place.half_x - 0.1F);
      stand.base.z = std::clamp(stand.base.z, -place.half_z + 0.1F, place.half_z - 0.1F);
    }
    stand.yaw = middle.yaw + Radians(random.Uniform(-25, 25));
    stand.present = !now_and_then || i == seen || Chance(random, 0.6);
  }
}

std::vector<Primitive> PartsIn(const Mover& mover, size_t view) {
  std::vector<Primitive> placed;
  const Mover::Stand& stand = mover.stands[view];
  if (!stand.present) return placed;
  for (const Primitive& part : mover.parts) placed.push_back(Placed(part, stand.base, stand.yaw));
  return placed;
}

// Which points of a grid in a view some primitives cover, in front of `depths`.
std::vector<bool> Covered(const World& world, const TextureBank& bank, const std::vector<Primitive>& parts,
                          const WorldView& view, const WorldOptions& options,
                          const std::vector<float>& depths) {
  WorldPointers pointers = PointersOf(world, bank);
  pointers.primitives = parts.data();
  const float angle = PixelAngle(view, options.width, options.height);
  std::vector<bool> covered(depths.size());
  for (int i = 0; i < kMoverGrid * kMoverGrid; ++i) {
    const Float3 ray = GridRay(view, options.width, options.height, kMoverGrid, i);
    RayHit hit;
    hit.t = depths[static_cast<size_t>(i)];
    for (size_t part = 0; part < parts.size(); ++part)
      Meet(pointers, static_cast<int>(part), view.position, ray, angle, hit);
    covered[static_cast<size_t>(i)] = hit.primitive >= 0;
  }
  return covered;
}

double ShareOf(const std::vector<bool>& covered) {
  return static_cast<double>(std::count(covered.begin(), covered.end(), true)) /
         static_cast<double>(covered.size());
}

// Finds room for movers: knows what earlier ones cover.
class Stage {
 public:
  Stage(const World& world, const TextureBank& bank, const WorldOptions& options)
      : world_(world), bank_(bank), options_(options), taken_(world.views.size()) {
    const WorldPointers pointers = PointersOf(world, bank);
    for (const WorldView& view : world.views)
      depths_.push_back(GridDepths(pointers, view, options.width, options.height, kMoverGrid));
    for (auto& taken : taken_) taken.assign(kMoverGrid * kMoverGrid, false);
  }

  // Whether it is well seen where it is present, and leaves enough of every view; if so its place is taken.
  bool Take(const Mover& mover) {
    std::vector<std::vector<bool>> taken = taken_;
    int present = 0, seen = 0;
    for (size_t i = 0; i < taken.size(); ++i) {
      if (!mover.stands[i].present) continue;
      ++present;
      const std::vector<bool> covered =
          Covered(world_, bank_, PartsIn(mover, i), world_.views[i], options_, depths_[i]);
      const double share = ShareOf(covered);
      seen += share >= kLeastCover;
      for (size_t p = 0; p < covered.size(); ++p) taken[i][p] = taken[i][p] || covered[p];
      if (ShareOf(taken[i]) > kMostCover) return false;
    }
    if (seen == 0 || 2 * seen < present) return false;
    taken_ = std::move(taken);
    return true;
  }

 private:
  const World& world_;
  const TextureBank& bank_;
  const WorldOptions& options_;
  std::vector<std::vector<float>> depths_;
  std::vector<std::vector<bool>> taken_;
};

// A copy of the mover that stands still, in sight of an input. False when there is no good place.
bool AddTwin(const TextureBank& bank, const Place& place, const WorldOptions& options, const Mover& mover,
             bool stands, Random& random, World& world) {
  const auto before = world.primitives.size();
  for (int attempt = 0; attempt < 8; ++attempt) {
    const WorldView& view = world.views[random.Below(static_cast<uint64_t>(options.inputs))];
    const std::vector<float> depths =
        GridDepths(PointersOf(world, bank), view, options.width, options.height, kMoverGrid);
    const Mover::Stand stand =
        InSight(place, PointersOf(world, bank), view, options, HeightOf(mover.parts), stands, random);
    std::vector<Primitive> twin;
    for (const Primitive& part : mover.parts) {
      twin.push_back(Placed(part, stand.base, stand.yaw));
      twin.back().mover = kTwin;
    }
    const double share = ShareOf(Covered(world, bank, twin, view, options, depths));
    if (share < kLeastCover || share > kMostCover) continue;
    world.primitives.insert(world.primitives.end(), twin.begin(), twin.end());
    world.still = static_cast<int32_t>(world.primitives.size());
    if (SeesEnough(PointersOf(world, bank), world.views, options, options.min_overlap)) return true;
    world.primitives.resize(before);
    world.still = static_cast<int32_t>(before);
  }
  return false;
}

}  // namespace

void DrawMovers(const TextureBank& bank, const Place& place, const WorldOptions& options, Random& random,
                World& world) {
  if (!Chance(random, options.movers)) return;
  const int count = 1 + static_cast<int>(random.Below(3));
  std::vector<Thing> things;
  for (int i = 0; i < count; ++i) {
    things.push_back(DrawMovingThing(bank, place, random, world));
    // Twins first: what stands still is what all the rest is measured against.
    const Thing& thing = things.back();
    if (Chance(random, options.twins) &&
        AddTwin(bank, place, options, {thing.parts, {}}, thing.stands, random, world)) {
      things.back().has_twin = true;
      ++world.twins;
    }
  }
  world.unit =
      Median(GridDepths(PointersOf(world, bank), world.views[0], options.width, options.height, kMoverGrid));
  Stage stage(world, bank, options);
  std::vector<Mover> movers;
  for (Thing& thing : things) {
    const bool shadow = Chance(random, options.shadows);
    for (int attempt = 1; attempt <= kMoverAttempts; ++attempt) {
      GiveShadow(shadow, random, thing.parts);
      Mover mover{thing.parts, {}};
      const WorldView& view = world.views[random.Below(static_cast<uint64_t>(options.inputs))];
      const Mover::Stand middle =
          InSight(place, PointersOf(world, bank), view, options, HeightOf(thing.parts), thing.stands, random);
      Walk(place, options, middle, thing.stands, random, mover);
      if (stage.Take(mover)) {
        movers.push_back(mover);
        break;
      }
      // Something else may fit where this does not.
      if (attempt % kChangeEvery == 0 && !thing.has_twin) thing = DrawMovingThing(bank, place, random, world);
    }
  }
  world.movers = static_cast<int32_t>(movers.size());
  for (size_t view = 0; view < world.views.size(); ++view) {
    world.views[view].first_mover = static_cast<int32_t>(world.primitives.size());
    for (size_t m = 0; m < movers.size(); ++m) {
      for (Primitive part : PartsIn(movers[m], view)) {
        part.mover = static_cast<int32_t>(m);
        world.primitives.push_back(part);
      }
    }
    world.views[view].movers = static_cast<int32_t>(world.primitives.size()) - world.views[view].first_mover;
  }
}

}  // namespace wildrayzer
