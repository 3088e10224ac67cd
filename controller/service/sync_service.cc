#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "controller/loop/source_loader.h"
#include "controller/service/call.h"
#include "controller/service/services.h"

namespace fairlead::service {
namespace {

constexpr char kSyncPrefix[] = "resource_sync/";

// The syncs that a request means: the one named, or all.
absl::StatusOr<std::vector<std::string>> SyncsOf(const loop::LoopView& view,
                                                 const std::string& name) {
  std::vector<std::string> names;
  const auto& resources = view.input.desired->resources;
  for (auto at = resources.lower_bound({"resource_sync", ""});
       at != resources.end() && at->first.kind == "resource_sync"; ++at) {
    if (name.empty() || at->first.name == name) names.push_back(at->first.name);
  }
  if (names.empty()) {
    return absl::NotFoundError(
        name.empty() ? "no resource_sync is declared; start the controller with --bootstrap, or: "
                       "fairlead apply -f FILE"
                     : absl::StrCat("no resource_sync \"", name, "\""));
  }
  return names;
}

// The plan that `snapshot` would give, on the loop's thread.
absl::StatusOr<sync::PlanResult> PreviewPlan(loop::Core& core,
                                             const loop::SnapshotPointer& snapshot,
                                             base::Clock& clock) {
  const absl::Time started = clock.Now();
  sync::PlanInput input = core.view()->input;
  input.now = started;
  if (snapshot != nullptr) input.desired = core.Preview(snapshot);
  absl::StatusOr<sync::PlanResult> result = sync::ComputePlan(input);
  if (result.ok()) *result->plan.mutable_took() = base::ToProto(clock.Now() - started);
  return result;
}

// Leaves out what the caller may not see.
void KeepReadable(const Ticket& ticket, v1::Plan& plan) {
  auto& steps = *plan.mutable_steps();
  steps.erase(
      std::remove_if(steps.begin(), steps.end(),
                     [&ticket](const v1::Step& step) { return !ticket.MayRead(step.resource()); }),
      steps.end());
  auto& syncs = *plan.mutable_syncs();
  syncs.erase(std::remove_if(syncs.begin(), syncs.end(),
                             [&ticket](const v1::PlanSync& sync) {
                               return !ticket.MayRead(absl::StrCat(kSyncPrefix, sync.name()));
                             }),
              syncs.end());
}

void AnswerPlan(ServiceContext& context, const TicketPointer& ticket,
                grpc::ServerUnaryReactor* reactor, v1::PlanResponse* response,
                loop::SnapshotPointer snapshot) {
  context.reconciler.Post([&context, ticket, reactor, response, snapshot = std::move(snapshot)](
                              loop::Core& core, absl::Time) {
    absl::StatusOr<sync::PlanResult> result = PreviewPlan(core, snapshot, context.clock);
    if (result.ok()) {
      *response->mutable_plan() = std::move(result->plan);
      KeepReadable(*ticket, *response->mutable_plan());
    }
    ticket->Finish(reactor, result.status());
  });
}

// An approval lets all start that waits for one.
absl::Status CheckApproval(const Ticket& ticket, const v1::Plan& plan) {
  for (const v1::Step& step : plan.steps()) {
    if (step.gate().kind() != v1::Gate::KIND_APPROVAL) continue;
    const absl::Status allowed = ticket.Check(v1::PERMISSION_LEVEL_EXECUTE, step.resource());
    if (!allowed.ok()) return allowed;
  }
  return absl::OkStatus();
}

void KeepReadable(const Ticket& ticket, v1::GetStatusResponse& status) {
  const auto drop = [](auto& list, const auto& is_hidden) {
    list.erase(std::remove_if(list.begin(), list.end(), is_hidden), list.end());
  };
  drop(*status.mutable_syncs(), [&ticket](const v1::SyncStatus& sync) {
    return !ticket.MayRead(absl::StrCat(kSyncPrefix, sync.name()));
  });
  drop(*status.mutable_servers(), [&ticket](const v1::ServerStatus& server) {
    return !ticket.MayRead(absl::StrCat("server/", server.name()));
  });
  drop(*status.mutable_not_ok(), [&ticket](const v1::ResourceStatus& resource) {
    return !ticket.MayRead(resource.resource());
  });
}

// Puts the snapshot in force, and answers with the state after the pass that follows.
void PutInForce(ServiceContext& context, loop::SnapshotPointer snapshot,
                std::function<void()> done) {
  context.reconciler.Post([&context, snapshot = std::move(snapshot), done = std::move(done)](
                              loop::Core& core, absl::Time now) {
    core.OnRevision(snapshot, context.poller.NoteInForce(*snapshot), now);
    context.reconciler.Post([done](loop::Core&, absl::Time) { done(); });
  });
}

}  // namespace

StatusInput InputOf(const ServiceContext& context, const loop::LoopView& view) {
  return {view, context.poller.States(), context.agents()};
}

grpc::ServerUnaryReactor* SyncServiceImpl::GetStatus(grpc::CallbackServerContext* call,
                                                     const v1::GetStatusRequest* request,
                                                     v1::GetStatusResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "SyncService.GetStatus", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  absl::StatusOr<v1::GetStatusResponse> status =
      ComputeStatusResponse(InputOf(context_, *view), request->sync());
  if (status.ok()) {
    *response = std::move(*status);
    response->set_active_controller(context_.active_controller);
    KeepReadable(*ticket, *response);
  }
  return FinishWith(call, ticket, status.status());
}

grpc::ServerUnaryReactor* SyncServiceImpl::Plan(grpc::CallbackServerContext* call,
                                                const v1::PlanRequest* request,
                                                v1::PlanResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "SyncService.Plan", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  const absl::StatusOr<std::vector<std::string>> names = SyncsOf(*view, request->sync());
  if (!names.ok() && !request->use_files()) return FinishWith(call, ticket, names.status());
  const bool one = names.ok() && names->size() == 1;
  if (!one && (!request->revision().empty() || (request->use_files() && names.ok()))) {
    return FinishWith(call, ticket,
                      absl::InvalidArgumentError(
                          absl::StrCat("name one of the syncs: ", absl::StrJoin(*names, ", "))));
  }
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  if (request->use_files()) {
    const std::string name = one ? names->front() : "preview";
    v1::ResourceSync spec;
    spec.set_include_resources(true);
    spec.set_include_variables(true);
    spec.set_include_user_groups(true);
    const auto declared = view->input.desired->resources.find({"resource_sync", name});
    if (declared != view->input.desired->resources.end() && declared->second->spec != nullptr) {
      spec = declared->second->spec->resource_sync();
    }
    AnswerPlan(context_, ticket, reactor, response,
               loop::SnapshotOfFiles(absl::StrCat("resource_sync/", name), name, spec,
                                     {request->files().begin(), request->files().end()},
                                     *view->input.desired));
  } else if (one) {
    context_.poller.Read(
        names->front(), request->revision(),
        [this, ticket, reactor, response](absl::StatusOr<loop::SnapshotPointer> read) {
          if (!read.ok()) {
            ticket->Finish(reactor, read.status());
            return;
          }
          AnswerPlan(context_, ticket, reactor, response, *std::move(read));
        });
  } else {
    AnswerPlan(context_, ticket, reactor, response, nullptr);
  }
  return reactor;
}

grpc::ServerUnaryReactor* SyncServiceImpl::Sync(grpc::CallbackServerContext* call,
                                                const v1::SyncRequest* request,
                                                v1::SyncResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "SyncService.Sync", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  const absl::StatusOr<std::vector<std::string>> names = SyncsOf(*view, request->sync());
  if (!names.ok()) return FinishWith(call, ticket, names.status());
  if (!request->plan_id().empty() && names->size() != 1) {
    return FinishWith(call, ticket,
                      absl::InvalidArgumentError(absl::StrCat(
                          "a plan belongs to one sync; name it: ", absl::StrJoin(*names, ", "))));
  }
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  struct Collected {
    base::Mutex mutex;
    std::size_t left ABSL_GUARDED_BY(mutex) = 0;
    absl::Status failure ABSL_GUARDED_BY(mutex);
  };
  auto collected = std::make_shared<Collected>();
  {
    base::MutexLock lock(collected->mutex);
    collected->left = names->size();
  }
  ticket->SetWhy(request->plan_id().empty() ? "" : absl::StrCat("plan ", request->plan_id()));
  const auto finish_one = [this, ticket, reactor, response, collected,
                           sync = request->sync()](const absl::Status& status) {
    absl::Status failure;
    {
      base::MutexLock lock(collected->mutex);
      if (collected->failure.ok()) collected->failure = status;
      if (--collected->left > 0) return;
      failure = collected->failure;
    }
    const auto now = context_.reconciler.View();
    const auto all = ComputeStatusResponse(InputOf(context_, *now), sync);
    if (all.ok()) *response->mutable_statuses() = all->syncs();
    for (const v1::SyncStatus& one : response->statuses()) {
      ticket->AddChange(
          {.resource = absl::StrCat(kSyncPrefix, one.name()), .revision = one.revision()});
    }
    ticket->Finish(reactor, failure);
  };
  for (const std::string& name : *names) {
    response->add_syncs(name);
    const auto in_force = [this, name, finish_one, plan_id = request->plan_id(),
                           allow = request->allow_delete()](
                              absl::StatusOr<loop::SnapshotPointer> read) {
      if (!read.ok()) {
        finish_one(read.status());
        return;
      }
      loop::SnapshotPointer snapshot = *std::move(read);
      context_.reconciler.Post([this, snapshot, plan_id, allow, finish_one](loop::Core& core,
                                                                            absl::Time) {
        if (!plan_id.empty()) {
          const absl::StatusOr<sync::PlanResult> now = PreviewPlan(core, snapshot, context_.clock);
          if (!now.ok() || now->plan.id() != plan_id) {
            finish_one(absl::FailedPreconditionError(absl::StrCat(
                "plan ", plan_id, " is no longer what would happen; the plan is now ",
                now.ok() ? now->plan.id() : "not to be made", ". Look again with: fairlead plan")));
            return;
          }
        }
        PutInForce(context_, snapshot, [finish_one] { finish_one(absl::OkStatus()); });
        if (allow > 0) {
          context_.reconciler.Post(
              [origin = snapshot->origin, allow](loop::Core& later, absl::Time) {
                later.OnAllowDelete(origin, allow);
              });
        }
      });
    };
    context_.poller.Read(name, "", in_force);
  }
  return reactor;
}

grpc::ServerUnaryReactor* SyncServiceImpl::Approve(grpc::CallbackServerContext* call,
                                                   const v1::ApproveRequest* request,
                                                   v1::ApproveResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "SyncService.Approve", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  ticket->SetWhy(request->why());
  context_.reconciler.Post([this, ticket, reactor, response, plan_id = request->plan_id(),
                            why = request->why()](loop::Core& core, absl::Time now) {
    const absl::Status allowed = CheckApproval(*ticket, core.view()->result.plan);
    if (!allowed.ok()) {
      ticket->Finish(reactor, allowed);
      return;
    }
    const absl::StatusOr<std::vector<std::string>> granted =
        core.OnApprove(plan_id, ticket->who(), why, now);
    if (!granted.ok()) {
      ticket->Finish(reactor, granted.status());
      return;
    }
    for (const std::string& resource : *granted) {
      response->add_resources(resource);
      ticket->AddChange({.resource = resource, .revision = absl::StrCat("plan ", plan_id)});
    }
    // Durable by then.
    context_.reconciler.Post(
        [ticket, reactor](loop::Core&, absl::Time) { ticket->Finish(reactor, absl::OkStatus()); });
  });
  return reactor;
}

}  // namespace fairlead::service
