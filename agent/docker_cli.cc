#include "agent/docker_cli.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "agent/docker_config.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

bool HasAny(absl::string_view text, std::initializer_list<absl::string_view> signs) {
  for (const absl::string_view sign : signs) {
    if (absl::StrContains(text, sign)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<DockerCli> DockerCli::Make(ActionScope& scope, const std::string& engine,
                                          const std::string& data_directory, const Logins& logins) {
  ASSIGN_OR_RETURN(PrivateFolder folder, PrivateFolder::Make(data_directory));
  const std::string config = DockerConfig("", logins, PluginFolders(ReadOwnDockerConfig()));
  RETURN_IF_ERROR(folder.Write("config.json", config).status());
  return DockerCli(scope, engine, std::move(folder));
}

absl::StatusOr<base::SubprocessResult> DockerCli::Run(const Call& call) const {
  base::SubprocessOptions options;
  options.argv = {"docker"};
  options.argv.insert(options.argv.end(), call.arguments.begin(), call.arguments.end());
  options.working_directory = call.directory.empty() ? folder_.path() : call.directory;
  options.environment = {{"DOCKER_HOST", engine_},          {"DOCKER_CONTEXT", ""},
                         {"DOCKER_CONFIG", folder_.path()}, {"DOCKER_CLI_HINTS", "false"},
                         {"DOCKER_CONTENT_TRUST", ""},      {"DOCKER_TLS_VERIFY", ""},
                         {"DOCKER_DEFAULT_PLATFORM", ""},   {"BUILDX_BUILDER", ""}};
  for (const auto& [key, value] : call.environment) options.environment[key] = value;
  options.on_line = call.on_line;
  absl::StatusOr<base::SubprocessResult> result = RunTool(scope_, std::move(options), call.lines);
  if (absl::IsNotFound(result.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no docker program on this host; install docker-cli or docker.io (",
                     result.status().message(), ")"));
  }
  return result;
}

absl::StatusOr<bool> DockerCli::HasBuildx() const {
  ASSIGN_OR_RETURN(const base::SubprocessResult result,
                   Run({.arguments = {"buildx", "version"}, .lines = ToolLines::kHidden}));
  return result.exit_code == 0;
}

absl::StatusOr<int> DockerCli::MajorVersion() const {
  ASSIGN_OR_RETURN(const base::SubprocessResult result,
                   Run({.arguments = {"version", "--format", "{{.Client.Version}}"},
                        .lines = ToolLines::kHidden}));
  int major = 0;
  if (!absl::SimpleAtoi(result.out.substr(0, result.out.find('.')), &major)) return 0;
  return major;
}

absl::Status StatusOfDocker(absl::string_view text) {
  if (HasAny(text, {"no space left", "disk quota exceeded"})) {
    return absl::ResourceExhaustedError(text);
  }
  if (HasAny(text, {"Cannot connect to the Docker daemon", "error during connect", "i/o timeout",
                    "TLS handshake timeout", "toomanyrequests", "Too Many Requests",
                    "connection reset by peer", "Temporary failure", "no such host",
                    "unexpected HTTP status: 5"})) {
    return absl::UnavailableError(text);
  }
  if (HasAny(text, {"pull access denied", "manifest unknown", "manifest for",
                    "repository does not exist"})) {
    return absl::NotFoundError(text);
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace fairlead::agent
