// Logins by OpenID Connect as calls.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "controller/access/oidc/login_desk.h"
#include "controller/service/call.h"
#include "fairlead/v1/oidc.grpc.pb.h"

namespace fairlead::service {

// Thread-safe. Answers come from the desk's thread.
class OidcServiceImpl final : public v1::OidcService::CallbackService {
 public:
  // `settings` is the file of --oidc; without one all calls are refused. As LoadSettings. The rest
  // outlives the service.
  static absl::StatusOr<std::unique_ptr<OidcServiceImpl>> Open(const std::string& settings,
                                                               access::Access& access,
                                                               base::Clock& clock);

  // Answers what waits for the provider.
  void Shutdown();

  grpc::ServerUnaryReactor* Begin(grpc::CallbackServerContext* call,
                                  const v1::OidcBeginRequest* request,
                                  v1::OidcBeginResponse* response) override;
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* call,
                                   const v1::OidcFinishRequest* request,
                                   v1::OidcFinishResponse* response) override;

 private:
  explicit OidcServiceImpl(access::Access& access) : access_(access) {}

  access::Access& access_;
  // Absent without a provider.
  std::unique_ptr<access::oidc::LoginDesk> desk_;
};

}  // namespace fairlead::service
