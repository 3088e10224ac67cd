#include "controller/service/enrolment_service.h"

#include <utility>

#include "base/proto_time.h"
#include "controller/agents/call_peer.h"
#include "controller/service/call.h"

namespace fairlead::service {
namespace {

constexpr absl::Duration kTokenLife = absl::Hours(1);

// What is known of a server's identity and of its connection, as one line.
v1::AgentView ViewOf(const std::string& server, const identity::AgentIdentity& known,
                     const AgentView* connected, absl::Time now) {
  v1::AgentView view;
  view.set_server(server);
  view.set_serial(known.certificate.serial());
  if (known.certificate.has_not_after()) {
    *view.mutable_not_after() = known.certificate.not_after();
  }
  view.set_address(known.certificate.address());
  view.set_token_id(known.certificate.token_id());
  view.set_rotating(known.rotating);
  if (connected != nullptr) view.set_version(connected->version);
  if (known.certificate.revoked()) {
    view.set_state("revoked");
    view.set_reason(known.certificate.revoked_why());
  } else if (known.certificate.has_not_after() &&
             now >= base::FromProto(known.certificate.not_after())) {
    view.set_state("expired");
    view.set_reason("it must join again");
  } else {
    view.set_state(connected != nullptr ? "online" : "offline");
  }
  return view;
}

}  // namespace

void EnrolmentServiceImpl::Answer(const std::string& certificate,
                                  v1::EnrolResponse* response) const {
  response->set_certificate(certificate);
  response->set_authorities(context_.identities.options().agent_trust);
  *response->mutable_now() = base::ToProto(context_.identities.Now());
}

absl::Status EnrolmentServiceImpl::CheckRate(const grpc::CallbackServerContext& call) const {
  access::Caller caller;
  caller.address = access::AddressOfPeer(agents::ReadCallPeer(call).address);
  return context_.access.gate().CheckRate(caller);
}

grpc::ServerUnaryReactor* EnrolmentServiceImpl::Enrol(grpc::CallbackServerContext* call,
                                                      const v1::EnrolRequest* request,
                                                      v1::EnrolResponse* response) {
  const absl::Status rate = CheckRate(*call);
  if (!rate.ok()) return EndWith(call, rate);
  const absl::StatusOr<std::string> issued = context_.identities.Enrol(
      request->token(), request->request(), request->server(), agents::ReadCallPeer(*call).address);
  if (issued.ok()) Answer(*issued, response);
  return EndWith(call, issued.status());
}

grpc::ServerUnaryReactor* EnrolmentServiceImpl::Renew(grpc::CallbackServerContext* call,
                                                      const v1::RenewRequest* request,
                                                      v1::EnrolResponse* response) {
  const std::string certificate = CertificateOf(*call);
  if (certificate.empty()) {
    return EndWith(call,
                   absl::UnauthenticatedError("only an agent with a certificate can renew it"));
  }
  const absl::StatusOr<std::string> issued = context_.identities.Renew(
      certificate, request->request(), agents::ReadCallPeer(*call).address);
  if (issued.ok()) Answer(*issued, response);
  return EndWith(call, issued.status());
}

grpc::ServerUnaryReactor* EnrolmentServiceImpl::Examine(grpc::CallbackServerContext* call,
                                                        const v1::ExamineRequest* request,
                                                        v1::ExamineResponse* response) {
  const absl::Status good = context_.identities.CheckPeer(request->certificate());
  // Agents behind one address may all ask at once.
  const absl::Status rate = good.ok() ? absl::OkStatus() : CheckRate(*call);
  if (!rate.ok()) return EndWith(call, rate);
  response->set_refusal(std::string(good.message()));
  response->set_renew(good.ok() && context_.identities.IsRotating(request->certificate()));
  *response->mutable_now() = base::ToProto(context_.identities.Now());
  return EndWith(call, absl::OkStatus());
}

grpc::ServerUnaryReactor* AgentAdminServiceImpl::CreateToken(grpc::CallbackServerContext* call,
                                                             const v1::CreateTokenRequest* request,
                                                             v1::CreateTokenResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "AgentAdminService.CreateToken", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const absl::Duration life =
      request->has_expires_in() ? base::FromProto(request->expires_in()) : kTokenLife;
  const auto issued = context_.identities.CreateToken({.server = request->server(),
                                                       .tag = request->tag(),
                                                       .multi_use = request->multi_use(),
                                                       .expires = context_.identities.Now() + life,
                                                       .created_by = ticket->who()});
  if (!issued.ok()) return FinishWith(call, ticket, issued.status());
  response->set_token(issued->text);
  response->set_id(issued->record.id());
  *response->mutable_expires() = issued->record.expires();
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AgentAdminServiceImpl::ListAgents(grpc::CallbackServerContext* call,
                                                            const v1::ListAgentsRequest* request,
                                                            v1::ListAgentsResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "AgentAdminService.ListAgents", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const absl::Time now = context_.identities.Now();
  const std::map<std::string, AgentView> connected = context_.agents();
  std::map<std::string, identity::AgentIdentity> known = context_.identities.List();
  // Those without a certificate of ours are agents too.
  for (const auto& [server, view] : connected) known.try_emplace(server);
  for (const auto& [server, one] : known) {
    const auto found = connected.find(server);
    *response->add_agents() =
        ViewOf(server, one, found == connected.end() ? nullptr : &found->second, now);
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AgentAdminServiceImpl::RevokeAgent(grpc::CallbackServerContext* call,
                                                             const v1::RevokeAgentRequest* request,
                                                             v1::RevokeAgentResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "AgentAdminService.RevokeAgent", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto revoked = context_.identities.Revoke(request->server(), request->why(), ticket->who());
  if (revoked.ok()) response->mutable_revoked()->Add(revoked->begin(), revoked->end());
  return FinishWith(call, ticket, revoked.status());
}

grpc::ServerUnaryReactor* AgentAdminServiceImpl::RotateAgents(
    grpc::CallbackServerContext* call, const v1::RotateAgentsRequest* request,
    v1::RotateAgentsResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "AgentAdminService.RotateAgents", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto servers = context_.identities.Rotate(request->server(), ticket->who());
  if (!servers.ok()) return FinishWith(call, ticket, servers.status());
  // An agent looks whether it is to renew before it connects.
  for (const std::string& server : *servers) {
    context_.end_session(server, "a new certificate is to be fetched");
    response->add_servers(server);
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

}  // namespace fairlead::service
