// Packed files that are damaged, cut off, or something else: one line, and nothing read outside of them.
#include "wildrayzer/data/packed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "wildrayzer/data/testing/packed_data.h"
#include "wildrayzer/io/safetensors.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using testing::FreshFolder;
using ::testing::HasSubstr;
using testing::ReadText;

struct Tensor {
  DType dtype = DType::kU8;
  std::vector<int64_t> shape;
  std::string bytes;
};

// A packed file taken apart, to be damaged.
struct Parts {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;

  std::string& layout() { return metadata.at(kPackedMetadataKey); }
  // Number `column` of row `frame` of a table.
  template <typename T>
  void Set(const std::string& table, int64_t frame, int64_t column, T value) {
    Tensor& tensor = tensors.at(table);
    std::memcpy(tensor.bytes.data() + sizeof(T) * static_cast<size_t>(frame * tensor.shape[1] + column),
                &value, sizeof(T));
  }
  void SetPlace(int64_t frame, int64_t column, int64_t value) {
    Set<int64_t>("frames", frame, column, value);
  }
  void SetScenes(const std::string& json) {
    tensors.at("scenes") = {DType::kU8, {static_cast<int64_t>(json.size())}, json};
  }
};

// Two scenes of two frames, raw (3072 bytes a picture, 1024 a mask) or JPEG.
std::string PackedBytes(int jpeg_quality) {
  const fs::path root = FreshFolder("packed_parts");
  testing::Pack(*OpenScenes(root, testing::WriteRoomsLike(root, 2, 2)), root / "p.safetensors", jpeg_quality);
  return ReadText(root / "p.safetensors");
}

Parts TakeApart(const std::string& bytes) {
  const TensorFile file = ParseSafetensors(MappedFile::FromMemory("valid", std::as_bytes(std::span(bytes))));
  Parts parts;
  parts.metadata = file.metadata();
  for (const TensorEntry& entry : file.tensors()) {
    parts.tensors[entry.name] = {
        entry.dtype, entry.shape,
        std::string(reinterpret_cast<const char*>(entry.data), static_cast<size_t>(entry.byte_size()))};
  }
  return parts;
}

std::string PutTogether(const Parts& parts) {
  const fs::path path = FreshFolder("packed_together") / "p.safetensors";
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : parts.tensors) {
    sources.push_back({name, tensor.dtype, tensor.shape, [&bytes = tensor.bytes](const ByteSink& sink) {
                         sink(std::as_bytes(std::span(bytes)));
                       }});
  }
  WriteSafetensors(path, std::move(sources), parts.metadata);
  return ReadText(path);
}

// Opens the file and reads everything in it. Gives the message of the refusal; "accepted" when there is none.
std::string ReadAll(const std::string& bytes) {
  try {
    const auto file =
        PackedFile::Parse(MappedFile::FromMemory("test.safetensors", std::as_bytes(std::span(bytes))));
    for (int64_t i = 0; i < file->frames(); ++i) {
      file->FramingOf(i);
      file->Intrinsics(i);
      file->WorldToCamera(i);
      file->Picture(i);
      file->CleanPicture(i);
      file->Mask(i);
    }
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith("test.safetensors"));
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("\n")));
    return error.what();
  }
  return "accepted";
}

struct Damage {
  std::string message;  // part of the refusal
  std::function<void(Parts&)> damage;
};

void ExpectRefused(const std::string& valid, const std::vector<Damage>& table) {
  ASSERT_EQ(ReadAll(PutTogether(TakeApart(valid))), "accepted");
  for (size_t i = 0; i < table.size(); ++i) {
    Parts parts = TakeApart(valid);
    table[i].damage(parts);
    EXPECT_THAT(ReadAll(PutTogether(parts)), HasSubstr(table[i].message)) << "row " << i;
  }
}

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
constexpr int64_t kLow = std::numeric_limits<int64_t>::min();

TEST(PackedFile, DamagedDescriptionsAreRefused) {
  const auto layout = [](const std::string& text) { return [text](Parts& parts) { parts.layout() = text; }; };
  const auto scenes = [](const std::string& text) { return [text](Parts& parts) { parts.SetScenes(text); }; };
  ExpectRefused(
      PackedBytes(0),
      {
          {"holds no packed scenes (a checkpoint?); wildrayzer pack", [](Parts& p) { p.metadata.clear(); }},
          {"not valid JSON", layout("{")},
          {"no object", layout("[1]")},
          {"'version'", layout("{}")},
          {"format 2, but this program reads format 1; pack",
           layout(R"({"version":2,"width":32,"height":32,"patch":16,"pictures":"raw"})")},
          {"'width'", layout(R"({"version":1,"width":0,"height":32,"patch":16,"pictures":"raw"})")},
          {"'width'", layout(R"({"version":1,"width":1e3,"height":32,"patch":16,"pictures":"raw"})")},
          {"'height'",
           layout(R"({"version":1,"width":32,"height":18446744073709551615,"patch":16,"pictures":"raw"})")},
          {"'patch'", layout(R"({"version":1,"width":32,"height":32,"patch":-16,"pictures":"raw"})")},
          {"in patches of 5", layout(R"({"version":1,"width":32,"height":32,"patch":5,"pictures":"raw"})")},
          {"32768 x 32768",
           layout(R"({"version":1,"width":32768,"height":32768,"patch":1,"pictures":"raw"})")},
          {"neither raw nor jpeg", layout(R"({"version":1,"width":32,"height":32,"patch":16,"pictures":7})")},
          {"bytes of picture", layout(R"({"version":1,"width":32,"height":16,"patch":16,"pictures":"raw"})")},
          {"not valid JSON", scenes("")},
          {"not valid JSON", scenes("[{\"name\": \"\xff\", \"frames\": 4}]")},
          {"no list of scenes", scenes("[]")},
          {"no list of scenes", scenes("{}")},
          {"scene 0 has no name", scenes("[4]")},
          {"scene 0 has no name", scenes(R"([{"name": "", "frames": 4}])")},
          {"two scenes are named 'a'", scenes(R"([{"name": "a", "frames": 2}, {"name": "a", "frames": 2}])")},
          {"'frames'", scenes(R"([{"name": "a"}])")},
          {"'frames'", scenes(R"([{"name": "a", "frames": 0}, {"name": "b", "frames": 4}])")},
          {"'frames'", scenes(R"([{"name": "a", "frames": -1}, {"name": "b", "frames": 5}])")},
          {"instead of [5, 6]", scenes(R"([{"name": "a", "frames": 5}])")},
          {"instead of [3, 6]", scenes(R"([{"name": "a", "frames": 3}])")},
          {"empty list of views", scenes(R"([{"name": "a", "frames": 4, "inputs": [0, 1]}])")},
          {"empty list of views", scenes(R"([{"name": "a", "frames": 4, "inputs": [], "targets": [1]}])")},
          {"does not have", scenes(R"([{"name": "a", "frames": 4, "inputs": [0, 4], "targets": [1]}])")},
          {"does not have", scenes(R"([{"name": "a", "frames": 4, "inputs": [0], "targets": [-1]}])")},
          {"does not have", scenes(R"([{"name": "a", "frames": 4, "inputs": [0], "targets": [0.5]}])")},
          {"input view twice", scenes(R"([{"name": "a", "frames": 4, "inputs": [1, 1], "targets": [0]}])")},
      });
}

TEST(PackedFile, DamagedTablesAreRefused) {
  const auto place = [](int64_t frame, int64_t column, int64_t value) {
    return [=](Parts& parts) { parts.SetPlace(frame, column, value); };
  };
  std::vector<Damage> table = {
      {"frame 0 at byte -1 lies outside", place(0, 0, -1)},
      {"frame 1 at byte 0 lies outside", place(1, 0, 0)},  // on top of the one before
      {"frame 1 at byte 7161 lies outside", place(1, 0, 7161)},
      {"frame 3 at byte 21512 lies outside", place(3, 0, 21512)},
      {"lies outside", place(3, 0, kFar)},
      {"lies outside", place(2, 0, kLow)},
      {"bytes of picture", place(0, 1, 0)},
      {"bytes of picture", place(0, 1, 3071)},
      {"bytes of picture", place(0, 1, kFar)},
      {"bytes of picture", place(2, 2, 1)},
      {"bytes of picture", place(2, 2, -3072)},
      {"bytes of picture", place(1, 3, 1023)},
      {"bytes of picture", place(1, 3, kLow)},
      {"comes from a photo of 0 x", place(1, 4, 0)},
      {"comes from a photo of", place(1, 4, 32769)},
      {"comes from a photo of", place(1, 5, (int64_t{1} << 32) + 64)},
      {"the camera of frame 2", [](Parts& p) { p.Set<double>("cameras", 2, 0, INFINITY); }},
      {"the camera of frame 3", [](Parts& p) { p.Set<double>("cameras", 3, 7, NAN); }},
  };
  for (const char* name : {"data", "frames", "cameras", "scenes"}) {
    table.push_back({fmt::format("no tensor '{}'", name), [=](Parts& p) { p.tensors.erase(name); }});
    table.push_back({fmt::format("tensor '{}' is ", name), [=](Parts& p) {  // the same bytes, other elements
                       p.tensors[name].dtype =
                           DTypeSize(p.tensors[name].dtype) == 1 ? DType::kI8 : DType::kU64;
                     }});
    table.push_back(
        {fmt::format("tensor '{}' is ", name), [=](Parts& p) { p.tensors[name].shape.push_back(1); }});
  }
  for (const char* name : {"frames", "cameras"}) {
    table.push_back({fmt::format("tensor '{}' is [", name), [=](Parts& p) {
                       std::vector<int64_t>& shape = p.tensors[name].shape;
                       shape = {shape[0] / 2, shape[1] * 2};
                     }});
  }
  ExpectRefused(PackedBytes(0), table);
}

TEST(PackedFile, DamagedJpegFramesAreRefused) {
  const std::string valid = PackedBytes(90);
  const auto entry = [&](int64_t frame, int64_t column) {
    int64_t value = 0;
    const std::string& table = TakeApart(valid).tensors.at("frames").bytes;
    std::memcpy(&value, table.data() + 8 * (6 * frame + column), 8);
    return static_cast<size_t>(value);
  };
  const size_t picture = entry(1, 0), mask = picture + entry(1, 1) + entry(1, 2);
  const auto byte = [](size_t at, char value) {
    return [=](Parts& parts) { parts.tensors.at("data").bytes.at(at) = value; };
  };
  const std::string large = [] {
    const auto jpeg = EncodeJpeg(testing::Noise(48, 32, 1), 20);
    return std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
  }();
  ExpectRefused(valid, {
                           {"test.safetensors, frame 1: ", byte(picture, 'x')},
                           {"the mask of frame 1", byte(mask, '!')},
                           {"the mask of frame 1", byte(mask, 'o')},  // runs that are too long
                           {"bytes of picture", [](Parts& p) { p.SetPlace(0, 1, 0); }},
                           {"bytes of picture", [](Parts& p) { p.SetPlace(0, 2, -1); }},
                           {"bytes of picture", [](Parts& p) { p.SetPlace(0, 3, kFar); }},
                           {"frame 3 at byte", [](Parts& p) { p.SetPlace(3, 3, 5000); }},
                           {"frame 1 holds a picture of 48 x 32 instead of 32 x 32",
                            [&](Parts& p) {
                              p.tensors.at("data").bytes.replace(picture, large.size(), large);
                              p.SetPlace(1, 1, static_cast<int64_t>(large.size()));
                              p.SetPlace(1, 2, 0);
                              p.SetPlace(1, 3, 0);
                            }},
                       });
}

TEST(PackedFile, CutOffFilesAreRefused) {
  for (const int quality : {0, 90}) {
    const std::string valid = PackedBytes(quality);
    for (size_t size = 0; size < valid.size(); size += size < 1100 ? 1 : 97)
      EXPECT_THAT(ReadAll(valid.substr(0, size)), HasSubstr("pack the data again")) << size;
    EXPECT_THAT(ReadAll(valid + "x"), HasSubstr("1 bytes follow the last tensor"));
  }
}

// Whatever a byte becomes: the file is read or refused.
TEST(PackedFile, FlippedBitsAreSurvived) {
  Random random(3, "flips");
  for (const int quality : {0, 90}) {
    const std::string valid = PackedBytes(quality);
    for (int i = 0; i < 3000; ++i) {
      std::string bytes = valid;
      for (uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
        // Header and tables are small beside the pictures, but more is to be broken there.
        const size_t tables = valid.size() - 1200;
        const size_t at = random.Below(2) == 0 ? random.Below(1024) : tables + random.Below(1200);
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
      }
      ReadAll(bytes);
    }
  }
}

}  // namespace
}  // namespace wildrayzer
