#include "agent/host_command.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/action_output.h"
#include "agent/once_record.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kErrorLines = 6;
// Of output that is shown as it comes: floods go by.
constexpr std::size_t kShownKept = 64u << 10;
// Of one argument or variable, with its name: the kernel refuses longer ones.
constexpr std::size_t kLongestScript = 120u << 10;

}  // namespace

absl::StatusOr<base::SubprocessResult> RunTool(ActionScope& scope, base::SubprocessOptions options,
                                               ToolLines lines) {
  options.timeout = std::max(scope.limits.deadline - scope.clock.Now(), absl::ZeroDuration());
  options.on_start = scope.context.on_process_group;
  if (lines == ToolLines::kShown) {
    options.output_limit = std::min(options.output_limit, kShownKept);
    options.on_line = [&scope, also = std::move(options.on_line)](absl::string_view line) {
      scope.output.Add(line);
      if (also) also(line);
    };
  }
  options.is_cancelled = [&scope] {
    // Asked some times a second also while nothing is printed.
    scope.output.Tick();
    return scope.limits.is_cancelled && scope.limits.is_cancelled();
  };
  return base::RunSubprocess(options);
}

absl::Status RunHostCommand(ActionScope& scope, const v1::HostCommand& command,
                            const HostCommandCall& call) {
  if (command.script().empty()) return absl::OkStatus();
  if (command.script().size() > kLongestScript) {
    return absl::InvalidArgumentError(absl::StrCat(call.what, ": a command of ",
                                                   command.script().size(),
                                                   " bytes is too long; put it into a file"));
  }
  const std::string directory =
      (fs::path(call.root) / command.directory()).lexically_normal().string();
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    return absl::NotFoundError(
        absl::StrCat(call.what, ": directory ", directory, " is not on this host"));
  }
  scope.Report(call.what, directory);
  base::SubprocessOptions options;
  // Arguments can be read by every user of the host; the script may hold secrets.
  options.argv = {
      "/bin/sh", "-c",
      "fairlead_script=$FAIRLEAD_SCRIPT; unset FAIRLEAD_SCRIPT; eval \"$fairlead_script\""};
  options.environment = call.environment;
  options.environment["FAIRLEAD_SCRIPT"] = command.script();
  options.working_directory = directory;
  const absl::StatusOr<base::SubprocessResult> result = RunTool(scope, std::move(options));
  if (!result.ok()) {
    return absl::Status(result.status().code(),
                        absl::StrCat(call.what, ": ", result.status().message()));
  }
  if (result->exit_code == 0) return absl::OkStatus();
  const std::string lines = scope.output.LastLines(kErrorLines);
  return absl::FailedPreconditionError(absl::StrCat(call.what, " ended with ", result->exit_code,
                                                    lines.empty() ? "" : ":\n", lines));
}

absl::Status RunOnce(ActionScope& scope, const std::string& what,
                     const std::function<absl::Status()>& effect) {
  const std::string& id = scope.action.id();
  ASSIGN_OR_RETURN(const OnceStanding standing, scope.once.Begin(id, what), what);
  switch (standing.state) {
    case OnceState::kSucceeded:
      return absl::OkStatus();
    case OnceState::kFailed:
      return absl::FailedPreconditionError(standing.message);
    case OnceState::kInterrupted:
      scope.outcome.set_status(v1::ACTION_STATUS_INTERRUPTED);
      return absl::AbortedError(
          absl::StrCat(what,
                       " was cut by a restart of the agent; its effect is unknown, and it "
                       "is not run again by itself. Look at the host, then start anew"));
    case OnceState::kBegun:
      break;
  }
  const absl::Status result = effect();
  const absl::Status redacted(result.code(), scope.secrets.Redact(std::string(result.message())));
  const absl::Status noted = scope.once.End(id, what, redacted);
  return result.ok() ? noted : result;
}

absl::Status RunHostCommandOnce(ActionScope& scope, const v1::HostCommand& command,
                                const HostCommandCall& call) {
  if (command.script().empty()) return absl::OkStatus();
  return RunOnce(scope, call.what, [&] { return RunHostCommand(scope, command, call); });
}

}  // namespace fairlead::agent
