// Certificates, agents' identities and their services, wired to the store, the sessions and the
// loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/ids.h"
#include "controller/access/access.h"
#include "controller/agents/agent_registry.h"
#include "controller/agents/agent_service.h"
#include "controller/identity/agent_identities.h"
#include "controller/identity/audit_sink.h"
#include "controller/identity/tls_folder.h"
#include "controller/loop/reconciler.h"
#include "controller/service/enrolment_service.h"
#include "controller/store/store.h"

namespace fairlead::controller {

// What it is wired to; each outlives it.
struct IdentityParts {
  store::Store& store;
  base::Clock& clock;
  base::Random& random;
  agents::AgentRegistry& registry;
  loop::Reconciler& reconciler;
  access::Access& access;
  std::function<std::map<std::string, service::AgentView>()> agents;
};

// Thread-safe but for Refresh, which one thread calls. Outlives the gRPC server.
class Identities {
 public:
  // As TlsFolder::Open.
  static absl::StatusOr<std::unique_ptr<Identities>> Open(identity::TlsOptions options,
                                                          const store::StoreImage& image,
                                                          const IdentityParts& parts);
  ~Identities();

  std::shared_ptr<grpc::ServerCredentials> Credentials() const;
  agents::AgentServiceOptions ServiceOptions() const;
  void Register(grpc::ServerBuilder& builder);

  // Looks for new certificates; an error is told once. Call about once a second. True when the
  // ports have another one now.
  bool Refresh(absl::Time now);

  std::string certificate_file() const { return folder_.serving_certificate(); }
  std::string key_file() const { return folder_.serving_key(); }

 private:
  class EventAudit;
  Identities(identity::TlsFolder folder, const store::StoreImage& image,
             const IdentityParts& parts);

  identity::TlsFolder folder_;
  const std::unique_ptr<EventAudit> audit_;
  identity::AgentIdentities identities_;
  service::EnrolmentContext context_;
  service::EnrolmentServiceImpl enrolment_service_;
  service::AgentAdminServiceImpl admin_service_;
  absl::Time next_refresh_ = absl::InfinitePast();
  std::string told_;
};

}  // namespace fairlead::controller
