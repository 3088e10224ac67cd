#include "controller/service/oidc_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/oidc/settings.h"

namespace fairlead::service {
namespace {

using access::Caller;

absl::Status NoProvider() {
  return absl::FailedPreconditionError(
      "this controller knows no OpenID provider: --oidc names one; without it use: fairlead login");
}

}  // namespace

absl::StatusOr<std::unique_ptr<OidcServiceImpl>> OidcServiceImpl::Open(const std::string& settings,
                                                                       access::Access& access,
                                                                       base::Clock& clock) {
  std::unique_ptr<OidcServiceImpl> service(new OidcServiceImpl(access));
  if (settings.empty()) return service;
  ASSIGN_OR_RETURN(access::oidc::Settings loaded, access::oidc::LoadSettings(settings));
  service->desk_ = std::make_unique<access::oidc::LoginDesk>(std::move(loaded), access, clock);
  return service;
}

void OidcServiceImpl::Shutdown() {
  if (desk_ != nullptr) desk_->Shutdown();
}

grpc::ServerUnaryReactor* OidcServiceImpl::Begin(grpc::CallbackServerContext* call,
                                                 const v1::OidcBeginRequest* request,
                                                 v1::OidcBeginResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "OidcService.Begin", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  // No record: anybody may ask, as often as they like.
  if (desk_ == nullptr) return EndWith(call, NoProvider());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  desk_->Begin({.redirect_uri = request->redirect_uri(),
                .code_challenge = request->code_challenge(),
                .address = ticket->caller().address},
               [ticket, reactor, response](absl::StatusOr<access::oidc::Begun> begun) {
                 if (begun.ok()) {
                   response->set_authorization_url(std::move(begun->authorization_url));
                   response->set_state(std::move(begun->state));
                 }
                 ticket->Finish(reactor, begun.status());
               });
  return reactor;
}

grpc::ServerUnaryReactor* OidcServiceImpl::Finish(grpc::CallbackServerContext* call,
                                                  const v1::OidcFinishRequest* request,
                                                  v1::OidcFinishResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "OidcService.Finish", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  if (desk_ == nullptr) return EndWith(call, NoProvider());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  desk_->Finish(
      {.state = request->state(),
       .code = request->code(),
       .code_verifier = request->code_verifier(),
       .address = ticket->caller().address},
      [ticket, reactor, response](const absl::StatusOr<access::oidc::LoggedIn>& in) {
        if (in.ok()) {
          response->set_token(in->session.token);
          *response->mutable_expires() = base::ToProto(in->session.expires);
          response->set_user(in->user);
          for (const std::string& group : in->groups) response->add_groups(group);
          ticket->SetCaller(
              {.kind = Caller::Kind::kOidc, .name = in->user, .address = ticket->caller().address});
          ticket->SetResource(absl::StrCat("oidc/", in->user));
          ticket->SetWhy(
              absl::StrCat("subject ", in->subject, ", groups ", absl::StrJoin(in->groups, ", ")));
        }
        ticket->Finish(reactor, in.status());
      });
  return reactor;
}

}  // namespace fairlead::service
