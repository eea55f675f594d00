#include "wildrayzer/server/http_server.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <list>
#include <mutex>
#include <thread>

#include "wildrayzer/io/utf8.h"
#include "wildrayzer/util/log.h"

namespace wildrayzer {
namespace {

// Of the request that this thread is at; the library hands nothing of the kind on.
struct Current {
  GuardedSocket* socket = nullptr;
  std::string path;
  bool bad_length = false;
};
thread_local Current current;

// True on the threads of connections.
thread_local bool on_own_thread = false;

class GuardedStream : public httplib::Stream {
 public:
  explicit GuardedStream(GuardedSocket& socket) : socket_(socket) {}
  bool is_readable() const override { return socket_.IsReadable(); }
  bool is_writable() const override { return socket_.IsWritable(); }
  ssize_t read(char* data, size_t size) override { return socket_.Read(data, size); }
  ssize_t write(const char* data, size_t size) override { return socket_.Write(data, size); }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  GuardedSocket& socket_;
};

// A thread for every connection. Where there are too many, a new one waits for room, which `make_room` is
// asked to make; when it has waited for too long, the task runs on the accepting thread, where all it does is
// to close.
class ConnectionThreads : public httplib::TaskQueue {
 public:
  ConnectionThreads(int most, std::function<void()> make_room)
      : most_(most), make_room_(std::move(make_room)) {}

  void enqueue(std::function<void()> task) override {
    if (!WaitForRoom()) {
      task();
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++count_;
    std::thread([this, work = std::move(task)] {
      on_own_thread = true;
      work();
      const std::lock_guard<std::mutex> done(mutex_);
      --count_;
      changed_.notify_all();
    }).detach();
  }
  void shutdown() override {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  bool WaitForRoom() {
    constexpr std::chrono::milliseconds kStep{20};
    constexpr int kMostSteps = 100;
    std::unique_lock<std::mutex> lock(mutex_);
    for (int i = 0; i < kMostSteps && count_ >= most_; ++i) {
      lock.unlock();
      make_room_();
      lock.lock();
      changed_.wait_for(lock, kStep, [this] { return count_ < most_; });
    }
    return count_ < most_;
  }

  const int most_;
  const std::function<void()> make_room_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

class Listener : public httplib::Server {
 public:
  Listener(const SocketLimits& limits, int most_connections) : limits_(limits) {
    new_task_queue = [this, most_connections] {
      return new ConnectionThreads(most_connections, [this] { EndIdleOnes(); });
    };
    // The library's default lets a second server share the port.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
  }

  // The library's queue of connections that are not accepted yet is of 5.
  void WidenQueue() { ::listen(svr_sock_, 128); }

  void CloseAll() {
    stopping_ = true;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Open& open : open_) ::shutdown(open.descriptor, SHUT_RDWR);
  }

 private:
  struct Open {
    int descriptor;
    GuardedSocket* socket;
  };

  // Those who dawdle with their requests make room for those who do not.
  void EndIdleOnes() {
    constexpr std::chrono::milliseconds kPatience{500};
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Open& open : open_) {
      if (open.socket->IdleFor() > kPatience) ::shutdown(open.descriptor, SHUT_RDWR);
    }
  }

  bool process_and_close_socket(socket_t descriptor) override {
    if (!on_own_thread) {
      ::close(descriptor);
      return false;
    }
    GuardedSocket socket(descriptor, limits_);
    std::list<Open>::iterator open;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      open = open_.insert(open_.end(), {descriptor, &socket});
    }
    try {
      ServeConnection(descriptor, socket);
    } catch (const std::exception& error) {  // out of memory
      LogWarning("a connection is given up: {}", error.what());
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    open_.erase(open);
    ::close(descriptor);
    return true;
  }

  void ServeConnection(int descriptor, GuardedSocket& socket) {
    constexpr int kMostRequests = 1000;
    const int yes = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    GuardedStream stream(socket);
    const auto stopping = [this] { return stopping_.load(); };
    for (int left = kMostRequests; left > 0 && socket.WaitForRequest(stopping); --left) {
      current = {&socket, "", false};
      bool ends = false;
      uint64_t announced = 0;
      const bool fine = process_request(stream, left == 1, ends, [&](httplib::Request& request) {
        announced = Prepare(request);
        socket.BeginBody();
      });
      // What follows a body that was not read is no request.
      if (!fine || ends || stopping_ || current.bad_length || socket.body_bytes() != announced) break;
    }
    current = {};
    socket.Linger();
  }

  // Between the head and everything else: takes away what the library would do with it. The length of the
  // body.
  static uint64_t Prepare(httplib::Request& request) {
    current.path = std::exchange(request.path, "/");
    request.ranges.clear();
    request.headers.erase("Accept-Encoding");
    const std::string length = request.get_header_value("Content-Length");
    const bool digits = length.size() <= 18 && std::all_of(length.begin(), length.end(), ::isdigit);
    current.bad_length = !digits || request.get_header_value_count("Content-Length") > 1 ||
                         request.has_header("Transfer-Encoding") || request.has_header("Content-Encoding");
    if (current.bad_length) {
      request.headers.erase("Transfer-Encoding");
      request.headers.erase("Content-Encoding");
      request.headers.erase("Content-Length");
    }
    request.headers.erase("Content-Type");  // by which a body would be taken to pieces
    if (length.empty() || current.bad_length) {
      request.headers.erase("Content-Length");
      request.headers.emplace("Content-Length", "0");
      return 0;
    }
    return std::stoull(length);
  }

  SocketLimits limits_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::list<Open> open_;
};

HttpRequest ToRequest(const httplib::Request& from, const httplib::ContentReader* reader) {
  HttpRequest request;
  request.method = from.method;
  request.path = current.path;
  request.query = from.params;
  for (const auto& [name, value] : from.headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
    request.headers.emplace(std::move(lower), value);
  }
  request.body_bytes = reader ? from.get_header_value<uint64_t>("Content-Length") : 0;
  GuardedSocket* const socket = current.socket;
  request.client_is_gone = [socket] { return socket->PeerIsGone(); };
  request.read_body = [reader, total = request.body_bytes](const auto& take) {
    uint64_t got = 0;
    const bool fine = total == 0 || (*reader)([&](const char* data, size_t size) {
                        got += size;
                        take(std::as_bytes(std::span(data, size)));
                        return true;
                      });
    if (!fine || got != total) throw ClientGone();
  };
  return request;
}

void SendFile(const HttpResponse& from, httplib::Response& to) {
  const auto file = std::make_shared<std::ifstream>(from.file, std::ios::binary);
  to.set_content_provider(
      from.length, from.content_type,
      [file, first = from.first, keep = from.keep](size_t offset, size_t length, httplib::DataSink& sink) {
        std::array<char, 64 << 10> piece;
        file->clear();
        file->seekg(static_cast<std::streamoff>(first + offset));
        file->read(piece.data(), static_cast<std::streamsize>(std::min(length, piece.size())));
        return file->gcount() > 0 && sink.write(piece.data(), static_cast<size_t>(file->gcount()));
      });
}

void FillResponse(const HttpResponse& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (from.length > 0) {
    SendFile(from, to);
  } else if (!from.text.empty()) {
    to.set_content(from.text, from.content_type);
  }
}

HttpResponse Answer(const HttpServer::Handler& handler, HttpRequest& request) {
  if (current.bad_length)
    return ErrorResponse(411, "send the body with its Content-Length, not chunked and not compressed");
  try {
    return handler(request);
  } catch (const HttpError& error) {
    return ErrorResponse(error.status(), error.what());
  } catch (const ClientGone& error) {
    return ErrorResponse(400, error.what());
  } catch (const std::bad_alloc&) {
    return ErrorResponse(503, "out of memory; try again with smaller photos");
  } catch (const std::exception& error) {
    LogInfo("{} {}: {}", request.method, Printable(request.path), error.what());
    return ErrorResponse(500, "the server failed; its output says how");
  }
}

}  // namespace

struct HttpServer::Impl {
  Impl(const SocketLimits& limits, int most_connections) : listener(limits, most_connections) {}
  Listener listener;
  int port = 0;
  std::thread thread;
  std::atomic<bool> running = true;
};

HttpServer::HttpServer(const std::string& host, int port, Handler handler, const SocketLimits& limits,
                       int most_connections)
    : impl_(std::make_unique<Impl>(limits, most_connections)) {
  Listener& listener = impl_->listener;
  const auto answer = [handle = std::move(handler)](const httplib::Request& from, httplib::Response& to,
                                                    const httplib::ContentReader* reader) {
    HttpRequest request = ToRequest(from, reader);
    FillResponse(Answer(handle, request), to);
  };
  const auto plain = [answer](const httplib::Request& from, httplib::Response& to) {
    answer(from, to, nullptr);
  };
  const auto reading = [answer](const httplib::Request& from, httplib::Response& to,
                                const httplib::ContentReader& reader) { answer(from, to, &reader); };
  listener.Get("/", plain);
  listener.Options("/", plain);
  listener.Post("/", reading);
  listener.Put("/", reading);
  listener.Patch("/", reading);
  listener.Delete("/", reading);
  // What the library refuses by itself.
  listener.set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (!to.body.empty() || to.content_provider_) return;
    const int status = to.status;
    FillResponse(ErrorResponse(status, "the request cannot be understood"), to);
  });
  if (port == 0) {
    impl_->port = listener.bind_to_any_port(host);
  } else {
    impl_->port = listener.bind_to_port(host, port) ? port : -1;
  }
  if (impl_->port <= 0) {
    throw Error(host + " port " + std::to_string(port) +
                ": cannot be listened on (taken by another program, or not of this machine); choose another "
                "--port, or 0 for any that is free");
  }
  listener.WidenQueue();
  impl_->thread = std::thread([impl = impl_.get()] {
    impl->listener.listen_after_bind();
    impl->running = false;
  });
}

HttpServer::~HttpServer() { Stop(); }
int HttpServer::port() const { return impl_->port; }
bool HttpServer::IsRunning() const { return impl_->running; }

void HttpServer::Stop() {
  if (!impl_->thread.joinable()) return;
  impl_->listener.CloseAll();
  while (impl_->running) {  // it may not have begun yet
    impl_->listener.stop();
    impl_->listener.CloseAll();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  impl_->thread.join();
}

}  // namespace wildrayzer
