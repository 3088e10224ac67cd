// fairlead run and runs, and what other commands do with runs.
#include "cli/run_commands.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cli/render/run_text.h"
#include "cli/resource_lookup.h"
#include "cli/run_follow.h"

namespace fairlead::cli {
namespace {

constexpr char kRunPrefix[] = "run/";

bool HasEnded(const v1::Run& run) {
  return run.state() != v1::RUN_STATE_WAITING && run.state() != v1::RUN_STATE_RUNNING;
}

absl::StatusOr<v1::Run> FetchRun(Session& session, const std::string& id) {
  v1::ListRunsRequest request;
  request.set_id(id);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListRunsResponse list, controller->ListRuns(request));
  if (list.runs().empty()) {
    return absl::NotFoundError(
        absl::StrCat("no run ", id, " is kept. List them with: fairlead runs"));
  }
  return list.runs(0);
}

// As FollowRun, by a controller that does not know RunLog: what is new when the run changes.
absl::StatusOr<v1::Run> WatchRun(Session& session, const std::string& id, uint64_t from,
                                 bool with_time) {
  v1::WatchRunsRequest request;
  request.set_id(id);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  v1::Run last;
  const absl::Status status =
      controller->WatchRuns(request, [&](const v1::WatchRunsResponse& response) {
        if (!response.has_run()) return;
        last = response.run();
        session.Print(RenderRunLog(last, from, with_time, session.text_options()));
        from = std::max(from, LinesOf(last));
      });
  if (!HasEnded(last)) RETURN_IF_ERROR(status);
  return last;
}

// Prints the log from the line on, as it comes, until the run has ended, and returns it as it was
// last.
absl::StatusOr<v1::Run> FollowRun(Session& session, const std::string& id, int64_t tail,
                                  bool with_time) {
  if (session.is_live()) {
    const absl::Status status = FollowLive(session, id, tail, with_time);
    if (status.ok()) return FetchRun(session, id);
    if (!absl::IsUnimplemented(status)) return status;
  }
  v1::RunLogRequest request;
  request.set_id(id);
  request.set_follow(true);
  request.set_tail(tail);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  const absl::Status status = controller->RunLog(request, [&](const v1::RunLogResponse& response) {
    session.Print(RenderRunLines(response, with_time, session.text_options()));
  });
  if (!absl::IsUnimplemented(status)) {
    RETURN_IF_ERROR(status);
    return FetchRun(session, id);
  }
  ASSIGN_OR_RETURN(const v1::Run run, FetchRun(session, id));
  const uint64_t lines = LinesOf(run);
  const bool all = tail < 0 || static_cast<uint64_t>(tail) >= lines;
  return WatchRun(session, id, all ? 0 : lines - static_cast<uint64_t>(tail), with_time);
}

int ExitCodeOf(const v1::Run& run) {
  return run.state() == v1::RUN_STATE_SUCCEEDED ? kExitOk : kExitError;
}

}  // namespace

std::optional<std::string> RunIdOf(const ResourceArguments& arguments) {
  if (arguments.first == "run" && !arguments.second.empty()) return arguments.second;
  if (!absl::StartsWith(arguments.first, kRunPrefix) || !arguments.second.empty()) return {};
  return arguments.first.substr(sizeof(kRunPrefix) - 1);
}

absl::StatusOr<int> RunRun(Session& session, const RunOptions& options) {
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  v1::RunRequest request;
  request.set_resource(id.ToString());
  request.set_why(options.why);
  request.set_force(options.force);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RunResponse response, controller->Run(request));
  const std::string run = absl::StrCat(kRunPrefix, response.run().id());
  if (!options.wait) {
    if (options.output == OutputFormat::kJson) {
      RETURN_IF_ERROR(session.PrintJson(response));
    } else {
      session.Print(absl::StrCat(Printable(run), " of ", Printable(id.ToString()),
                                 " begins; to follow it: fairlead logs ", Printable(run), " -f\n"));
    }
    return kExitOk;
  }
  if (options.output != OutputFormat::kJson) session.Print(absl::StrCat(Printable(run), "\n"));
  // The JSON of a run holds its log.
  const std::string& run_id = response.run().id();
  ASSIGN_OR_RETURN(const v1::Run ended, options.output == OutputFormat::kJson
                                            ? WatchRun(session, run_id, UINT64_MAX, false)
                                            : FollowRun(session, run_id, -1, false));
  if (options.output == OutputFormat::kJson) RETURN_IF_ERROR(session.PrintJson(ended));
  return ExitCodeOf(ended);
}

absl::StatusOr<int> RunBuild(Session& session, const BuildOptions& options) {
  RunOptions run = options.run;
  run.resource = {.first = absl::StartsWith(options.name, "build/")
                               ? options.name
                               : absl::StrCat("build/", options.name),
                  .second = ""};
  return RunRun(session, run);
}

absl::StatusOr<int> RunRuns(Session& session, const RunsOptions& options) {
  std::string resource;
  if (!options.resource.first.empty()) {
    ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
    resource = id.ToString();
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  if (!options.watch) {
    v1::ListRunsRequest request;
    request.set_resource(resource);
    request.set_limit(options.tail);
    ASSIGN_OR_RETURN(const v1::ListRunsResponse list, controller->ListRuns(request));
    if (options.output == OutputFormat::kJson) {
      RETURN_IF_ERROR(session.PrintJson(list));
    } else {
      session.Print(RenderRuns(list, session.text_options()));
    }
    return kExitOk;
  }
  v1::WatchRunsRequest request;
  request.set_resource(resource);
  request.set_limit(options.tail);
  absl::Status printed;
  RETURN_IF_ERROR(controller->WatchRuns(request, [&](const v1::WatchRunsResponse& response) {
    if (!response.has_run() || !printed.ok()) return;
    if (options.output == OutputFormat::kJson) {
      printed = session.PrintJson(response.run(), JsonStyle::kLine);
    } else {
      session.Print(absl::StrCat(RenderRunLine(response.run(), session.text_options()), "\n"));
    }
  }));
  RETURN_IF_ERROR(printed);
  return kExitOk;
}

absl::StatusOr<int> CancelRun(Session& session, const std::string& id,
                              const ExecuteOptions& options) {
  v1::CancelRunRequest request;
  request.set_id(id);
  request.set_why(options.why);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ExecutionResponse response, controller->CancelRun(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(Printable(response.message()), "\n"));
  }
  return kExitOk;
}

absl::StatusOr<int> PrintRunLog(Session& session, const std::string& id,
                                const LogsOptions& options) {
  if (options.follow) {
    RETURN_IF_ERROR(FollowRun(session, id, options.tail, options.timestamps).status());
    return kExitOk;
  }
  ASSIGN_OR_RETURN(const v1::Run run, FetchRun(session, id));
  const uint64_t lines = LinesOf(run);
  const uint64_t from = options.tail < 0 || static_cast<uint64_t>(options.tail) >= lines
                            ? 0
                            : lines - static_cast<uint64_t>(options.tail);
  session.Print(RenderRunLog(run, from, options.timestamps, session.text_options()));
  return kExitOk;
}

absl::StatusOr<int> DescribeRun(Session& session, const std::string& id, OutputFormat output) {
  ASSIGN_OR_RETURN(const v1::Run run, FetchRun(session, id));
  if (output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(run));
  } else {
    session.Print(RenderRun(run, session.text_options()));
  }
  return kExitOk;
}

absl::StatusOr<int> PrintSchedules(Session& session, const std::string& resource,
                                   OutputFormat output) {
  v1::ListSchedulesRequest request;
  if (!resource.empty()) {
    ASSIGN_OR_RETURN(const resources::ResourceId id,
                     FindResource(session, {.first = resource, .second = ""}));
    request.set_resource(id.ToString());
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListSchedulesResponse list, controller->ListSchedules(request));
  if (output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(list));
  } else {
    session.Print(RenderSchedules(list, session.text_options()));
  }
  return kExitOk;
}

}  // namespace fairlead::cli
