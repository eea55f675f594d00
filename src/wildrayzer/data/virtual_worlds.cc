#include "wildrayzer/data/virtual_worlds.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

using Eigen::Matrix3f;
using Eigen::Vector3f;

constexpr float kPi = std::numbers::pi_v<float>;
// Ranges in metres and degrees; the camera's are those of a person who photographs a room.
constexpr float kMaxTranslation = 1.2F;
constexpr float kMaxYaw = 35.0F, kMaxPitch = 8.0F, kMaxRoll = 3.0F;
constexpr float kMinFov = 45.0F, kMaxFov = 75.0F;
constexpr float kClearance = 0.35F;
constexpr int kMaxCuboids = 6;

// One face of a box: a grid of pictures.
struct Face {
  int columns = 1, rows = 1;
  std::array<const PicturePyramid*, 6> pictures{};
  std::array<float, 3> gain{1, 1, 1};

  // a, b in [0, 1] over the face; footprint as a fraction of the face.
  Vector3f Sample(float a, float b, float footprint) const {
    const float x = std::clamp(a, 0.0F, 0.9999F) * static_cast<float>(columns);
    const float y = std::clamp(b, 0.0F, 0.9999F) * static_cast<float>(rows);
    const int column = static_cast<int>(x);
    const int row = static_cast<int>(y);
    const PicturePyramid& picture = *pictures[static_cast<size_t>(row * columns + column)];
    const Vector3f colour = picture.Sample(x - static_cast<float>(column), y - static_cast<float>(row),
                                           footprint * static_cast<float>(columns));
    return colour.cwiseProduct(Vector3f(gain[0], gain[1], gain[2])).cwiseMin(1.0F);
  }
};

// A box turned about the vertical axis.
struct Box {
  Vector3f centre = Vector3f::Zero();
  Vector3f half = Vector3f::Ones();
  float cosine = 1, sine = 0;
  std::array<Face, 6> faces;  // -x, +x, -y, +y, -z, +z

  Vector3f ToLocal(const Vector3f& v) const {
    return {cosine * v.x() + sine * v.z(), v.y(), -sine * v.x() + cosine * v.z()};
  }
  bool Contains(const Vector3f& point, float margin) const {
    return ((ToLocal(point - centre).cwiseAbs() - half).array() < margin).all();
  }
};

struct Hit {
  float t = std::numeric_limits<float>::infinity();
  const Box* box = nullptr;
  int axis = 0;
  bool positive = false;
  Vector3f local = Vector3f::Zero();
};

struct World {
  Box room;
  std::vector<Box> cuboids;
};

// Slab test. inside: the far side counts (a room seen from within), otherwise the near one.
void Intersect(const Box& box, const Vector3f& origin, const Vector3f& direction, bool inside, Hit& hit) {
  const Vector3f o = box.ToLocal(origin - box.centre);
  const Vector3f d = box.ToLocal(direction);
  float enter = 0;
  float leave = std::numeric_limits<float>::infinity();
  int enter_axis = -1;
  int leave_axis = 0;
  for (int axis = 0; axis < 3; ++axis) {
    const float inverse = 1.0F / (std::abs(d[axis]) > 1e-9F ? d[axis] : 1e-9F);
    const float first = (-box.half[axis] - o[axis]) * inverse;
    const float second = (box.half[axis] - o[axis]) * inverse;
    const float near = std::min(first, second);
    const float far = std::max(first, second);
    if (near > enter) enter = near, enter_axis = axis;
    if (far < leave) leave = far, leave_axis = axis;
  }
  const float t = inside ? leave : enter;
  const int axis = inside ? leave_axis : enter_axis;
  if (enter > leave || axis < 0 || t <= 1e-4F || t >= hit.t) return;
  hit = {t, &box, axis, false, o + t * d};
  hit.positive = hit.local[axis] > 0;
}

Hit Trace(const World& world, const Vector3f& origin, const Vector3f& direction) {
  Hit hit;
  Intersect(world.room, origin, direction, /*inside=*/true, hit);
  for (const Box& cuboid : world.cuboids) Intersect(cuboid, origin, direction, /*inside=*/false, hit);
  return hit;
}

// pixel_angle: radians of a pixel, for the footprint.
Vector3f Shade(const Hit& hit, float pixel_angle) {
  const int across = hit.axis == 0 ? 2 : 0;
  const int down = hit.axis == 1 ? 2 : 1;
  const Vector3f& half = hit.box->half;
  const float a = hit.local[across] / (2 * half[across]) + 0.5F;
  const float b = hit.local[down] / (2 * half[down]) + 0.5F;
  const Face& face = hit.box->faces[static_cast<size_t>(2 * hit.axis + (hit.positive ? 1 : 0))];
  return face.Sample(a, b, hit.t * pixel_angle / (2 * half[across]));
}

float Range(Random& random, float low, float high) { return static_cast<float>(random.Uniform(low, high)); }

Face RandomFace(std::span<const PicturePyramid> pictures, int max_columns, int max_rows, Random& random) {
  Face face;
  face.columns = 1 + static_cast<int>(random.Below(static_cast<uint64_t>(max_columns)));
  face.rows = 1 + static_cast<int>(random.Below(static_cast<uint64_t>(max_rows)));
  for (int i = 0; i < face.columns * face.rows; ++i) {
    face.pictures[static_cast<size_t>(i)] = &pictures[random.Below(pictures.size())];
  }
  const float level = Range(random, 0.7F, 1.25F);
  for (float& gain : face.gain) gain = level * Range(random, 0.9F, 1.1F);
  return face;
}

World RandomWorld(std::span<const PicturePyramid> pictures, Random& random) {
  World world;
  world.room.half = {Range(random, 1.6F, 3.5F), Range(random, 1.15F, 1.5F), Range(random, 1.6F, 3.5F)};
  for (Face& face : world.room.faces) face = RandomFace(pictures, 3, 2, random);
  const auto count = random.Below(kMaxCuboids + 1);
  for (uint64_t i = 0; i < count; ++i) {
    Box box;
    box.half = {Range(random, 0.15F, 0.8F), Range(random, 0.15F, 0.9F), Range(random, 0.15F, 0.8F)};
    const bool on_floor = random.Uniform() < 0.8;  // y points down
    const float floor = world.room.half.y() - box.half.y();
    box.centre = {Range(random, -1, 1) * world.room.half.x(), on_floor ? floor : Range(random, -1, 1) * floor,
                  Range(random, -1, 1) * world.room.half.z()};
    const float angle = Range(random, 0, kPi);
    box.cosine = std::cos(angle);
    box.sine = std::sin(angle);
    for (Face& face : box.faces) face = RandomFace(pictures, 1, 2, random);
    world.cuboids.push_back(box);
  }
  return world;
}

struct Pose {
  Vector3f position;
  float yaw = 0, pitch = 0, roll = 0;  // radians

  // Camera to world; x right, y down, z forward.
  Matrix3f Rotation() const {
    return (Eigen::AngleAxisf(yaw, Vector3f::UnitY()) * Eigen::AngleAxisf(pitch, Vector3f::UnitX()) *
            Eigen::AngleAxisf(roll, Vector3f::UnitZ()))
        .toRotationMatrix();
  }
};

bool Free(const World& world, const Vector3f& point) {
  return world.room.Contains(point, -kClearance) &&
         std::none_of(world.cuboids.begin(), world.cuboids.end(),
                      [&](const Box& box) { return box.Contains(point, kClearance); });
}

Vector3f FreePoint(World& world, Random& random) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    Vector3f point = world.room.half;
    for (int axis = 0; axis < 3; ++axis) point[axis] *= Range(random, -1, 1);
    point.y() = Range(random, -0.5F, 0.3F);
    if (Free(world, point)) return point;
  }
  world.cuboids.clear();  // too crowded to stand in
  return Vector3f::Zero();
}

Vector3f RandomDirection(Random& random) {
  const float angle = Range(random, 0, 2 * kPi);
  return Vector3f(std::cos(angle), 0.35F * Range(random, -1, 1), std::sin(angle)).normalized();
}

// The ends of the path and everything between, in the order of a training sample.
std::vector<Pose> RandomPath(World& world, const VirtualWorldOptions& options, Random& random) {
  const auto angle = [&](float degrees) {
    return Range(random, -degrees, degrees) * kPi / 180 * static_cast<float>(options.motion);
  };
  Pose first;
  first.position = FreePoint(world, random);
  first.yaw = Range(random, 0, 2 * kPi);
  first.pitch = Range(random, -10, 10) * kPi / 180;
  first.roll = Range(random, -2, 2) * kPi / 180;
  const float reach = kMaxTranslation * static_cast<float>(options.motion * options.translation);
  Vector3f shift = RandomDirection(random) * Range(random, 0.1F, 1.0F) * reach;
  for (int attempt = 0; attempt < 20 && !Free(world, first.position + shift); ++attempt) {
    shift = RandomDirection(random) * Range(random, 0.1F, 1.0F) * reach;
  }
  if (!Free(world, first.position + shift)) shift.setZero();
  const float yaw = angle(kMaxYaw), pitch = angle(kMaxPitch), roll = angle(kMaxRoll);
  std::vector<float> times;
  for (int i = 2; i < options.views; ++i) times.push_back(Range(random, 0.05F, 0.95F));
  std::sort(times.begin(), times.end());
  times.insert(times.begin(), {0.0F, 1.0F});
  times.resize(static_cast<size_t>(options.views));
  std::vector<Pose> path;
  for (size_t i = 0; i < times.size(); ++i) {
    const float s = times[i];
    // The views between stray a little from the straight line.
    const float stray = i < 2 ? 0.0F : 0.15F;
    Pose pose;
    pose.position = first.position + s * shift + stray * shift.norm() * RandomDirection(random);
    if (!Free(world, pose.position)) pose.position = first.position + s * shift;
    pose.yaw = first.yaw + s * yaw + stray * angle(kMaxYaw);
    pose.pitch = first.pitch + s * pitch + stray * angle(kMaxPitch);
    pose.roll = first.roll + s * roll + stray * angle(kMaxRoll);
    path.push_back(pose);
  }
  return path;
}

Vector3f PixelRay(float u, float v, float focal) { return {(u - 0.5F) / focal, (v - 0.5F) / focal, 1.0F}; }

Image RenderView(const World& world, const Pose& pose, float focal, const VirtualWorldOptions& options) {
  Image image;
  image.width = options.width;
  image.height = options.height;
  image.rgb.resize(static_cast<size_t>(options.width) * options.height * 3);
  const Matrix3f rotation = pose.Rotation();
  const float pixel_angle = 1.0F / (focal * static_cast<float>(options.width));
  size_t at = 0;
  for (int row = 0; row < options.height; ++row) {
    for (int column = 0; column < options.width; ++column) {
      const float u = (static_cast<float>(column) + 0.5F) / static_cast<float>(options.width);
      const float v = (static_cast<float>(row) + 0.5F) / static_cast<float>(options.height);
      const Hit hit = Trace(world, pose.position, rotation * PixelRay(u, v, focal));
      const Vector3f colour = Shade(hit, pixel_angle);
      for (int channel = 0; channel < 3; ++channel) {
        image.rgb[at++] = static_cast<uint8_t>(std::lround(255.0F * std::clamp(colour[channel], 0.0F, 1.0F)));
      }
    }
  }
  return image;
}

// Patch centres of a view: where they are in the first view.
std::vector<VirtualScene::PatchTruth> PatchTruths(const World& world, const Pose& pose, const Pose& first,
                                                  float focal, const VirtualWorldOptions& options) {
  std::vector<VirtualScene::PatchTruth> truths;
  const Matrix3f rotation = pose.Rotation();
  const Matrix3f to_first = first.Rotation().transpose();
  const int rows = options.height / options.patch;
  const int columns = options.width / options.patch;
  for (int i = 0; i < rows * columns; ++i) {
    const float u = (static_cast<float>(i % columns) + 0.5F) / static_cast<float>(columns);
    const float v = (static_cast<float>(i / columns) + 0.5F) / static_cast<float>(rows);
    const Vector3f ray = rotation * PixelRay(u, v, focal);
    VirtualScene::PatchTruth truth;
    truth.depth = Trace(world, pose.position, ray).t;  // the ray's camera z is 1
    const Vector3f point = pose.position + truth.depth * ray;
    const Vector3f seen = to_first * (point - first.position);
    if (seen.z() > 0.05F) {
      truth.u = focal * seen.x() / seen.z() + 0.5F;
      truth.v = focal * seen.y() / seen.z() + 0.5F;
      const bool in_frame = truth.u > 0 && truth.u < 1 && truth.v > 0 && truth.v < 1;
      truth.visible = in_frame && Trace(world, first.position, point - first.position).t > 0.98F;
    }
    truths.push_back(truth);
  }
  return truths;
}

// Of all views, the smallest share of patches that the first one sees.
double LeastOverlap(const std::vector<std::vector<VirtualScene::PatchTruth>>& views) {
  double least = 1.0;
  for (const auto& patches : views) {
    const auto seen =
        std::count_if(patches.begin(), patches.end(), [](const auto& truth) { return truth.visible; });
    least = std::min(least, static_cast<double>(seen) / static_cast<double>(patches.size()));
  }
  return least;
}

float MedianDepth(const std::vector<VirtualScene::PatchTruth>& truths) {
  std::vector<float> depths;
  for (const auto& truth : truths) depths.push_back(truth.depth);
  const auto middle = depths.begin() + static_cast<std::ptrdiff_t>(depths.size() / 2);
  std::nth_element(depths.begin(), middle, depths.end());
  return *middle;
}

}  // namespace

PicturePyramid::PicturePyramid(const Image& picture) {
  Level level{picture.width, picture.height, {}};
  level.rgb.reserve(picture.rgb.size());
  for (const uint8_t value : picture.rgb) level.rgb.push_back(static_cast<float>(value) / 255.0F);
  levels_.push_back(std::move(level));
  while (levels_.back().width > 4 && levels_.back().height > 4) {
    const Level& fine = levels_.back();
    Level coarse{fine.width / 2, fine.height / 2, {}};
    for (int row = 0; row < coarse.height; ++row) {
      for (int column = 0; column < coarse.width; ++column) {
        for (int channel = 0; channel < 3; ++channel) {
          const auto at = [&](int r, int c) {
            return fine.rgb[static_cast<size_t>(((2 * row + r) * fine.width + 2 * column + c) * 3 + channel)];
          };
          coarse.rgb.push_back((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4);
        }
      }
    }
    levels_.push_back(std::move(coarse));
  }
}

Eigen::Vector3f PicturePyramid::Sample(float u, float v, float footprint) const {
  const float texels = footprint * static_cast<float>(levels_.front().width);
  const int wanted = texels > 1.0F ? static_cast<int>(std::log2(texels) + 0.5F) : 0;
  const Level& level = levels_[static_cast<size_t>(std::min(wanted, static_cast<int>(levels_.size()) - 1))];
  const float x =
      std::clamp(u * static_cast<float>(level.width) - 0.5F, 0.0F, static_cast<float>(level.width) - 1.001F);
  const float y = std::clamp(v * static_cast<float>(level.height) - 0.5F, 0.0F,
                             static_cast<float>(level.height) - 1.001F);
  const int column = static_cast<int>(x);
  const int row = static_cast<int>(y);
  const float* top = &level.rgb[static_cast<size_t>((row * level.width + column) * 3)];
  const float* bottom = top + static_cast<size_t>(level.width) * 3;
  const float fx = x - static_cast<float>(column);
  const float fy = y - static_cast<float>(row);
  const auto pixel = [](const float* p) { return Eigen::Map<const Eigen::Vector3f>(p); };
  return (1 - fy) * ((1 - fx) * pixel(top) + fx * pixel(top + 3)) +
         fy * ((1 - fx) * pixel(bottom) + fx * pixel(bottom + 3));
}

VirtualScene MakeVirtualScene(std::span<const PicturePyramid> pictures, const VirtualWorldOptions& options,
                              Random& random) {
  if (pictures.empty() || options.views < 1 || options.patch < 1 || options.width % options.patch != 0 ||
      options.height % options.patch != 0) {
    throw UsageError("virtual worlds need pictures, views, and sizes that are multiples of the patch");
  }
  World world = RandomWorld(pictures, random);
  const float fov = Range(random, kMinFov, kMaxFov) * kPi / 180;
  VirtualScene scene;
  scene.focal = 0.5F / std::tan(fov / 2);
  std::vector<Pose> path;
  VirtualWorldOptions tried = options;
  do {
    path = RandomPath(world, tried, random);
    scene.patches.clear();
    for (const Pose& pose : path)
      scene.patches.push_back(PatchTruths(world, pose, path.front(), scene.focal, options));
    tried.motion *= 0.8;
  } while (LeastOverlap(scene.patches) < options.min_overlap && tried.motion > 1e-3);
  const Pose& first = path.front();
  for (const Pose& pose : path) scene.views.push_back(RenderView(world, pose, scene.focal, options));
  const float unit = MedianDepth(scene.patches.front());
  const Matrix3f to_first = first.Rotation().transpose();
  for (size_t view = 0; view < path.size(); ++view) {
    Eigen::Matrix4f c2w = Eigen::Matrix4f::Identity();
    c2w.topLeftCorner<3, 3>() = to_first * path[view].Rotation();
    c2w.topRightCorner<3, 1>() = to_first * (path[view].position - first.position) / unit;
    scene.c2w.push_back(c2w);
    for (auto& truth : scene.patches[view]) truth.depth /= unit;
  }
  return scene;
}

}  // namespace wildrayzer
