#include "agent/compose_jobs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/file_name.h"
#include "agent/host_command.h"
#include "agent/login_folder.h"
#include "agent/stack_surroundings.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr char kLogins[] = "docker-config-of-job";

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

// As `docker compose run` is given it. `name` is empty when the request names the container itself.
std::vector<std::string> RunArguments(const v1::RunService& request, const std::string& name) {
  const bool runs_on = HasAny(request, {"-d", "--detach"});
  std::vector<std::string> arguments = {"run"};
  if (!HasAny(request, {"-T", "--no-TTY", "--no-tty"}) && !runs_on) arguments.emplace_back("-T");
  if (!HasAny(request, {"--rm"}) && !runs_on) arguments.emplace_back("--rm");
  if (!name.empty()) arguments.insert(arguments.end(), {"--name", name});
  arguments.insert(arguments.end(), request.arguments().begin(), request.arguments().end());
  arguments.push_back(request.service());
  arguments.insert(arguments.end(), request.command().begin(), request.command().end());
  return arguments;
}

}  // namespace

absl::Status PullStack(ActionScope& scope, const v1::PullImages& request,
                       const ComposeCommand& compose, const StackFolder& folder) {
  v1::ApplyStack stack = request.stack();
  *stack.mutable_logins() = request.logins();
  LoginFolder logins(folder.PathOf(kLogins));
  ASSIGN_OR_RETURN(StackSurroundings surroundings, SurroundingsOf(stack, folder, logins));
  const ComposeCommand surrounded = compose.With(std::move(surroundings.calls));
  ASSIGN_OR_RETURN(const StackInput input, InputOf(surrounded, folder, stack));
  std::vector<std::string> arguments = {"pull"};
  arguments.insert(arguments.end(), request.services().begin(), request.services().end());
  scope.Report("pulling", stack.project());
  RETURN_IF_ERROR(surrounded
                      .Run(scope, {.project = stack.project(),
                                   .input = input,
                                   .arguments = std::move(arguments),
                                   .phase = "pulling"})
                      .status(),
                  "pull");
  scope.outcome.set_report(absl::StrCat("pulled the images of ", stack.project()));
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
  LoginFolder logins(folder.PathOf(kLogins));
  ASSIGN_OR_RETURN(StackSurroundings surroundings, SurroundingsOf(request.stack(), folder, logins));
  const ComposeCommand surrounded = compose.With(std::move(surroundings.calls));
  ASSIGN_OR_RETURN(const StackInput input, InputOf(surrounded, folder, request.stack()));
  if (scope.allowed.limits_paths()) {
    ASSIGN_OR_RETURN(const boost::json::object config, surrounded.Config(scope, project, input));
    RETURN_IF_ERROR(scope.allowed.CheckCompose(config));
  }
  const std::string name =
      HasAny(request, {"--name"})
          ? ""
          : absl::StrCat(project, "-run-", FileNameOf(scope.action.id()).substr(0, 12));
  const std::string what = absl::StrCat("run of ", request.service());
  return RunOnce(scope, what, [&]() -> absl::Status {
    scope.Report("running", request.service());
    const absl::Status ran = surrounded
                                 .Run(scope, {.project = project,
                                              .input = input,
                                              .arguments = RunArguments(request, name),
                                              .is_program = true,
                                              // Version 1 attaches by the docker program then; by
                                              // itself it keeps or loses lines without a tty.
                                              .environment = {{"COMPOSE_INTERACTIVE_NO_CLI", ""}}})
                                 .status();
    if (!ran.ok() && !name.empty()) {
      // A killed compose leaves its container running.
      const absl::Status removed = scope.engine.RemoveContainer(name, scope.UndoLimits());
      if (!removed.ok() && !absl::IsNotFound(removed)) {
        scope.Warn(absl::StrCat("container ", name, " stays: ", removed.message()));
      }
    }
    return base::Annotate(ran, what);
  });
}

}  // namespace fairlead::agent
