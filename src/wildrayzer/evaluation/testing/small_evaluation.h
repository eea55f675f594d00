// A scene of two inputs and one target, folders of pictures, and a method that knows the truth: for the tests
// of scoring, methods and runner.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wildrayzer/evaluation/runner.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer::testing {

inline constexpr int kSize = 32;

inline Image Flat(uint8_t value) {
  Image image(kSize, kSize);
  std::fill(image.rgb.begin(), image.rgb.end(), value);
  return image;
}

inline Planes LeftHalf() {
  Planes mask(1, kSize, kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize / 2; ++x) mask.At(0, y, x) = 1.0f;
  }
  return mask;
}

// Two inputs, one target whose left half moves; clean truth 0.5.
inline EvaluationScene SmallScene() {
  EvaluationScene scene;
  scene.name = "small";
  scene.num_inputs = 2;
  scene.frames = {0, 4, 2};
  scene.observed = {Flat(0), Flat(255), Flat(51)};
  scene.truth = {Planes(3, kSize, kSize, 0.5f)};
  scene.clean_truth = true;
  scene.masks = {LeftHalf(), Planes(), LeftHalf()};
  return scene;
}

// A rendering wrong by 0.1 on the left half and by 0.01 on the right one.
inline MethodOutput SmallOutput() {
  MethodOutput output;
  Planes picture(3, kSize, kSize, 0.51f);
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize / 2; ++x) picture.At(c, y, x) = 0.6f;
    }
  }
  output.renders = {picture};
  output.masks = {LeftHalf(), LeftHalf(), Planes(1, kSize, kSize, 0.3f)};
  output.soft_masks = true;
  return output;
}

class Folders : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(::testing::TempDir()) /
            ("wildrayzer_protocols_" +
             std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // Five frames 0, 25, .. 100 with clean pictures equal to them and left-half masks.
  SceneRecord Record(const std::string& name) const {
    SceneRecord record;
    record.name = name;
    record.source = root_ / name;
    std::filesystem::create_directories(root_ / name);
    for (int i = 0; i < 5; ++i) {
      FrameRecord frame;
      frame.image_path = root_ / name / (std::to_string(i) + ".png");
      frame.clean_path = frame.image_path;
      frame.mask_path = root_ / name / (std::to_string(i) + "_mask.png");
      frame.mask_frame = MaskFrame::kModel;
      WritePng(frame.image_path, Flat(static_cast<uint8_t>(25 * i)));
      WritePng(frame.mask_path, GrayFrom(LeftHalf()));
      record.frames.push_back(frame);
    }
    return record;
  }

  SettingRequest Setting(std::vector<SceneRecord> records) const {
    SettingRequest setting;
    setting.label = "2 views";
    setting.data = "test";
    setting.scenes = std::make_shared<FixedScenes>(std::move(records));
    setting.num_inputs = 2;
    setting.num_targets = 3;
    return setting;
  }

  RunOptions Options() const {
    RunOptions options;
    options.folder = root_ / "out";
    options.protocol = FindProtocol("iphone");
    options.width = options.height = kSize;
    return options;
  }

  std::filesystem::path root_;
};

// Renders the truth; counts its calls; fails on scenes named "bad".
class Perfect : public Method {
 public:
  Perfect() : Method("perfect", "Perfect", "knows the truth") {}
  std::string Identity(const EvaluationScene&) const override { return identity; }
  MethodOutput Run(const EvaluationScene& scene) const override {
    ++calls;
    if (scene.name == "bad") throw Error("cannot do bad ones");
    MethodOutput output;
    output.renders = scene.truth;
    output.masks = scene.masks;
    return output;
  }
  mutable int calls = 0;
  std::string identity;
};

}  // namespace wildrayzer::testing
