#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "controller/service/call.h"
#include "controller/service/services.h"

namespace fairlead::service {
namespace {

constexpr absl::string_view kSyncPrefix = "resource_sync/";
// As git does not shorten further either.
constexpr std::size_t kShortestRevision = 4;

loop::OperatorRequest WishOf(loop::OperatorRequest::Kind kind,
                             const v1::ExecutionRequest& request) {
  return {.kind = kind, .resource = request.resource(), .why = request.why()};
}

// What an operator is told has been done is durable: the answer waits for the pass that stores it.
void Finish(ServiceContext& context, const absl::StatusOr<std::string>& text,
            grpc::ServerUnaryReactor* reactor, v1::ExecutionResponse* response) {
  if (!text.ok()) {
    reactor->Finish(ToGrpc(text.status()));
    return;
  }
  response->set_message(*text);
  context.reconciler.Post(
      [reactor](loop::Core&, absl::Time) { reactor->Finish(grpc::Status::OK); });
}

// The record that `revision` means: a commit or a spec hash; empty is the last that was healthy
// and is not `declared_hash`. Null when none is kept.
const v1::SpecRecord* FindRecord(const std::vector<v1::SpecRecord>& newest_first,
                                 const std::string& revision, const std::string& declared_hash) {
  for (const v1::SpecRecord& record : newest_first) {
    const bool meant = revision.empty() ? record.outcome() == v1::SpecRecord::OUTCOME_HEALTHY &&
                                              record.spec_hash() != declared_hash
                                        : record.spec_hash() == revision ||
                                              (revision.size() >= kShortestRevision &&
                                               absl::StartsWith(record.revision(), revision));
    if (meant) return &record;
  }
  return nullptr;
}

// What `snapshot` declares of the resource.
absl::StatusOr<v1::SpecRecord> RecordAt(loop::Core& core, const loop::SnapshotPointer& snapshot,
                                        const resources::ResourceId& id) {
  const std::string revision = snapshot->revision;
  const auto desired = core.Preview(snapshot);
  const auto found = desired->resources.find(id);
  if (found == desired->resources.end() || found->second->revision != revision ||
      found->second->spec == nullptr || found->second->spec_hash.empty()) {
    return absl::NotFoundError(absl::StrCat(id.ToString(), " is not declared, or not validly, at ",
                                            revision.substr(0, 7)));
  }
  v1::SpecRecord record;
  record.set_resource(id.ToString());
  record.set_spec_hash(found->second->spec_hash);
  record.set_revision(revision);
  *record.mutable_spec() = *found->second->spec;
  if (found->second->files != nullptr) {
    for (const v1::StackFile& file : *found->second->files) *record.add_files() = file;
  }
  return record;
}

void RollBackTo(ServiceContext& context, absl::StatusOr<loop::SnapshotPointer> read,
                const resources::ResourceId& id, const loop::RollbackRequest& wish,
                grpc::ServerUnaryReactor* reactor, v1::ExecutionResponse* response) {
  if (!read.ok()) {
    reactor->Finish(ToGrpc(read.status()));
    return;
  }
  context.reconciler.Post([&context, reactor, response, wish, id, snapshot = *std::move(read)](
                              loop::Core& core, absl::Time now) {
    absl::StatusOr<v1::SpecRecord> target = RecordAt(core, snapshot, id);
    if (!target.ok()) {
      reactor->Finish(ToGrpc(target.status()));
      return;
    }
    loop::RollbackRequest request = wish;
    request.target = *std::move(target);
    Finish(context, core.OnRollback(request, now), reactor, response);
  });
}

}  // namespace

grpc::ServerUnaryReactor* ExecutionServiceImpl::Request(grpc::CallbackServerContext* call,
                                                        loop::OperatorRequest wish,
                                                        v1::ExecutionResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  wish.who = CallerOf(*call);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post([this, reactor, response, wish](loop::Core& core, absl::Time now) {
    Finish(context_, core.OnRequest(wish, now), reactor, response);
  });
  return reactor;
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Stop(grpc::CallbackServerContext* call,
                                                     const v1::StopRequest* request,
                                                     v1::ExecutionResponse* response) {
  loop::OperatorRequest wish{.kind = loop::OperatorRequest::Kind::kStop,
                             .resource = request->resource(),
                             .why = request->why()};
  if (request->has_expires_in()) {
    wish.expires_at = context_.clock.Now() + base::FromProto(request->expires_in());
  }
  return Request(call, std::move(wish), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Start(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call, WishOf(loop::OperatorRequest::Kind::kStart, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Restart(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call, WishOf(loop::OperatorRequest::Kind::kRestart, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Release(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call, WishOf(loop::OperatorRequest::Kind::kRelease, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Retry(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call, WishOf(loop::OperatorRequest::Kind::kRetry, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Cancel(grpc::CallbackServerContext* call,
                                                       const v1::ExecutionRequest* request,
                                                       v1::ExecutionResponse* response) {
  return Request(call, WishOf(loop::OperatorRequest::Kind::kCancel, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Rollback(grpc::CallbackServerContext* call,
                                                         const v1::RollbackRequest* request,
                                                         v1::ExecutionResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  if (!id.has_value() || !view->input.desired->resources.contains(*id)) {
    return FinishWith(call, absl::NotFoundError(
                                absl::StrCat("no resource ", request->resource(), " is declared")));
  }
  const sync::DesiredResource& desired = *view->input.desired->resources.at(*id);
  const absl::StatusOr<std::vector<v1::SpecRecord>> history =
      context_.store.ListHistory(request->resource());
  if (!history.ok()) return FinishWith(call, history.status());
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  loop::RollbackRequest wish{.who = CallerOf(*call), .why = request->why(), .target = {}};
  const v1::SpecRecord* record = FindRecord(*history, request->revision(), desired.spec_hash);
  if (record != nullptr) {
    wish.target = *record;
    context_.reconciler.Post([this, reactor, response, wish](loop::Core& core, absl::Time now) {
      Finish(context_, core.OnRollback(wish, now), reactor, response);
    });
  } else if (request->revision().empty() || !absl::StartsWith(desired.origin, kSyncPrefix)) {
    reactor->Finish(ToGrpc(absl::FailedPreconditionError(
        absl::StrCat("no earlier healthy spec of ", request->resource(),
                     " is kept; see: fairlead history ", request->resource()))));
  } else {
    context_.poller.Read(
        std::string(absl::StripPrefix(desired.origin, kSyncPrefix)), request->revision(),
        [this, reactor, response, wish, id = *id](absl::StatusOr<loop::SnapshotPointer> read) {
          RollBackTo(context_, std::move(read), id, wish, reactor, response);
        });
  }
  return reactor;
}

}  // namespace fairlead::service
