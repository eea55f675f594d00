#include "wildrayzer/training/stage.h"

#include <gtest/gtest.h>

#include <map>

namespace wildrayzer {
namespace {

// The table of method.md section 6, written out.
TEST(Stage, TrainsWhatTheMethodSays) {
  const std::map<std::string, std::string> stages = {
      {"image_tokenizer.projection.weight", "01-34"},
      {"transformer_encoder.0.attn.to_qkv.weight", "01-34"},
      {"scene_latent", "01-34"},
      {"motion_mask_predictor.dino_proj.weight", "--2-4"},
      {"motion_mask_predictor.blocks.0.norm1.weight", "--2-4"},
      // Masked tokens appear in stages 3 and 4 only.
      {"noise_token", "---34"},
      // A prefix that only looks like the motion estimator's.
      {"motion_mask_predictors", "01-34"},
  };
  for (const auto& [name, expected] : stages) {
    std::string got;
    for (int stage = 0; stage < 5; ++stage) {
      const bool trains = StageTrains(static_cast<Stage>(stage), name);
      got += trains ? static_cast<char>('0' + stage) : '-';
    }
    EXPECT_EQ(got, expected) << name;
  }
}

TEST(Stage, NamesAndNeeds) {
  std::string motion;
  for (int stage = 0; stage < 5; ++stage) {
    EXPECT_FALSE(StageName(static_cast<Stage>(stage)).empty());
    motion += StageNeedsMotion(static_cast<Stage>(stage)) ? '1' : '0';
  }
  EXPECT_EQ(motion, "00101");
  EXPECT_EQ(StageName(Stage::kJoint), "joint");
}

}  // namespace
}  // namespace wildrayzer
