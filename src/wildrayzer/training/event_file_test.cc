#include "wildrayzer/training/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "wildrayzer/testing/files.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::SizeIs;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

EventValue ScalarValue(const std::string& tag, float value) {
  return {
      .kind = EventValue::Kind::kScalar, .tag = tag, .scalar = value, .width = 0, .height = 0, .bytes = ""};
}

Event StepEvent(int64_t step, std::vector<EventValue> values) {
  return {.wall_time = 1.5,
          .step = step,
          .file_version = "",
          .session_start = false,
          .values = std::move(values)};
}

// The examples of RFC 3720, appendix B.4, and the check value of the CRC catalogues.
TEST(Crc32c, AgreesWithPublishedVectors) {
  EXPECT_EQ(Crc32c(Bytes(std::string(32, '\0'))), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(Bytes(std::string(32, '\xFF'))), 0x62A8AB43u);
  std::string up(32, '\0');
  std::iota(up.begin(), up.end(), '\0');
  EXPECT_EQ(Crc32c(Bytes(up)), 0x46DD794Eu);
  EXPECT_EQ(Crc32c(Bytes(std::string(up.rbegin(), up.rend()))), 0x113FDB5Cu);
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

// Written down by hand from the specifications, byte for byte; the checksums come from the bitwise definition
// below, not from the table.
uint32_t BitwiseMaskedCrc(const std::string& data) {
  uint32_t crc = ~0u;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

std::string LittleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

TEST(EventFile, ScalarRecordIsTheseBytes) {
  // wall_time 1.5 (double), step 300 (varint AC 02), summary { value { tag "a", simple_value 1 } }.
  const std::string data(
      "\x09\0\0\0\0\0\0\xF8\x3F"
      "\x10\xAC\x02"
      "\x2A\x0A\x0A\x08"
      "\x0A\x01"
      "a"
      "\x15\0\0\x80\x3F",
      24);
  const std::string length = LittleEndian(data.size(), 8);
  EXPECT_EQ(
      EncodeEvent(StepEvent(300, {ScalarValue("a", 1)})),
      length + LittleEndian(BitwiseMaskedCrc(length), 4) + data + LittleEndian(BitwiseMaskedCrc(data), 4));
}

TEST(EventFile, EveryKindComesBack) {
  const EventValue image{.kind = EventValue::Kind::kImage,
                         .tag = "grid",
                         .scalar = 0,
                         .width = 640,
                         .height = 2,
                         .bytes = std::string("\x89PNG\0x", 6)};
  const EventValue text{.kind = EventValue::Kind::kText,
                        .tag = "config",
                        .scalar = 0,
                        .width = 0,
                        .height = 0,
                        .bytes = std::string(300, 'y')};
  Event start = StepEvent(int64_t{1} << 40, {});
  start.session_start = true;
  const std::string bytes =
      EncodeEvent(StepEvent(0, {ScalarValue("loss", -0.25f), image, text})) + EncodeEvent(start);
  bool complete = false;
  const std::vector<Event> events = DecodeEvents(Bytes(bytes), &complete);
  EXPECT_TRUE(complete);
  ASSERT_EQ(events.size(), 2u);
  ASSERT_EQ(events[0].values.size(), 3u);
  EXPECT_EQ(events[0].wall_time, 1.5);
  EXPECT_EQ(events[0].values[0].tag, "loss");
  EXPECT_EQ(events[0].values[0].scalar, -0.25f);
  EXPECT_EQ(events[0].values[1].kind, EventValue::Kind::kImage);
  EXPECT_EQ(events[0].values[1].width, 640);
  EXPECT_EQ(events[0].values[1].height, 2);
  EXPECT_EQ(events[0].values[1].bytes, image.bytes);
  EXPECT_EQ(events[0].values[2].kind, EventValue::Kind::kText);
  EXPECT_EQ(events[0].values[2].bytes, text.bytes);
  EXPECT_TRUE(events[1].session_start);
  EXPECT_EQ(events[1].step, int64_t{1} << 40);
}

TEST(EventFile, AnyCutLeavesTheWholeRecordsBeforeIt) {
  const std::string first = EncodeEvent(StepEvent(1, {ScalarValue("a", 1)}));
  const std::string bytes = first + EncodeEvent(StepEvent(2, {ScalarValue("a", 2)}));
  for (size_t size = 0; size < bytes.size(); ++size) {
    bool complete = true;
    const std::vector<Event> events = DecodeEvents(Bytes(bytes.substr(0, size)), &complete);
    EXPECT_EQ(events.size(), size < first.size() ? 0u : 1u) << size;
    EXPECT_EQ(complete, size == 0 || size == first.size()) << size;
  }
}

TEST(EventFile, AnyFlippedBitIsFound) {
  const std::string bytes = EncodeEvent(StepEvent(1, {ScalarValue("a", 1)}));
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    bool complete = true;
    EXPECT_THAT(DecodeEvents(Bytes(damaged), &complete), SizeIs(0)) << bit;
    EXPECT_FALSE(complete) << bit;
  }
}

// A record with a sound checksum may still hold anything.
TEST(EventFile, HostileMessagesAreRefused) {
  const std::vector<std::string> messages = {
      "\x2A\x7F",                             // a summary longer than the message
      std::string("\x2A\x02\x0A\x05", 4),     // a value longer than its summary
      std::string(11, '\xFF'),                // a varint without end
      "\x0B",                                 // a group
      std::string("\x09\0\0", 3),             // half a double
      "\x2A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"  // 2^56 bytes
  };
  for (const std::string& message : messages) {
    const std::string length = LittleEndian(message.size(), 8);
    const std::string record = length + LittleEndian(BitwiseMaskedCrc(length), 4) + message +
                               LittleEndian(BitwiseMaskedCrc(message), 4);
    bool complete = true;
    EXPECT_THAT(DecodeEvents(Bytes(record), &complete), SizeIs(0));
    EXPECT_FALSE(complete);
  }
  const std::string length = LittleEndian(~uint64_t{0}, 8);
  EXPECT_THAT(DecodeEvents(Bytes(length + LittleEndian(BitwiseMaskedCrc(length), 4) + "0123456789")),
              SizeIs(0));
}

TEST(EventFile, LaterSessionsMakeEarlierEventsVoid) {
  const fs::path folder = testing::FreshFolder("event_folder");
  {
    EventWriter first(folder);
    for (const int step : {1, 2, 3}) first.Write(StepEvent(step, {ScalarValue("a", 10.0f + step)}));
  }
  {
    EventWriter second(folder);
    Event start = StepEvent(2, {});
    start.session_start = true;
    second.Write(start);
    second.Write(StepEvent(2, {ScalarValue("a", 22)}));
  }
  std::vector<float> values;
  int versions = 0;
  for (const Event& event : ReadEventFolder(folder)) {
    versions += event.file_version == "brain.Event:2" ? 1 : 0;
    for (const EventValue& value : event.values) values.push_back(value.scalar);
  }
  EXPECT_EQ(versions, 2);
  EXPECT_THAT(values, ElementsAre(11, 22));
}

TEST(EventFile, FullDiskIsAClearError) {
  AppendFile file("/dev/full");
  try {
    file.Append("x");
    FAIL() << "writing to a full device succeeded";
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("/dev/full: cannot write (is the disk full?)"));
  }
  EXPECT_THROW(EventWriter("/nonexistent-folder"), FileError);
}

}  // namespace
}  // namespace wildrayzer
