#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/service/call.h"
#include "controller/service/services.h"
#include "controller/service/stream_reactor.h"
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
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  absl::StatusOr<std::vector<v1::ResourceView>> views =
      ComputeResourceViews(InputOf(context_, *view), request->kind());
  if (views.ok()) {
    for (v1::ResourceView& one : *views) *response->add_resources() = std::move(one);
  }
  return FinishWith(call, views.status());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::GetResource(grpc::CallbackServerContext* call,
                                                           const v1::GetResourceRequest* request,
                                                           v1::GetResourceResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  const resources::ResourceId id{request->kind(), request->name()};
  absl::StatusOr<v1::ResourceView> one = ComputeResourceView(InputOf(context_, *view), id);
  if (!one.ok()) return FinishWith(call, one.status());
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
  return FinishWith(call, absl::OkStatus());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::ListHistory(grpc::CallbackServerContext* call,
                                                           const v1::ListHistoryRequest* request,
                                                           v1::ListHistoryResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  const auto decision =
      id.has_value() ? view->result.decisions.find(*id) : view->result.decisions.end();
  if (decision == view->result.decisions.end()) {
    return FinishWith(call, absl::NotFoundError(absl::StrCat("no resource ", request->resource())));
  }
  response->set_live_hash(decision->second->live_hash);
  const auto desired = view->input.desired->resources.find(*id);
  if (desired != view->input.desired->resources.end()) {
    response->set_wanted_hash(desired->second->spec_hash);
  }
  absl::StatusOr<std::vector<v1::SpecRecord>> records =
      context_.store.ListHistory(request->resource());
  if (!records.ok()) return FinishWith(call, records.status());
  for (v1::SpecRecord& record : *records) {
    *record.mutable_spec() = resources::Redact(record.spec());
    record.clear_files();
    *response->add_records() = std::move(record);
  }
  return FinishWith(call, absl::OkStatus());
}

grpc::ServerUnaryReactor* ResourceServiceImpl::Apply(grpc::CallbackServerContext* call,
                                                     const v1::ApplyRequest* request,
                                                     v1::ApplyResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  std::vector<v1::Resource> read = ReadFiles(*request, response);
  for (const v1::Problem& problem : response->problems()) {
    // Problems travel in the answer: nothing is applied while one of them is an error.
    if (problem.severity() == v1::SEVERITY_ERROR) return FinishWith(call, absl::OkStatus());
  }
  if (read.empty()) {
    return FinishWith(call, absl::InvalidArgumentError("the files declare no resource"));
  }
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post(
      [reactor, response, read = std::move(read)](loop::Core& core, absl::Time now) {
        for (const v1::Resource& resource : read) {
          const resources::ResourceId id = resources::IdOf(resource);
          const auto& known = core.view()->input.desired->resources;
          const auto owner = known.find(id);
          if (owner != known.end() && owner->second->origin != "api") {
            reactor->Finish(ToGrpc(absl::FailedPreconditionError(absl::StrCat(
                id.ToString(), " is declared by ", owner->second->origin, "; change it there"))));
            return;
          }
        }
        for (const v1::Resource& resource : read) {
          response->add_applied(resources::IdOf(resource).ToString());
        }
        core.OnApplied(read, now);
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

grpc::ServerWriteReactor<v1::LogsResponse>* ResourceServiceImpl::Logs(
    grpc::CallbackServerContext* call, const v1::LogsRequest* request) {
  auto feed = std::make_shared<StreamFeed<v1::LogsResponse>>(kLogQueue);
  const auto view = context_.reconciler.View();
  const auto id = resources::ResourceId::Parse(request->resource());
  absl::Status status = CheckPerson(*call);
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
