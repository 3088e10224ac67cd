// TLS of the gRPC port: a certificate of the peer is asked for, and looked at by our own rules.
#pragma once

#include <memory>

#include <grpcpp/security/server_credentials.h>

#include "controller/identity/agent_identities.h"
#include "controller/identity/audit_sink.h"

namespace fairlead::identity {

// Peers without certificate are let in: what they may do is decided by call. The files are watched:
// new content counts for new connections about a second later. `identities` and `audit` outlive
// the server.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const std::string& certificate_file,
                                                               const std::string& key_file,
                                                               const AgentIdentities& identities,
                                                               AuditSink& audit);

}  // namespace fairlead::identity
