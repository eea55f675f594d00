#include "wildrayzer/training/training_batch.h"

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

#include "wildrayzer/kernels/device.h"
#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {
namespace {

void CheckSizes(const Batch& batch) {
  const Sample& first = batch.samples.front();
  for (const Sample& sample : batch.samples) {
    const bool same = sample.views.size() == first.views.size() &&
                      std::all_of(sample.views.begin(), sample.views.end(), [&](const View& view) {
                        return view.image.width == first.views[0].image.width &&
                               view.image.height == first.views[0].image.height;
                      });
    if (!same) throw Error("scene " + sample.scene + " has other picture sizes than the rest of its batch");
  }
}

using Bytes = std::span<const uint8_t>;
using Picture = std::function<Bytes(const Sample& sample, size_t view)>;

// The pictures of all views as float planes [B, V, channels, H, W] with values 0 to 255; an empty one is
// black. They travel to the device as the bytes that they are.
torch::Tensor StackPictures(const Batch& batch, int64_t channels, const Picture& picture,
                            torch::Device device) {
  const auto scenes = static_cast<int64_t>(batch.samples.size());
  const auto views = static_cast<int64_t>(batch.samples[0].views.size());
  const Image& first = batch.samples[0].views[0].image;
  const torch::Tensor bytes =
      torch::zeros({scenes, views, first.height, first.width, channels}, torch::kUInt8);
  const int64_t size = bytes[0][0].numel();
  auto* const out = bytes.data_ptr<uint8_t>();
  ParallelFor(scenes * views, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Bytes pixels =
          picture(batch.samples[static_cast<size_t>(i / views)], static_cast<size_t>(i % views));
      std::copy(pixels.begin(), pixels.end(), out + i * size);
    }
  });
  return Upload(bytes, device)
      .permute({0, 1, 4, 2, 3})
      .to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/false, torch::MemoryFormat::Contiguous);
}

// The cameras of all views, if they are known.
void AddCameras(const Batch& batch, TrainingBatch& out, torch::Device device) {
  for (const Sample& sample : batch.samples) {
    for (const View& view : sample.views) {
      if (!view.w2c || !view.intrinsics) return;
    }
  }
  out.c2w = torch::empty({out.images.size(0), out.images.size(1), 4, 4});
  out.fxfycxcy = torch::empty({out.images.size(0), out.images.size(1), 4});
  float* pose = out.c2w.data_ptr<float>();
  float* intrinsics = out.fxfycxcy.data_ptr<float>();
  for (const Sample& sample : batch.samples) {
    for (const View& view : sample.views) {
      const Eigen::Matrix4d c2w = *sample.views[0].w2c * view.w2c->inverse();
      for (int i = 0; i < 16; ++i) *pose++ = static_cast<float>(c2w(i / 4, i % 4));
      const double width = view.image.width, height = view.image.height;
      for (const double value : {view.intrinsics->fx / width, view.intrinsics->fy / height,
                                 view.intrinsics->cx / width, view.intrinsics->cy / height})
        *intrinsics++ = static_cast<float>(value);
    }
  }
  out.c2w = Upload(out.c2w, device);
  out.fxfycxcy = Upload(out.fxfycxcy, device);
}

}  // namespace

TrainingBatch TrainingBatch::Scenes(int64_t begin, int64_t count) const {
  const auto narrow = [&](const torch::Tensor& all) {
    return all.defined() ? all.narrow(0, begin, count) : all;
  };
  const auto part = [&](const auto& all) {
    using List = std::decay_t<decltype(all)>;
    // Batches made by hand, in tests, name no samples.
    return all.empty() ? List() : List(all.begin() + begin, all.begin() + begin + count);
  };
  return {inputs,           first + begin,        narrow(images), narrow(clean), narrow(c2w),
          narrow(fxfycxcy), narrow(pasted_masks), part(pasted),   part(dynamic), part(samples)};
}

TrainingBatch ToTensors(const Batch& batch, torch::Device device) {
  CheckSizes(batch);
  TrainingBatch out;
  out.inputs = batch.inputs;
  for (const Sample& sample : batch.samples) {
    out.samples.push_back(&sample);
    out.pasted.push_back(sample.pasted);
    out.dynamic.push_back(sample.dynamic);
  }
  const Picture shown = [](const Sample& sample, size_t v) { return Bytes(sample.views[v].image.rgb); };
  const Picture clean = [](const Sample& sample, size_t v) {
    return Bytes(sample.pasted ? sample.views[v].clean.rgb : sample.views[v].image.rgb);
  };
  out.images = StackPictures(batch, 3, shown, device).div_(255.0);
  out.clean = out.images;
  if (std::find(out.pasted.begin(), out.pasted.end(), true) != out.pasted.end()) {
    out.clean = StackPictures(batch, 3, clean, device).div_(255.0);
    out.pasted_masks = StackPictures(
                           batch, 1,
                           [](const Sample& sample, size_t v) {
                             return sample.pasted ? Bytes(sample.overlays[v].values) : Bytes();
                           },
                           device)
                           .gt(0.0)
                           .to(torch::kFloat32);
  }
  AddCameras(batch, out, device);
  return out;
}

torch::Tensor RandomBoxes(int64_t views, int64_t rows, int64_t columns, int64_t patch, double share,
                          Random& random) {
  torch::Tensor grid = torch::zeros({views, 1, rows, columns});
  for (int64_t view = 0; view < views; ++view) {
    const auto boxes = static_cast<int64_t>(1 + random.Below(3));
    const double area = share * static_cast<double>(rows * columns) / static_cast<double>(boxes);
    for (int64_t box = 0; box < boxes; ++box) {
      const double aspect = std::exp(random.Uniform(-std::log(2.0), std::log(2.0)));
      const auto side = [](double size, int64_t limit) {
        return std::clamp<int64_t>(std::llround(size), 1, limit);
      };
      const int64_t height = side(std::sqrt(area * aspect), rows);
      const int64_t width = side(std::sqrt(area / aspect), columns);
      const auto row = static_cast<int64_t>(random.Below(static_cast<uint64_t>(rows - height + 1)));
      const auto column = static_cast<int64_t>(random.Below(static_cast<uint64_t>(columns - width + 1)));
      grid[view].narrow(1, row, height).narrow(2, column, width).fill_(1.0);
    }
  }
  // Every cell as patch x patch pixels.
  return grid.view({views, 1, rows, 1, columns, 1})
      .expand({-1, -1, -1, patch, -1, patch})
      .reshape({views, 1, rows * patch, columns * patch});
}

}  // namespace wildrayzer
