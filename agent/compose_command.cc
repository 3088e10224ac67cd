#include "agent/compose_command.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/compose_project.h"
#include "agent/compose_yaml.h"
#include "agent/engine_error.h"
#include "agent/transfer_progress.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kErrorLines = 6;

std::map<std::string, std::string> EnvironmentFor(const std::string& engine) {
  // Settings of whoever started the agent must not redirect a project.
  return {{"DOCKER_HOST", engine},
          {"DOCKER_CONTEXT", ""},
          {"COMPOSE_FILE", ""},
          {"COMPOSE_PROJECT_NAME", ""},
          {"COMPOSE_INTERACTIVE_NO_CLI", "1"},
          {"COMPOSE_HTTP_TIMEOUT", "600"},
          {"COMPOSE_IGNORE_ORPHANS", "1"},
          {"DOCKER_CLI_HINTS", "false"},
          // Version 1 would keep what it prints until there is much.
          {"PYTHONUNBUFFERED", "1"}};
}

bool Succeeds(std::vector<std::string> argv, const std::string& engine, const CallLimits& limits,
              const base::Clock& clock) {
  const absl::StatusOr<base::SubprocessResult> result =
      base::RunSubprocess({.argv = std::move(argv),
                           .environment = EnvironmentFor(engine),
                           .timeout = std::min(limits.deadline - clock.Now(), absl::Seconds(30)),
                           .is_cancelled = limits.is_cancelled});
  return result.ok() && result->exit_code == 0;
}

std::string LastLines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  if (lines.size() > kErrorLines) lines.erase(lines.begin(), lines.end() - kErrorLines);
  for (std::string& line : lines) line = std::string(absl::StripAsciiWhitespace(line));
  return absl::StrJoin(lines, "\n");
}

// A word that a shell reads back as it is.
void AppendQuoted(std::string* out, const std::string& word) {
  absl::StrAppend(out, "'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

absl::Status StatusOfFailure(absl::string_view message) {
  if (absl::StrContains(message, "port is already allocated") ||
      absl::StrContains(message, "address already in use")) {
    return StatusOfAnswer(500, message);
  }
  if (absl::StrContains(message, "no space left")) return absl::ResourceExhaustedError(message);
  for (const char* sign :
       {"Couldn't connect to Docker daemon", "Cannot connect to the Docker", "connection refused",
        "Connection refused", "i/o timeout", "TLS handshake", "no such host",
        "HTTP request took too long", "Temporary failure"}) {
    if (absl::StrContains(message, sign)) return absl::UnavailableError(message);
  }
  for (const char* sign :
       {"pull access denied", "No such image", "manifest unknown", "declared as external"}) {
    if (absl::StrContains(message, sign)) return absl::NotFoundError(message);
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

absl::StatusOr<ComposeCommand> ComposeCommand::Find(const std::string& engine,
                                                    const CallLimits& limits,
                                                    const base::Clock& clock) {
  if (Succeeds({"docker", "compose", "version"}, engine, limits, clock)) {
    return ComposeCommand(false, engine);
  }
  if (Succeeds({"docker-compose", "--version"}, engine, limits, clock)) {
    return ComposeCommand(true, engine);
  }
  return absl::UnavailableError("neither `docker compose` nor `docker-compose` works on this host");
}

std::vector<std::string> ComposeCommand::ArgumentsOf(const Call& call) const {
  std::vector<std::string> argv = {"docker-compose"};
  if (!version_1_) argv = {"docker", "compose"};
  argv.insert(argv.end(), {"--ansi", "never", "--project-name", call.project, "--project-directory",
                           call.input.run_directory});
  for (const std::string& file : call.input.compose_files) {
    argv.insert(argv.end(), {"--file", file});
  }
  for (const std::string& file : call.input.env_files) {
    argv.insert(argv.end(), {"--env-file", file});
  }
  for (const std::string& profile : surroundings_.profiles) {
    argv.insert(argv.end(), {"--profile", profile});
  }
  argv.insert(argv.end(), call.arguments.begin(), call.arguments.end());
  return argv;
}

absl::Status ComposeCommand::Wrap(base::SubprocessOptions& options) const {
  const std::string call =
      absl::StrCat("#!/bin/sh\nexec ", absl::StrJoin(options.argv, " ", AppendQuoted), "\n");
  RETURN_IF_ERROR(base::WriteFileAtomically(surroundings_.script, call, 0700));
  // Arguments can be read by every user of the host; the wrapper may hold secrets.
  options.argv = {
      "/bin/sh", "-c",
      "fairlead_script=$FAIRLEAD_SCRIPT; unset FAIRLEAD_SCRIPT; eval \"$fairlead_script\""};
  options.environment["FAIRLEAD_SCRIPT"] = absl::StrReplaceAll(
      surroundings_.wrapper,
      {{"[[COMPOSE_COMMAND]]", absl::StrCat("/bin/sh ", surroundings_.script)}});
  return absl::OkStatus();
}

absl::StatusOr<std::string> ComposeCommand::Run(ActionScope& scope, const Call& call) const {
  base::SubprocessOptions options{
      .argv = ArgumentsOf(call),
      .working_directory = call.input.run_directory,
      .environment = EnvironmentFor(engine_),
      .timeout = std::max(scope.limits.deadline - scope.clock.Now(), absl::ZeroDuration()),
      .on_start = scope.context.on_process_group,
      .is_cancelled = [&scope] {
        scope.output.Tick();
        return scope.limits.is_cancelled && scope.limits.is_cancelled();
      }};
  if (!surroundings_.docker_config.empty()) {
    options.environment["DOCKER_CONFIG"] = surroundings_.docker_config;
  }
  if (!surroundings_.wrapper.empty() && surroundings_.wrap.contains(call.arguments.front())) {
    RETURN_IF_ERROR(Wrap(options), "compose_cmd_wrapper");
  }
  for (const auto& [key, value] : call.environment) options.environment[key] = value;
  // It is shown as it comes; the end is for errors.
  if (call.is_program) options.output_limit = 64u << 10;
  std::optional<TransferReport> transfer;
  if (!call.phase.empty() || call.is_program) {
    options.on_line = [&](absl::string_view line) {
      scope.output.Add(line);
      if (call.is_program) return;
      const std::optional<TransferNews> news = ParseComposeLine(line);
      if (!news.has_value()) {
        scope.Report(call.phase, std::string(absl::StripAsciiWhitespace(line)));
        return;
      }
      // `up` pulls, too.
      if (!transfer.has_value()) transfer.emplace(scope, "pulling", call.project);
      transfer->Add(*news);
    };
  }
  ASSIGN_OR_RETURN(base::SubprocessResult result, base::RunSubprocess(options));
  if (result.exit_code == 0) return std::move(result.out);
  std::string message = LastLines(result.err);
  if (message.empty()) message = LastLines(result.out);
  return StatusOfFailure(message.empty() ? absl::StrCat("compose ended with ", result.exit_code)
                                         : message);
}

absl::StatusOr<boost::json::object> ComposeCommand::Config(ActionScope& scope,
                                                           const std::string& project,
                                                           const StackInput& input) const {
  Call call{.project = project, .input = input, .arguments = {"config"}};
  if (!version_1_) call.arguments.insert(call.arguments.end(), {"--format", "json"});
  absl::StatusOr<std::string> text = Run(scope, call);
  if (absl::IsFailedPrecondition(text.status())) {
    // Only the files can be wrong here.
    return absl::InvalidArgumentError(text.status().message());
  }
  RETURN_IF_ERROR(text.status());
  boost::json::value value;
  if (version_1_) {
    ASSIGN_OR_RETURN(value, ParseComposeYaml(*text));
  } else {
    boost::system::error_code error;
    value = boost::json::parse(*text, error);
    if (error) return absl::InternalError("the output of compose config is not JSON");
  }
  if (!value.is_object()) return absl::InternalError("the output of compose config is no object");
  return std::move(value.as_object());
}

absl::StatusOr<std::map<std::string, std::string>> ComposeCommand::ServiceHashes(
    ActionScope& scope, const std::string& project, const StackInput& input) const {
  ASSIGN_OR_RETURN(
      const std::string text,
      Run(scope, {.project = project, .input = input, .arguments = {"config", "--hash=*"}}));
  std::map<std::string, std::string> hashes;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (words.size() == 2) hashes[words[0]] = words[1];
  }
  return hashes;
}

absl::StatusOr<StackInput> ComposeCommand::Prepare(const StackInput& input,
                                                   const StackFolder& folder) const {
  if (!version_1_) return input;
  StackInput prepared = input;
  for (std::size_t i = 0; i < prepared.compose_files.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string content, base::ReadFile(prepared.compose_files[i]));
    const std::string stripped = StripTopLevelName(content);
    if (stripped == content) continue;
    prepared.compose_files[i] = folder.PathOf(absl::StrCat("compose-", i, ".yaml"));
    RETURN_IF_ERROR(base::WriteFileAtomically(prepared.compose_files[i], stripped));
  }
  if (prepared.env_files.size() > 1) {
    std::string merged;
    for (const std::string& file : prepared.env_files) {
      ASSIGN_OR_RETURN(const std::string content, base::ReadFile(file));
      absl::StrAppend(&merged, content, "\n");
    }
    prepared.env_files = {folder.PathOf("merged.env")};
    RETURN_IF_ERROR(base::WriteFileAtomically(prepared.env_files[0], merged));
  }
  return prepared;
}

}  // namespace fairlead::agent
