// The gRPC service that agents dial.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "controller/agents/agent_registry.h"
#include "fairlead/v1/agent.grpc.pb.h"

namespace fairlead::agents {

struct AgentServiceOptions {
  // Refuse peers whose certificate does not name a server. Off only without TLS.
  bool require_certificate = true;
  // Of a certificate (PEM) that was let in with its connection: whether it still counts. Empty: it
  // does.
  std::function<absl::Status(const std::string&)> check_certificate;
  // Told of each peer that is turned away: its address and why. May be empty.
  std::function<void(const std::string&, const absl::Status&)> on_refused;
  // Told of the peer of each session that begins. May be empty.
  std::function<void(const std::string&)> on_proven;
  // A session that has more than this unwritten is ended: its agent reads too slowly.
  std::size_t queue_messages = 10'000;
  std::size_t queue_bytes = std::size_t{64} << 20;
};

// The server named by a certificate with these subject alternative names: NAME of the single
// "fairlead://server/NAME". PermissionDenied, with the reason, for anything else.
absl::StatusOr<std::string> ServerOfCertificate(const std::vector<std::string>& names);

// Makes one reactor for each stream; a message is read only after the one before it was taken.
// Thread-safe. The registry must be shut down before the gRPC server, and outlives both.
class AgentService final : public v1::AgentService::CallbackService {
 public:
  AgentService(AgentRegistry& registry, AgentServiceOptions options);

  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  // PermissionDenied says why the peer is not taken for an agent.
  absl::StatusOr<PeerCertificate> PeerOf(const grpc::CallbackServerContext& context) const;

  AgentRegistry& registry_;
  const AgentServiceOptions options_;
};

}  // namespace fairlead::agents
