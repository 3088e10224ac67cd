// A whole Fairlead of real processes: controller, agents on private engines, a git repository.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "boost/json.hpp"
#include "integration/testing/engine.h"
#include "integration/testing/git_repository.h"
#include "integration/testing/process.h"
#include "integration/testing/small_disk.h"

namespace fairlead::integration {

struct FleetOptions {
  // Servers host-1.. with one engine each; 1 or 2.
  int servers = 1;
  // Of the sync "main".
  std::string poll_interval = "1s";
  // Instead of the file URL of the fleet's repository.
  std::string url;
  std::string webhook_secret = "open sesame";
  // More lines of the config of "main".
  std::string sync_config;
  // More [[resource_sync]] text.
  std::string more_bootstrap;
  // Text of the controller's file of accounts; empty: none.
  std::string accounts;
  // Path of the controller's age key, which need not be there; empty: none.
  std::string age_key;
  // Agents run in the networks of their engines, where they reach containers; the controller then
  // listens on a unix socket.
  bool agents_beside_containers = false;
  // The engine of the agents; empty: the shared ones, which are then those of engine().
  std::string docker_host;
  // Of the agents; replaces what the test has.
  std::map<std::string, std::string> agent_environment;
  // Mount a tmpfs of so many KiB as the controller's data directory; 0 is none. Needs root.
  int controller_disk_kib = 0;
  // The same for the agent of the last server.
  int last_agent_disk_kib = 0;
};

// One fleet per test, in a fresh folder below the build folder. The repository holds servers.toml
// from the start. Everything ends with it; when the test has failed, logs are printed first.
// Confined to one thread.
class MiniFleet {
 public:
  explicit MiniFleet(FleetOptions options = {});
  ~MiniFleet();
  MiniFleet(const MiniFleet&) = delete;
  MiniFleet& operator=(const MiniFleet&) = delete;

  // Controller and agents, until all servers are online.
  absl::Status Start();
  absl::Status StartController();
  absl::Status StartAgent(int server);
  // Arguments of the controller, for a second one with `data_dir`.
  std::vector<std::string> ControllerArguments(const std::string& data_dir,
                                               const std::string& listen) const;

  // Writes the file, commits, pushes, and asks the controller to fetch. Returns the commit.
  std::string PushFile(absl::string_view path, absl::string_view text);
  std::string PushRemoval(absl::string_view path);
  // Commits and pushes the working tree as it is.
  std::string Push(absl::string_view subject);

  // `fairlead ARGUMENTS`.
  CommandResult Cli(std::vector<std::string> arguments) const;
  // `fairlead ARGUMENTS -o json`; null when it is not JSON.
  boost::json::value CliJson(std::vector<std::string> arguments) const;
  boost::json::object Status() const { return AsObject(CliJson({"status"})); }
  // The status of a resource from `describe`, or empty when unknown: condition, reason, ...
  boost::json::object Resource(const std::string& kind, const std::string& name) const;
  // Condition without its prefix, such as "CONVERGED"; "" when the resource is unknown.
  std::string Condition(const std::string& kind_and_name) const;
  // Condition, reason and problems as one text, to search in.
  std::string Story(const std::string& kind_and_name) const;
  // state, reason and problems of a sync as one text.
  std::string SyncStory(const std::string& name = "main") const;

  absl::Status WaitConverged(absl::string_view commit,
                             absl::Duration patience = absl::Seconds(45)) const;
  absl::Status WaitCondition(const std::string& kind_and_name, const std::string& condition,
                             absl::Duration patience = absl::Seconds(45)) const;
  // Waits until the story of a resource, or of a sync when `kind_and_name` has no slash, holds
  // `text`.
  absl::Status WaitStory(const std::string& kind_and_name, const std::string& text,
                         absl::Duration patience = absl::Seconds(45)) const;
  // Waits until exactly one container of the resource exists, running, with the image.
  absl::Status WaitRunning(const std::string& resource, absl::string_view image, int server = 1,
                           absl::Duration patience = absl::Seconds(45)) const;

  GitRepository& repository() { return *repository_; }
  Engine& engine(int server = 1) const { return Engine::Shared(server); }
  Process& controller() { return controller_; }
  Process& agent(int server = 1) { return *agents_[static_cast<std::size_t>(server - 1)]; }
  // Null unless asked for.
  SmallDisk* controller_disk() { return controller_disk_.get(); }
  SmallDisk* last_agent_disk() { return last_agent_disk_.get(); }
  // "127.0.0.1:PORT"
  const std::string& grpc() const { return grpc_; }
  const std::string& http() const { return http_; }
  const std::string& directory() const { return directory_; }
  std::string controller_data() const { return directory_ + "/controller"; }
  std::string AgentData(int server) const;

  static boost::json::object AsObject(const boost::json::value& value);

 private:
  std::string DockerHost(int server) const;
  bool IsOnline(int server) const;
  void PrintLogs() const;

  const FleetOptions options_;
  const std::string directory_;
  std::unique_ptr<GitRepository> repository_;
  Process controller_;
  std::vector<std::unique_ptr<Process>> agents_;
  std::string grpc_;
  std::string http_;
  std::unique_ptr<SmallDisk> controller_disk_;
  std::unique_ptr<SmallDisk> last_agent_disk_;
};

// Path of one of our programs: in $FAIRLEAD_BIN, else of the same build.
std::string ProgramPath(absl::string_view name);

// A [[deployment]] with health_timeout 4 s.
struct DeploymentText {
  std::string name;
  std::string image = "fl/app:1";
  int server = 1;
  // Names, quoted and separated by commas: "\"db\"".
  std::string after;
  // How long it must run to count as well: more for what is to be seen exiting at once.
  std::string min_ready = "300ms";
  // More lines beside `name`, and more lines of the config table.
  std::string head;
  std::string config;
};
std::string ToToml(const DeploymentText& deployment);

}  // namespace fairlead::integration
