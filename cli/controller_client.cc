#include "cli/controller_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/loopback.h"
#include "base/status.h"
#include "cli/rpc_error.h"
#include "fairlead/v1/access_service.grpc.pb.h"
#include "fairlead/v1/enrolment.grpc.pb.h"
#include "fairlead/v1/oidc.grpc.pb.h"
#include "fairlead/v1/secret_service.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::cli {
namespace {

std::chrono::system_clock::time_point DeadlineAfter(absl::Duration timeout) {
  return std::chrono::system_clock::now() +
         absl::ToChronoMilliseconds(std::min(timeout, absl::Hours(24 * 365)));
}

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return std::string();
  return base::ReadFile(path, 1u << 20);
}

bool IsEncrypted(const ConnectionOptions& options) {
  return !options.tls_cert.empty() || !options.tls_ca.empty();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(
    const ConnectionOptions& options) {
  if (!IsEncrypted(options)) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem(options.tls_ca), "--tls-ca");
  ASSIGN_OR_RETURN(ssl.pem_cert_chain, ReadPem(options.tls_cert), "--tls-cert");
  ASSIGN_OR_RETURN(ssl.pem_private_key, ReadPem(options.tls_key), "--tls-key");
  return grpc::SslCredentials(ssl);
}

// A token that others can read on the way is theirs.
absl::Status CheckTokenIsHidden(const ConnectionOptions& options) {
  if (options.token.empty() || IsEncrypted(options) ||
      base::IsLoopbackAddress(options.controller)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the token would go unencrypted to ", options.controller,
                   "; give --tls-ca, or unset FAIRLEAD_TOKEN and log out"));
}

// Reads ahead by one item, on a completion queue of its own: so a wait can end by time without
// losing what comes.
template <typename Item>
class GrpcItemStream final : public ItemStream<Item> {
 public:
  using Outcome = typename ItemStream<Item>::Outcome;
  using Reader = grpc::ClientAsyncReader<Item>;

  // `prepare` begins the call.
  template <typename Prepare>
  GrpcItemStream(const Prepare& prepare, DialledController controller)
      : controller_(std::move(controller)), reader_(prepare(&context_, &queue_)) {
    reader_->StartCall(this);
  }
  ~GrpcItemStream() override {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  Outcome Next(absl::Duration timeout, Item& item) override {
    const auto deadline = DeadlineAfter(timeout);
    while (stage_ != Stage::kEnded) {
      void* tag = nullptr;
      bool ok = false;
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
        return Outcome::kTimeout;
      }
      if (stage_ == Stage::kFinishing) {
        stage_ = Stage::kEnded;
      } else if (!ok) {
        stage_ = Stage::kFinishing;
        reader_->Finish(&status_, this);
      } else {
        const bool has_item = stage_ == Stage::kReading;
        if (has_item) item = std::move(next_);
        stage_ = Stage::kReading;
        next_.Clear();
        reader_->Read(&next_, this);
        if (has_item) return Outcome::kItem;
      }
    }
    return Outcome::kEnd;
  }

  absl::Status status() const override {
    return DescribeRpcError(status_, controller_, absl::InfiniteDuration());
  }

 private:
  enum class Stage { kStarting, kReading, kFinishing, kEnded };

  const DialledController controller_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<Reader> reader_;
  Stage stage_ = Stage::kStarting;
  Item next_;
  grpc::Status status_;
};

}  // namespace

struct ControllerClient::Connection {
  template <typename Request, typename Response, typename Stub>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    grpc::ClientContext context;
    Bear(context);
    context.set_deadline(DeadlineAfter(timeout));
    Response response;
    RETURN_IF_ERROR(
        DescribeRpcError((stub.*method)(&context, request, &response), controller, timeout));
    return response;
  }

  // Says who calls.
  void Bear(grpc::ClientContext& context) const {
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  }

  DialledController controller;
  std::string token;
  absl::Duration timeout;
  std::unique_ptr<v1::ResourceService::Stub> resources;
  std::unique_ptr<v1::SyncService::Stub> syncs;
  std::unique_ptr<v1::ExecutionService::Stub> executions;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::SecretService::Stub> secrets;
  std::unique_ptr<v1::AgentAdminService::Stub> agents;
  std::unique_ptr<v1::AccessService::Stub> access;
  std::unique_ptr<v1::OidcService::Stub> oidc;
};

absl::StatusOr<std::unique_ptr<ControllerClient>> ControllerClient::Create(
    const ConnectionOptions& options, absl::Duration timeout) {
  RETURN_IF_ERROR(CheckTokenIsHidden(options));
  ASSIGN_OR_RETURN(const auto credentials, CredentialsOf(options));
  grpc::ChannelArguments arguments;
  // Lists of large fleets go beyond gRPC's 4 MB.
  arguments.SetMaxReceiveMessageSize(256 << 20);
  const auto channel = grpc::CreateCustomChannel(options.controller, credentials, arguments);
  auto connection = std::make_unique<Connection>();
  connection->controller = {.address = options.controller,
                            .wire = IsEncrypted(options) ? Wire::kEncrypted : Wire::kPlain};
  connection->token = options.token;
  connection->timeout = timeout;
  connection->resources = v1::ResourceService::NewStub(channel);
  connection->syncs = v1::SyncService::NewStub(channel);
  connection->executions = v1::ExecutionService::NewStub(channel);
  connection->events = v1::EventService::NewStub(channel);
  connection->secrets = v1::SecretService::NewStub(channel);
  connection->agents = v1::AgentAdminService::NewStub(channel);
  connection->access = v1::AccessService::NewStub(channel);
  connection->oidc = v1::OidcService::NewStub(channel);
  return std::unique_ptr<ControllerClient>(new ControllerClient(std::move(connection)));
}

ControllerClient::ControllerClient(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

ControllerClient::~ControllerClient() = default;

const std::string& ControllerClient::address() const { return connection_->controller.address; }

absl::StatusOr<v1::ListResourcesResponse> ControllerClient::ListResources(
    const v1::ListResourcesRequest& request) {
  return connection_->Call(*connection_->resources, &v1::ResourceService::Stub::ListResources,
                           request);
}

absl::StatusOr<v1::GetResourceResponse> ControllerClient::GetResource(
    const v1::GetResourceRequest& request) {
  return connection_->Call(*connection_->resources, &v1::ResourceService::Stub::GetResource,
                           request);
}

absl::StatusOr<v1::ApplyResponse> ControllerClient::Apply(const v1::ApplyRequest& request) {
  grpc::ClientContext context;
  connection_->Bear(context);
  context.set_deadline(DeadlineAfter(connection_->timeout));
  v1::ApplyResponse response;
  const grpc::Status status = connection_->resources->Apply(&context, request, &response);
  // A refusal carries its problems as details, since gRPC drops the response of a failed call.
  v1::ApplyResponse details;
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT &&
      details.ParseFromString(status.error_details()) && !details.problems().empty()) {
    return details;
  }
  RETURN_IF_ERROR(DescribeRpcError(status, connection_->controller, connection_->timeout));
  return response;
}

absl::StatusOr<v1::GetStatusResponse> ControllerClient::GetStatus(
    const v1::GetStatusRequest& request) {
  return connection_->Call(*connection_->syncs, &v1::SyncService::Stub::GetStatus, request);
}

absl::StatusOr<v1::PlanResponse> ControllerClient::Plan(const v1::PlanRequest& request) {
  return connection_->Call(*connection_->syncs, &v1::SyncService::Stub::Plan, request);
}

absl::StatusOr<v1::SyncResponse> ControllerClient::Sync(const v1::SyncRequest& request) {
  return connection_->Call(*connection_->syncs, &v1::SyncService::Stub::Sync, request);
}

absl::StatusOr<v1::ExecutionResponse> ControllerClient::Execute(
    Execution execution, const v1::ExecutionRequest& request) {
  using Stub = v1::ExecutionService::Stub;
  Stub& stub = *connection_->executions;
  switch (execution) {
    case Execution::kStart:
      return connection_->Call(stub, &Stub::Start, request);
    case Execution::kRestart:
      return connection_->Call(stub, &Stub::Restart, request);
    case Execution::kRelease:
      return connection_->Call(stub, &Stub::Release, request);
    case Execution::kRetry:
      return connection_->Call(stub, &Stub::Retry, request);
    case Execution::kCancel:
      return connection_->Call(stub, &Stub::Cancel, request);
  }
  return absl::InternalError("unknown execution");
}

absl::StatusOr<v1::ExecutionResponse> ControllerClient::Stop(const v1::StopRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::Stop, request);
}

absl::StatusOr<v1::ExecutionResponse> ControllerClient::Rollback(
    const v1::RollbackRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::Rollback,
                           request);
}

absl::StatusOr<v1::ListHistoryResponse> ControllerClient::ListHistory(
    const v1::ListHistoryRequest& request) {
  return connection_->Call(*connection_->resources, &v1::ResourceService::Stub::ListHistory,
                           request);
}

absl::StatusOr<v1::RunResponse> ControllerClient::Run(const v1::RunRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::Run, request);
}

absl::StatusOr<v1::ListRunsResponse> ControllerClient::ListRuns(
    const v1::ListRunsRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::ListRuns,
                           request);
}

absl::StatusOr<v1::ExecutionResponse> ControllerClient::CancelRun(
    const v1::CancelRunRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::CancelRun,
                           request);
}

absl::StatusOr<v1::ListSchedulesResponse> ControllerClient::ListSchedules(
    const v1::ListSchedulesRequest& request) {
  return connection_->Call(*connection_->executions, &v1::ExecutionService::Stub::ListSchedules,
                           request);
}

absl::StatusOr<v1::CreateTokenResponse> ControllerClient::CreateToken(
    const v1::CreateTokenRequest& request) {
  return connection_->Call(*connection_->agents, &v1::AgentAdminService::Stub::CreateToken,
                           request);
}

absl::StatusOr<v1::ListAgentsResponse> ControllerClient::ListAgents(
    const v1::ListAgentsRequest& request) {
  return connection_->Call(*connection_->agents, &v1::AgentAdminService::Stub::ListAgents, request);
}

absl::StatusOr<v1::RevokeAgentResponse> ControllerClient::RevokeAgent(
    const v1::RevokeAgentRequest& request) {
  return connection_->Call(*connection_->agents, &v1::AgentAdminService::Stub::RevokeAgent,
                           request);
}

absl::StatusOr<v1::RotateAgentsResponse> ControllerClient::RotateAgents(
    const v1::RotateAgentsRequest& request) {
  return connection_->Call(*connection_->agents, &v1::AgentAdminService::Stub::RotateAgents,
                           request);
}

absl::Status ControllerClient::WatchRuns(
    const v1::WatchRunsRequest& request,
    const std::function<void(const v1::WatchRunsResponse&)>& on_run) {
  grpc::ClientContext context;
  connection_->Bear(context);
  const auto reader = connection_->executions->WatchRuns(&context, request);
  v1::WatchRunsResponse response;
  while (reader->Read(&response)) on_run(response);
  return DescribeRpcError(reader->Finish(), connection_->controller, connection_->timeout);
}

absl::Status ControllerClient::RunLog(
    const v1::RunLogRequest& request,
    const std::function<void(const v1::RunLogResponse&)>& on_lines) {
  grpc::ClientContext context;
  connection_->Bear(context);
  const auto reader = connection_->executions->RunLog(&context, request);
  v1::RunLogResponse response;
  while (reader->Read(&response)) on_lines(response);
  const grpc::Status status = reader->Finish();
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::UnimplementedError(status.error_message());
  }
  return DescribeRpcError(status, connection_->controller, connection_->timeout);
}

absl::StatusOr<v1::ApproveResponse> ControllerClient::Approve(const v1::ApproveRequest& request) {
  return connection_->Call(*connection_->syncs, &v1::SyncService::Stub::Approve, request);
}

absl::StatusOr<v1::LoginResponse> ControllerClient::Login(const v1::LoginRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::Login, request);
}

absl::StatusOr<v1::OidcBeginResponse> ControllerClient::OidcBegin(
    const v1::OidcBeginRequest& request) {
  return connection_->Call(*connection_->oidc, &v1::OidcService::Stub::Begin, request);
}

absl::StatusOr<v1::OidcFinishResponse> ControllerClient::OidcFinish(
    const v1::OidcFinishRequest& request) {
  return connection_->Call(*connection_->oidc, &v1::OidcService::Stub::Finish, request);
}

absl::StatusOr<v1::LogoutResponse> ControllerClient::Logout(const v1::LogoutRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::Logout, request);
}

absl::StatusOr<v1::WhoAmIResponse> ControllerClient::WhoAmI(const v1::WhoAmIRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::WhoAmI, request);
}

absl::StatusOr<v1::ListUsersResponse> ControllerClient::ListUsers(
    const v1::ListUsersRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::ListUsers, request);
}

absl::StatusOr<v1::AddUserResponse> ControllerClient::AddUser(const v1::AddUserRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::AddUser, request);
}

absl::StatusOr<v1::ChangeUserResponse> ControllerClient::ChangeUser(
    const v1::ChangeUserRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::ChangeUser, request);
}

absl::StatusOr<v1::SetPasswordResponse> ControllerClient::SetPassword(
    const v1::SetPasswordRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::SetPassword, request);
}

absl::StatusOr<v1::ListKeysResponse> ControllerClient::ListKeys(
    const v1::ListKeysRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::ListKeys, request);
}

absl::StatusOr<v1::CreateKeyResponse> ControllerClient::CreateKey(
    const v1::CreateKeyRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::CreateKey, request);
}

absl::StatusOr<v1::RevokeKeyResponse> ControllerClient::RevokeKey(
    const v1::RevokeKeyRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::RevokeKey, request);
}

absl::StatusOr<v1::ListAuditResponse> ControllerClient::ListAudit(
    const v1::ListAuditRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::ListAudit, request);
}

absl::StatusOr<v1::VerifyAuditResponse> ControllerClient::VerifyAudit(
    const v1::VerifyAuditRequest& request) {
  return connection_->Call(*connection_->access, &v1::AccessService::Stub::VerifyAudit, request);
}

absl::Status ControllerClient::Logs(const v1::LogsRequest& request,
                                    const std::function<void(const v1::LogsResponse&)>& on_lines) {
  grpc::ClientContext context;
  connection_->Bear(context);
  const auto reader = connection_->resources->Logs(&context, request);
  v1::LogsResponse response;
  while (reader->Read(&response)) on_lines(response);
  return DescribeRpcError(reader->Finish(), connection_->controller, connection_->timeout);
}

std::unique_ptr<EventStream> ControllerClient::Watch(const v1::WatchRequest& request) {
  return std::make_unique<GrpcItemStream<v1::WatchResponse>>(
      [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
        connection_->Bear(*context);
        return connection_->events->PrepareAsyncWatch(context, request, queue);
      },
      connection_->controller);
}

std::unique_ptr<RunStream> ControllerClient::StreamRuns(const v1::WatchRunsRequest& request) {
  return std::make_unique<GrpcItemStream<v1::WatchRunsResponse>>(
      [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
        connection_->Bear(*context);
        return connection_->executions->PrepareAsyncWatchRuns(context, request, queue);
      },
      connection_->controller);
}

std::unique_ptr<RunLogStream> ControllerClient::StreamRunLog(const v1::RunLogRequest& request) {
  return std::make_unique<GrpcItemStream<v1::RunLogResponse>>(
      [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
        connection_->Bear(*context);
        return connection_->executions->PrepareAsyncRunLog(context, request, queue);
      },
      connection_->controller);
}

absl::StatusOr<v1::SetSecretResponse> ControllerClient::SetSecret(
    const v1::SetSecretRequest& request) {
  return connection_->Call(*connection_->secrets, &v1::SecretService::Stub::SetSecret, request);
}

absl::StatusOr<v1::ListSecretsResponse> ControllerClient::ListSecrets(
    const v1::ListSecretsRequest& request) {
  return connection_->Call(*connection_->secrets, &v1::SecretService::Stub::ListSecrets, request);
}

absl::StatusOr<v1::RemoveSecretResponse> ControllerClient::RemoveSecret(
    const v1::RemoveSecretRequest& request) {
  return connection_->Call(*connection_->secrets, &v1::SecretService::Stub::RemoveSecret, request);
}

absl::StatusOr<v1::RotateSecretKeyResponse> ControllerClient::RotateSecretKey(
    const v1::RotateSecretKeyRequest& request) {
  return connection_->Call(*connection_->secrets, &v1::SecretService::Stub::RotateSecretKey,
                           request);
}

}  // namespace fairlead::cli
