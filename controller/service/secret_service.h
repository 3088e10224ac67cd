// Values of secret variables over gRPC: they go in and never come out.
#pragma once

#include "controller/access/access.h"
#include "controller/loop/reconciler.h"
#include "controller/secrets/secret_keeper.h"
#include "fairlead/v1/secret_service.grpc.pb.h"

namespace fairlead::service {

class SecretServiceImpl final : public v1::SecretService::CallbackService {
 public:
  // All outlive the service.
  SecretServiceImpl(access::Access& access, secrets::SecretKeeper& keeper,
                    loop::Reconciler& reconciler)
      : access_(access), keeper_(keeper), reconciler_(reconciler) {}

  grpc::ServerUnaryReactor* SetSecret(grpc::CallbackServerContext* call,
                                      const v1::SetSecretRequest* request,
                                      v1::SetSecretResponse* response) override;
  grpc::ServerUnaryReactor* ListSecrets(grpc::CallbackServerContext* call,
                                        const v1::ListSecretsRequest* request,
                                        v1::ListSecretsResponse* response) override;
  grpc::ServerUnaryReactor* RemoveSecret(grpc::CallbackServerContext* call,
                                         const v1::RemoveSecretRequest* request,
                                         v1::RemoveSecretResponse* response) override;
  grpc::ServerUnaryReactor* RotateSecretKey(grpc::CallbackServerContext* call,
                                            const v1::RotateSecretKeyRequest* request,
                                            v1::RotateSecretKeyResponse* response) override;

 private:
  // Says in the events what somebody did to a secret.
  void Tell(const std::string& name, const std::string& type, const std::string& message);

  access::Access& access_;
  secrets::SecretKeeper& keeper_;
  loop::Reconciler& reconciler_;
};

}  // namespace fairlead::service
