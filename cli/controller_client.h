// The controller's services as plain calls.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/config.h"
#include "fairlead/v1/access_service.pb.h"
#include "fairlead/v1/enrolment.pb.h"
#include "fairlead/v1/oidc.pb.h"
#include "fairlead/v1/secret_service.pb.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// Items as they come. Confined to one thread; ends its call when destroyed.
template <typename Item>
class ItemStream {
 public:
  enum class Outcome { kItem, kTimeout, kEnd };
  virtual ~ItemStream() = default;
  // Waits at most `timeout` for an item. After kEnd `status` says why.
  virtual Outcome Next(absl::Duration timeout, Item& item) = 0;
  virtual absl::Status status() const = 0;
};
using EventStream = ItemStream<v1::WatchResponse>;
using RunStream = ItemStream<v1::WatchRunsResponse>;
using RunLogStream = ItemStream<v1::RunLogResponse>;

// One connection to a controller. Calls block, at most for the timeout; errors are sentences for
// the user that name the controller and the way out. Thread-safe.
class ControllerClient {
 public:
  // Only reads the PEM files; the first call connects. `timeout` is of each call that answers
  // once.
  static absl::StatusOr<std::unique_ptr<ControllerClient>> Create(const ConnectionOptions& options,
                                                                  absl::Duration timeout);
  ~ControllerClient();

  absl::StatusOr<v1::ListResourcesResponse> ListResources(const v1::ListResourcesRequest& request);
  absl::StatusOr<v1::GetResourceResponse> GetResource(const v1::GetResourceRequest& request);
  // Problems come in the response, whether the controller took the files or not.
  absl::StatusOr<v1::ApplyResponse> Apply(const v1::ApplyRequest& request);
  absl::StatusOr<v1::GetStatusResponse> GetStatus(const v1::GetStatusRequest& request);
  absl::StatusOr<v1::PlanResponse> Plan(const v1::PlanRequest& request);
  absl::StatusOr<v1::SyncResponse> Sync(const v1::SyncRequest& request);

  enum class Execution { kStart, kRestart, kRelease, kRetry, kCancel };
  absl::StatusOr<v1::ExecutionResponse> Execute(Execution execution,
                                                const v1::ExecutionRequest& request);
  absl::StatusOr<v1::ExecutionResponse> Stop(const v1::StopRequest& request);
  absl::StatusOr<v1::ExecutionResponse> Rollback(const v1::RollbackRequest& request);
  absl::StatusOr<v1::ListHistoryResponse> ListHistory(const v1::ListHistoryRequest& request);
  absl::StatusOr<v1::RunResponse> Run(const v1::RunRequest& request);
  absl::StatusOr<v1::ListRunsResponse> ListRuns(const v1::ListRunsRequest& request);
  absl::StatusOr<v1::ExecutionResponse> CancelRun(const v1::CancelRunRequest& request);
  absl::StatusOr<v1::ListSchedulesResponse> ListSchedules(const v1::ListSchedulesRequest& request);
  // Calls `on_run` with each answer until the end.
  absl::Status WatchRuns(const v1::WatchRunsRequest& request,
                         const std::function<void(const v1::WatchRunsResponse&)>& on_run);
  // Calls `on_lines` with each answer until the end. Unimplemented by older controllers.
  absl::Status RunLog(const v1::RunLogRequest& request,
                      const std::function<void(const v1::RunLogResponse&)>& on_lines);
  absl::StatusOr<v1::ApproveResponse> Approve(const v1::ApproveRequest& request);
  absl::StatusOr<v1::SetSecretResponse> SetSecret(const v1::SetSecretRequest& request);
  absl::StatusOr<v1::ListSecretsResponse> ListSecrets(const v1::ListSecretsRequest& request);
  absl::StatusOr<v1::RemoveSecretResponse> RemoveSecret(const v1::RemoveSecretRequest& request);
  absl::StatusOr<v1::RotateSecretKeyResponse> RotateSecretKey(
      const v1::RotateSecretKeyRequest& request);
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::ListAgentsResponse> ListAgents(const v1::ListAgentsRequest& request);
  absl::StatusOr<v1::RevokeAgentResponse> RevokeAgent(const v1::RevokeAgentRequest& request);
  absl::StatusOr<v1::RotateAgentsResponse> RotateAgents(const v1::RotateAgentsRequest& request);

  absl::StatusOr<v1::LoginResponse> Login(const v1::LoginRequest& request);
  absl::StatusOr<v1::OidcBeginResponse> OidcBegin(const v1::OidcBeginRequest& request);
  absl::StatusOr<v1::OidcFinishResponse> OidcFinish(const v1::OidcFinishRequest& request);
  absl::StatusOr<v1::LogoutResponse> Logout(const v1::LogoutRequest& request);
  absl::StatusOr<v1::WhoAmIResponse> WhoAmI(const v1::WhoAmIRequest& request);
  absl::StatusOr<v1::ListUsersResponse> ListUsers(const v1::ListUsersRequest& request);
  absl::StatusOr<v1::AddUserResponse> AddUser(const v1::AddUserRequest& request);
  absl::StatusOr<v1::ChangeUserResponse> ChangeUser(const v1::ChangeUserRequest& request);
  absl::StatusOr<v1::SetPasswordResponse> SetPassword(const v1::SetPasswordRequest& request);
  absl::StatusOr<v1::ListKeysResponse> ListKeys(const v1::ListKeysRequest& request);
  absl::StatusOr<v1::CreateKeyResponse> CreateKey(const v1::CreateKeyRequest& request);
  absl::StatusOr<v1::RevokeKeyResponse> RevokeKey(const v1::RevokeKeyRequest& request);
  absl::StatusOr<v1::ListAuditResponse> ListAudit(const v1::ListAuditRequest& request);
  absl::StatusOr<v1::VerifyAuditResponse> VerifyAudit(const v1::VerifyAuditRequest& request);

  // Calls `on_lines` with each answer until the end.
  absl::Status Logs(const v1::LogsRequest& request,
                    const std::function<void(const v1::LogsResponse&)>& on_lines);
  // Streams that can be waited for with a timeout; the client must outlive them.
  std::unique_ptr<EventStream> Watch(const v1::WatchRequest& request);
  std::unique_ptr<RunStream> StreamRuns(const v1::WatchRunsRequest& request);
  std::unique_ptr<RunLogStream> StreamRunLog(const v1::RunLogRequest& request);

  const std::string& address() const;

 private:
  struct Connection;
  explicit ControllerClient(std::unique_ptr<Connection> connection);
  const std::unique_ptr<Connection> connection_;
};

}  // namespace fairlead::cli
