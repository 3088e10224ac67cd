#include "controller/agents/agent_service.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "controller/agents/call_peer.h"

namespace fairlead::agents {
namespace {

constexpr absl::string_view kNamePrefix = "fairlead://server/";

using Reactor = grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>;

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// Ends a stream before it began. Owns itself until OnDone.
class Refusal final : public Reactor {
 public:
  explicit Refusal(const absl::Status& why) { Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

// One agent's stream. Thread-safe. Shared by gRPC (through self_, until OnDone) and the registry.
//
// Operations on the stream are started with the lock held, because none may start after Finish;
// gRPC never runs a reaction inside the call that starts an operation.
class AgentStream final : public Reactor, public SessionLink {
 public:
  AgentStream(AgentRegistry& registry, AgentServiceOptions options,
              grpc::CallbackServerContext* context)
      : registry_(registry), options_(std::move(options)), context_(context) {}

  static Reactor* Start(AgentRegistry& registry, const AgentServiceOptions& options,
                        grpc::CallbackServerContext* context, const PeerCertificate& certificate) {
    auto stream = std::make_shared<AgentStream>(registry, options, context);
    const SessionId session = registry.Open(stream, certificate);
    if (session == 0) {
      return new Refusal(absl::UnavailableError("the controller is shutting down"));
    }
    stream->session_ = session;
    stream->self_ = stream;
    stream->Read();
    return stream.get();
  }

  bool Enqueue(v1::ControllerMessage message) override {
    const std::size_t bytes = message.ByteSizeLong();
    base::MutexLock lock(mutex_);
    if (end_.has_value()) return false;
    if (queue_.size() >= options_.queue_messages || queued_bytes_ + bytes > options_.queue_bytes) {
      return false;
    }
    queued_bytes_ += bytes;
    queue_.push_back({std::move(message), bytes});
    return true;
  }

  void CloseAfterQueue(const absl::Status& why) override {
    base::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = ToGrpc(why);
  }

  void Abort(const absl::Status& why) override {
    base::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = ToGrpc(why);
    cancel_ = true;
    DropQueueLocked();
  }

  void Flush() override {
    base::MutexLock lock(mutex_);
    ProceedLocked();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      registry_.OnClosed(session_);
      base::MutexLock lock(mutex_);
      if (!end_.has_value()) end_ = grpc::Status::OK;
      DropQueueLocked();
      ProceedLocked();
      return;
    }
    registry_.OnMessage(session_, incoming_);
    Read();
  }

  void OnWriteDone(bool ok) override {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) {
      if (!end_.has_value()) end_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "write failed");
      DropQueueLocked();
    }
    ProceedLocked();
  }

  void OnDone() override {
    const std::shared_ptr<AgentStream> self = std::move(self_);
    {
      base::MutexLock lock(mutex_);
      context_ = nullptr;
    }
    registry_.OnDone(session_);
  }

 private:
  struct Queued {
    v1::ControllerMessage message;
    std::size_t bytes = 0;
  };

  void Read() {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void DropQueueLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    queue_.clear();
    queued_bytes_ = 0;
  }

  // Starts the next write, or the end when there is none.
  void ProceedLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (cancel_ && context_ != nullptr) {
      // Makes a write that the peer never takes fail, which then leads here again.
      cancel_ = false;
      context_->TryCancel();
    }
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      outgoing_ = std::move(queue_.front().message);
      queued_bytes_ -= queue_.front().bytes;
      queue_.pop_front();
      writing_ = true;
      StartWrite(&outgoing_);
    } else if (end_.has_value()) {
      finished_ = true;
      Finish(*end_);
    }
  }

  AgentRegistry& registry_;
  const AgentServiceOptions options_;
  // Set before the first read.
  SessionId session_ = 0;
  std::shared_ptr<AgentStream> self_;
  // Touched by gRPC between StartRead and OnReadDone only.
  v1::AgentMessage incoming_;

  base::Mutex mutex_;
  // Null after OnDone.
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Must stay as it is until OnWriteDone.
  v1::ControllerMessage outgoing_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool cancel_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::string> ServerOfCertificate(const std::vector<std::string>& names) {
  if (names.empty()) {
    return absl::PermissionDeniedError(
        "no client certificate with a subject alternative name was presented");
  }
  if (names.size() > 1) {
    return absl::PermissionDeniedError(
        absl::StrCat("the client certificate has ", names.size(),
                     " subject alternative names; exactly one is expected"));
  }
  absl::string_view server = names.front();
  if (!absl::ConsumePrefix(&server, kNamePrefix) || server.empty()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the client certificate is for \"", names.front(), "\", not for ", kNamePrefix, "NAME"));
  }
  return std::string(server);
}

AgentService::AgentService(AgentRegistry& registry, AgentServiceOptions options)
    : registry_(registry), options_(std::move(options)) {}

absl::StatusOr<PeerCertificate> AgentService::PeerOf(
    const grpc::CallbackServerContext& context) const {
  const CallPeer caller = ReadCallPeer(context);
  PeerCertificate peer;
  if (!options_.require_certificate && caller.names.empty() && !caller.has_certificate) return peer;
  ASSIGN_OR_RETURN(peer.server, ServerOfCertificate(caller.names));
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(caller.certificate));
  peer.not_after = facts.not_after;
  if (options_.check_certificate) {
    RETURN_IF_ERROR(options_.check_certificate(caller.certificate));
  }
  return peer;
}

Reactor* AgentService::Connect(grpc::CallbackServerContext* context) {
  const absl::StatusOr<PeerCertificate> peer = PeerOf(*context);
  if (!peer.ok()) {
    const std::string from = ReadCallPeer(*context).address;
    // Who is told says it in the log, and not for each of a flood.
    if (options_.on_refused) {
      options_.on_refused(from, peer.status());
    } else {
      base::LogWarning("agents", "peer ", from, " refused: ", peer.status().message());
    }
    return new Refusal(peer.status());
  }
  if (options_.on_proven) options_.on_proven(context->peer());
  return AgentStream::Start(registry_, options_, context, *peer);
}

}  // namespace fairlead::agents
