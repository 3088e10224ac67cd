// What the operator of the host lets this agent do, whatever the controller says.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// As given in the options of the program.
struct AllowOptions {
  // Words of AllowWords(); empty: everything.
  std::vector<std::string> words;
  // Absolute host paths that containers may mount and where repositories and stacks may lie; empty:
  // all of them.
  std::vector<std::string> paths;
  // Commands of resources that run on the host itself.
  bool host_commands = true;
  // What the agent writes for stacks and repositories lies below it, and may be mounted.
  std::string data_directory;
};

// "deploy", "logs", ...: what can be allowed, in order.
std::vector<std::string> AllowWords();

// The word of an action's kind; empty for a kind that is not known.
absl::string_view WordOf(v1::Action::BodyCase kind);

// Thread-safe. PermissionDenied, for all of it, names what is refused, the limit, and where it is
// set.
class AllowList {
 public:
  // InvalidArgument names the option that cannot be meant.
  static absl::StatusOr<AllowList> Make(AllowOptions options);
  // Everything.
  AllowList() = default;

  // All but what compose files say.
  absl::Status CheckAction(const v1::Action& action) const;
  absl::Status CheckLogs() const;
  // Of a resolved compose configuration.
  absl::Status CheckCompose(const boost::json::object& config) const;
  // `path` and what it leads to through links.
  absl::Status CheckPath(const std::string& path) const;
  // Whether paths are limited at all.
  bool limits_paths() const { return !options_.paths.empty(); }

  // For the log: "deploy, logs; mounts below /srv; no host commands". Empty when there is no limit.
  std::string Text() const;

 private:
  absl::Status CheckWord(absl::string_view word) const;
  absl::Status CheckCommands(const v1::Action& action) const;
  absl::Status CheckCommand(const std::string& script, absl::string_view what) const;
  absl::Status CheckPaths(const v1::Action& action) const;
  absl::Status CheckContainer(const v1::ContainerSpec& spec) const;
  // A part of a create request.
  absl::Status CheckHostConfig(const boost::json::object& host_config) const;
  absl::Status CheckService(const std::string& name, const boost::json::object& service) const;
  absl::Status CheckVolume(const boost::json::value& volume) const;
  absl::Status CheckOptionsOfRun(const v1::RunService& request) const;

  AllowOptions options_;
  // Allowed paths without links, the agent's own folders among them.
  std::vector<std::string> roots_;
};

}  // namespace fairlead::agent
