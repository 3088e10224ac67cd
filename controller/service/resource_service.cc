#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/service/call.h"
#include "controller/service/services.h"
#include "controller/service/stream_reactor.h"
#include "resources/diff.h"
#include "resources/toml_reader.h"
#include "resources/toml_writer.h"

namespace fairlead::service {
namespace {

constexpr std::size_t kLogQueue = 4096;
constexpr uint32_t kHistory = 50;

// Problems of the files, and the resources they declare when there is no error.
std::vector<v1::Resource> ReadFiles(const v1::ApplyRequest& request, v1::ApplyResponse* response) {
  std::vector<v1::Resource> read;
  std::set<resources::ResourceId> seen;
  for (const v1::SourceFile& file : request.files()) {
    const resources::ParsedFile parsed =
        resources::ReadToml(file.path(), file.content(), request.dialect());
    for (const v1::Problem& problem : parsed.problems) *response->add_problems() = problem;
    for (const resources::Declaration& declaration : parsed.declarations) {
      for (const v1::Problem& problem : declaration.problems) *response->add_problems() = problem;
      if (declaration.spec == nullptr) continue;
      if (!seen.insert(declaration.id).second) {
        v1::Problem& problem = *response->add_problems();
        problem.set_file(declaration.position.file);
        problem.set_line(declaration.position.line);
        problem.set_column(declaration.position.column);
        problem.set_severity(v1::SEVERITY_ERROR);
        problem.set_code("duplicate-name");
        problem.set_resource(declaration.id.ToString());
        problem.set_message(absl::StrCat(declaration.id.ToString(), " is declared twice"));
        continue;
      }
      read.push_back(*declaration.spec);
    }
  }
  return read;
}

// For the audit log; `before` may be null.
access::Change ChangeOf(const v1::Resource* before, const v1::Resource& after,
                        const std::string& id) {
  access::Change change;
  change.resource = id;
  change.after = resources::WriteTomlWithoutSecrets(after);
  if (before == nullptr) return change;
  change.before = resources::WriteTomlWithoutSecrets(*before);
  for (const v1::FieldChange& field : resources::ComputeChanges(*before, after)) {
    if (!field.before().empty()) {
      absl::StrAppend(&change.diff, "-", field.path(), " = ", field.before(), "\n");
    }
    if (!field.after().empty()) {
      absl::StrAppend(&change.diff, "+", field.path(), " = ", field.after(), "\n");
    }
  }
  return change;
}

// The server whose agent has the resource's containers.
std::string ServerWith(const loop::LoopView& view, const resources::ResourceId& id) {
  const auto entry = view.input.inventory.find(id.ToString());
  if (entry != view.input.inventory.end() && !entry->second->server().empty()) {
    return entry->second->server();
  }
  const auto desired = view.input.desired->resources.find(id);
  return desired == view.input.desired->resources.end() ? "" : desired->second->server;
}

}  // namespace

grpc::ServerUnaryReactor* ResourceServiceImpl::ListResources(
    grpc::CallbackServerContext* call, const v1::ListResourcesRequest* request,
    v1::ListResourcesResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "ResourceService.ListResources", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  absl::StatusOr<std::vector<v1::ResourceView>> views =
      ComputeResourceViews(InputOf(context_, *view), request->kind());
  if (views.ok()) {
    for (v1::ResourceView& one : *views) {
      if (ticket->MayRead(one.status().resource())) *response->add_resources() = std::move(one);
    }
  }
  return FinishWith(call, ticket, views.status());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::GetResource(grpc::CallbackServerContext* call,
                                                           const v1::GetResourceRequest* request,
                                                           v1::GetResourceResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "ResourceService.GetResource", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  const resources::ResourceId id{request->kind(), request->name()};
  absl::StatusOr<v1::ResourceView> one = ComputeResourceView(InputOf(context_, *view), id);
  if (!one.ok()) return FinishWith(call, ticket, one.status());
  *response->mutable_resource() = *std::move(one);
  const std::string resource = id.ToString();
  for (const auto& [name, host] : view->input.live->hosts) {
    for (const auto& [container_id, container] : host->containers) {
      if (container->resource() == resource &&
          container->installation() == view->input.installation) {
        *response->add_containers() = *container;
      }
    }
  }
  const auto entry = view->input.inventory.find(resource);
  if (entry != view->input.inventory.end()) {
    // Specs with their secrets stay here; what the entry says besides is for people.
    *response->mutable_inventory() = *entry->second;
    response->mutable_inventory()->clear_applied();
    response->mutable_inventory()->clear_good();
    response->mutable_inventory()->clear_applied_files();
    response->mutable_inventory()->clear_good_files();
  }
  const auto events = context_.store.ListEvents({.resource = resource, .limit = kHistory});
  if (events.ok()) {
    for (const v1::Event& event : *events) *response->add_history() = event;
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::ListHistory(grpc::CallbackServerContext* call,
                                                           const v1::ListHistoryRequest* request,
                                                           v1::ListHistoryResponse* response) {
  const TicketPointer ticket =
      Admit(context_.access, *call, "ResourceService.ListHistory", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  const auto decision =
      id.has_value() ? view->result.decisions.find(*id) : view->result.decisions.end();
  if (decision == view->result.decisions.end()) {
    return FinishWith(call, ticket,
                      absl::NotFoundError(absl::StrCat("no resource ", request->resource())));
  }
  response->set_live_hash(decision->second->live_hash);
  const auto desired = view->input.desired->resources.find(*id);
  if (desired != view->input.desired->resources.end()) {
    response->set_wanted_hash(desired->second->spec_hash);
  }
  absl::StatusOr<std::vector<v1::SpecRecord>> records =
      context_.store.ListHistory(request->resource());
  if (!records.ok()) return FinishWith(call, ticket, records.status());
  for (v1::SpecRecord& record : *records) {
    *record.mutable_spec() = resources::Redact(record.spec());
    record.clear_files();
    *response->add_records() = std::move(record);
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::Apply(grpc::CallbackServerContext* call,
                                                     const v1::ApplyRequest* request,
                                                     v1::ApplyResponse* response) {
  const TicketPointer ticket = Admit(context_.access, *call, "ResourceService.Apply", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  std::vector<v1::Resource> read = ReadFiles(*request, response);
  for (const v1::Problem& problem : response->problems()) {
    // Problems travel in the answer: nothing is applied while one of them is an error.
    if (problem.severity() == v1::SEVERITY_ERROR) {
      grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
  }
  if (read.empty()) {
    return FinishWith(call, ticket, absl::InvalidArgumentError("the files declare no resource"));
  }
  for (const v1::Resource& resource : read) {
    const std::string id = resources::IdOf(resource).ToString();
    const absl::Status allowed = ticket->Check(v1::PERMISSION_LEVEL_WRITE, id);
    if (allowed.ok()) continue;
    ticket->SetResource(id);
    return FinishWith(call, ticket, allowed);
  }
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post(
      [reactor, response, ticket, read = std::move(read)](loop::Core& core, absl::Time now) {
        for (const v1::Resource& resource : read) {
          const resources::ResourceId id = resources::IdOf(resource);
          const auto& known = core.view()->input.desired->resources;
          const auto owner = known.find(id);
          if (owner != known.end() && owner->second->origin != "api") {
            ticket->SetResource(id.ToString());
            ticket->Finish(reactor, absl::FailedPreconditionError(
                                        absl::StrCat(id.ToString(), " is declared by ",
                                                     owner->second->origin, "; change it there")));
            return;
          }
        }
        for (const v1::Resource& resource : read) {
          const resources::ResourceId id = resources::IdOf(resource);
          response->add_applied(id.ToString());
          const auto owner = core.view()->input.desired->resources.find(id);
          const bool is_known = owner != core.view()->input.desired->resources.end();
          ticket->AddChange(
              ChangeOf(is_known ? owner->second->spec.get() : nullptr, resource, id.ToString()));
        }
        core.OnApplied(read, now);
        ticket->Finish(reactor, absl::OkStatus());
      });
  return reactor;
}

grpc::ServerWriteReactor<v1::LogsResponse>* ResourceServiceImpl::Logs(
    grpc::CallbackServerContext* call, const v1::LogsRequest* request) {
  auto feed = std::make_shared<StreamFeed<v1::LogsResponse>>(kLogQueue);
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  const TicketPointer ticket = Admit(context_.access, *call, "ResourceService.Logs", *request);
  absl::Status status = ticket->status();
  if (status.ok() && (!id.has_value() || !view->result.decisions.contains(*id))) {
    status = absl::NotFoundError(absl::StrCat("no resource ", request->resource()));
  }
  uint64_t log_id = 0;
  if (status.ok()) {
    const std::string server = ServerWith(*view, *id);
    v1::LogRequest wish;
    wish.set_resource(request->resource());
    wish.set_follow(request->follow());
    wish.set_tail(request->tail());
    log_id = context_.logs.StartLogs(server, wish, [feed](const v1::LogLines& lines) {
      v1::LogsResponse response;
      *response.mutable_lines() = lines.lines();
      if (lines.lines_size() > 0) feed->Send(std::move(response));
      if (!lines.end()) return;
      feed->Close(lines.error().empty()
                      ? grpc::Status::OK
                      : grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, lines.error()));
    });
    if (log_id == 0) {
      status = absl::UnavailableError(
          absl::StrCat("the agent of server \"", server, "\" is not connected"));
    }
  }
  if (!status.ok()) feed->Close(ToGrpc(status));
  return new StreamReactor<v1::LogsResponse>(feed, [this, log_id] {
    if (log_id != 0) context_.logs.CancelLogs(log_id);
  });
}

}  // namespace fairlead::service
