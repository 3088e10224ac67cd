// Runs and schedules: the half of ExecutionService that does not act on one resource at once.
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/service/call.h"
#include "controller/service/services.h"
#include "controller/service/stream_reactor.h"

namespace fairlead::service {
namespace {

constexpr uint32_t kDefaultRuns = 50;
constexpr uint32_t kMostRuns = 1000;
constexpr std::size_t kRunQueue = 1000;

uint32_t LimitOf(uint32_t asked) { return asked == 0 ? kDefaultRuns : std::min(asked, kMostRuns); }

// Past runs before their changes; what comes meanwhile is held back. Thread-safe.
class RunRelay {
 public:
  RunRelay(std::shared_ptr<StreamFeed<v1::WatchRunsResponse>> feed, TicketPointer ticket,
           const v1::WatchRunsRequest& request)
      : feed_(std::move(feed)),
        ticket_(std::move(ticket)),
        id_(request.id()),
        resource_(request.resource()) {}

  void Begin(const std::vector<v1::Run>& newest_first) {
    base::MutexLock lock(mutex_);
    for (auto run = newest_first.rbegin(); run != newest_first.rend(); ++run) SendLocked(*run);
    v1::WatchRunsResponse caught_up;
    caught_up.set_caught_up(true);
    feed_->Send(std::move(caught_up));
    begun_ = true;
    for (const v1::Run& run : held_) {
      // What was read may be newer than what was told meanwhile.
      const bool is_over = std::any_of(
          newest_first.begin(), newest_first.end(),
          [&](const v1::Run& known) { return known.id() == run.id() && store::HasEnded(known); });
      if (!is_over) SendLocked(run);
    }
    // Ended before anybody looked: nothing more will come.
    for (const v1::Run& run : newest_first) CloseIfOverLocked(run);
    for (const v1::Run& run : held_) CloseIfOverLocked(run);
    held_.clear();
  }

  void Pass(const loop::WatchItem& item) {
    const auto* run = std::get_if<v1::Run>(&item);
    if (run == nullptr || (!id_.empty() && run->id() != id_) ||
        (!resource_.empty() && run->resource() != resource_)) {
      return;
    }
    base::MutexLock lock(mutex_);
    if (!begun_) {
      held_.push_back(*run);
      return;
    }
    SendLocked(*run);
    CloseIfOverLocked(*run);
  }

 private:
  void SendLocked(const v1::Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!ticket_->MayRead(run.resource())) return;
    v1::WatchRunsResponse response;
    *response.mutable_run() = run;
    feed_->Send(std::move(response));
  }
  void CloseIfOverLocked(const v1::Run& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (run.id() == id_ && store::HasEnded(run)) feed_->Close(grpc::Status::OK);
  }

  const std::shared_ptr<StreamFeed<v1::WatchRunsResponse>> feed_;
  const TicketPointer ticket_;
  const std::string id_;
  const std::string resource_;
  base::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::Run> held_ ABSL_GUARDED_BY(mutex_);
};

// What `force` makes of the usual execution.
v1::Execution ExecutionOf(const v1::RunRequest& request) {
  v1::Execution execution;
  const auto id = resources::ResourceId::Parse(request.resource());
  if (!request.force() || !id.has_value()) return execution;
  if (id->kind == "build") {
    execution.mutable_run_build()->set_build(id->name);
    execution.mutable_run_build()->set_force(true);
  } else if (id->kind == "repo") {
    execution.mutable_clone_repo()->set_repo(id->name);
  }
  return execution;
}

// Lines of one run in order, each once. Thread-safe.
class LogRelay {
 public:
  LogRelay(std::shared_ptr<StreamFeed<v1::RunLogResponse>> feed, std::string id)
      : feed_(std::move(feed)), id_(std::move(id)) {}

  // Requires: before any Pass.
  void Begin(const v1::Run& run, int64_t tail) {
    base::MutexLock lock(mutex_);
    const auto kept = static_cast<uint64_t>(run.log_size());
    const uint64_t wanted = tail < 0 ? kept : std::min(kept, static_cast<uint64_t>(tail));
    v1::RunLogResponse response;
    response.set_dropped(tail < 0 || static_cast<uint64_t>(tail) > kept ? run.lines_dropped() : 0);
    for (uint64_t i = kept - wanted; i < kept; ++i) {
      *response.add_lines() = run.log(static_cast<int>(i));
    }
    next_ = run.lines_dropped() + kept;
    feed_->Send(std::move(response));
    if (store::HasEnded(run)) feed_->Close(grpc::Status::OK);
  }

  void Pass(const loop::WatchItem& item) {
    base::MutexLock lock(mutex_);
    if (const auto* lines = std::get_if<loop::RunLines>(&item)) {
      if (lines->run_id == id_) SendLocked(*lines);
    } else if (const auto* run = std::get_if<v1::Run>(&item)) {
      if (run->id() == id_ && store::HasEnded(*run)) feed_->Close(grpc::Status::OK);
    }
  }

 private:
  void SendLocked(const loop::RunLines& lines) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::RunLogResponse response;
    if (lines.first > next_) response.set_dropped(lines.first - next_);
    uint64_t number = lines.first;
    for (const v1::Run::Line& line : lines.lines) {
      if (number++ >= next_) *response.add_lines() = line;
    }
    next_ = std::max(next_, number);
    if (!response.lines().empty()) feed_->Send(std::move(response));
  }

  const std::shared_ptr<StreamFeed<v1::RunLogResponse>> feed_;
  const std::string id_;
  base::Mutex mutex_;
  // Number of the first line that was not sent.
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::vector<v1::Run>> Past(store::Store& store,
                                          const v1::WatchRunsRequest& request) {
  absl::StatusOr<std::vector<v1::Run>> past = store.ListRuns(
      {.id = request.id(), .resource = request.resource(), .limit = LimitOf(request.limit())});
  if (past.ok() && past->empty() && !request.id().empty()) {
    return absl::NotFoundError(
        absl::StrCat("no run ", request.id(), " is kept. List them with: fairlead runs"));
  }
  return past;
}

}  // namespace

grpc::ServerUnaryReactor* ExecutionServiceImpl::Run(grpc::CallbackServerContext* call,
                                                    const v1::RunRequest* request,
                                                    v1::RunResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "ExecutionService.Run", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  actions::RunOrder order{.resource = request->resource(),
                          .trigger = v1::RUN_TRIGGER_USER,
                          .who = ticket->who(),
                          .why = request->why(),
                          .parent = "",
                          .execution = ExecutionOf(*request)};
  ticket->SetWhy(request->why());
  context_.reconciler.Post([this, ticket, reactor, response, order = std::move(order)](
                               loop::Core& core, absl::Time now) {
    absl::StatusOr<v1::Run> run = context_.runs.engine().Start(order, *core.view(), now);
    if (!run.ok()) {
      ticket->Finish(reactor, run.status());
      return;
    }
    ticket->AddChange({.after = absl::StrCat("run ", run->id())});
    *response->mutable_run() = *std::move(run);
    // Durable by then.
    context_.reconciler.Post(
        [ticket, reactor](loop::Core&, absl::Time) { ticket->Finish(reactor, absl::OkStatus()); });
  });
  return reactor;
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::ListRuns(grpc::CallbackServerContext* call,
                                                         const v1::ListRunsRequest* request,
                                                         v1::ListRunsResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "ExecutionService.ListRuns", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  absl::StatusOr<std::vector<v1::Run>> runs = context_.store.ListRuns(
      {.id = request->id(), .resource = request->resource(), .limit = LimitOf(request->limit())});
  if (runs.ok()) {
    for (v1::Run& run : *runs) {
      if (!ticket->MayRead(run.resource())) continue;
      // With the output of builds the logs of many are long.
      if (request->id().empty()) run.clear_log();
      *response->add_runs() = std::move(run);
    }
  }
  return FinishWith(call, ticket, runs.status());
}

grpc::ServerWriteReactor<v1::WatchRunsResponse>* ExecutionServiceImpl::WatchRuns(
    grpc::CallbackServerContext* call, const v1::WatchRunsRequest* request) {
  auto feed = std::make_shared<StreamFeed<v1::WatchRunsResponse>>(kRunQueue);
  const TicketPointer ticket =
      Admit(context_.access, *call, "ExecutionService.WatchRuns", *request);
  if (!ticket->ok()) {
    feed->Close(ToGrpc(ticket->status()));
    return new StreamReactor<v1::WatchRunsResponse>(feed, nullptr);
  }
  // Subscribed before the past is read, so that nothing falls between.
  auto relay = std::make_shared<RunRelay>(feed, ticket, *request);
  const uint64_t subscription =
      context_.reconciler.Subscribe([relay](const loop::WatchItem& item) { relay->Pass(item); });
  const absl::StatusOr<std::vector<v1::Run>> past = Past(context_.store, *request);
  if (past.ok()) {
    relay->Begin(*past);
  } else {
    feed->Close(ToGrpc(past.status()));
  }
  return new StreamReactor<v1::WatchRunsResponse>(
      feed, [this, subscription] { context_.reconciler.Unsubscribe(subscription); });
}

grpc::ServerWriteReactor<v1::RunLogResponse>* ExecutionServiceImpl::RunLog(
    grpc::CallbackServerContext* call, const v1::RunLogRequest* request) {
  auto feed = std::make_shared<StreamFeed<v1::RunLogResponse>>(kRunQueue);
  const TicketPointer ticket = Admit(context_.access, *call, "ExecutionService.RunLog", *request);
  if (!ticket->ok()) {
    feed->Close(ToGrpc(ticket->status()));
    return new StreamReactor<v1::RunLogResponse>(feed, nullptr);
  }
  auto subscription = std::make_shared<std::atomic<uint64_t>>(0);
  // On the loop's thread nothing falls between what is there and what comes.
  context_.reconciler.Post([this, feed, subscription, wanted = *request](loop::Core&, absl::Time) {
    auto relay = std::make_shared<LogRelay>(feed, wanted.id());
    if (const v1::Run* open = context_.runs.engine().FindOpen(wanted.id())) {
      relay->Begin(*open, wanted.tail());
      if (!wanted.follow()) {
        feed->Close(grpc::Status::OK);
        return;
      }
      *subscription = context_.reconciler.Subscribe(
          [relay](const loop::WatchItem& item) { relay->Pass(item); });
      return;
    }
    v1::WatchRunsRequest past_request;
    past_request.set_id(wanted.id());
    const absl::StatusOr<std::vector<v1::Run>> past = Past(context_.store, past_request);
    if (!past.ok() || past->empty()) {
      feed->Close(ToGrpc(past.ok() ? absl::NotFoundError("no run is named") : past.status()));
      return;
    }
    relay->Begin(past->front(), wanted.tail());
    feed->Close(grpc::Status::OK);
  });
  return new StreamReactor<v1::RunLogResponse>(feed, [this, subscription] {
    // After the one that subscribes.
    context_.reconciler.Post([this, subscription](loop::Core&, absl::Time) {
      if (*subscription != 0) context_.reconciler.Unsubscribe(*subscription);
    });
  });
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::CancelRun(grpc::CallbackServerContext* call,
                                                          const v1::CancelRunRequest* request,
                                                          v1::ExecutionResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "ExecutionService.CancelRun", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  ticket->SetWhy(request->why());
  context_.reconciler.Post([this, ticket, reactor, response, id = request->id(),
                            why = request->why()](loop::Core&, absl::Time now) {
    const absl::StatusOr<std::string> text =
        context_.runs.engine().Cancel(id, ticket->who(), why, now);
    if (!text.ok()) {
      ticket->Finish(reactor, text.status());
      return;
    }
    response->set_message(*text);
    ticket->AddChange({.after = absl::StrCat("run ", id, ": ", *text)});
    context_.reconciler.Post(
        [ticket, reactor](loop::Core&, absl::Time) { ticket->Finish(reactor, absl::OkStatus()); });
  });
  return reactor;
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::ListSchedules(
    grpc::CallbackServerContext* call, const v1::ListSchedulesRequest* request,
    v1::ListSchedulesResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "ExecutionService.ListSchedules", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post([this, ticket, reactor, response, resource = request->resource()](
                               loop::Core&, absl::Time now) {
    *response = context_.runs.scheduler().List(resource, now);
    auto& schedules = *response->mutable_schedules();
    schedules.erase(std::remove_if(schedules.begin(), schedules.end(),
                                   [&ticket](const v1::ListSchedulesResponse::Schedule& schedule) {
                                     return !ticket->MayRead(schedule.resource());
                                   }),
                    schedules.end());
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace fairlead::service
