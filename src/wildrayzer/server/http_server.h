// Serves HTTP on one port: cpp-httplib's reading and writing of it, behind limits that it lacks.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "wildrayzer/server/guarded_socket.h"
#include "wildrayzer/server/http.h"

namespace wildrayzer {

// One thread a connection. All that a client can do without a token is to hold one of `most_connections` for
// the time of SocketLimits, or for half a second when others need it: those that are silent or slow with
// their requests then make room.
//
// What cpp-httplib 0.11 cannot be trusted with never comes to it: bodies without a length (chunked, until the
// end of the connection) and compressed ones are refused, a head is bounded in bytes and time, ranges are
// left to the handler, no path is matched by a regular expression, and nothing is compressed.
class HttpServer {
 public:
  // Answers a request, on any thread. HttpError becomes a JSON response, every other error one with status
  // 500.
  using Handler = std::function<HttpResponse(HttpRequest&)>;

  // Listens at once; port 0 chooses one. Error when the port is taken or the host is not this machine's.
  HttpServer(const std::string& host, int port, Handler handler, const SocketLimits& limits = {},
             int most_connections = 200);
  // Stops.
  ~HttpServer();

  int port() const;
  // False when listening has ended, which nobody asked for.
  bool IsRunning() const;
  // Closes all connections and waits for their threads; handlers that wait for something must be told before.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wildrayzer
