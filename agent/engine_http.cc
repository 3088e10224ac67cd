#include "agent/engine_http.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr std::size_t kMaximumBody = 64u << 20;

// One request and its answer. Every step is asynchronous inside, so that a deadline or a cancel
// ends it at once.
class Exchange {
 public:
  Exchange(const std::string& address, const base::Clock& clock, const CallLimits& limits)
      : address_(address), clock_(clock), limits_(limits), socket_(io_) {}

  absl::Status Connect() {
    ASSIGN_OR_RETURN(const Protocol::endpoint endpoint, Resolve());
    return Await([&](auto done) { socket_.async_connect(endpoint, done); });
  }

  absl::Status Send(const HttpRequest& request) {
    http::request<http::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.set(http::field::host, "docker");
    message.set(http::field::connection, "close");
    if (!request.registry_auth.empty()) message.set("X-Registry-Auth", request.registry_auth);
    if (!request.body.empty()) {
      message.set(http::field::content_type, "application/json");
      message.body() = request.body;
    }
    message.prepare_payload();
    return Await([&](auto done) {
      http::async_write(socket_, message, [done](error_code error, std::size_t) { done(error); });
    });
  }

  absl::StatusOr<HttpResponse> Receive(const EngineHttp::StreamHooks& hooks) {
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    RETURN_IF_ERROR(Await([&](auto done) {
      http::async_read_header(socket_, buffer_, parser,
                              [done](error_code error, std::size_t) { done(error); });
    }));
    HttpResponse response;
    response.status = parser.get().result_int();
    const bool streams = hooks.on_bytes && response.status < 300;
    if (streams && hooks.on_open) hooks.on_open();
    std::array<char, 32768> chunk;
    while (!parser.is_done()) {
      parser.get().body().data = chunk.data();
      parser.get().body().size = chunk.size();
      RETURN_IF_ERROR(Await([&](auto done) {
        http::async_read_some(socket_, buffer_, parser, [done](error_code error, std::size_t) {
          done(error == http::error::need_buffer ? error_code() : error);
        });
      }));
      const absl::string_view got(chunk.data(), chunk.size() - parser.get().body().size);
      if (got.empty()) continue;
      if (streams) {
        RETURN_IF_ERROR(hooks.on_bytes(got));
        continue;
      }
      response.body.append(got.data(), got.size());
      if (response.body.size() > kMaximumBody) {
        return absl::ResourceExhaustedError("an answer of the engine is larger than 64 MiB");
      }
    }
    return response;
  }

 private:
  absl::StatusOr<Protocol::endpoint> Resolve() {
    absl::string_view text = address_;
    if (absl::ConsumePrefix(&text, "tcp://")) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(text, absl::MaxSplits(':', 1));
      asio::ip::tcp::resolver resolver(io_);
      error_code error;
      const auto found = resolver.resolve(parts.first, parts.second, error);
      if (error || found.empty()) return Unreachable(error);
      return Protocol::endpoint(found.begin()->endpoint());
    }
    absl::ConsumePrefix(&text, "unix://");
    if (text.empty() || text.size() > 107) {
      return absl::InvalidArgumentError(
          absl::StrCat("engine address \"", address_, "\": a path of 1 to 107 bytes is needed"));
    }
    return Protocol::endpoint(asio::local::stream_protocol::endpoint(std::string(text)));
  }

  absl::Status Unreachable(const error_code& error) const {
    absl::string_view path = address_;
    absl::ConsumePrefix(&path, "unix://");
    return absl::UnavailableError(absl::StrCat(
        "docker does not answer at ", path, ": ", error.message(),
        error == asio::error::access_denied
            ? "; put the user of fairlead-agent into the group of that socket, mostly docker"
            : ""));
  }

  // Starts a step with a completion and runs until it has completed, the deadline or a cancel.
  template <typename Start>
  absl::Status Await(Start start) {
    std::optional<error_code> outcome;
    start([&outcome](error_code error) { outcome = error; });
    while (!outcome) {
      const absl::Duration left = limits_.deadline - clock_.Now();
      const bool cancelled = limits_.is_cancelled && limits_.is_cancelled();
      if (cancelled || left <= absl::ZeroDuration()) {
        Abort();
        return cancelled ? absl::CancelledError("cancelled")
                         : absl::DeadlineExceededError("docker did not finish in time");
      }
      const absl::Duration wait =
          std::min(left, limits_.is_cancelled ? kPoll : absl::Milliseconds(500));
      io_.restart();
      io_.run_one_for(std::chrono::microseconds(absl::ToInt64Microseconds(wait) + 1));
    }
    return *outcome ? Unreachable(*outcome) : absl::OkStatus();
  }

  // Completions refer to locals of the caller: they run before it returns.
  void Abort() {
    error_code ignored;
    socket_.close(ignored);
    io_.restart();
    io_.run();
  }

  const std::string& address_;
  const base::Clock& clock_;
  const CallLimits& limits_;
  asio::io_context io_{1};
  Protocol::socket socket_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace

EngineHttp::EngineHttp(std::string address, const base::Clock& clock)
    : address_(std::move(address)), clock_(clock) {}

absl::StatusOr<HttpResponse> EngineHttp::Stream(const HttpRequest& request,
                                                const StreamHooks& hooks,
                                                const CallLimits& limits) const {
  Exchange exchange(address_, clock_, limits);
  RETURN_IF_ERROR(exchange.Connect());
  RETURN_IF_ERROR(exchange.Send(request));
  return exchange.Receive(hooks);
}

}  // namespace fairlead::agent
