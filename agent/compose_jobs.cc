#include "agent/compose_jobs.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/file_name.h"
#include "agent/login_folder.h"
#include "agent/once_record.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr char kLogins[] = "docker-config-of-job";

std::map<std::string, std::string> EnvironmentOf(const LoginFolder& logins) {
  if (logins.variable().empty()) return {};
  return {{"DOCKER_CONFIG", logins.variable()}};
}

absl::StatusOr<StackInput> InputOf(const ComposeCommand& compose, const StackFolder& folder,
                                   const v1::ApplyStack& stack) {
  absl::StatusOr<StackInput> written = folder.Read();
  if (absl::IsNotFound(written.status())) written = folder.Write(stack);
  RETURN_IF_ERROR(written.status());
  return compose.Prepare(*written, folder);
}

bool HasAny(const v1::RunService& request, std::initializer_list<absl::string_view> wanted) {
  return std::any_of(
      request.arguments().begin(), request.arguments().end(), [&](const std::string& argument) {
        return std::any_of(wanted.begin(), wanted.end(), [&](absl::string_view one) {
          return argument == one || absl::StartsWith(argument, absl::StrCat(one, "="));
        });
      });
}

// Begun and ended are noted, so that a crash between shows.
absl::Status BeginOnce(ActionScope& scope, const std::string& what) {
  ASSIGN_OR_RETURN(const OnceStanding standing, scope.once.Begin(scope.action.id(), what));
  if (standing.state == OnceState::kBegun) return absl::OkStatus();
  scope.outcome.set_status(v1::ACTION_STATUS_INTERRUPTED);
  return absl::AbortedError(
      absl::StrCat(what,
                   " was cut by a restart of the agent; its effect is unknown, and it is not "
                   "run again by itself"));
}

}  // namespace

absl::Status PullStack(ActionScope& scope, const v1::PullImages& request,
                       const ComposeCommand& compose, const StackFolder& folder) {
  const std::string& project = request.stack().project();
  ASSIGN_OR_RETURN(const StackInput input, InputOf(compose, folder, request.stack()));
  LoginFolder logins(folder.PathOf(kLogins));
  RETURN_IF_ERROR(logins.Write(request.logins()));
  std::vector<std::string> arguments = {"pull"};
  arguments.insert(arguments.end(), request.services().begin(), request.services().end());
  scope.Report("pulling", project);
  RETURN_IF_ERROR(compose
                      .Run(scope, {.project = project,
                                   .input = input,
                                   .arguments = std::move(arguments),
                                   .phase = "pulling",
                                   .environment = EnvironmentOf(logins)})
                      .status(),
                  "pull");
  scope.outcome.set_report(absl::StrCat("pulled the images of ", project));
  return absl::OkStatus();
}

absl::Status RunService(ActionScope& scope, const v1::RunService& request,
                        const ComposeCommand& compose, const StackFolder& folder) {
  const std::string& project = request.stack().project();
  if (request.service().empty() || request.service()[0] == '-') {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", request.service(), "\" cannot be a service"));
  }
  if (request.pull()) {
    v1::PullImages pull;
    *pull.mutable_stack() = request.stack();
    *pull.mutable_logins() = request.stack().logins();
    pull.add_services(request.service());
    RETURN_IF_ERROR(PullStack(scope, pull, compose, folder));
  }
  ASSIGN_OR_RETURN(const StackInput input, InputOf(compose, folder, request.stack()));
  LoginFolder logins(folder.PathOf(kLogins));
  RETURN_IF_ERROR(logins.Write(request.stack().logins()));
  const bool runs_on = HasAny(request, {"-d", "--detach"});
  const std::string name =
      absl::StrCat(project, "-run-", FileNameOf(scope.action.id()).substr(0, 12));
  std::vector<std::string> arguments = {"run"};
  if (!HasAny(request, {"-T", "--no-TTY", "--no-tty"}) && !runs_on) arguments.emplace_back("-T");
  if (!HasAny(request, {"--rm"}) && !runs_on) arguments.emplace_back("--rm");
  const bool is_named = HasAny(request, {"--name"});
  if (!is_named) arguments.insert(arguments.end(), {"--name", name});
  arguments.insert(arguments.end(), request.arguments().begin(), request.arguments().end());
  arguments.push_back(request.service());
  arguments.insert(arguments.end(), request.command().begin(), request.command().end());
  const std::string what = absl::StrCat("run of ", request.service());
  RETURN_IF_ERROR(BeginOnce(scope, what));
  scope.Report("running", request.service());
  std::map<std::string, std::string> environment = EnvironmentOf(logins);
  // Version 1 attaches by the docker program then; by itself it keeps or loses lines without a tty.
  environment["COMPOSE_INTERACTIVE_NO_CLI"] = "";
  const absl::Status ran = compose
                               .Run(scope, {.project = project,
                                            .input = input,
                                            .arguments = std::move(arguments),
                                            .is_program = true,
                                            .environment = environment})
                               .status();
  if (!ran.ok() && !is_named) {
    // A killed compose leaves its container running.
    const absl::Status removed = scope.engine.RemoveContainer(name, scope.UndoLimits());
    if (!removed.ok() && !absl::IsNotFound(removed)) {
      scope.Warn(absl::StrCat("container ", name, " stays: ", removed.message()));
    }
  }
  const absl::Status noted =
      scope.once.End(scope.action.id(), what,
                     absl::Status(ran.code(), scope.secrets.Redact(std::string(ran.message()))));
  RETURN_IF_ERROR(ran, what);
  return noted;
}

}  // namespace fairlead::agent
