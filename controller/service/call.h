// What every handler does first and last.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"

namespace fairlead::service {

// The message goes out as it is; an internal error is logged with an id that the caller sees.
grpc::Status ToGrpc(const absl::Status& status);

// Who calls: the name of a certificate's SAN "fairlead://user/NAME", else "operator".
std::string CallerOf(const grpc::CallbackServerContext& call);

// Ends the call at once with this status.
grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* call, const absl::Status& status);

// PermissionDenied for agents: their certificate is for AgentService alone.
absl::Status CheckPerson(const grpc::CallbackServerContext& call);

}  // namespace fairlead::service
