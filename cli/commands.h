// The commands: options in, exit code out. An error is a sentence for the user.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/session.h"

namespace fairlead::cli {

enum class OutputFormat { kText, kJson, kToml, kSarif, kGithub };

struct ValidateOptions {
  std::vector<std::string> paths;
  // "toml" or "komodo".
  std::string dialect = "toml";
  // A name that the files do not declare is an error, not a warning.
  bool strict = false;
  OutputFormat output = OutputFormat::kText;
};
// Offline. 1 when there is an error in a file.
absl::StatusOr<int> RunValidate(Session& session, const ValidateOptions& options);

struct FormatOptions {
  // Or "-" alone: standard input to standard output.
  std::vector<std::string> paths;
  // Change nothing, only tell.
  bool check = false;
  std::string dialect = "toml";
};
// Offline. 1 when a file cannot be read, and with `check` when one would change.
absl::StatusOr<int> RunFormat(Session& session, const FormatOptions& options);

struct SchemaOptions {
  // "toml" or "komodo".
  std::string dialect = "toml";
};
// Offline. Prints JSON Schema.
absl::StatusOr<int> RunSchema(Session& session, const SchemaOptions& options);

struct PlanOptions {
  std::string sync;
  // A working tree, or a commit; at most one of them.
  std::string directory;
  std::string revision;
  std::string dialect = "toml";
  OutputFormat output = OutputFormat::kText;
};
// 0 nothing to do, 2 something, 1 when a file cannot be read.
absl::StatusOr<int> RunPlan(Session& session, const PlanOptions& options);

struct SyncOptions {
  std::string sync;
  std::string plan_id;
  uint32_t allow_delete = 0;
  bool wait = false;
  std::string timeout = "10m";
  OutputFormat output = OutputFormat::kText;
};
// With `wait` 3 when it does not converge.
absl::StatusOr<int> RunSync(Session& session, const SyncOptions& options);

struct WaitOptions {
  std::string sync;
  std::string condition = "converged";
  std::string timeout = "5m";
};
// 3 when it is not so in time.
absl::StatusOr<int> RunWait(Session& session, const WaitOptions& options);

struct StatusOptions {
  std::string sync;
  OutputFormat output = OutputFormat::kText;
};
// 3 when something is not converged.
absl::StatusOr<int> RunStatus(Session& session, const StatusOptions& options);

// A resource as people write it: KIND NAME, KIND/NAME, or NAME alone where it is unique.
struct ResourceArguments {
  std::string first;
  std::string second;
};

struct GetOptions {
  std::string kind;
  std::string name;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunGet(Session& session, const GetOptions& options);

struct ExportOptions {
  // KIND or KIND/NAME; none is all.
  std::vector<std::string> resources;
  std::string dialect = "toml";
  // A folder, or "-" for standard output.
  std::string output = "-";
  // A resource_sync, "bootstrap" or "api"; empty is all.
  std::string origin;
};
absl::StatusOr<int> RunExport(Session& session, const ExportOptions& options);

struct ImportComposeOptions {
  // Compose files, or folders with one; those of one folder make one stack.
  std::vector<std::string> paths;
  std::string name;
  std::string server;
  // Name the files, relative to `root`, instead of writing them into the resource.
  bool as_files = false;
  std::string root = ".";
};
// Offline.
absl::StatusOr<int> RunImportCompose(Session& session, const ImportComposeOptions& options);

struct ImportDockerOptions {
  std::string server;
  // Empty is $DOCKER_HOST, else unix:///var/run/docker.sock.
  std::string docker_host;
  bool secrets_as_variables = false;
};
// Asks the engine, not the controller.
absl::StatusOr<int> RunImportDocker(Session& session, const ImportDockerOptions& options);

struct DescribeOptions {
  ResourceArguments resource;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunDescribe(Session& session, const DescribeOptions& options);

struct ApplyOptions {
  // "-" is standard input.
  std::vector<std::string> files;
  std::string dialect = "toml";
  OutputFormat output = OutputFormat::kText;
};
// 1 when there is an error in a file.
absl::StatusOr<int> RunApply(Session& session, const ApplyOptions& options);

struct ExecuteOptions {
  enum class Verb { kStart, kStop, kRestart, kRelease, kRetry, kCancel };
  Verb verb = Verb::kStart;
  ResourceArguments resource;
  std::string why;
  // Of a stop: how long; empty is until released.
  std::string span;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunExecute(Session& session, const ExecuteOptions& options);

struct RunOptions {
  // A procedure, build, repo or resource_sync.
  ResourceArguments resource;
  std::string why;
  bool wait = false;
  // Build although nothing has changed; clone anew.
  bool force = false;
  OutputFormat output = OutputFormat::kText;
};
// With `wait` 1 when it does not succeed.
absl::StatusOr<int> RunRun(Session& session, const RunOptions& options);

struct BuildOptions {
  // NAME or build/NAME.
  std::string name;
  RunOptions run;
};
// As RunRun.
absl::StatusOr<int> RunBuild(Session& session, const BuildOptions& options);

struct RunsOptions {
  // Only of this procedure, build, repo or sync; none is all.
  ResourceArguments resource;
  bool watch = false;
  uint32_t tail = 0;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunRuns(Session& session, const RunsOptions& options);

struct RollbackOptions {
  ResourceArguments resource;
  // A commit or a spec hash; empty is the last other spec that was healthy.
  std::string revision;
  std::string why;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunRollback(Session& session, const RollbackOptions& options);

struct HistoryOptions {
  ResourceArguments resource;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunHistory(Session& session, const HistoryOptions& options);

struct ApproveOptions {
  std::string plan_id;
  std::string why;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunApprove(Session& session, const ApproveOptions& options);

struct LogsOptions {
  ResourceArguments resource;
  bool follow = false;
  int64_t tail = 100;
  bool timestamps = false;
};
absl::StatusOr<int> RunLogs(Session& session, const LogsOptions& options);

struct EventsOptions {
  ResourceArguments resource;
  bool watch = false;
  uint32_t tail = 0;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunEvents(Session& session, const EventsOptions& options);

struct AgentTokenOptions {
  // At most one of both.
  std::string server;
  std::string tag;
  bool multi_use = false;
  std::string expires = "1h";
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunAgentToken(Session& session, const AgentTokenOptions& options);

struct AgentListOptions {
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunAgentList(Session& session, const AgentListOptions& options);

struct AgentRevokeOptions {
  std::string server;
  std::string why;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunAgentRevoke(Session& session, const AgentRevokeOptions& options);

struct AgentRotateOptions {
  // One of both.
  std::string server;
  bool all = false;
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunAgentRotate(Session& session, const AgentRotateOptions& options);

struct VersionOptions {
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunVersion(Session& session, const VersionOptions& options);

struct CompletionOptions {
  // bash, zsh or fish.
  std::string shell;
};
absl::StatusOr<int> RunCompletion(Session& session, const CompletionOptions& options);

struct CompleteOptions {
  // "kinds" or "names".
  std::string what;
  std::string kind;
};
// What the completion scripts ask for. Never fails: a shell has no use for an error.
absl::StatusOr<int> RunComplete(Session& session, const CompleteOptions& options);

}  // namespace fairlead::cli
