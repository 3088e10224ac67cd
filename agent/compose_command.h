// Calls of `docker compose` and `docker-compose`: all differences between the two are here.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/action_scope.h"
#include "agent/stack_folder.h"
#include "base/subprocess.h"

namespace fairlead::agent {

// What the calls for one stack are made with.
struct ComposeSurroundings {
  // Value of DOCKER_CONFIG; empty: the agent's own.
  std::string docker_config;
  // Beside COMPOSE_PROFILES, which the tool reads itself; empty: none.
  std::vector<std::string> profiles;
  // For /bin/sh, with [[COMPOSE_COMMAND]] for the call of a command of `wrap` ("up", "config"...).
  std::string wrapper;
  std::set<std::string> wrap;
  // File for the call that is wrapped: the tools around it get one plain word for it, however they
  // quote.
  std::string script;
};

// A value; thread-safe.
class ComposeCommand {
 public:
  // `docker compose` where that works, else `docker-compose`. Unavailable when neither does.
  static absl::StatusOr<ComposeCommand> Find(const std::string& engine, const CallLimits& limits,
                                             const base::Clock& clock);

  // The same tool for one stack.
  ComposeCommand With(ComposeSurroundings surroundings) const {
    ComposeCommand command = *this;
    command.surroundings_ = std::move(surroundings);
    return command;
  }

  struct Call {
    std::string project;
    StackInput input;
    // "up", "-d", ...
    std::vector<std::string> arguments;
    // Its lines are shown as progress under this name and as output of the action; empty shows
    // none.
    std::string phase;
    // What a program of the project prints: output of the action alone, for it may be much.
    bool is_program = false;
    // Besides that of every call.
    std::map<std::string, std::string> environment;
  };
  // Output of a successful call. A failed one is FailedPrecondition or what its last lines say
  // (Unavailable, ResourceExhausted, NotFound), with those lines, not redacted.
  absl::StatusOr<std::string> Run(ActionScope& scope, const Call& call) const;

  // The resolved configuration.
  absl::StatusOr<boost::json::object> Config(ActionScope& scope, const std::string& project,
                                             const StackInput& input) const;

  // What compose labels the containers of each service with, so that it recreates them only when
  // it changes.
  absl::StatusOr<std::map<std::string, std::string>> ServiceHashes(ActionScope& scope,
                                                                   const std::string& project,
                                                                   const StackInput& input) const;

  // `input` as this version takes it: with version 1 compose files without a top-level name and
  // one env file, written into `folder`.
  absl::StatusOr<StackInput> Prepare(const StackInput& input, const StackFolder& folder) const;

  // With --no-deps version 2 does not find the container whose namespaces a service shares
  // (network_mode: service:X).
  bool FindsSharedNamespacesAlone() const { return version_1_; }
  // As in DockerOptions.
  const std::string& engine() const { return engine_; }

 private:
  ComposeCommand(bool version_1, std::string engine)
      : version_1_(version_1), engine_(std::move(engine)) {}

  // The whole command line of a call.
  std::vector<std::string> ArgumentsOf(const Call& call) const;
  // Puts the wrapper around `options`.
  absl::Status Wrap(base::SubprocessOptions& options) const;

  bool version_1_;
  std::string engine_;
  ComposeSurroundings surroundings_;
};

}  // namespace fairlead::agent
