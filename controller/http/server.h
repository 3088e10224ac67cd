// An HTTP/1.1 server for few, small requests from anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/connection_table.h"
#include "controller/http/message.h"

namespace fairlead::http {

// Listens from Start to Stop on one thread of its own. Whatever clients do, the number of
// connections, the bytes kept for each and the time it may take stay bounded. Start, Stop and the
// destructor belong to one thread; port() is free.
class Server {
 public:
  struct Options {
    // Numeric address; empty is all IPv4 addresses.
    std::string address = "127.0.0.1";
    // 0 lets the system choose.
    uint16_t port = 0;
    RequestFunction handler;
    // Asked before `handler`; may be empty. What it takes over is 503 after `reply_timeout`.
    LaterFunction later;
    absl::Duration reply_timeout = absl::Seconds(10);
    // Files in PEM format; both or none. With them the server speaks TLS 1.2 or later only, with
    // ephemeral keys and authenticated encryption.
    std::string tls_cert;
    std::string tls_key;
    // Open at a time. Beyond, the connection that has waited longest for its client is cut.
    base::ConnectionLimits connections{
        .total = 1024, .per_address = 256, .patience = absl::InfiniteDuration()};
    // On one connection, which then ends.
    int max_requests = 1000;
    // Bytes; larger ones are answered with 431 and 413.
    uint32_t header_limit = 64u << 10;
    std::size_t body_limit = 1u << 20;
    // For one whole request, for the next one on an idle connection, and for one answer.
    absl::Duration read_timeout = absl::Seconds(10);
    // What answers on their way get after Stop.
    absl::Duration stop_timeout = absl::Seconds(2);
    // How many connections are open now; may be empty. Called on the server's thread.
    std::function<void(std::size_t open)> on_open;
    // One was refused or cut to make room: "full" or "evicted". May be empty. On that thread, too.
    std::function<void(absl::string_view why)> on_cut;
  };

  // InvalidArgument: address, certificate or key is wrong. FailedPrecondition: cannot listen.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options);
  // Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The port listened on.
  uint16_t port() const;

  // Reads the files again; new connections get them. An error leaves what there is.
  absl::Status ReloadTls();

  // Accepts no more, ends idle connections, lets answers on their way finish, and returns.
  void Stop();

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state);
  // Answers that come later know it weakly.
  std::shared_ptr<State> state_;
};

}  // namespace fairlead::http
