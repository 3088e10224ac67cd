#include "controller/standby.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/log.h"
#include "base/loopback.h"
#include "base/mutex.h"
#include "base/status.h"
#include "controller/access/call_rates.h"
#include "controller/access/rules.h"
#include "controller/grpc_port.h"
#include "controller/http/endpoints.h"
#include "controller/http/server.h"
#include "controller/http/webhook.h"
#include "controller/http_port.h"
#include "controller/identity/agent_identities.h"
#include "controller/identity/peer_verifier.h"
#include "controller/identity/tls_folder.h"
#include "controller/office.h"
#include "controller/relay.h"
#include "controller/webhook_relay.h"

namespace fairlead::controller {
namespace {

constexpr int kMessageLimit = 64 << 20;
// A way that is older is made anew, with a fresh certificate.
constexpr absl::Duration kWayLife = absl::Hours(12);
constexpr absl::Duration kRefreshEvery = absl::Seconds(5);

// Who is turned away at a standby's port is in its log only: it does not write to the store.
class LogAudit final : public identity::AuditSink {
 public:
  void Note(const identity::AuditEntry& entry) override {
    base::LogWarning("identity", entry.what, " refused for ", entry.resource, " by ", entry.who,
                     ": ", entry.reason);
  }
};

// Certificates of the ports, and the rules for those of peers. What was revoked is known to the
// active controller only, which looks again.
struct PeerRules {
  PeerRules(identity::TlsFolder given, base::Clock& clock)
      : folder(std::move(given)),
        identities(
            {.authority = folder.authority(),
             .other_authorities = folder.other_authorities(),
             .agent_trust = folder.agent_trust()},
            store::StoreImage(),
            [](const store::StoreBatch&) {
              return absl::UnavailableError("a standby issues no certificates");
            },
            clock, base::Random::Real(), audit) {}

  identity::TlsFolder folder;
  LogAudit audit;
  identity::AgentIdentities identities;
};

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& with) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageLimit);
  arguments.SetMaxSendMessageSize(kMessageLimit);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // Also the time that one dial may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  // What was sent once is not sent again behind the caller's back.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, with, arguments);
}

// A connection to the active controller, which takes so many calls at a time on each.
struct Lane {
  explicit Lane(const std::shared_ptr<grpc::Channel>& channel) : stub(channel) {}
  grpc::GenericStub stub;
  std::atomic<uint32_t> calls = 0;
};

// Counts as a call of the lane for as long as it is held.
std::shared_ptr<grpc::GenericStub> Take(const std::shared_ptr<Lane>& lane) {
  ++lane->calls;
  return {&lane->stub, [lane](grpc::GenericStub*) { --lane->calls; }};
}

}  // namespace

// In order of construction; destroyed in reverse.
struct Standby::Parts {
  Parts(ControllerOptions given, std::string name, std::function<election::Standing()> look)
      : options(std::move(given)),
        holder(std::move(name)),
        standing(std::move(look)),
        clock(options.clock == nullptr ? base::Clock::Real() : *options.clock),
        rates(options.limits.OfCalls()),
        relay([this] { return FindWay(); },
              [this](const std::string& peer, const std::string& method) {
                if (grpc_port != nullptr && ProvesCaller(method)) grpc_port->Prove(peer);
              }) {}

  absl::Status Build();
  absl::Status OpenTls();
  absl::Status StartGrpc();
  absl::Status StartHttp();
  void StartTicker();
  void Stop();
  // Whether an answer to that method shows that its caller has proven who it is.
  bool ProvesCaller(absl::string_view method) const;
  RelayWay FindWay() ABSL_LOCKS_EXCLUDED(mutex);
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsFor(
      const std::string& address) const;
  // 429, or nothing.
  std::optional<http::HttpReply> CheckRate(const http::HttpRequest& request);
  http::HttpReply Answer(const http::HttpRequest& request);
  // Takes webhooks over.
  bool PassOn(const http::HttpRequest& request, const http::ReplyFunction& reply);

  const ControllerOptions options;
  const std::string holder;
  const std::function<election::Standing()> standing;
  base::Clock& clock;
  // Of the HTTP port.
  access::CallRates rates;
  WebhookRelay webhooks;
  Relay relay;
  // Absent with `dev`.
  std::unique_ptr<PeerRules> rules;
  std::unique_ptr<grpc::Server> server;
  // Null for "unix:PATH".
  std::unique_ptr<GrpcPort> grpc_port;
  std::unique_ptr<http::Server> http;
  std::thread ticker;
  base::Mutex mutex;
  base::CondVar stopped;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  // The last way: where to, made when, and its connections.
  std::string way_to ABSL_GUARDED_BY(mutex);
  absl::Duration way_made ABSL_GUARDED_BY(mutex);
  std::shared_ptr<grpc::ChannelCredentials> way_credentials ABSL_GUARDED_BY(mutex);
  std::vector<std::shared_ptr<Lane>> lanes ABSL_GUARDED_BY(mutex);
};

absl::Status Standby::Parts::Build() {
  if (!options.dev) RETURN_IF_ERROR(OpenTls());
  RETURN_IF_ERROR(StartGrpc());
  RETURN_IF_ERROR(StartHttp());
  StartTicker();
  return absl::OkStatus();
}

absl::Status Standby::Parts::OpenTls() {
  std::vector<std::string> names = options.tls_names;
  names.push_back(MachineName());
  ASSIGN_OR_RETURN(identity::TlsFolder folder,
                   identity::TlsFolder::Open({.folder = options.data_dir + "/tls",
                                              .certificate = options.tls_cert,
                                              .key = options.tls_key,
                                              .authority = options.tls_ca,
                                              .listen = {options.listen, options.http_listen},
                                              .names = std::move(names)},
                                             clock.Now()));
  rules = std::make_unique<PeerRules>(std::move(folder), clock);
  return absl::OkStatus();
}

absl::Status Standby::Parts::StartGrpc() {
  const auto credentials =
      rules == nullptr ? grpc::InsecureServerCredentials()
                       : identity::MakeServerCredentials(rules->folder.serving_certificate(),
                                                         rules->folder.serving_key(),
                                                         rules->identities, rules->audit);
  grpc::ServerBuilder builder;
  ASSIGN_OR_RETURN(grpc_port, AddGrpcPort(options.listen, options.limits, credentials, clock,
                                          /*metrics=*/nullptr, builder));
  builder.RegisterCallbackGenericService(&relay);
  server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen,
                     " for gRPC: the address is in use or not of this machine; choose another "
                     "with --listen"));
  }
  return grpc_port == nullptr ? absl::OkStatus() : grpc_port->Start();
}

absl::Status Standby::Parts::StartHttp() {
  ASSIGN_OR_RETURN(http::Server::Options http_options,
                   HttpPortOptions(options.http_listen, options.limits));
  if (rules != nullptr) {
    http_options.tls_cert = rules->folder.serving_certificate();
    http_options.tls_key = rules->folder.serving_key();
  }
  http_options.handler = [this](const http::HttpRequest& request) { return Answer(request); };
  http_options.later = [this](const http::HttpRequest& request, const http::ReplyFunction& reply) {
    return PassOn(request, reply);
  };
  ASSIGN_OR_RETURN(http, http::Server::Start(std::move(http_options)), "--http-listen");
  return absl::OkStatus();
}

void Standby::Parts::StartTicker() {
  if (rules == nullptr) return;
  ticker = std::thread([this] {
    base::MutexLock held(mutex);
    while (!stopping) {
      stopped.WaitFor(mutex, kRefreshEvery);
      if (stopping) break;
      mutex.Unlock();
      absl::StatusOr<bool> changed = rules->folder.Refresh(clock.Now());
      absl::Status status = changed.status();
      if (changed.value_or(false)) status = http->ReloadTls();
      if (!status.ok()) base::LogWarning("tls", status.message());
      mutex.Lock();
    }
  });
}

void Standby::Parts::Stop() {
  {
    base::MutexLock held(mutex);
    if (stopping) return;
    stopping = true;
    stopped.SignalAll();
  }
  if (ticker.joinable()) ticker.join();
  // So that no answer of HTTP is still awaited.
  webhooks.Stop();
  if (http != nullptr) http->Stop();
  if (grpc_port != nullptr) grpc_port->Stop();
  // Calls on their way are cut off: their callers try again, and find the one that is active then.
  if (server != nullptr) server->Shutdown(std::chrono::system_clock::now());
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Standby::Parts::CredentialsFor(
    const std::string& address) const {
  if (rules == nullptr) return grpc::InsecureChannelCredentials();
  ASSIGN_OR_RETURN(identity::KeyPair pair,
                   identity::IssueRelay(rules->folder.authority(), holder, clock.Now()));
  return identity::MakeRelayCredentials(
      {.authorities = rules->folder.agent_trust(), .identity = std::move(pair), .address = address},
      clock);
}

bool Standby::Parts::ProvesCaller(absl::string_view method) const {
  if (options.dev) return true;
  if (absl::StartsWith(method, "/fairlead.v1.AgentService/")) return true;
  const access::Rule* const rule =
      access::Rules::All().Find(absl::StrReplaceAll(absl::StripPrefix(method, "/"), {{"/", "."}}));
  return rule != nullptr && rule->target != access::Target::kOpen &&
         rule->target != access::Target::kAgent;
}

RelayWay Standby::Parts::FindWay() {
  const election::Standing now = standing();
  if (!now.has_other) {
    return {.stub = nullptr,
            .address = "",
            .why = absl::StrCat("this controller is a standby, and there is no active one: ",
                                now.Text(), "; try again in some seconds")};
  }
  const std::string& address = now.sight->claim.address;
  base::MutexLock lock(mutex);
  const absl::Duration uptime = clock.Uptime();
  if (lanes.empty() || way_to != address || uptime - way_made >= kWayLife) {
    auto credentials = CredentialsFor(address);
    if (!credentials.ok()) {
      return {
          .stub = nullptr, .address = address, .why = std::string(credentials.status().message())};
    }
    lanes.clear();
    way_to = address;
    way_made = uptime;
    way_credentials = *std::move(credentials);
  }
  for (const std::shared_ptr<Lane>& lane : lanes) {
    if (lane->calls < options.limits.streams) {
      return {.stub = Take(lane), .address = address, .why = ""};
    }
  }
  lanes.push_back(std::make_shared<Lane>(MakeChannel(address, way_credentials)));
  return {.stub = Take(lanes.back()), .address = address, .why = ""};
}

std::optional<http::HttpReply> Standby::Parts::CheckRate(const http::HttpRequest& request) {
  access::Caller caller;
  caller.address = request.address;
  if (rates.Take(access::RateIdentity(caller), clock.Uptime()).wait <= absl::ZeroDuration()) {
    return std::nullopt;
  }
  return http::HttpReply{.status = 429, .body = "too many requests\n"};
}

http::HttpReply Standby::Parts::Answer(const http::HttpRequest& request) {
  if (auto refusal = CheckRate(request)) return *std::move(refusal);
  if (http::IsWebhookTarget(request.target)) return {.status = 405, .body = "POST only\n"};
  const election::Standing now = standing();
  if (request.target == "/readyz" && now.has_other) {
    return {.status = 200, .body = absl::StrCat("standby: ", now.Text(), "\n")};
  }
  http::Endpoints endpoints;
  endpoints.ready = [&now] {
    return absl::UnavailableError(absl::StrCat("standby without an active one: ", now.Text()));
  };
  endpoints.metrics = [&now] {
    return OfficeMetrics(false, now.sight.has_value() ? now.sight->term : 0);
  };
  if (!options.open_metrics && !base::IsLoopbackAddress(options.http_listen)) {
    endpoints.check_metrics = [](const http::HttpRequest&) {
      return absl::PermissionDeniedError(
          "a standby cannot tell who asks; ask the active controller, or use --open-metrics");
    };
  }
  return http::Serve(endpoints, request);
}

bool Standby::Parts::PassOn(const http::HttpRequest& request, const http::ReplyFunction& reply) {
  if (request.method != "POST" || !http::IsWebhookTarget(request.target)) return false;
  if (auto refusal = CheckRate(request)) {
    reply(*std::move(refusal));
    return true;
  }
  const election::Standing now = standing();
  // The word of whoever passes it on; a second time it would go round.
  if (!now.has_other || !request.Header("x-fairlead-relayed").empty()) {
    reply({.status = 503, .body = absl::StrCat("no active controller: ", now.Text(), "\n")});
    return true;
  }
  http::HttpRequest onward = request;
  onward.headers["x-fairlead-relayed"] = holder;
  WebhookWay to;
  to.base_url =
      absl::StrCat(rules == nullptr ? "http://" : "https://", now.sight->claim.http_address);
  if (rules != nullptr) {
    to.trust = rules->folder.agent_trust();
    to.check_name = !options.tls_cert.empty();
  }
  const bool passed = webhooks.Pass(
      std::move(to), std::move(onward), [reply](const absl::StatusOr<http::HttpReply>& answer) {
        reply(answer.ok() ? *answer
                          : http::HttpReply{.status = 503,
                                            .body = absl::StrCat(answer.status().message(), "\n")});
      });
  if (!passed) {
    reply({.status = 503,
           .body = "too many webhooks are on their way to the active controller; send it again\n"});
  }
  return true;
}

Standby::Standby(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Standby::~Standby() { Stop(); }

void Standby::Stop() { parts_->Stop(); }

absl::StatusOr<std::unique_ptr<Standby>> Standby::Start(
    const ControllerOptions& options, const std::string& holder,
    std::function<election::Standing()> standing) {
  auto parts = std::make_unique<Parts>(options, holder, std::move(standing));
  const absl::Status built = parts->Build();
  if (!built.ok()) {
    parts->Stop();
    return built;
  }
  return std::unique_ptr<Standby>(new Standby(std::move(parts)));
}

std::string Standby::grpc_address() const {
  if (absl::StartsWith(parts_->options.listen, "unix:")) return parts_->options.listen;
  return absl::StrCat(HostOf(parts_->options.listen), ":", parts_->grpc_port->port());
}

std::string Standby::http_address() const {
  return absl::StrCat(HostOf(parts_->options.http_listen), ":", parts_->http->port());
}

std::string Standby::authority() const {
  if (parts_->rules == nullptr) return "";
  const auto facts = base::ReadCertificate(parts_->rules->folder.authority().certificate);
  return facts.ok() ? absl::BytesToHexString(facts->fingerprint) : "";
}

}  // namespace fairlead::controller
