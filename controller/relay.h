// Passes gRPC calls on to another controller as they are, whatever service they are of.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace fairlead::controller {

// Where calls go.
struct RelayWay {
  // Null: nowhere. Held until the call has ended.
  std::shared_ptr<grpc::GenericStub> stub;
  // Of the other controller, for the caller.
  std::string address;
  // Without a way: why, for the caller.
  std::string why;
};

// Bytes, metadata, deadlines, cancellations and statuses go through in both directions, one message
// at a time, so that a slow side slows the other one. To the caller's metadata it adds who the
// caller is (controller/agents/call_peer.h). A call that has come through a standby already is
// refused: two standbys that take each other for active would pass it on for ever. Thread-safe.
// Outlives the server.
class Relay final : public grpc::CallbackGenericService {
 public:
  // `find_way` returns at once. `on_answer` hears whom the other controller begins to answer: the
  // peer as gRPC writes it, and "/package.Service/Method". Any thread calls both.
  using OnAnswer = std::function<void(const std::string& peer, const std::string& method)>;
  Relay(std::function<RelayWay()> find_way, OnAnswer on_answer)
      : find_way_(std::move(find_way)), on_answer_(std::move(on_answer)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  const std::function<RelayWay()> find_way_;
  const OnAnswer on_answer_;
};

}  // namespace fairlead::controller
