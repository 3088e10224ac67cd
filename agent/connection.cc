#include "agent/connection.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/enrolment.h"
#include "agent/tls_trust.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loopback.h"
#include "base/status.h"
#include "fairlead/v1/agent.grpc.pb.h"

namespace fairlead::agent {
namespace {

constexpr int kMessageLimit = 64 << 20;
constexpr std::size_t kRoom = 1u << 20;
// A stream that lived so long was a success: the backoff begins anew.
constexpr absl::Duration kGoodStream = absl::Seconds(10);
// Between rounds of several addresses.
constexpr absl::Duration kLongestRound = absl::Seconds(1);

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeJoinedCredentials(
    const ConnectionOptions& options, const std::string& address, const base::Clock& clock,
    const std::shared_ptr<HandshakeVerdict>& verdict) {
  ASSIGN_OR_RETURN(const JoinedIdentity joined, LoadIdentity(*options.joined));
  return MakeTrustingCredentials(
      {.authorities = joined.authorities, .fingerprint = "", .address = address}, joined.client,
      clock, verdict);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const std::optional<TlsFiles>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_cert_chain, base::ReadFile(tls->certificate), "TLS certificate");
  ASSIGN_OR_RETURN(options.pem_private_key, base::ReadFile(tls->key), "TLS key");
  if (!tls->ca.empty()) {
    ASSIGN_OR_RETURN(options.pem_root_certs, base::ReadFile(tls->ca), "TLS CA");
  }
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& with) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageLimit);
  arguments.SetMaxSendMessageSize(kMessageLimit);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Without it a new channel inherits the backoff of the one before.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Also the time that one dial may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  if (IsLoopback(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, with, arguments);
}

// Who has several controllers looks for the next active one without long pauses.
base::BackoffPolicy BackoffOf(const ConnectionOptions& options, std::size_t addresses) {
  base::BackoffPolicy policy = options.backoff;
  if (addresses > 1) policy.maximum = std::min(policy.maximum, kLongestRound);
  return policy;
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) { return MakeCredentials(files).status(); }

std::vector<std::string> AddressesOf(absl::string_view list) {
  std::vector<std::string> addresses;
  for (const absl::string_view one : absl::StrSplit(list, ',')) {
    const absl::string_view address = absl::StripAsciiWhitespace(one);
    if (!address.empty()) addresses.emplace_back(address);
  }
  // What is nowhere is said by whoever dials it.
  if (addresses.empty()) addresses.emplace_back();
  return addresses;
}

bool IsLoopback(absl::string_view list) {
  const std::vector<std::string> addresses = AddressesOf(list);
  return std::all_of(addresses.begin(), addresses.end(),
                     [](const std::string& one) { return base::IsLoopbackAddress(one); });
}

Connection::Connection(ConnectionOptions options, base::Clock& clock, base::Random& random)
    : options_(std::move(options)),
      addresses_(AddressesOf(options_.address)),
      clock_(clock),
      random_(random) {}

Connection::~Connection() { Stop(); }

void Connection::Start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  thread_ = std::thread([this] { Run(); });
}

void Connection::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    CancelStreamLocked();
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Connection::CancelStreamLocked() {
  open_ = false;
  closed_here_ = true;
  queue_.clear();
  queued_bytes_ = 0;
  dropped_lines_.clear();
  if (context_ != nullptr) context_->TryCancel();
  changed_.SignalAll();
}

void Connection::Send(StreamId stream, v1::AgentMessage message) {
  std::size_t size = message.ByteSizeLong();
  base::MutexLock lock(mutex_);
  if (!open_ || stream != stream_) return;
  if (message.has_progress() && queued_bytes_ > kRoom) return;
  if (message.has_action_log()) {
    v1::ActionLog& log = *message.mutable_action_log();
    uint64_t& dropped = dropped_lines_[log.action_id()];
    if (queued_bytes_ > kRoom) {
      dropped += log.dropped() + static_cast<uint64_t>(log.lines_size());
      return;
    }
    log.set_dropped(log.dropped() + dropped);
    dropped_lines_.erase(log.action_id());
    size = message.ByteSizeLong();
  }
  // One message may be of any size: a snapshot that never fits would never arrive.
  if (!queue_.empty() && queued_bytes_ + size > options_.queue_bytes) {
    base::LogWarning("agent", "the controller reads too slowly: ", queued_bytes_,
                     " bytes wait; connecting again");
    CancelStreamLocked();
    return;
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(message));
  changed_.SignalAll();
}

void Connection::Close(StreamId stream, absl::Duration delay) {
  base::MutexLock lock(mutex_);
  if (stream != stream_ || context_ == nullptr) return;
  next_delay_ = delay;
  CancelStreamLocked();
}

void Connection::Redial() {
  base::MutexLock lock(mutex_);
  if (context_ == nullptr) return;
  redial_ = true;
  CancelStreamLocked();
}

bool Connection::TakeRedial() {
  base::MutexLock lock(mutex_);
  return std::exchange(redial_, false);
}

void Connection::WaitForRoom() {
  base::MutexLock lock(mutex_);
  while (open_ && queued_bytes_ > kRoom) changed_.Wait(mutex_);
}

void Connection::Run() {
  const base::BackoffPolicy policy = BackoffOf(options_, addresses_.size());
  int attempt = 0;
  bool told = false;
  // Of the address, and how many were tried since the last pause.
  std::size_t at = 0;
  std::size_t tried = 0;
  while (true) {
    const absl::Time began = clock_.Now();
    const absl::Status why = Attempt(addresses_[at]);
    if (options_.on_lost) options_.on_lost();
    if (clock_.Now() - began >= kGoodStream) {
      attempt = 0;
      tried = 0;
      told = false;
    }
    absl::Duration backoff;
    if (!TakeRedial()) at = (at + 1) % addresses_.size();
    if (++tried >= addresses_.size()) {
      backoff = base::ComputeJitteredDelay(policy, ++attempt, random_);
      tried = 0;
    }
    if (!why.ok()) {
      // The first failure is news, its repetitions are not.
      base::Log(told ? base::LogLevel::kDebug : base::LogLevel::kWarning, "agent",
                absl::StrCat("no connection to the controller at ", options_.address, ": ",
                             why.message(), "; trying again"));
      told = true;
    }
    if (!Pause(backoff)) return;
  }
}

bool Connection::Pause(absl::Duration delay) {
  base::MutexLock lock(mutex_);
  // Waiting is real time, whatever the clock says.
  const absl::Time end = base::Clock::Real().Now() + std::max(delay, next_delay_);
  next_delay_ = absl::ZeroDuration();
  while (!stopping_) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return true;
    changed_.WaitFor(mutex_, left);
  }
  return false;
}

bool Connection::OpenStream(grpc::ClientContext& context, StreamId* stream) {
  base::MutexLock lock(mutex_);
  if (stopping_) return false;
  context_ = &context;
  open_ = true;
  closed_here_ = false;
  *stream = ++stream_;
  return true;
}

void Connection::EndWriting() {
  base::MutexLock lock(mutex_);
  open_ = false;
  queue_.clear();
  queued_bytes_ = 0;
  changed_.SignalAll();
}

absl::Status Connection::Attempt(const std::string& address) {
  const auto verdict = std::make_shared<HandshakeVerdict>();
  ASSIGN_OR_RETURN(const auto credentials,
                   options_.joined.has_value()
                       ? MakeJoinedCredentials(options_, address, clock_, verdict)
                       : MakeCredentials(options_.tls));
  const auto stub = v1::AgentService::NewStub(MakeChannel(address, credentials));
  grpc::ClientContext context;
  StreamId id = 0;
  if (!OpenStream(context, &id)) return absl::OkStatus();
  // Blocks until the dial has succeeded or failed; a cancel ends it.
  const auto stream = stub->Connect(&context);
  callbacks_.on_connected(id);
  std::thread writer([this, &stream] { Write(*stream); });
  v1::ControllerMessage message;
  while (stream->Read(&message)) callbacks_.on_message(id, message);
  EndWriting();
  writer.join();
  const grpc::Status status = stream->Finish();
  bool closed_here = false;
  {
    base::MutexLock lock(mutex_);
    context_ = nullptr;
    closed_here = closed_here_;
  }
  callbacks_.on_disconnected(id);
  // Whoever closed it has said why.
  if (closed_here) return absl::OkStatus();
  // Known here better than to gRPC.
  const absl::Status refused = verdict->Get();
  if (!refused.ok()) return refused;
  if (status.ok()) return absl::UnavailableError("the controller closed the stream");
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

template <typename Stream>
void Connection::Write(Stream& stream) {
  while (true) {
    v1::AgentMessage message;
    {
      base::MutexLock lock(mutex_);
      while (open_ && queue_.empty()) changed_.Wait(mutex_);
      if (!open_) return;
      message = std::move(queue_.front());
      queue_.pop_front();
    }
    const std::size_t size = message.ByteSizeLong();
    if (!stream.Write(message)) return;
    base::MutexLock lock(mutex_);
    queued_bytes_ -= std::min(queued_bytes_, size);
    changed_.SignalAll();
  }
}

}  // namespace fairlead::agent
