#include "wildrayzer/synth/archive.h"

#include <zip.h>

#include <memory>

#include "wildrayzer/util/error.h"

namespace wildrayzer::synth {

ZipArchive::ZipArchive(const std::filesystem::path& path) : path_(path), archive_(nullptr) {
  int code = 0;
  archive_ = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive_ == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw FileError(path.string(), "cannot be opened as a zip archive: " + reason);
  }
}

ZipArchive::~ZipArchive() { zip_discard(archive_); }

std::optional<std::string> ZipArchive::Read(const std::string& name, size_t limit) const {
  zip_int64_t index = zip_name_locate(archive_, name.c_str(), 0);
  if (index < 0) index = zip_name_locate(archive_, name.c_str(), ZIP_FL_NOCASE);
  if (index < 0) return std::nullopt;
  zip_stat_t stat;
  if (zip_stat_index(archive_, static_cast<zip_uint64_t>(index), 0, &stat) != 0 ||
      (stat.valid & ZIP_STAT_SIZE) == 0) {
    throw FileError(path_.string(), "its member " + name + " is damaged");
  }
  if (stat.size > limit)
    throw FileError(path_.string(),
                    "its member " + name + " is larger than " + std::to_string(limit) + " bytes");
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(archive_, static_cast<zip_uint64_t>(index), 0), zip_fclose);
  std::string content(stat.size, '\0');
  // libzip checks the CRC when the end is reached; asking for one byte more reaches it and uncovers a wrong
  // size.
  char extra = 0;
  if (!file ||
      zip_fread(file.get(), content.data(), content.size()) != static_cast<zip_int64_t>(content.size()) ||
      zip_fread(file.get(), &extra, 1) != 0) {
    throw FileError(path_.string(), "its member " + name + " is damaged");
  }
  return content;
}

}  // namespace wildrayzer::synth
