#include "controller/relay.h"

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/connection_failure.h"
#include "base/mutex.h"
#include "controller/agents/call_peer.h"

namespace fairlead::controller {
namespace {

// Set anew by gRPC for the way on.
bool IsOfTransport(absl::string_view key) {
  return absl::StartsWith(key, ":") || absl::StartsWith(key, "grpc-") || key == "user-agent" ||
         key == "te" || key == "content-type" || key == "host";
}

// What gRPC says of the way on is not about the way that the caller took.
grpc::Status ForCaller(const grpc::Status& status, const std::string& address) {
  const std::string said = status.error_message();
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !base::IsConnectionFailure(said)) {
    return status;
  }
  const absl::string_view cause = base::LastCause(said);
  return {status.error_code(),
          absl::StrCat(base::kActiveController, address, " does not answer",
                       cause.empty() ? "" : " (", cause, cause.empty() ? "" : ")",
                       "; if it has ended, another takes over within seconds: try again")};
}

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const std::string& why) {
    Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, why));
  }
  void OnDone() override { delete this; }
};

// One call. Owns itself until OnDone, which is the last that happens: the caller is told the end
// only once the way on has ended.
//
// Whatever starts operations of the way on from the caller's reactions needs a hold on it: one for
// writing and one for reading, each given back when that direction is over.
class RelayedCall final : public grpc::ServerGenericBidiReactor {
 public:
  RelayedCall(RelayWay way, grpc::GenericCallbackServerContext& caller,
              const Relay::OnAnswer& on_answer)
      : way_(std::move(way)), caller_(caller), on_answer_(on_answer), onward_(*this) {
    const agents::CallPeer peer = agents::ReadCallPeer(caller);
    for (const auto& [key, value] : caller.client_metadata()) {
      const absl::string_view name(key.data(), key.size());
      if (IsOfTransport(name) || absl::StartsWith(name, agents::kRelayedPrefix)) continue;
      context_.AddMetadata(std::string(name), std::string(value.data(), value.size()));
    }
    context_.AddMetadata(agents::kRelayedAddress, peer.address);
    if (peer.has_certificate) context_.AddMetadata(agents::kRelayedCertificate, peer.certificate);
    context_.set_deadline(caller.deadline());
    way_.stub->PrepareBidiStreamingCall(&context_, caller.method(), grpc::StubOptions(), &onward_);
    onward_.AddMultipleHolds(2);
    onward_.StartRead(&to_caller_);
    onward_.StartCall();
    StartRead(&from_caller_);
  }

  // The caller's side.
  void OnReadDone(bool ok) override {
    if (!ok) {
      CloseWriting(true);
      return;
    }
    base::MutexLock lock(mutex_);
    if (writing_) onward_.StartWrite(&from_caller_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      onward_.StartRead(&to_caller_);
      return;
    }
    context_.TryCancel();
    CloseWriting(false);
    onward_.RemoveHold();
  }
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override { delete this; }

 private:
  class Onward final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Onward(RelayedCall& call) : call_(call) {}
    void OnReadInitialMetadataDone(bool ok) override {
      if (ok) call_.on_answer_(call_.caller_.peer(), call_.caller_.method());
    }
    void OnReadDone(bool ok) override {
      if (ok) {
        call_.StartWrite(&call_.to_caller_);
        return;
      }
      // It has said its last, whatever the caller would still send.
      call_.CloseWriting(false);
      RemoveHold();
    }
    void OnWriteDone(bool ok) override {
      if (ok) {
        call_.StartRead(&call_.from_caller_);
      } else {
        call_.CloseWriting(false);
      }
    }
    void OnDone(const grpc::Status& status) override {
      for (const auto& [key, value] : call_.context_.GetServerTrailingMetadata()) {
        const absl::string_view name(key.data(), key.size());
        if (IsOfTransport(name)) continue;
        call_.caller_.AddTrailingMetadata(std::string(name),
                                          std::string(value.data(), value.size()));
      }
      call_.Finish(ForCaller(status, call_.way_.address));
    }

   private:
    RelayedCall& call_;
  };

  // Nothing more goes on; with `announce` the other end is told that the caller has said its last.
  void CloseWriting(bool announce) {
    {
      base::MutexLock lock(mutex_);
      if (!writing_) return;
      writing_ = false;
      if (announce) onward_.StartWritesDone();
    }
    onward_.RemoveHold();
  }

  const RelayWay way_;
  grpc::GenericCallbackServerContext& caller_;
  const Relay::OnAnswer& on_answer_;
  grpc::ClientContext context_;
  Onward onward_;
  // Each belongs to the operation under way.
  grpc::ByteBuffer from_caller_;
  grpc::ByteBuffer to_caller_;
  base::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace

grpc::ServerGenericBidiReactor* Relay::CreateReactor(grpc::GenericCallbackServerContext* context) {
  if (agents::IsRelayed(*context)) {
    return new Refusal("this controller is not active any more; the call came through a standby");
  }
  RelayWay way = find_way_();
  if (way.stub == nullptr) return new Refusal(way.why);
  return new RelayedCall(std::move(way), *context, on_answer_);
}

}  // namespace fairlead::controller
