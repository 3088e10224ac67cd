// TLS of the gRPC port: a certificate of the peer is asked for, and looked at by our own rules.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "base/clock.h"
#include "controller/identity/agent_identities.h"
#include "controller/identity/audit_sink.h"
#include "controller/identity/certificate_authority.h"

namespace fairlead::identity {

// Peers without certificate are let in: what they may do is decided by call. The files are watched:
// new content counts for new connections about a second later. `identities` and `audit` outlive
// the server.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const std::string& certificate_file,
                                                               const std::string& key_file,
                                                               const AgentIdentities& identities,
                                                               AuditSink& audit);

// How a standby reaches the active controller.
struct RelayTrust {
  // PEM of the authorities that may sign the other's certificate; empty: the machine's.
  std::string authorities;
  // Of this controller, from IssueRelay.
  KeyPair identity;
  // As dialled, "host:port".
  std::string address;
};

// Channel credentials that believe a controller's own certificate at any address, and others by
// their names. `clock` outlives the channel.
std::shared_ptr<grpc::ChannelCredentials> MakeRelayCredentials(const RelayTrust& trust,
                                                               const base::Clock& clock);

}  // namespace fairlead::identity
