// Logins, users, keys and the audit log as calls.
#pragma once

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "controller/access/access.h"
#include "controller/service/call.h"
#include "controller/store/store.h"
#include "fairlead/v1/access_service.grpc.pb.h"

namespace fairlead::service {

// Thread-safe. A login occupies its thread for about 0.1 s; no more than two do so at once.
class AccessServiceImpl final : public v1::AccessService::CallbackService {
 public:
  // All outlive the service.
  AccessServiceImpl(access::Access& access, store::Store& store, base::Clock& clock)
      : access_(access), store_(store), clock_(clock) {}

  grpc::ServerUnaryReactor* Login(grpc::CallbackServerContext* call,
                                  const v1::LoginRequest* request,
                                  v1::LoginResponse* response) override;
  grpc::ServerUnaryReactor* Logout(grpc::CallbackServerContext* call,
                                   const v1::LogoutRequest* request,
                                   v1::LogoutResponse* response) override;
  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* call,
                                   const v1::WhoAmIRequest* request,
                                   v1::WhoAmIResponse* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* call,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* AddUser(grpc::CallbackServerContext* call,
                                    const v1::AddUserRequest* request,
                                    v1::AddUserResponse* response) override;
  grpc::ServerUnaryReactor* ChangeUser(grpc::CallbackServerContext* call,
                                       const v1::ChangeUserRequest* request,
                                       v1::ChangeUserResponse* response) override;
  grpc::ServerUnaryReactor* SetPassword(grpc::CallbackServerContext* call,
                                        const v1::SetPasswordRequest* request,
                                        v1::SetPasswordResponse* response) override;
  grpc::ServerUnaryReactor* ListKeys(grpc::CallbackServerContext* call,
                                     const v1::ListKeysRequest* request,
                                     v1::ListKeysResponse* response) override;
  grpc::ServerUnaryReactor* CreateKey(grpc::CallbackServerContext* call,
                                      const v1::CreateKeyRequest* request,
                                      v1::CreateKeyResponse* response) override;
  grpc::ServerUnaryReactor* RevokeKey(grpc::CallbackServerContext* call,
                                      const v1::RevokeKeyRequest* request,
                                      v1::RevokeKeyResponse* response) override;
  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* call,
                                      const v1::ListAuditRequest* request,
                                      v1::ListAuditResponse* response) override;
  grpc::ServerUnaryReactor* VerifyAudit(grpc::CallbackServerContext* call,
                                        const v1::VerifyAuditRequest* request,
                                        v1::VerifyAuditResponse* response) override;

 private:
  absl::Status LogIn(const v1::LoginRequest& request, const std::string& address);
  absl::Status ChangePassword(const v1::SetPasswordRequest& request, Ticket& ticket);
  // The key that is asked for, without its secret; `key` gets user and permissions.
  absl::Status FillKey(const v1::CreateKeyRequest& request, const Ticket& ticket, v1::ApiKey& key);
  // The id of the caller's key, or of anybody's for those who may change users.
  absl::StatusOr<std::string> FindKey(const std::string& text, const Ticket& ticket);

  access::Access& access_;
  store::Store& store_;
  base::Clock& clock_;
};

}  // namespace fairlead::service
