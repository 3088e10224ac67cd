#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "controller/loop/source_loader.h"
#include "controller/service/call.h"
#include "controller/service/services.h"

namespace fairlead::service {
namespace {

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

void AnswerPlan(ServiceContext& context, grpc::ServerUnaryReactor* reactor,
                v1::PlanResponse* response, loop::SnapshotPointer snapshot) {
  context.reconciler.Post(
      [&context, reactor, response, snapshot = std::move(snapshot)](loop::Core& core, absl::Time) {
        absl::StatusOr<sync::PlanResult> result = PreviewPlan(core, snapshot, context.clock);
        if (result.ok()) *response->mutable_plan() = std::move(result->plan);
        reactor->Finish(ToGrpc(result.status()));
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
  absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  absl::StatusOr<v1::GetStatusResponse> status =
      ComputeStatusResponse(InputOf(context_, *view), request->sync());
  if (status.ok()) *response = std::move(*status);
  return FinishWith(call, status.status());
}

grpc::ServerUnaryReactor* SyncServiceImpl::Plan(grpc::CallbackServerContext* call,
                                                const v1::PlanRequest* request,
                                                v1::PlanResponse* response) {
  absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  const absl::StatusOr<std::vector<std::string>> names = SyncsOf(*view, request->sync());
  if (!names.ok() && !request->use_files()) return FinishWith(call, names.status());
  const bool one = names.ok() && names->size() == 1;
  if (!one && (!request->revision().empty() || (request->use_files() && names.ok()))) {
    return FinishWith(call, absl::InvalidArgumentError(absl::StrCat("name one of the syncs: ",
                                                                    absl::StrJoin(*names, ", "))));
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
    AnswerPlan(context_, reactor, response,
               loop::SnapshotOfFiles(absl::StrCat("resource_sync/", name), name, spec,
                                     {request->files().begin(), request->files().end()}));
  } else if (one) {
    context_.poller.Read(names->front(), request->revision(),
                         [this, reactor, response](absl::StatusOr<loop::SnapshotPointer> read) {
                           if (!read.ok()) {
                             reactor->Finish(ToGrpc(read.status()));
                             return;
                           }
                           AnswerPlan(context_, reactor, response, *std::move(read));
                         });
  } else {
    AnswerPlan(context_, reactor, response, nullptr);
  }
  return reactor;
}

grpc::ServerUnaryReactor* SyncServiceImpl::Sync(grpc::CallbackServerContext* call,
                                                const v1::SyncRequest* request,
                                                v1::SyncResponse* response) {
  absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  const absl::StatusOr<std::vector<std::string>> names = SyncsOf(*view, request->sync());
  if (!names.ok()) return FinishWith(call, names.status());
  if (!request->plan_id().empty() && names->size() != 1) {
    return FinishWith(
        call, absl::InvalidArgumentError(absl::StrCat("a plan belongs to one sync; name it: ",
                                                      absl::StrJoin(*names, ", "))));
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
  const auto finish_one = [this, reactor, response, collected,
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
    reactor->Finish(ToGrpc(failure));
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
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post([this, reactor, response, who = CallerOf(*call),
                            plan_id = request->plan_id(),
                            why = request->why()](loop::Core& core, absl::Time now) {
    const absl::StatusOr<std::vector<std::string>> granted = core.OnApprove(plan_id, who, why, now);
    if (!granted.ok()) {
      reactor->Finish(ToGrpc(granted.status()));
      return;
    }
    for (const std::string& resource : *granted) response->add_resources(resource);
    // Durable by then.
    context_.reconciler.Post(
        [reactor](loop::Core&, absl::Time) { reactor->Finish(grpc::Status::OK); });
  });
  return reactor;
}

}  // namespace fairlead::service
