// Calls of `docker compose` and `docker-compose`: all differences between the two are here.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/action_scope.h"
#include "agent/stack_folder.h"
#include "base/subprocess.h"

namespace fairlead::agent {

// A value; thread-safe.
class ComposeCommand {
 public:
  // `docker compose` where that works, else `docker-compose`. Unavailable when neither does.
  static absl::StatusOr<ComposeCommand> Find(const std::string& engine, const CallLimits& limits,
                                             const base::Clock& clock);

  struct Call {
    std::string project;
    StackInput input;
    // "up", "-d", ...
    std::vector<std::string> arguments;
    // Shown as progress under this name, and as output of the action; empty shows none.
    std::string phase = {};
    // Besides that of every call.
    std::map<std::string, std::string> environment = {};
  };
  // Output of a successful call. A failed one is FailedPrecondition or what its last lines say
  // (Unavailable, ResourceExhausted, NotFound), with those lines, not redacted.
  absl::StatusOr<std::string> Run(const ActionScope& scope, const Call& call) const;

  // The resolved configuration.
  absl::StatusOr<boost::json::object> Config(const ActionScope& scope, const std::string& project,
                                             const StackInput& input) const;

  // What compose labels the containers of each service with, so that it recreates them only when
  // it changes.
  absl::StatusOr<std::map<std::string, std::string>> ServiceHashes(const ActionScope& scope,
                                                                   const std::string& project,
                                                                   const StackInput& input) const;

  // `input` as this version takes it: with version 1 compose files without a top-level name and
  // one env file, written into `folder`.
  absl::StatusOr<StackInput> Prepare(const StackInput& input, const StackFolder& folder) const;

  bool is_version_1() const { return version_1_; }

 private:
  ComposeCommand(bool version_1, std::string engine)
      : version_1_(version_1), engine_(std::move(engine)) {}

  bool version_1_;
  std::string engine_;
};

}  // namespace fairlead::agent
