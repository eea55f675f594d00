// HTTP as the routes see it: values in, values out. Nothing here knows sockets or a library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wildrayzer/util/error.h"

namespace wildrayzer {

// Ends a request with a status of 4xx or 5xx; what() is the line that the client gets.
class HttpError : public Error {
 public:
  HttpError(int status, const std::string& line) : Error(line), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

// The client is gone, or too slow, or the server ends: there is nobody to answer.
class ClientGone : public Error {
 public:
  ClientGone() : Error("the client is gone") {}
};

// Everything in it was said by the client: nothing is to be believed.
struct HttpRequest {
  std::string method;                               // GET, HEAD, POST, PUT, DELETE, ...
  std::string path;                                 // decoded, any bytes
  std::multimap<std::string, std::string> query;    // decoded
  std::multimap<std::string, std::string> headers;  // names in lower case
  uint64_t body_bytes = 0;                          // that are announced
  // Hands the body out in pieces, all body_bytes of it; to be called once. Raises ClientGone.
  std::function<void(const std::function<void(std::span<const std::byte>)>&)> read_body;
  // Whether the other side has closed the connection; cheap, may be asked often.
  std::function<bool()> client_is_gone;

  // The first of the values; empty when there is none. `name` in lower case.
  std::string Header(const std::string& name) const;
  std::string Query(const std::string& name) const;
};

// The body is `text`, or a part of `file`.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string text;
  std::filesystem::path file;
  uint64_t first = 0;   // of the file's bytes
  uint64_t length = 0;  // likewise
  // Lives until the body is sent.
  std::shared_ptr<const void> keep;
};

// {"error": line}
HttpResponse ErrorResponse(int status, std::string_view line);

// The whole body. HttpError 413.
std::string ReadBody(HttpRequest& request, uint64_t most_bytes);

// A part of a file of `size` bytes.
struct ByteRange {
  uint64_t first = 0;
  uint64_t length = 0;
};
enum class RangeKind {
  kWhole,          // no range, or one of a kind that may be ignored: several, another unit, nonsense
  kPart,           // `range` is it
  kUnsatisfiable,  // begins behind the end
};
// The value of a Range header.
RangeKind ParseRange(std::string_view header, uint64_t size, ByteRange& range);

}  // namespace wildrayzer
