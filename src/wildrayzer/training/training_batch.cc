#include "wildrayzer/training/training_batch.h"

#include <Eigen/LU>
#include <algorithm>
#include <cmath>

#include "wildrayzer/kernels/parallel.h"
#include "wildrayzer/util/error.h"
#include "wildrayzer/vision/framing.h"

namespace wildrayzer {
namespace {

void CopyPlanes(const Image& image, float* out) {
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      out[channel * pixels + i] = static_cast<float>(image.rgb[3 * i + channel]) / 255.0F;
    }
  }
}

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

// The cameras of all views, if they are known.
void AddCameras(const Batch& batch, TrainingBatch& out) {
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

TrainingBatch ToTensors(const Batch& batch) {
  CheckSizes(batch);
  const auto scenes = static_cast<int64_t>(batch.samples.size());
  const auto views = static_cast<int64_t>(batch.samples[0].views.size());
  const int64_t height = batch.samples[0].views[0].image.height;
  const int64_t width = batch.samples[0].views[0].image.width;
  TrainingBatch out;
  out.inputs = batch.inputs;
  for (const Sample& sample : batch.samples) {
    out.samples.push_back(&sample);
    out.pasted.push_back(sample.pasted);
    out.dynamic.push_back(sample.dynamic);
  }
  const bool any_pasted = std::find(out.pasted.begin(), out.pasted.end(), true) != out.pasted.end();
  out.images = torch::empty({scenes, views, 3, height, width});
  out.clean = any_pasted ? torch::empty_like(out.images) : out.images;
  if (any_pasted) out.pasted_masks = torch::zeros({scenes, views, 1, height, width});
  AddCameras(batch, out);
  const int64_t pixels = height * width;
  float* const images = out.images.data_ptr<float>();
  float* const clean = out.clean.data_ptr<float>();
  float* const masks = any_pasted ? out.pasted_masks.data_ptr<float>() : nullptr;
  ParallelFor(scenes * views, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Sample& sample = batch.samples[static_cast<size_t>(i / views)];
      const auto v = static_cast<size_t>(i % views);
      const View& view = sample.views[v];
      CopyPlanes(view.image, images + i * 3 * pixels);
      if (!any_pasted) continue;
      CopyPlanes(sample.pasted ? view.clean : view.image, clean + i * 3 * pixels);
      if (!sample.pasted) continue;
      for (int64_t p = 0; p < pixels; ++p) {
        masks[i * pixels + p] = sample.overlays[v].values[static_cast<size_t>(p)] > 0 ? 1.0F : 0.0F;
      }
    }
  });
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
  return grid.repeat_interleave(patch, 2).repeat_interleave(patch, 3);
}

}  // namespace wildrayzer
