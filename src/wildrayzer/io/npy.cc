#include "wildrayzer/io/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/atomic_file.h"
#include "wildrayzer/util/error.h"

namespace wildrayzer {
namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr size_t kMaxNpyHeader = 65536;
constexpr size_t kMaxNpyRank = 16;
constexpr size_t kHeaderAlignment = 64;

struct TypeCode {
  std::string_view code;  // NumPy's kind and size
  DType dtype;
};

constexpr std::array<TypeCode, 12> kTypes = {{{"b1", DType::kBool},
                                              {"u1", DType::kU8},
                                              {"i1", DType::kI8},
                                              {"u2", DType::kU16},
                                              {"i2", DType::kI16},
                                              {"u4", DType::kU32},
                                              {"i4", DType::kI32},
                                              {"u8", DType::kU64},
                                              {"i8", DType::kI64},
                                              {"f2", DType::kF16},
                                              {"f4", DType::kF32},
                                              {"f8", DType::kF64}}};

// The header: a Python dict literal with exactly the keys 'descr', 'fortran_order' and 'shape'.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  void Parse();

  DType dtype = DType::kU8;
  bool fortran_order = false;
  std::vector<int64_t> shape;

 private:
  [[noreturn]] void Fail(const std::string& problem) const { throw FileError(path_, problem); }
  [[noreturn]] void FailForm() const { Fail("the .npy header is damaged"); }

  void SkipSpace() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n' || text_.front() == '\t' ||
                              text_.front() == '\r')) {
      text_.remove_prefix(1);
    }
  }
  // Consumes the token if it comes next, after white space.
  bool Accept(std::string_view token) {
    SkipSpace();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  void Expect(std::string_view token) {
    if (!Accept(token)) FailForm();
  }
  std::string_view String();
  void Type();
  void Shape();

  const std::string& path_;
  std::string_view text_;
};

std::string_view HeaderParser::String() {
  SkipSpace();
  if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) FailForm();
  const size_t end = text_.find(text_.front(), 1);
  if (end == std::string_view::npos) FailForm();
  const std::string_view result = text_.substr(1, end - 1);
  if (result.find('\\') != std::string_view::npos) FailForm();
  text_.remove_prefix(end + 1);
  return result;
}

void HeaderParser::Type() {
  SkipSpace();
  if (text_.starts_with("[")) Fail("structured .npy arrays are not supported");
  const std::string_view code = String();
  if (code.find('O') != std::string_view::npos)
    Fail("object .npy arrays hold pickled Python, which is refused");
  const bool order = !code.empty() && (code[0] == '<' || code[0] == '|' || code[0] == '=');
  for (const TypeCode& type : kTypes) {
    if (order && code.substr(1) == type.code) {
      dtype = type.dtype;
      return;
    }
  }
  Fail("element type '" + (IsUtf8(code) ? Printable(code) : "?") + "' of the .npy file is not supported");
}

void HeaderParser::Shape() {
  Expect("(");
  while (!Accept(")")) {
    SkipSpace();
    int64_t size = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
    if (error != std::errc{} || size < 0) FailForm();
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    if (text_.starts_with("L")) text_.remove_prefix(1);  // Python 2
    if (shape.size() == kMaxNpyRank) Fail("the .npy array has more than 16 dimensions");
    shape.push_back(size);
    if (Accept(",")) continue;
    Expect(")");
    return;
  }
}

void HeaderParser::Parse() {
  std::set<std::string_view> seen;
  Expect("{");
  while (!Accept("}")) {
    const std::string_view key = String();
    if (!seen.insert(key).second) FailForm();
    Expect(":");
    if (key == "descr") {
      Type();
    } else if (key == "fortran_order") {
      fortran_order = Accept("True");
      if (!fortran_order) Expect("False");
    } else if (key == "shape") {
      Shape();
    } else {
      FailForm();
    }
    if (!Accept(",")) {
      Expect("}");
      break;
    }
  }
  SkipSpace();
  if (!text_.empty() || seen.size() != 3) FailForm();
}

// The header text and the number of bytes before the data.
std::pair<std::string_view, size_t> FindHeader(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) throw FileError(file.path(), "is no .npy file");
  if (text.size() < 12) throw FileError(file.path(), "the .npy header is cut off");
  const auto version = static_cast<uint8_t>(text[6]);
  if (version < 1 || version > 3) {
    throw FileError(file.path(), "has the unknown .npy version " + std::to_string(version));
  }
  uint32_t length = 0;
  const size_t length_bytes = version == 1 ? 2 : 4;
  std::memcpy(&length, text.data() + 8, length_bytes);
  const size_t begin = 8 + length_bytes;
  if (length > kMaxNpyHeader || length > text.size() - begin) {
    throw FileError(file.path(), "the .npy header is cut off or too long");
  }
  return {text.substr(begin, length), begin + length};
}

}  // namespace

NpyArray ParseNpy(const std::shared_ptr<const MappedFile>& file) {
  const auto [text, begin] = FindHeader(*file);
  HeaderParser header(file->path(), text);
  header.Parse();
  const std::span<const std::byte> data = file->bytes().subspan(begin);
  const std::optional<int64_t> count = CheckedNumel(header.shape);
  int64_t bytes = 0;
  if (!count || !CheckedMultiply(*count, DTypeSize(header.dtype), &bytes)) {
    throw FileError(file->path(), "the .npy array has the impossible shape " + ShapeText(header.shape));
  }
  if (static_cast<uint64_t>(bytes) != data.size()) {
    throw FileError(file->path(), "the .npy array of shape " + ShapeText(header.shape) + " needs " +
                                      std::to_string(bytes) + " bytes but the file has " +
                                      std::to_string(data.size()));
  }
  std::vector<int64_t> strides = RowMajorStrides(header.shape);
  if (header.fortran_order) {
    const std::vector<int64_t> reversed(header.shape.rbegin(), header.shape.rend());
    strides = RowMajorStrides(reversed);
    std::reverse(strides.begin(), strides.end());
  }
  NpyArray array{header.dtype, header.shape, {}};
  array.data.reserve(static_cast<size_t>(bytes));
  const TensorEntry entry{"", header.dtype, header.shape, strides, data.data()};
  entry.Stream([&](std::span<const std::byte> part) {
    array.data.insert(array.data.end(), part.begin(), part.end());
  });
  if (array.dtype == DType::kBool) {
    for (std::byte& value : array.data) value = std::byte{value != std::byte{0}};
  }
  return array;
}

NpyArray ReadNpy(const std::filesystem::path& path) { return ParseNpy(MappedFile::Open(path)); }

void WriteNpy(const std::filesystem::path& path, DType dtype, const std::vector<int64_t>& shape,
              std::span<const std::byte> data) {
  const TensorSource size_of{path.string(), dtype, shape, {}};
  if (static_cast<uint64_t>(size_of.byte_size()) != data.size()) {
    throw FileError(path.string(), "an array of shape " + ShapeText(shape) + " cannot be written from " +
                                       std::to_string(data.size()) + " bytes");
  }
  const auto type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeCode& t) { return t.dtype == dtype; });
  if (type == kTypes.end())
    throw FileError(path.string(), "NumPy has no element type " + std::string(DTypeName(dtype)));
  std::string header = std::string("{'descr': '") + (DTypeSize(dtype) == 1 ? "|" : "<") +
                       std::string(type->code) + "', 'fortran_order': False, 'shape': (";
  for (const int64_t size : shape) header += std::to_string(size) + ",";
  header += "), }";
  const size_t prefix = kMagic.size() + 4;
  while ((prefix + header.size() + 1) % kHeaderAlignment != 0) header += ' ';
  header += '\n';
  AtomicFile file(path);
  const auto length = static_cast<uint16_t>(header.size());
  file.Write(std::string(kMagic) + '\x01' + '\0');
  file.Write(&length, sizeof(length));
  file.Write(header);
  file.Write(data);
  file.Commit();
}

}  // namespace wildrayzer
