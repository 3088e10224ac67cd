// The gRPC services of join tokens and agents' certificates: decode, hand over, answer.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <grpcpp/grpcpp.h>

#include "controller/access/access.h"
#include "controller/identity/agent_identities.h"
#include "controller/service/status_view.h"
#include "fairlead/v1/enrolment.grpc.pb.h"

namespace fairlead::service {

// All outlive the services.
struct EnrolmentContext {
  access::Access& access;
  identity::AgentIdentities& identities;
  // Connected agents, by server.
  std::function<std::map<std::string, AgentView>()> agents;
  // Ends the session of a server; its agent comes back at once.
  std::function<void(const std::string& server, const std::string& why)> end_session;
};

class EnrolmentServiceImpl final : public v1::EnrolmentService::CallbackService {
 public:
  explicit EnrolmentServiceImpl(EnrolmentContext& context) : context_(context) {}
  grpc::ServerUnaryReactor* Enrol(grpc::CallbackServerContext* call,
                                  const v1::EnrolRequest* request,
                                  v1::EnrolResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* call,
                                  const v1::RenewRequest* request,
                                  v1::EnrolResponse* response) override;
  grpc::ServerUnaryReactor* Examine(grpc::CallbackServerContext* call,
                                    const v1::ExamineRequest* request,
                                    v1::ExamineResponse* response) override;

 private:
  // Joining asks nobody who they are: by address.
  absl::Status CheckRate(const grpc::CallbackServerContext& call) const;
  void Answer(const std::string& certificate, v1::EnrolResponse* response) const;
  EnrolmentContext& context_;
};

class AgentAdminServiceImpl final : public v1::AgentAdminService::CallbackService {
 public:
  explicit AgentAdminServiceImpl(EnrolmentContext& context) : context_(context) {}
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* call,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* ListAgents(grpc::CallbackServerContext* call,
                                       const v1::ListAgentsRequest* request,
                                       v1::ListAgentsResponse* response) override;
  grpc::ServerUnaryReactor* RevokeAgent(grpc::CallbackServerContext* call,
                                        const v1::RevokeAgentRequest* request,
                                        v1::RevokeAgentResponse* response) override;
  grpc::ServerUnaryReactor* RotateAgents(grpc::CallbackServerContext* call,
                                         const v1::RotateAgentsRequest* request,
                                         v1::RotateAgentsResponse* response) override;

 private:
  EnrolmentContext& context_;
};

}  // namespace fairlead::service
