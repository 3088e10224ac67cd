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

// For the audit log.
std::string RevisionOf(const v1::SpecRecord& record) {
  return record.revision().empty() ? record.spec_hash() : record.revision();
}

// What an operator is told has been done is durable: the answer waits for the pass that stores it.
void Finish(ServiceContext& context, const TicketPointer& ticket,
            const absl::StatusOr<std::string>& text, const std::string& revision,
            grpc::ServerUnaryReactor* reactor, v1::ExecutionResponse* response) {
  if (!text.ok()) {
    ticket->Finish(reactor, text.status());
    return;
  }
  response->set_message(*text);
  ticket->AddChange({.after = *text, .revision = revision});
  context.reconciler.Post(
      [ticket, reactor](loop::Core&, absl::Time) { ticket->Finish(reactor, absl::OkStatus()); });
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

void RollBackTo(ServiceContext& context, const TicketPointer& ticket,
                absl::StatusOr<loop::SnapshotPointer> read, const resources::ResourceId& id,
                const loop::RollbackRequest& wish, grpc::ServerUnaryReactor* reactor,
                v1::ExecutionResponse* response) {
  if (!read.ok()) {
    ticket->Finish(reactor, read.status());
    return;
  }
  context.reconciler.Post([&context, ticket, reactor, response, wish, id,
                           snapshot = *std::move(read)](loop::Core& core, absl::Time now) {
    absl::StatusOr<v1::SpecRecord> target = RecordAt(core, snapshot, id);
    if (!target.ok()) {
      ticket->Finish(reactor, target.status());
      return;
    }
    loop::RollbackRequest request = wish;
    request.target = *std::move(target);
    Finish(context, ticket, core.OnRollback(request, now), RevisionOf(request.target), reactor,
           response);
  });
}

}  // namespace

grpc::ServerUnaryReactor* ExecutionServiceImpl::Request(grpc::CallbackServerContext* call,
                                                        const TicketPointer& ticket,
                                                        loop::OperatorRequest wish,
                                                        v1::ExecutionResponse* response) {
  if (!ticket->ok()) return Refuse(call, ticket);
  wish.who = ticket->who();
  ticket->SetWhy(wish.why);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post(
      [this, ticket, reactor, response, wish](loop::Core& core, absl::Time now) {
        Finish(context_, ticket, core.OnRequest(wish, now), "", reactor, response);
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
  return Request(call, Admit(context_.access, *call, "ExecutionService.Stop", *request),
                 std::move(wish), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Start(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call, Admit(context_.access, *call, "ExecutionService.Start", *request),
                 WishOf(loop::OperatorRequest::Kind::kStart, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Restart(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call, Admit(context_.access, *call, "ExecutionService.Restart", *request),
                 WishOf(loop::OperatorRequest::Kind::kRestart, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Release(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call, Admit(context_.access, *call, "ExecutionService.Release", *request),
                 WishOf(loop::OperatorRequest::Kind::kRelease, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Retry(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call, Admit(context_.access, *call, "ExecutionService.Retry", *request),
                 WishOf(loop::OperatorRequest::Kind::kRetry, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Cancel(grpc::CallbackServerContext* call,
                                                       const v1::ExecutionRequest* request,
                                                       v1::ExecutionResponse* response) {
  return Request(call, Admit(context_.access, *call, "ExecutionService.Cancel", *request),
                 WishOf(loop::OperatorRequest::Kind::kCancel, *request), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Rollback(grpc::CallbackServerContext* call,
                                                         const v1::RollbackRequest* request,
                                                         v1::ExecutionResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "ExecutionService.Rollback", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  ticket->SetWhy(request->why());
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  if (!id.has_value() || !view->input.desired->resources.contains(*id)) {
    return FinishWith(
        call, ticket,
        absl::NotFoundError(absl::StrCat("no resource ", request->resource(), " is declared")));
  }
  const sync::DesiredResource& desired = *view->input.desired->resources.at(*id);
  const absl::StatusOr<std::vector<v1::SpecRecord>> history =
      context_.store.ListHistory(request->resource());
  if (!history.ok()) return FinishWith(call, ticket, history.status());
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  loop::RollbackRequest wish{.who = ticket->who(), .why = request->why(), .target = {}};
  const v1::SpecRecord* record = FindRecord(*history, request->revision(), desired.spec_hash);
  if (record != nullptr) {
    wish.target = *record;
    context_.reconciler.Post(
        [this, ticket, reactor, response, wish](loop::Core& core, absl::Time now) {
          Finish(context_, ticket, core.OnRollback(wish, now), RevisionOf(wish.target), reactor,
                 response);
        });
  } else if (request->revision().empty() || !absl::StartsWith(desired.origin, kSyncPrefix)) {
    ticket->Finish(reactor, absl::FailedPreconditionError(absl::StrCat(
                                "no earlier healthy spec of ", request->resource(),
                                " is kept; see: fairlead history ", request->resource())));
  } else {
    context_.poller.Read(
        std::string(absl::StripPrefix(desired.origin, kSyncPrefix)), request->revision(),
        [this, ticket, reactor, response, wish,
         id = *id](absl::StatusOr<loop::SnapshotPointer> read) {
          RollBackTo(context_, ticket, std::move(read), id, wish, reactor, response);
        });
  }
  return reactor;
}

}  // namespace fairlead::service
