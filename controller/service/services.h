// The gRPC services: decode, hand over, answer. They hold no state of their own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "controller/access/access.h"
#include "controller/actions/run_driver.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/sync_poller.h"
#include "controller/service/call.h"
#include "controller/service/status_view.h"
#include "controller/store/store.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::service {

// How the services reach agents' logs.
class LogSource {
 public:
  virtual ~LogSource() = default;
  // Lines go to `send`, from any thread, until one with `end`. 0 when the server has no session.
  virtual uint64_t StartLogs(const std::string& server, const v1::LogRequest& request,
                             std::function<void(const v1::LogLines&)> send) = 0;
  virtual void CancelLogs(uint64_t id) = 0;
};

// All outlive the services.
struct ServiceContext {
  loop::Reconciler& reconciler;
  loop::SyncPoller& poller;
  store::Store& store;
  base::Clock& clock;
  LogSource& logs;
  actions::RunDriver& runs;
  access::Access& access;
  std::function<std::map<std::string, AgentView>()> agents;
  // For GetStatus; empty where there is one controller only.
  std::string active_controller;
};

StatusInput InputOf(const ServiceContext& context, const loop::LoopView& view);

class ResourceServiceImpl final : public v1::ResourceService::CallbackService {
 public:
  explicit ResourceServiceImpl(ServiceContext& context) : context_(context) {}
  grpc::ServerUnaryReactor* ListResources(grpc::CallbackServerContext* call,
                                          const v1::ListResourcesRequest* request,
                                          v1::ListResourcesResponse* response) override;
  grpc::ServerUnaryReactor* GetResource(grpc::CallbackServerContext* call,
                                        const v1::GetResourceRequest* request,
                                        v1::GetResourceResponse* response) override;
  grpc::ServerUnaryReactor* ListHistory(grpc::CallbackServerContext* call,
                                        const v1::ListHistoryRequest* request,
                                        v1::ListHistoryResponse* response) override;
  grpc::ServerUnaryReactor* Apply(grpc::CallbackServerContext* call,
                                  const v1::ApplyRequest* request,
                                  v1::ApplyResponse* response) override;
  grpc::ServerWriteReactor<v1::LogsResponse>* Logs(grpc::CallbackServerContext* call,
                                                   const v1::LogsRequest* request) override;

 private:
  ServiceContext& context_;
};

class SyncServiceImpl final : public v1::SyncService::CallbackService {
 public:
  explicit SyncServiceImpl(ServiceContext& context) : context_(context) {}
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* call,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* Plan(grpc::CallbackServerContext* call, const v1::PlanRequest* request,
                                 v1::PlanResponse* response) override;
  grpc::ServerUnaryReactor* Sync(grpc::CallbackServerContext* call, const v1::SyncRequest* request,
                                 v1::SyncResponse* response) override;
  grpc::ServerUnaryReactor* Approve(grpc::CallbackServerContext* call,
                                    const v1::ApproveRequest* request,
                                    v1::ApproveResponse* response) override;

 private:
  void SyncPlan(grpc::ServerUnaryReactor* reactor, const v1::SyncRequest& request,
                v1::SyncResponse* response);
  ServiceContext& context_;
};

class ExecutionServiceImpl final : public v1::ExecutionService::CallbackService {
 public:
  explicit ExecutionServiceImpl(ServiceContext& context) : context_(context) {}
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext* call, const v1::StopRequest* request,
                                 v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* call,
                                  const v1::ExecutionRequest* request,
                                  v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Restart(grpc::CallbackServerContext* call,
                                    const v1::ExecutionRequest* request,
                                    v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* call,
                                    const v1::ExecutionRequest* request,
                                    v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Retry(grpc::CallbackServerContext* call,
                                  const v1::ExecutionRequest* request,
                                  v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* call,
                                   const v1::ExecutionRequest* request,
                                   v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Rollback(grpc::CallbackServerContext* call,
                                     const v1::RollbackRequest* request,
                                     v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* call, const v1::RunRequest* request,
                                v1::RunResponse* response) override;
  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* call,
                                     const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchRunsResponse>* WatchRuns(
      grpc::CallbackServerContext* call, const v1::WatchRunsRequest* request) override;
  grpc::ServerWriteReactor<v1::RunLogResponse>* RunLog(grpc::CallbackServerContext* call,
                                                       const v1::RunLogRequest* request) override;
  grpc::ServerUnaryReactor* CancelRun(grpc::CallbackServerContext* call,
                                      const v1::CancelRunRequest* request,
                                      v1::ExecutionResponse* response) override;
  grpc::ServerUnaryReactor* ListSchedules(grpc::CallbackServerContext* call,
                                          const v1::ListSchedulesRequest* request,
                                          v1::ListSchedulesResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Request(grpc::CallbackServerContext* call, const TicketPointer& ticket,
                                    loop::OperatorRequest wish, v1::ExecutionResponse* response);
  ServiceContext& context_;
};

class EventServiceImpl final : public v1::EventService::CallbackService {
 public:
  explicit EventServiceImpl(ServiceContext& context) : context_(context) {}
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* call,
                                                     const v1::WatchRequest* request) override;

 private:
  ServiceContext& context_;
};

}  // namespace fairlead::service
