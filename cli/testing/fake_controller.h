// A controller that answers what it is told to, on a real port.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::cli {

// Answers and errors are set before the call; requests are read after it. The services run on
// gRPC's threads, so neither may be touched during a call.
class FakeController {
 public:
  explicit FakeController(const std::shared_ptr<grpc::ServerCredentials>& credentials =
                              grpc::InsecureServerCredentials());
  ~FakeController();

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  // Ends all calls; later ones find nobody.
  void Shutdown();

  // When not OK every call fails with it.
  grpc::Status error;
  v1::ListResourcesResponse resources;
  v1::GetResourceResponse resource;
  v1::ApplyResponse apply;
  std::vector<v1::LogsResponse> logs;
  // One for each call; the last one is repeated.
  std::vector<v1::GetStatusResponse> statuses = {v1::GetStatusResponse()};
  v1::PlanResponse plan;
  v1::SyncResponse sync;
  v1::ExecutionResponse execution;
  v1::ApproveResponse approve;
  v1::ListHistoryResponse history;
  v1::RunResponse run;
  v1::ListRunsResponse runs;
  v1::ListSchedulesResponse schedules;
  // Changes of runs, in order; then the stream ends.
  std::vector<v1::WatchRunsResponse> run_changes;
  // What RunLog tells; empty: it does not know RunLog.
  std::vector<v1::RunLogResponse> run_log;
  // When set, RunLog ends as soon as it is true; called on a thread of gRPC.
  std::function<bool()> run_log_may_end;
  // Past events, then `caught_up`, then with `watch` the later ones; then the stream stays open.
  std::vector<v1::Event> past;
  std::vector<v1::WatchResponse> later;

  // The last one of each.
  v1::ListResourcesRequest list_request;
  v1::GetResourceRequest get_request;
  v1::ApplyRequest apply_request;
  v1::LogsRequest logs_request;
  v1::GetStatusRequest status_request;
  v1::PlanRequest plan_request;
  v1::SyncRequest sync_request;
  v1::ExecutionRequest execution_request;
  v1::StopRequest stop_request;
  v1::RollbackRequest rollback_request;
  v1::ApproveRequest approve_request;
  v1::ListHistoryRequest history_request;
  v1::WatchRequest watch_request;
  v1::RunRequest run_request;
  v1::ListRunsRequest runs_request;
  v1::WatchRunsRequest watch_runs_request;
  v1::CancelRunRequest cancel_run_request;
  v1::RunLogRequest run_log_request;
  v1::ListSchedulesRequest schedules_request;
  // The header of the last GetStatus.
  std::string authorization;
  // "Stop", "Start", ... in order.
  std::vector<std::string> executed;

 private:
  class Resources;
  class Syncs;
  class Executions;
  class Events;

  std::unique_ptr<Resources> resource_service_;
  std::unique_ptr<Syncs> sync_service_;
  std::unique_ptr<Executions> execution_service_;
  std::unique_ptr<Events> event_service_;
  std::size_t status_calls_ = 0;
  base::Mutex mutex_;
  base::CondVar stopping_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace fairlead::cli
