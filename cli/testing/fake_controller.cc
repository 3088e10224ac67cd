#include "cli/testing/fake_controller.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace fairlead::cli {

using grpc::ServerContext;
using grpc::ServerWriter;
using grpc::Status;

class FakeController::Resources final : public v1::ResourceService::Service {
 public:
  explicit Resources(FakeController& fake) : fake_(fake) {}
  Status ListResources(ServerContext*, const v1::ListResourcesRequest* request,
                       v1::ListResourcesResponse* response) override {
    fake_.list_request = *request;
    *response = fake_.resources;
    return fake_.error;
  }
  Status GetResource(ServerContext*, const v1::GetResourceRequest* request,
                     v1::GetResourceResponse* response) override {
    fake_.get_request = *request;
    *response = fake_.resource;
    return fake_.error;
  }
  Status Apply(ServerContext*, const v1::ApplyRequest* request,
               v1::ApplyResponse* response) override {
    fake_.apply_request = *request;
    *response = fake_.apply;
    return fake_.error;
  }
  Status ListHistory(ServerContext*, const v1::ListHistoryRequest* request,
                     v1::ListHistoryResponse* response) override {
    fake_.history_request = *request;
    *response = fake_.history;
    return fake_.error;
  }
  Status Logs(ServerContext*, const v1::LogsRequest* request,
              ServerWriter<v1::LogsResponse>* writer) override {
    fake_.logs_request = *request;
    for (const v1::LogsResponse& response : fake_.logs) writer->Write(response);
    return fake_.error;
  }

 private:
  FakeController& fake_;
};

class FakeController::Syncs final : public v1::SyncService::Service {
 public:
  explicit Syncs(FakeController& fake) : fake_(fake) {}
  Status GetStatus(ServerContext* context, const v1::GetStatusRequest* request,
                   v1::GetStatusResponse* response) override {
    const auto header = context->client_metadata().find("authorization");
    fake_.authorization = header == context->client_metadata().end()
                              ? ""
                              : std::string(header->second.data(), header->second.size());
    fake_.status_request = *request;
    *response = fake_.statuses[std::min(fake_.status_calls_++, fake_.statuses.size() - 1)];
    return fake_.error;
  }
  Status Plan(ServerContext*, const v1::PlanRequest* request, v1::PlanResponse* response) override {
    fake_.plan_request = *request;
    *response = fake_.plan;
    return fake_.error;
  }
  Status Sync(ServerContext*, const v1::SyncRequest* request, v1::SyncResponse* response) override {
    fake_.sync_request = *request;
    *response = fake_.sync;
    return fake_.error;
  }
  Status Approve(ServerContext*, const v1::ApproveRequest* request,
                 v1::ApproveResponse* response) override {
    fake_.approve_request = *request;
    *response = fake_.approve;
    return fake_.error;
  }

 private:
  FakeController& fake_;
};

class FakeController::Executions final : public v1::ExecutionService::Service {
 public:
  explicit Executions(FakeController& fake) : fake_(fake) {}
  Status Stop(ServerContext*, const v1::StopRequest* request,
              v1::ExecutionResponse* response) override {
    fake_.stop_request = *request;
    return Note("Stop", response);
  }
  Status Start(ServerContext*, const v1::ExecutionRequest* request,
               v1::ExecutionResponse* response) override {
    fake_.execution_request = *request;
    return Note("Start", response);
  }
  Status Restart(ServerContext*, const v1::ExecutionRequest* request,
                 v1::ExecutionResponse* response) override {
    fake_.execution_request = *request;
    return Note("Restart", response);
  }
  Status Release(ServerContext*, const v1::ExecutionRequest* request,
                 v1::ExecutionResponse* response) override {
    fake_.execution_request = *request;
    return Note("Release", response);
  }
  Status Retry(ServerContext*, const v1::ExecutionRequest* request,
               v1::ExecutionResponse* response) override {
    fake_.execution_request = *request;
    return Note("Retry", response);
  }
  Status Cancel(ServerContext*, const v1::ExecutionRequest* request,
                v1::ExecutionResponse* response) override {
    fake_.execution_request = *request;
    return Note("Cancel", response);
  }
  Status Rollback(ServerContext*, const v1::RollbackRequest* request,
                  v1::ExecutionResponse* response) override {
    fake_.rollback_request = *request;
    return Note("Rollback", response);
  }
  Status CancelRun(ServerContext*, const v1::CancelRunRequest* request,
                   v1::ExecutionResponse* response) override {
    fake_.cancel_run_request = *request;
    return Note("CancelRun", response);
  }
  Status Run(ServerContext*, const v1::RunRequest* request, v1::RunResponse* response) override {
    fake_.run_request = *request;
    *response = fake_.run;
    return fake_.error;
  }
  Status ListRuns(ServerContext*, const v1::ListRunsRequest* request,
                  v1::ListRunsResponse* response) override {
    fake_.runs_request = *request;
    *response = fake_.runs;
    return fake_.error;
  }
  Status ListSchedules(ServerContext*, const v1::ListSchedulesRequest* request,
                       v1::ListSchedulesResponse* response) override {
    fake_.schedules_request = *request;
    *response = fake_.schedules;
    return fake_.error;
  }
  Status RunLog(ServerContext* context, const v1::RunLogRequest* request,
                ServerWriter<v1::RunLogResponse>* writer) override {
    fake_.run_log_request = *request;
    if (fake_.run_log.empty()) return {grpc::StatusCode::UNIMPLEMENTED, ""};
    for (const v1::RunLogResponse& lines : fake_.run_log) writer->Write(lines);
    base::MutexLock lock(fake_.mutex_);
    while (fake_.run_log_may_end && !fake_.run_log_may_end() && !fake_.stopped_ &&
           !context->IsCancelled()) {
      fake_.stopping_.WaitFor(fake_.mutex_, absl::Milliseconds(5));
    }
    return fake_.error;
  }
  Status WatchRuns(ServerContext*, const v1::WatchRunsRequest* request,
                   ServerWriter<v1::WatchRunsResponse>* writer) override {
    fake_.watch_runs_request = *request;
    for (const v1::WatchRunsResponse& change : fake_.run_changes) writer->Write(change);
    return fake_.error;
  }

 private:
  Status Note(const char* name, v1::ExecutionResponse* response) {
    fake_.executed.emplace_back(name);
    *response = fake_.execution;
    return fake_.error;
  }
  FakeController& fake_;
};

class FakeController::Events final : public v1::EventService::Service {
 public:
  explicit Events(FakeController& fake) : fake_(fake) {}
  Status Watch(ServerContext* context, const v1::WatchRequest* request,
               ServerWriter<v1::WatchResponse>* writer) override {
    fake_.watch_request = *request;
    if (!fake_.error.ok()) return fake_.error;
    for (const v1::Event& event : fake_.past) {
      v1::WatchResponse response;
      *response.mutable_event() = event;
      writer->Write(response);
    }
    v1::WatchResponse caught_up;
    caught_up.set_caught_up(true);
    writer->Write(caught_up);
    if (!request->watch()) return Status::OK;
    for (const v1::WatchResponse& response : fake_.later) writer->Write(response);
    // The client ends the stream, or the test the fake.
    base::MutexLock lock(fake_.mutex_);
    while (!fake_.stopped_ && !context->IsCancelled()) {
      fake_.stopping_.WaitFor(fake_.mutex_, absl::Milliseconds(5));
    }
    return Status(grpc::StatusCode::UNAVAILABLE, "the controller is stopping");
  }

 private:
  FakeController& fake_;
};

FakeController::FakeController(const std::shared_ptr<grpc::ServerCredentials>& credentials)
    : resource_service_(std::make_unique<Resources>(*this)),
      sync_service_(std::make_unique<Syncs>(*this)),
      execution_service_(std::make_unique<Executions>(*this)),
      event_service_(std::make_unique<Events>(*this)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  builder.RegisterService(resource_service_.get());
  builder.RegisterService(sync_service_.get());
  builder.RegisterService(execution_service_.get());
  builder.RegisterService(event_service_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeController::~FakeController() { Shutdown(); }

void FakeController::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
  }
  stopping_.SignalAll();
  server_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace fairlead::cli
