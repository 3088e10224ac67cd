// Logins by OpenID Connect as calls.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controller/access/oidc/login_desk.h"
#include "controller/service/call.h"
#include "fairlead/v1/oidc.grpc.pb.h"

namespace fairlead::service {

// Thread-safe. Answers come from the desk's thread.
class OidcServiceImpl final : public v1::OidcService::CallbackService {
 public:
  // Both outlive the service. `desk` is null without a provider.
  OidcServiceImpl(access::Access& access, access::oidc::LoginDesk* desk)
      : access_(access), desk_(desk) {}

  grpc::ServerUnaryReactor* Begin(grpc::CallbackServerContext* call,
                                  const v1::OidcBeginRequest* request,
                                  v1::OidcBeginResponse* response) override;
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* call,
                                   const v1::OidcFinishRequest* request,
                                   v1::OidcFinishResponse* response) override;

 private:
  access::Access& access_;
  access::oidc::LoginDesk* const desk_;
};

}  // namespace fairlead::service
