// fairlead sync, wait and status: bringing about, awaiting and seeing convergence.
#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cli/commands.h"
#include "cli/convergence.h"
#include "cli/render/status_text.h"
#include "resources/problem_text.h"

namespace fairlead::cli {
namespace {

bool IsFailed(const v1::SyncStatus& sync) { return sync.state() == "failed"; }

// Name, revision, and why it failed if it did.
std::string DescribeSync(const v1::SyncStatus& sync, const TextOptions& options) {
  std::string text = absl::StrCat(RenderSyncHead(sync, options), "   ", Printable(sync.state()));
  if (!sync.reason().empty()) absl::StrAppend(&text, ": ", Printable(sync.reason()));
  text += '\n';
  for (const v1::Problem& problem : sync.problems()) {
    if (problem.severity() == v1::SEVERITY_ERROR) {
      absl::StrAppend(&text, resources::FormatProblem(problem));
    }
  }
  return text;
}

int ReportOutcome(Session& session, const ConvergenceResult& result, absl::Duration timeout) {
  const TextOptions options = session.text_options();
  switch (result.outcome) {
    case Convergence::kConverged:
      session.Print("converged\n");
      return kExitOk;
    case Convergence::kSettled:
      session.Print(
          absl::StrCat(RenderNotOk(result.last, options),
                       "not converged, and nothing is under way. See: fairlead status\n"));
      return kExitNotConverged;
    case Convergence::kTimedOut:
      break;
  }
  session.Print(absl::StrCat(RenderNotOk(result.last, options), "not converged after ",
                             FormatSpan(timeout), ". Go on waiting with: fairlead wait\n"));
  return kExitNotConverged;
}

absl::StatusOr<int> SyncAndWait(Session& session, ControllerClient& controller,
                                const SyncOptions& options, const v1::SyncRequest& request) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, ParseSpan("--timeout", options.timeout));
  ASSIGN_OR_RETURN(const v1::GetStatusResponse before, controller.GetStatus({}));
  const std::unique_ptr<EventStream> events = WatchProgress(controller);
  ASSIGN_OR_RETURN(const v1::SyncResponse response, controller.Sync(request));
  for (const v1::SyncStatus& sync : response.statuses()) {
    session.Print(DescribeSync(sync, session.text_options()));
  }
  if (std::any_of(response.statuses().begin(), response.statuses().end(), IsFailed)) {
    return kExitError;
  }
  ASSIGN_OR_RETURN(const ConvergenceResult result,
                   AwaitConvergence(session, *events,
                                    {.sync = options.sync,
                                     .after_generation = before.generation(),
                                     .timeout = timeout,
                                     .stop_when_settled = true}));
  return ReportOutcome(session, result, timeout);
}

}  // namespace

absl::StatusOr<int> RunSync(Session& session, const SyncOptions& options) {
  v1::SyncRequest request;
  request.set_sync(options.sync);
  request.set_plan_id(options.plan_id);
  request.set_allow_delete(options.allow_delete);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  if (options.wait) return SyncAndWait(session, *controller, options, request);

  ASSIGN_OR_RETURN(const v1::SyncResponse response, controller->Sync(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    for (const v1::SyncStatus& sync : response.statuses()) {
      session.Print(DescribeSync(sync, session.text_options()));
    }
    if (response.syncs().empty()) session.Print("no sync is declared: nothing to fetch\n");
  }
  const bool failed = std::any_of(response.statuses().begin(), response.statuses().end(), IsFailed);
  return failed ? kExitError : kExitOk;
}

absl::StatusOr<int> RunWait(Session& session, const WaitOptions& options) {
  if (options.condition != "converged") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--for \"", options.condition, "\" is not known; what can be waited for is converged"));
  }
  ASSIGN_OR_RETURN(const absl::Duration timeout, ParseSpan("--timeout", options.timeout));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  const std::unique_ptr<EventStream> events = WatchProgress(*controller);
  ASSIGN_OR_RETURN(const ConvergenceResult result,
                   AwaitConvergence(session, *events, {.sync = options.sync, .timeout = timeout}));
  return ReportOutcome(session, result, timeout);
}

absl::StatusOr<int> RunStatus(Session& session, const StatusOptions& options) {
  v1::GetStatusRequest request;
  request.set_sync(options.sync);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, controller->GetStatus(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(status));
  } else {
    session.Print(RenderStatus(status, session.text_options()));
  }
  return status.converged() ? kExitOk : kExitNotConverged;
}

}  // namespace fairlead::cli
