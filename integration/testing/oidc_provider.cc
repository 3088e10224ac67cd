#include "integration/testing/oidc_provider.h"

#include <openssl/sha.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::integration {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using Code = boost::system::error_code;

constexpr char kClient[] = "fairlead";
constexpr std::size_t kHuge = 3u << 20;

std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      plain += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

std::string ChallengeOf(const std::string& verifier) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(verifier.data()), verifier.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return absl::WebSafeBase64Escape(hash);
}

}  // namespace

struct OidcProvider::Server {
  using Socket = asio::ip::tcp::socket;

  // One request and its answer; keeps itself alive meanwhile.
  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(OidcProvider& its_provider, Server& its_server, Socket socket)
        : provider(its_provider), server(its_server), stream(std::move(socket)) {}

    void Start() {
      http::async_read(stream, buffer, request,
                       [self = shared_from_this()](Code failed, std::size_t) {
                         if (!failed) self->Answer();
                       });
    }
    void Answer() {
      Reply made =
          provider.Handle(std::string(request.target()),
                          std::string(request[http::field::authorization]), request.body());
      if (made.never) {
        server.hanging.push_back(shared_from_this());
        return;
      }
      reply.result(made.status);
      reply.set(http::field::content_type, "application/json");
      if (!made.location.empty()) reply.set(http::field::location, made.location);
      reply.body() = std::move(made.body);
      reply.keep_alive(false);
      reply.prepare_payload();
      http::async_write(stream, reply, [self = shared_from_this()](Code, std::size_t) {
        Code ignored;
        self->stream.socket().shutdown(Socket::shutdown_send, ignored);
      });
    }

    OidcProvider& provider;
    Server& server;
    beast::tcp_stream stream;
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::response<http::string_body> reply;
  };

  void Accept(OidcProvider& provider) {
    acceptor.async_accept([this, &provider](Code failed, Socket socket) {
      if (failed) return;
      std::make_shared<Connection>(provider, *this, std::move(socket))->Start();
      Accept(provider);
    });
  }

  asio::io_context io;
  asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::vector<std::shared_ptr<Connection>> hanging;
};

OidcProvider::OidcProvider(OidcProviderOptions options)
    : options_(std::move(options)),
      signer_(std::make_unique<base::TokenSigner>(options_.algorithm)),
      server_(std::make_unique<Server>()) {
  issuer_ = absl::StrCat("http://127.0.0.1:", server_->acceptor.local_endpoint().port());
  server_->Accept(*this);
  thread_ = std::thread([this] { server_->io.run(); });
}

OidcProvider::~OidcProvider() {
  server_->io.stop();
  thread_.join();
  // They hold on to the server.
  server_->hanging.clear();
}

std::string OidcProvider::Settings() const {
  return absl::StrCat("issuer = \"", issuer_, "\"\nclient_id = \"", kClient, "\"\n",
                      options_.client_secret.empty() ? "" : "client_secret_file = \"secret\"\n",
                      "[[group]]\nclaim = \"devs\"\ngroup = \"web\"\n");
}

void OidcProvider::SetLie(Lie lie) {
  base::MutexLock lock(mutex_);
  lie_ = lie;
}

void OidcProvider::SetPerson(const std::string& name, const std::vector<std::string>& groups) {
  base::MutexLock lock(mutex_);
  name_ = name;
  groups_ = groups;
}

void OidcProvider::RotateKey() {
  base::MutexLock lock(mutex_);
  signer_ =
      std::make_unique<base::TokenSigner>(options_.algorithm, absl::StrCat("key-", ++keys_made_));
}

std::string OidcProvider::Visit(const std::string& authorization_url) {
  absl::string_view target = authorization_url;
  absl::ConsumePrefix(&target, issuer_);
  return Handle(std::string(target), "", "").location;
}

int OidcProvider::Requests(const std::string& path) const {
  base::MutexLock lock(mutex_);
  const auto found = requests_.find(path);
  return found == requests_.end() ? 0 : found->second;
}

OidcProvider::Parameters OidcProvider::Parse(const std::string& query) {
  Parameters parameters;
  for (const absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    parameters[Unescaped(parts.first)] = Unescaped(parts.second);
  }
  return parameters;
}

std::string OidcProvider::Discovery() const {
  return json::serialize(json::object{{"issuer", issuer_},
                                      {"authorization_endpoint", issuer_ + "/authorize"},
                                      {"token_endpoint", issuer_ + "/token"},
                                      {"jwks_uri", issuer_ + "/jwks"},
                                      {"code_challenge_methods_supported", json::array{"S256"}}});
}

OidcProvider::Reply OidcProvider::Handle(const std::string& target,
                                         const std::string& authorization,
                                         const std::string& body) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  base::MutexLock lock(mutex_);
  ++requests_[parts.first];
  if (parts.first == "/.well-known/openid-configuration") return {.body = Discovery()};
  if (parts.first == "/jwks") return {.body = base::KeySetOf({signer_.get()})};
  if (parts.first == "/authorize") return Authorize(Parse(parts.second));
  if (parts.first == "/token") return Redeem(Parse(body), authorization);
  return {.status = 404};
}

OidcProvider::Reply OidcProvider::Authorize(const Parameters& asked) {
  const auto value = [&asked](const char* name) {
    const auto found = asked.find(name);
    return found == asked.end() ? std::string() : found->second;
  };
  const std::string scope = absl::StrCat(" ", value("scope"), " ");
  if (value("response_type") != "code" || value("client_id") != kClient ||
      scope.find(" openid ") == std::string::npos || value("nonce").empty() ||
      value("code_challenge_method") != "S256" || value("code_challenge").empty()) {
    return {.status = 400, .body = "not the request of a client"};
  }
  const std::string code = absl::StrCat("code/", ++codes_made_);
  grants_[code] = {value("redirect_uri"), value("code_challenge"), value("nonce")};
  return {.status = 302,
          .location = absl::StrCat(value("redirect_uri"), "?code=code%2F", codes_made_,
                                   "&state=", value("state"))};
}

std::string OidcProvider::TokenOf(const Grant& grant) {
  const int64_t now = absl::ToUnixSeconds(options_.clock->Now());
  json::object claims{{"iss", issuer_},
                      {"aud", kClient},
                      {"sub", "1234"},
                      {"nonce", grant.nonce},
                      {"iat", now},
                      {"exp", now + 300},
                      {"preferred_username", name_},
                      {"groups", json::array(groups_.begin(), groups_.end())}};
  switch (lie_) {
    case Lie::kWrongNonce:
      claims["nonce"] = "another";
      break;
    case Lie::kWrongAudience:
      claims["aud"] = "another";
      break;
    case Lie::kWrongIssuer:
      claims["iss"] = "https://another.example.com";
      break;
    case Lie::kExpired:
      claims["exp"] = now - 3600;
      break;
    case Lie::kFromTheFuture:
      claims["iat"] = now + 3600;
      break;
    case Lie::kAlgNone: {
      const std::string token = signer_->SignWith(R"({"alg":"none"})", json::serialize(claims));
      return token.substr(0, token.rfind('.') + 1);
    }
    case Lie::kOtherKey:
      return base::TokenSigner(options_.algorithm, signer_->id()).Sign(json::serialize(claims));
    case Lie::kNone:
    case Lie::kNoToken:
    case Lie::kHugeAnswer:
    case Lie::kHang:
    case Lie::kServerError:
      break;
  }
  return signer_->Sign(json::serialize(claims));
}

OidcProvider::Reply OidcProvider::Redeem(const Parameters& asked,
                                         const std::string& authorization) {
  if (lie_ == Lie::kHang) return {.never = true};
  if (lie_ == Lie::kHugeAnswer) return {.body = std::string(kHuge, ' ')};
  if (lie_ == Lie::kServerError) return {.status = 503, .body = "not now"};
  const auto value = [&asked](const char* name) {
    const auto found = asked.find(name);
    return found == asked.end() ? std::string() : found->second;
  };
  const auto refuse = [](const char* error, const char* why) -> Reply {
    return {.status = 400,
            .body = json::serialize(json::object{{"error", error}, {"error_description", why}})};
  };
  // Both parts are escaped before they are joined.
  absl::string_view basic = authorization;
  std::string plain;
  absl::ConsumePrefix(&basic, "Basic ");
  absl::Base64Unescape(basic, &plain);
  const std::pair<std::string, std::string> login = absl::StrSplit(plain, absl::MaxSplits(':', 1));
  if (value("client_id") != kClient || Unescaped(login.second) != options_.client_secret) {
    return refuse("invalid_client", "not that client");
  }
  const auto found = grants_.find(value("code"));
  if (value("grant_type") != "authorization_code" || found == grants_.end()) {
    return refuse("invalid_grant", "no such code");
  }
  const Grant grant = found->second;
  grants_.erase(found);
  if (grant.redirect_uri != value("redirect_uri")) {
    return refuse("invalid_grant", "another redirect_uri");
  }
  if (ChallengeOf(value("code_verifier")) != grant.challenge) {
    return refuse("invalid_grant", "the verifier is wrong");
  }
  json::object answer{{"access_token", "opaque"}, {"token_type", "Bearer"}};
  if (lie_ != Lie::kNoToken) answer["id_token"] = TokenOf(grant);
  return {.body = json::serialize(answer)};
}

}  // namespace fairlead::integration
