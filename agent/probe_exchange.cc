#include "agent/probe_exchange.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr uint32_t kMostHeaderBytes = 16u << 10;
constexpr unsigned kFirstWell = 200;
constexpr unsigned kFirstFailure = 400;

// Keeps itself alive by the handlers of its steps.
class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, const std::string& address, ProbeDefinition definition,
           std::function<void(const absl::Status&)> done)
      : definition_(std::move(definition)),
        stream_(io),
        done_(std::move(done)),
        where_(absl::StrCat(
            absl::StrContains(address, ':') ? absl::StrCat("[", address, "]") : address, ":",
            definition_.port)) {}

  void Run(const asio::ip::address& address) {
    stream_.expires_after(
        std::chrono::microseconds(absl::ToInt64Microseconds(definition_.timeout)));
    stream_.async_connect(
        asio::ip::tcp::endpoint(address, static_cast<uint16_t>(definition_.port)),
        [self = shared_from_this()](error_code error) { self->OnConnected(error); });
  }

 private:
  void OnConnected(error_code error) {
    if (error || definition_.path.empty()) {
      Finish(error);
      return;
    }
    request_.method(http::verb::get);
    request_.target(definition_.path);
    request_.version(11);
    request_.set(http::field::host, definition_.host);
    request_.set(http::field::user_agent, "fairlead-agent");
    request_.set(http::field::accept, "*/*");
    request_.set(http::field::connection, "close");
    http::async_write(
        stream_, request_,
        [self = shared_from_this()](error_code failed, std::size_t) { self->OnSent(failed); });
  }

  void OnSent(error_code error) {
    if (error) {
      Finish(error);
      return;
    }
    parser_.header_limit(kMostHeaderBytes);
    // The body is not read, whatever its length.
    parser_.body_limit(boost::none);
    http::async_read_header(
        stream_, buffer_, parser_,
        [self = shared_from_this()](error_code failed, std::size_t) { self->OnHeader(failed); });
  }

  void OnHeader(error_code error) {
    const unsigned status = error ? 0 : parser_.get().result_int();
    if (error || (status >= kFirstWell && status < kFirstFailure)) {
      Finish(error);
      return;
    }
    const absl::string_view reason(parser_.get().reason().data(), parser_.get().reason().size());
    Say(absl::UnavailableError(
        absl::StrCat(What(), ": ", status, reason.empty() ? "" : " ", reason)));
  }

  std::string What() const {
    return definition_.path.empty() ? absl::StrCat("connect to ", where_)
                                    : absl::StrCat("GET http://", where_, definition_.path);
  }

  void Finish(error_code error) {
    if (!error) {
      Say(absl::OkStatus());
      return;
    }
    std::string why = absl::AsciiStrToLower(error.message());
    if (error == beast::error::timeout) {
      why = absl::StrCat("no answer within ", absl::FormatDuration(definition_.timeout));
    } else if (error == http::error::end_of_stream || error == asio::error::eof) {
      why = "closed without an answer";
    } else if (error.category() == http::make_error_code(http::error::bad_version).category()) {
      why = absl::StrCat("not an answer of HTTP: ", why);
    }
    Say(absl::UnavailableError(absl::StrCat(What(), ": ", why)));
  }

  void Say(const absl::Status& status) {
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
    done_(status);
  }

  const ProbeDefinition definition_;
  beast::tcp_stream stream_;
  const std::function<void(const absl::Status&)> done_;
  const std::string where_;
  http::request<http::empty_body> request_;
  http::response_parser<http::empty_body> parser_;
  beast::flat_buffer buffer_{kMostHeaderBytes};
};

}  // namespace

void AskContainer(asio::io_context& io, const std::string& address,
                  const ProbeDefinition& definition,
                  std::function<void(const absl::Status&)> done) {
  error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  if (error) {
    asio::post(io, [done = std::move(done)] {
      done(absl::UnavailableError("the container has no address"));
    });
    return;
  }
  std::make_shared<Exchange>(io, address, definition, std::move(done))->Run(parsed);
}

}  // namespace fairlead::agent
