// fairlead get, describe, apply, start, stop, restart, release and retry.
#include <istream>
#include <iterator>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/render/resource_text.h"
#include "cli/render/resource_toml.h"
#include "cli/resource_lookup.h"
#include "cli/run_commands.h"
#include "cli/source_files.h"
#include "resources/problem_text.h"

namespace fairlead::cli {
namespace {

absl::StatusOr<v1::GetResourceResponse> Fetch(Session& session, const resources::ResourceId& id) {
  v1::GetResourceRequest request;
  request.set_kind(id.kind);
  request.set_name(id.name);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  return controller->GetResource(request);
}

absl::Status PrintList(Session& session, const v1::ListResourcesResponse& list,
                       OutputFormat output) {
  if (output == OutputFormat::kJson) return session.PrintJson(list);
  if (output == OutputFormat::kText) {
    session.Print(RenderResources(list, session.text_options()));
    return absl::OkStatus();
  }
  session.Print(RenderToml({list.resources().begin(), list.resources().end()}, v1::DIALECT_TOML));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SourceFile>> ReadAppliedFiles(Session& session,
                                                             const ApplyOptions& options) {
  std::vector<std::string> paths;
  std::vector<v1::SourceFile> files;
  for (const std::string& path : options.files) {
    if (path != "-") {
      paths.push_back(path);
      continue;
    }
    std::istream& in = session.environment().in;
    v1::SourceFile& file = files.emplace_back();
    file.set_path("<stdin>");
    file.set_content(std::string(std::istreambuf_iterator<char>(in), {}));
  }
  ASSIGN_OR_RETURN(SourceTree named, ReadSourceFiles(paths));
  RETURN_IF_ERROR(FirstError(named.problems));
  for (v1::SourceFile& file : named.files) files.push_back(std::move(file));
  if (files.empty()) return absl::NotFoundError("no .toml file there to apply");
  return files;
}

bool HasError(const v1::ApplyResponse& response) {
  for (const v1::Problem& problem : response.problems()) {
    if (problem.severity() == v1::SEVERITY_ERROR) return true;
  }
  return false;
}

absl::StatusOr<v1::ExecutionResponse> SendExecution(ControllerClient& controller,
                                                    const ExecuteOptions& options,
                                                    const std::string& resource,
                                                    absl::Duration span) {
  using Execution = ControllerClient::Execution;
  v1::ExecutionRequest request;
  request.set_resource(resource);
  request.set_why(options.why);
  switch (options.verb) {
    case ExecuteOptions::Verb::kStart:
      return controller.Execute(Execution::kStart, request);
    case ExecuteOptions::Verb::kRestart:
      return controller.Execute(Execution::kRestart, request);
    case ExecuteOptions::Verb::kRelease:
      return controller.Execute(Execution::kRelease, request);
    case ExecuteOptions::Verb::kRetry:
      return controller.Execute(Execution::kRetry, request);
    case ExecuteOptions::Verb::kCancel:
      return controller.Execute(Execution::kCancel, request);
    case ExecuteOptions::Verb::kStop:
      break;
  }
  v1::StopRequest stop;
  stop.set_resource(resource);
  stop.set_why(options.why);
  if (span > absl::ZeroDuration()) *stop.mutable_expires_in() = base::ToProto(span);
  return controller.Stop(stop);
}

}  // namespace

absl::StatusOr<int> RunGet(Session& session, const GetOptions& options) {
  if (options.kind == "schedule" || options.kind == "schedules") {
    return PrintSchedules(session, options.name, options.output);
  }
  v1::ListResourcesResponse list;
  const std::size_t slash = options.kind.find('/');
  if (options.name.empty() && slash == std::string::npos) {
    v1::ListResourcesRequest request;
    if (options.kind != "all") {
      ASSIGN_OR_RETURN(*request.mutable_kind(), FindKindName(options.kind));
    }
    ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
    ASSIGN_OR_RETURN(list, controller->ListResources(request));
  } else {
    ASSIGN_OR_RETURN(const resources::ResourceId id,
                     FindResource(session, {.first = options.kind, .second = options.name}));
    ASSIGN_OR_RETURN(v1::GetResourceResponse response, Fetch(session, id));
    *list.add_resources() = std::move(*response.mutable_resource());
  }
  RETURN_IF_ERROR(PrintList(session, list, options.output));
  return kExitOk;
}

absl::StatusOr<int> RunDescribe(Session& session, const DescribeOptions& options) {
  if (const auto run = RunIdOf(options.resource)) {
    return DescribeRun(session, *run, options.output);
  }
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  ASSIGN_OR_RETURN(const v1::GetResourceResponse response, Fetch(session, id));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(RenderDescription(response, session.text_options()));
  }
  return kExitOk;
}

absl::StatusOr<int> RunApply(Session& session, const ApplyOptions& options) {
  v1::ApplyRequest request;
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  request.set_dialect(dialect);
  ASSIGN_OR_RETURN(std::vector<v1::SourceFile> files, ReadAppliedFiles(session, options));
  for (v1::SourceFile& file : files) *request.add_files() = std::move(file);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ApplyResponse response, controller->Apply(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    for (const v1::Problem& problem : response.problems()) {
      session.Print(resources::FormatProblem(problem));
    }
    for (const std::string& resource : response.applied()) {
      session.Print(absl::StrCat("applied ", Printable(resource), "\n"));
    }
  }
  return HasError(response) ? kExitError : kExitOk;
}

absl::StatusOr<int> RunExecute(Session& session, const ExecuteOptions& options) {
  if (options.verb == ExecuteOptions::Verb::kCancel) {
    if (const auto run = RunIdOf(options.resource)) return CancelRun(session, *run, options);
  }
  absl::Duration span;
  if (!options.span.empty()) {
    ASSIGN_OR_RETURN(span, ParseSpan("--for", options.span));
  }
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ExecutionResponse response,
                   SendExecution(*controller, options, id.ToString(), span));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(Printable(response.message()), "\n"));
  }
  return kExitOk;
}

}  // namespace fairlead::cli
