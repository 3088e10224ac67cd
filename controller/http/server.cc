#include "controller/http/server.h"

#include <fcntl.h>
#include <pthread.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"

namespace fairlead::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Parser = beast::http::request_parser<beast::http::string_body>;

// Time between attempts to accept while the system has no descriptors left.
constexpr std::chrono::milliseconds kAcceptPause{100};
// How long a refused client may go on sending before the connection is cut.
constexpr std::chrono::seconds kDrainTime{1};

// For TLS 1.2; those of 1.3 are all like that.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

absl::Duration Uptime() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// IPv4 in IPv6 is IPv4. Empty when the client is gone.
std::string AddressOf(const tcp::socket& socket) {
  ErrorCode gone;
  const asio::ip::address address = socket.remote_endpoint(gone).address();
  if (gone) return "";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

HttpRequest RequestOf(const Parser::value_type& message, const std::string& address) {
  HttpRequest request;
  request.address = address;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    const auto name = field.name_string();
    std::string& value =
        request.headers[absl::AsciiStrToLower(absl::string_view(name.data(), name.size()))];
    const auto text = field.value();
    absl::StrAppend(&value, value.empty() ? "" : ", ", absl::string_view(text.data(), text.size()));
  }
  request.body = message.body();
  return request;
}

std::string Serialize(const HttpReply& reply, bool keep_alive, bool is_head) {
  const auto reason =
      beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(reply.status)));
  std::string text = absl::StrCat(
      "HTTP/1.1 ", reply.status, " ", absl::string_view(reason.data(), reason.size()),
      "\r\nContent-Type: ", reply.content_type, "\r\nContent-Length: ", reply.body.size(),
      "\r\nConnection: ", keep_alive ? "keep-alive" : "close",
      "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  for (const auto& [name, value] : reply.headers) absl::StrAppend(&text, name, ": ", value, "\r\n");
  absl::StrAppend(&text, "\r\n", is_head ? "" : reply.body);
  return text;
}

// What a request that could not be read is told; nullopt: nothing, the client is gone.
std::optional<HttpReply> ReplyToBadRequest(const ErrorCode& failure) {
  using beast::http::error;
  const auto reply = [](int status, std::string text) {
    return HttpReply{.status = status, .body = std::move(text)};
  };
  if (failure == error::body_limit) return reply(413, "the body is too large\n");
  if (failure == error::header_limit) return reply(431, "the header is too large\n");
  if (failure == error::end_of_stream || failure == error::partial_message) return std::nullopt;
  if (failure.category() == beast::http::make_error_code(error::bad_method).category()) {
    return reply(400, "not an HTTP request\n");
  }
  return std::nullopt;
}

}  // namespace

// One client. Confined to the server's thread; kept alive by its pending operation.
class Connection {
 public:
  virtual ~Connection() = default;
  // Ends at once, unless an answer is awaited or being written; that one still finishes.
  virtual void Stop() = 0;
  virtual void Cut() = 0;
};

struct Server::State : std::enable_shared_from_this<Server::State> {
  explicit State(Options given) : options(std::move(given)), table(options.connections) {}

  void Accept();
  void Begin(tcp::socket socket);
  void Remove(base::ConnectionTable::Id id);
  void Stop();
  void TellOpen() const {
    if (options.on_open) options.on_open(connections.size());
  }
  void TellCut(absl::string_view why) const {
    if (options.on_cut) options.on_cut(why);
  }

  Options options;
  asio::io_context io{1};
  std::optional<asio::ssl::context> tls;
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  asio::steady_timer stop_deadline{io};
  uint16_t port = 0;
  // Below: the server's thread only.
  base::ConnectionTable table;
  std::map<base::ConnectionTable::Id, Connection*> connections;
  bool accepting = false;
  bool stopping = false;
  std::thread thread;
};

namespace {

// A connection over a plain or an encrypted stream. Requests that a client sends ahead wait in
// the buffer and are answered in order.
template <typename Stream, typename ServerState>
class Session final : public Connection,
                      public std::enable_shared_from_this<Session<Stream, ServerState>> {
 public:
  template <typename... Arguments>
  explicit Session(ServerState& server, base::ConnectionTable::Id id, std::string address,
                   Arguments&&... arguments)
      : server_(server),
        id_(id),
        address_(std::move(address)),
        stream_(std::forward<Arguments>(arguments)...),
        patience_(server.io) {
    server_.connections[id_] = this;
    server_.TellOpen();
  }
  ~Session() override { server_.Remove(id_); }

  void Run() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      Expire(server_.options.read_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](const ErrorCode& error) {
                                if (!error) self->Read();
                              });
    } else {
      Read();
    }
  }
  void Stop() override {
    if (!answering_) Cut();
  }
  void Cut() override {
    ErrorCode ignored;
    awaiting_ = false;
    patience_.cancel();
    lowest().socket().close(ignored);
  }

 private:
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
  void Expire(absl::Duration timeout) {
    lowest().expires_after(absl::ToChronoNanoseconds(timeout));
  }

  void Read() {
    if (server_.stopping) return;
    server_.table.SetWaiting(id_, Uptime());
    parser_.emplace();
    parser_->header_limit(server_.options.header_limit);
    parser_->body_limit(server_.options.body_limit);
    // One deadline for the whole request: a client that sends a byte at a time gains nothing.
    Expire(server_.options.read_timeout);
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](const ErrorCode& error, std::size_t) {
                              self->Answer(error);
                            });
  }
  void Answer(const ErrorCode& error) {
    if (error) {
      if (const auto reply = ReplyToBadRequest(error)) {
        Write(Serialize(*reply, /*keep_alive=*/false, /*is_head=*/false), &Session::Drain);
      }
      return;
    }
    const HttpRequest request = RequestOf(parser_->get(), address_);
    if (server_.options.later != nullptr && AnswerLater(request)) return;
    Reply(server_.options.handler(request));
  }
  bool AnswerLater(const HttpRequest& request) {
    const auto reply = [server = server_.weak_from_this(), session = this->weak_from_this(),
                        turn = ++turn_](HttpReply given) {
      const auto alive = server.lock();
      if (alive == nullptr) return;
      asio::post(alive->io, [session, turn, given = std::move(given)] {
        if (const auto self = session.lock()) self->OnReply(turn, given);
      });
    };
    if (!server_.options.later(request, reply)) return false;
    server_.table.SetBusy(id_);
    answering_ = true;
    awaiting_ = true;
    patience_.expires_after(absl::ToChronoNanoseconds(server_.options.reply_timeout));
    patience_.async_wait([self = this->shared_from_this(), turn = turn_](const ErrorCode& error) {
      if (!error) self->OnReply(turn, {.status = 503, .body = "there was no answer in time\n"});
    });
    return true;
  }
  void OnReply(uint64_t turn, const HttpReply& reply) {
    if (!awaiting_ || turn != turn_) return;
    awaiting_ = false;
    patience_.cancel();
    Reply(reply);
  }
  void Reply(const HttpReply& reply) {
    const bool is_head = parser_->get().method() == beast::http::verb::head;
    const bool keep_alive =
        parser_->keep_alive() && ++requests_ < server_.options.max_requests && !server_.stopping;
    const bool has_unread = buffer_.size() > 0;
    Write(Serialize(reply, keep_alive, is_head), keep_alive   ? &Session::Read
                                                 : has_unread ? &Session::Drain
                                                              : &Session::Cut);
  }
  void Write(std::string text, void (Session::*next)()) {
    server_.table.SetBusy(id_);
    out_ = std::move(text);
    answering_ = true;
    Expire(server_.options.read_timeout);
    asio::async_write(stream_, asio::buffer(out_),
                      [self = this->shared_from_this(), next](const ErrorCode& error, std::size_t) {
                        self->answering_ = false;
                        if (!error) (self.get()->*next)();
                      });
  }
  // Closing while the client still sends would reset the connection and lose the answer.
  void Drain() {
    ErrorCode ignored;
    lowest().socket().shutdown(tcp::socket::shutdown_send, ignored);
    if (server_.stopping) return;
    server_.table.SetWaiting(id_, Uptime());
    lowest().expires_after(kDrainTime);
    Discard();
  }
  void Discard() {
    lowest().async_read_some(asio::buffer(scratch_), [self = this->shared_from_this()](
                                                         const ErrorCode& error, std::size_t) {
      if (!error) self->Discard();
    });
  }

  ServerState& server_;
  const base::ConnectionTable::Id id_;
  const std::string address_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::string out_;
  std::array<char, 4096> scratch_;
  // An answer is awaited or being written.
  bool answering_ = false;
  int requests_ = 0;
  // Of requests that are answered later: whether one is, which, and until when.
  bool awaiting_ = false;
  uint64_t turn_ = 0;
  asio::steady_timer patience_;
};

absl::Status LoadTls(asio::ssl::context& context, const std::string& cert, const std::string& key) {
  ErrorCode error;
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                          asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                          asio::ssl::context::no_tlsv1_1,
                      error);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context.native_handle(), kCiphers) != 1) {
    return absl::InternalError("TLS 1.2 with ephemeral keys is not to be had here");
  }
  if (!error) context.use_certificate_chain_file(cert, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("certificate ", cert, ": ", error.message()));
  }
  context.use_private_key_file(key, asio::ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("private key ", key, ": ", error.message()));
  }
  return absl::OkStatus();
}

// A child of this process would keep the port in use.
void CloseOnExec(int descriptor) {
  if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
    base::LogWarning("http", "close-on-exec: ", ::strerror(errno));
  }
}

absl::Status Listen(tcp::acceptor& acceptor, const std::string& address, uint16_t port) {
  ErrorCode error;
  const asio::ip::address parsed =
      asio::ip::make_address(address.empty() ? "0.0.0.0" : address, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is not a numeric address to listen on"));
  }
  const tcp::endpoint endpoint(parsed, port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) CloseOnExec(acceptor.native_handle());
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("listen on ", address, ":", port, ": ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace

void Server::State::Accept() {
  if (stopping || accepting) return;
  accepting = true;
  acceptor.async_accept([this](const ErrorCode& error, tcp::socket socket) {
    accepting = false;
    if (stopping) return;
    if (!error) {
      Begin(std::move(socket));
      Accept();
      return;
    }
    pause.expires_after(kAcceptPause);
    pause.async_wait([this](const ErrorCode&) { Accept(); });
  });
}

void Server::State::Begin(tcp::socket socket) {
  ErrorCode ignored;
  CloseOnExec(socket.native_handle());
  socket.set_option(tcp::no_delay(true), ignored);
  const std::string address = AddressOf(socket);
  const base::ConnectionTable::Answer answer = table.Add(address, Uptime());
  if (answer.evicted.has_value()) {
    connections.at(*answer.evicted)->Cut();
    TellCut("evicted");
  }
  if (!answer.id.has_value()) {
    TellCut("full");
    return;
  }
  if (tls.has_value()) {
    std::make_shared<Session<TlsStream, State>>(*this, *answer.id, address, std::move(socket), *tls)
        ->Run();
  } else {
    std::make_shared<Session<PlainStream, State>>(*this, *answer.id, address, std::move(socket))
        ->Run();
  }
}

void Server::State::Remove(base::ConnectionTable::Id id) {
  connections.erase(id);
  table.Remove(id);
  TellOpen();
  if (stopping && connections.empty()) stop_deadline.cancel();
}

void Server::State::Stop() {
  stopping = true;
  ErrorCode ignored;
  acceptor.close(ignored);
  pause.cancel();
  if (connections.empty()) return;
  stop_deadline.expires_after(absl::ToChronoNanoseconds(options.stop_timeout));
  stop_deadline.async_wait([this](const ErrorCode& error) {
    if (error) return;
    for (const auto& [id, connection] : connections) connection->Cut();
  });
  for (const auto& [id, connection] : connections) connection->Stop();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options) {
  auto state = std::make_shared<State>(std::move(options));
  const Options& given = state->options;
  if (given.tls_cert.empty() != given.tls_key.empty()) {
    return absl::InvalidArgumentError("TLS needs both a certificate and a private key");
  }
  if (!given.tls_cert.empty()) {
    state->tls.emplace(asio::ssl::context::tls_server);
    const absl::Status loaded = LoadTls(*state->tls, given.tls_cert, given.tls_key);
    if (!loaded.ok()) return loaded;
  }
  const absl::Status listening = Listen(state->acceptor, given.address, given.port);
  if (!listening.ok()) return listening;
  ErrorCode error;
  state->port = state->acceptor.local_endpoint(error).port();
  if (error) return absl::InternalError(absl::StrCat("read the port: ", error.message()));
  state->Accept();
  state->thread = std::thread([core = state.get()] { core->io.run(); });
  pthread_setname_np(state->thread.native_handle(), "http");
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { Stop(); }

absl::Status Server::ReloadTls() {
  if (state_->options.tls_cert.empty()) return absl::OkStatus();
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  const absl::Status loaded = LoadTls(*context, state_->options.tls_cert, state_->options.tls_key);
  if (!loaded.ok()) return loaded;
  // Connections keep what they began with.
  asio::post(state_->io, [this, context] { state_->tls = std::move(*context); });
  return absl::OkStatus();
}

uint16_t Server::port() const { return state_->port; }

void Server::Stop() {
  if (!state_->thread.joinable()) return;
  asio::post(state_->io, [this] { state_->Stop(); });
  state_->thread.join();
}

}  // namespace fairlead::http
