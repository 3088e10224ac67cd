#include "cli/loopback_listener.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Code = boost::system::error_code;
using OnTarget = std::function<LoopbackListener::Page(const std::string&)>;

constexpr uint32_t kLongestHead = 16u << 10;
constexpr std::chrono::seconds kPatience(30);

// Keeps itself alive while something is under way.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, const OnTarget& on_target, std::function<void()> on_last)
      : stream_(std::move(socket)), on_target_(on_target), on_last_(std::move(on_last)) {
    parser_.header_limit(kLongestHead);
  }

  void Start() {
    stream_.expires_after(kPatience);
    http::async_read(stream_, buffer_, parser_,
                     [self = shared_from_this()](Code failed, std::size_t) {
                       if (!failed) self->Reply();
                     });
  }

 private:
  void Reply() {
    LoopbackListener::Page page{.status = 405, .text = "only GET\n"};
    if (parser_.get().method() == http::verb::get) {
      page = on_target_(std::string(parser_.get().target()));
    }
    reply_.result(page.status);
    reply_.set(http::field::content_type, "text/plain; charset=utf-8");
    reply_.set(http::field::cache_control, "no-store");
    reply_.keep_alive(false);
    reply_.body() = std::move(page.text);
    reply_.prepare_payload();
    http::async_write(
        stream_, reply_, [self = shared_from_this(), last = page.is_last](Code, std::size_t) {
          Code ignored;
          self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
          if (last) self->on_last_();
        });
  }

  beast::tcp_stream stream_;
  const OnTarget& on_target_;
  const std::function<void()> on_last_;
  beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> reply_;
};

}  // namespace

struct LoopbackListener::Parts {
  void Accept(const OnTarget& on_target) {
    acceptor.async_accept([this, &on_target](Code failed, asio::ip::tcp::socket socket) {
      if (failed) return;
      std::make_shared<Connection>(std::move(socket), on_target, [this] {
        done = true;
        io.stop();
      })->Start();
      Accept(on_target);
    });
  }

  asio::io_context io;
  asio::ip::tcp::acceptor acceptor{io};
  bool done = false;
};

LoopbackListener::LoopbackListener(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

LoopbackListener::~LoopbackListener() = default;

absl::StatusOr<std::unique_ptr<LoopbackListener>> LoopbackListener::Open(uint16_t port) {
  auto parts = std::make_unique<Parts>();
  asio::ip::tcp::acceptor& acceptor = parts->acceptor;
  Code failed;
  acceptor.open(asio::ip::tcp::v4(), failed);
  if (!failed) acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind({asio::ip::address_v4::loopback(), port}, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on 127.0.0.1:", port, " for the browser: ", failed.message(),
                     "; choose another with --port, or use --no-browser"));
  }
  return std::unique_ptr<LoopbackListener>(new LoopbackListener(std::move(parts)));
}

uint16_t LoopbackListener::port() const {
  Code ignored;
  return parts_->acceptor.local_endpoint(ignored).port();
}

absl::Status LoopbackListener::Serve(const OnTarget& on_target, absl::Duration patience) {
  parts_->Accept(on_target);
  parts_->io.run_for(absl::ToChronoNanoseconds(patience));
  if (parts_->done) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "no browser has come back from the provider within ", absl::FormatDuration(patience),
      "; where the browser is on another machine use: fairlead login --oidc --no-browser"));
}

}  // namespace fairlead::cli
