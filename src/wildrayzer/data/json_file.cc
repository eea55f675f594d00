#include "wildrayzer/data/json_file.h"

#include <fmt/format.h>

#include <cmath>

#include "wildrayzer/io/mapped_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {

using nlohmann::json;

json ReadJsonFile(const std::filesystem::path& path) {
  constexpr size_t kMaxBytes = size_t{256} << 20;
  const auto file = MappedFile::Open(path);
  const auto bytes = file->bytes();
  if (bytes.size() > kMaxBytes)
    throw FileError(path.string(), "is larger than 256 MiB; it is not such a description");
  const char* begin = reinterpret_cast<const char*>(bytes.data());
  try {
    return json::parse(begin, begin + bytes.size());
  } catch (const json::parse_error& error) {
    throw FileError(path.string(), fmt::format("is not valid JSON (byte {}); it may be cut off", error.byte));
  } catch (const json::exception&) {
    throw FileError(path.string(), "is not valid JSON");
  }
}

std::string TextMember(const json& object, const std::string& key, const std::filesystem::path& path,
                       const std::string& where) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string() || member->get_ref<const std::string&>().empty()) {
    throw FileError(path.string(), fmt::format("{} has no text '{}'", where, key));
  }
  return member->get<std::string>();
}

std::vector<double> FiniteNumbers(const json& value, size_t count, const std::filesystem::path& path,
                                  const std::string& where) {
  std::vector<double> numbers;
  if (value.is_array() && value.size() == count) {
    for (const json& item : value) {
      if (item.is_number() && std::isfinite(item.get<double>())) numbers.push_back(item.get<double>());
    }
  }
  if (numbers.size() != count)
    throw FileError(path.string(), fmt::format("{} is not a list of {} numbers", where, count));
  return numbers;
}

}  // namespace wildrayzer
