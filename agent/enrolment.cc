#include "agent/enrolment.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"
#include "fairlead/v1/enrolment.grpc.pb.h"

namespace fairlead::agent {
namespace {

constexpr absl::string_view kServerUri = "fairlead://server/";
constexpr std::chrono::seconds kCallTime{20};
constexpr std::size_t kFileLimit = 1u << 20;
constexpr std::size_t kFingerprintBytes = 32;
// Certificates begin this long before they are made, and more.
constexpr absl::Duration kClockTolerance = absl::Minutes(5);
constexpr absl::Duration kRetry = absl::Minutes(1);
// The clock may be set meanwhile.
constexpr absl::Duration kLongestWait = absl::Minutes(10);
// Between two looks that lost connections ask for.
constexpr absl::Duration kLookPause = absl::Seconds(2);

// One connection to the controller's enrolment service.
class Enroller {
 public:
  Enroller(const ControllerTrust& trust, const ClientIdentity& client, const base::Clock& clock)
      : address_(trust.address), verdict_(std::make_shared<HandshakeVerdict>()) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    if (IsLoopback(address_)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub_ = v1::EnrolmentService::NewStub(grpc::CreateCustomChannel(
        address_, MakeTrustingCredentials(trust, client, clock, verdict_), arguments));
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::EnrolmentService::Stub::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTime);
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (status.ok()) return response;
    // Why the handshake failed is known here better than to gRPC.
    const absl::Status verdict = verdict_->Get();
    if (!verdict.ok()) return verdict;
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    if (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded) {
      return absl::UnavailableError(
          absl::StrCat("cannot reach the controller at ", address_, ": ", status.error_message()));
    }
    if (code == absl::StatusCode::kUnimplemented) {
      return absl::FailedPreconditionError(absl::StrCat("the controller at ", address_,
                                                        " gives no certificates: it is older, or ",
                                                        "runs with --dev"));
    }
    return absl::Status(code, status.error_message());
  }

 private:
  const std::string address_;
  const std::shared_ptr<HandshakeVerdict> verdict_;
  std::unique_ptr<v1::EnrolmentService::Stub> stub_;
};

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

// What the controller says about a certificate; with none, its time.
absl::StatusOr<v1::ExamineResponse> Examine(ControllerTrust trust, const std::string& certificate,
                                            const base::Clock& clock) {
  trust.any_time = true;
  v1::ExamineRequest request;
  request.set_certificate(certificate);
  return Enroller(trust, {}, clock).Call(&v1::EnrolmentService::Stub::Examine, request);
}

// The result of `call` with the first of the addresses that answers.
template <typename Call>
auto FirstAnswer(const std::string& addresses, const Call& call) {
  const std::vector<std::string> all = AddressesOf(addresses);
  auto answer = call(all.front());
  for (std::size_t i = 1; i < all.size() && absl::IsUnavailable(answer.status()); ++i) {
    answer = call(all[i]);
  }
  return answer;
}

// OK when the answer is for the key and the server that were asked for.
absl::Status CheckAnswer(const v1::EnrolResponse& answer, const std::string& key,
                         const std::string& server) {
  RETURN_IF_ERROR(base::CheckKeyPair(answer.certificate(), key), "the controller's answer");
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(answer.certificate()));
  const std::string uri = absl::StrCat(kServerUri, server);
  if (facts.uris != std::vector<std::string>{uri}) {
    return absl::InternalError(
        absl::StrCat("the controller's answer is not a certificate for ", uri));
  }
  return absl::OkStatus();
}

absl::Status WriteIdentity(const IdentityFiles& files, const std::string& key,
                           const v1::EnrolResponse& answer) {
  RETURN_IF_ERROR(base::MakeDirectories(files.identity.substr(0, files.identity.rfind('/'))));
  RETURN_IF_ERROR(base::WriteFileAtomically(files.authorities, answer.authorities()));
  return base::WriteFileAtomically(files.identity, absl::StrCat(key, answer.certificate()));
}

}  // namespace

IdentityFiles IdentityFilesIn(absl::string_view data_dir) {
  return {.identity = absl::StrCat(data_dir, "/tls/agent.pem"),
          .authorities = absl::StrCat(data_dir, "/tls/ca.crt")};
}

absl::StatusOr<std::string> ServerOf(const std::string& certificate) {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(certificate));
  absl::string_view server = facts.uris.empty() ? absl::string_view() : facts.uris.front();
  if (!absl::ConsumePrefix(&server, kServerUri)) {
    return absl::FailedPreconditionError("the certificate is not an agent's");
  }
  return std::string(server);
}

absl::StatusOr<JoinedIdentity> LoadIdentity(const IdentityFiles& files) {
  JoinedIdentity joined;
  ASSIGN_OR_RETURN(const std::string identity, base::ReadFile(files.identity, kFileLimit));
  const auto broken = [&files](const absl::Status& why) {
    return absl::FailedPreconditionError(
        absl::StrCat(files.identity, ": ", why.message(), "; join again with --join TOKEN"));
  };
  const absl::Status paired = base::CheckKeyPair(identity, identity);
  if (!paired.ok()) return broken(paired);
  const absl::StatusOr<base::CertificateFacts> facts = base::ReadCertificate(identity);
  if (!facts.ok()) return broken(facts.status());
  const absl::StatusOr<std::string> server = ServerOf(identity);
  if (!server.ok()) return broken(server.status());
  const absl::StatusOr<std::string> authorities = base::ReadFile(files.authorities, kFileLimit);
  if (!authorities.ok()) return broken(authorities.status());
  const std::vector<std::string> chain = base::SplitCertificates(identity);
  for (const std::string& one : chain) absl::StrAppend(&joined.client.certificate, one);
  joined.client.key = identity;
  joined.authorities = *authorities;
  joined.server = *server;
  joined.not_before = facts->not_before;
  joined.not_after = facts->not_after;
  return joined;
}

absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text) {
  JoinToken token{.text = std::string(absl::StripAsciiWhitespace(text)), .fingerprint = ""};
  const std::vector<std::string> parts = absl::StrSplit(token.text, '.');
  if (parts.size() != 4 || parts[0] != "fl1" ||
      !absl::WebSafeBase64Unescape(parts[1], &token.fingerprint) ||
      token.fingerprint.size() != kFingerprintBytes) {
    return absl::InvalidArgumentError(
        "--join: this is not a whole join token; copy all of what \"fairlead agent token\" "
        "printed, from fl1. to the end");
  }
  return token;
}

absl::Time ComputeRenewal(absl::Time not_before, absl::Time not_after) {
  return not_after - (not_after - not_before) / 3;
}

std::string ClockDifference(absl::Time here, absl::Time there) {
  const absl::Duration ahead = here - there;
  if (absl::AbsDuration(ahead) <= kClockTolerance) return "";
  return absl::StrCat("the clock of this host is ",
                      absl::FormatDuration(absl::Trunc(absl::AbsDuration(ahead), absl::Seconds(1))),
                      ahead > absl::ZeroDuration() ? " ahead of" : " behind", " the controller's (",
                      TimeText(here), " here, ", TimeText(there), " there)");
}

absl::Status Join(const JoinOptions& options, const base::Clock& clock) {
  ControllerTrust trust{.authorities = "", .fingerprint = options.token.fingerprint, .address = ""};
  ASSIGN_OR_RETURN(const v1::ExamineResponse there,
                   FirstAnswer(options.controller, [&trust, &clock](const std::string& address) {
                     trust.address = address;
                     return Examine(trust, "", clock);
                   }));
  const std::string difference = ClockDifference(clock.Now(), base::FromProto(there.now()));
  if (!difference.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(difference, "; set it right and start again, the token is still good"));
  }
  ASSIGN_OR_RETURN(const std::string key, base::MakePrivateKey());
  v1::EnrolRequest request;
  request.set_token(options.token.text);
  request.set_server(options.server);
  ASSIGN_OR_RETURN(*request.mutable_request(),
                   base::MakeRequest(key, absl::StrCat(kServerUri, options.server)));
  Enroller enroller(trust, {}, clock);
  ASSIGN_OR_RETURN(const v1::EnrolResponse answer,
                   enroller.Call(&v1::EnrolmentService::Stub::Enrol, request),
                   absl::StrCat("joining as \"", options.server, "\""));
  RETURN_IF_ERROR(CheckAnswer(answer, key, options.server));
  return WriteIdentity(options.files, key, answer);
}

absl::StatusOr<std::string> AskRefusal(const JoinedIdentity& identity,
                                       const std::string& controller, const base::Clock& clock) {
  ControllerTrust trust{.authorities = identity.authorities, .fingerprint = "", .address = ""};
  ASSIGN_OR_RETURN(const v1::ExamineResponse there,
                   FirstAnswer(controller, [&](const std::string& address) {
                     trust.address = address;
                     return Examine(trust, identity.client.certificate, clock);
                   }));
  return there.refusal();
}

IdentityKeeper::IdentityKeeper(Options options, const base::Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

IdentityKeeper::~IdentityKeeper() { Stop(); }

void IdentityKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void IdentityKeeper::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void IdentityKeeper::Look() {
  base::MutexLock lock(mutex_);
  look_ = true;
  changed_.SignalAll();
}

bool IdentityKeeper::Wait(absl::Time until) {
  base::MutexLock lock(mutex_);
  while (!stopping_ && !look_ && clock_.Now() < until) {
    changed_.WaitFor(mutex_, std::min(until - clock_.Now(), kLongestWait));
  }
  look_ = false;
  return !stopping_;
}

void IdentityKeeper::Run() {
  const absl::StatusOr<JoinedIdentity> joined = LoadIdentity(options_.files);
  absl::Time next =
      joined.ok() ? ComputeRenewal(joined->not_before, joined->not_after) : clock_.Now();
  absl::Time looked = absl::InfinitePast();
  while (Wait(next)) {
    // A controller that is away ends one attempt after the other.
    const absl::Time now = base::Clock::Real().Now();
    if (now - looked < kLookPause) {
      base::MutexLock lock(mutex_);
      if (!stopping_) changed_.WaitFor(mutex_, kLookPause - (now - looked));
      if (stopping_) return;
    }
    looked = base::Clock::Real().Now();
    next = Attend();
  }
}

absl::Time IdentityKeeper::Attend() {
  const absl::Time now = clock_.Now();
  const absl::StatusOr<JoinedIdentity> joined = LoadIdentity(options_.files);
  if (!joined.ok()) {
    Tell(std::string(joined.status().message()));
    return now + kRetry;
  }
  const absl::Time due = ComputeRenewal(joined->not_before, joined->not_after);
  ControllerTrust trust{.authorities = joined->authorities, .fingerprint = "", .address = ""};
  const absl::StatusOr<v1::ExamineResponse> there =
      FirstAnswer(options_.controller, [this, &trust, &joined](const std::string& address) {
        trust.address = address;
        return Examine(trust, joined->client.certificate, clock_);
      });
  // It is away, which the connection says already, or it is somebody else.
  if (absl::IsResourceExhausted(there.status())) return now + kRetry;
  if (!there.ok()) {
    if (!absl::IsUnavailable(there.status())) Tell(std::string(there.status().message()));
    return std::max(due, now + kRetry);
  }
  const std::string difference = ClockDifference(now, base::FromProto(there->now()));
  if (!there->refusal().empty()) {
    Tell(absl::StrCat("the controller refuses this agent: ", there->refusal(),
                      difference.empty() ? "" : "; ", difference, "; to join again: --join TOKEN"));
    return now + kLongestWait;
  }
  if (!difference.empty()) {
    Tell(difference);
  } else {
    told_.clear();
  }
  if (!there->renew() && now < due) return due;
  const absl::Status renewed = Renew(trust, *joined);
  if (!renewed.ok()) {
    Tell(absl::StrCat("the certificate is not renewed: ", renewed.message()));
    return now + kRetry;
  }
  return now + kRetry;
}

absl::Status IdentityKeeper::Renew(const ControllerTrust& trust, const JoinedIdentity& identity) {
  ASSIGN_OR_RETURN(const std::string key, base::MakePrivateKey());
  v1::RenewRequest request;
  ASSIGN_OR_RETURN(*request.mutable_request(),
                   base::MakeRequest(key, absl::StrCat(kServerUri, identity.server)));
  Enroller enroller(trust, identity.client, clock_);
  ASSIGN_OR_RETURN(const v1::EnrolResponse answer,
                   enroller.Call(&v1::EnrolmentService::Stub::Renew, request));
  RETURN_IF_ERROR(CheckAnswer(answer, key, identity.server));
  RETURN_IF_ERROR(WriteIdentity(options_.files, key, answer));
  base::LogInfo("agent", "renewed the certificate");
  if (options_.on_renewed) options_.on_renewed();
  return absl::OkStatus();
}

void IdentityKeeper::Tell(const std::string& text) {
  if (text != told_) base::LogWarning("agent", text);
  told_ = text;
}

}  // namespace fairlead::agent
