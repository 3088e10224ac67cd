// A whole Fairlead of real processes for a chaos run: a controller, three agents on private
// engines, links between them, a git repository, and containers that are none of its business.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "integration/chaos/database.h"
#include "integration/chaos/links.h"
#include "integration/chaos/observation.h"
#include "integration/chaos/world.h"
#include "integration/testing/authority.h"
#include "integration/testing/engine.h"
#include "integration/testing/git_repository.h"
#include "integration/testing/process.h"
#include "integration/testing/small_disk.h"

namespace fairlead::chaos {

// A program that is started again when it ends, as by a service manager. Confined to one thread.
class Service {
 public:
  Service(std::string name, std::vector<std::string> argv, std::string log,
          std::map<std::string, std::string> environment = {});

  absl::Status Start();
  // SIGKILL; stays down until Start.
  void Kill();
  void Signal(int number) { process_.Signal(number); }
  // Starts it when it has ended by itself; returns how it did when a signal was the cause.
  std::string Supervise();
  bool is_wanted() const { return wanted_; }
  const std::string& name() const { return name_; }
  const std::string& log() const { return log_; }

 private:
  const std::string name_;
  const std::vector<std::string> argv_;
  const std::string log_;
  const std::map<std::string, std::string> environment_;
  integration::Process process_;
  bool wanted_ = false;
};

// One server. Confined to one thread.
struct Host {
  Host() = default;
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  int server = 1;
  std::unique_ptr<integration::Engine> engine;
  std::unique_ptr<Service> agent;
  // Prints the events of the engine; ends with dockerd.
  std::unique_ptr<Service> events;
  // `private_engine again`, while it runs.
  integration::Process again;
  // The agent's data.
  std::optional<integration::SmallDisk> disk;
};

// Everything ends with it; logs stay in its directory. Needs root. Confined to one thread.
class Fleet {
 public:
  // `network` names its namespaces, at most 8 characters. The directory is emptied first.
  // With two controllers they share a PostgreSQL database.
  Fleet(const std::string& directory, const std::string& network, int controllers = 1);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // With `first` as the first commit, which is returned.
  absl::StatusOr<std::string> Start(const World& first);

  // Commits and pushes all files of the world, and asks the controller to fetch, without waiting.
  std::string Push(const World& world, const std::string& subject);
  // `fairlead ARGUMENTS`, and the same without waiting for the answer.
  integration::CommandResult Cli(const std::vector<std::string>& arguments) const;
  void Ask(const std::vector<std::string>& arguments);
  // Ends questions that nobody has answered.
  void EndQuestions();

  Observation Observe() const;
  // Only what the engines say.
  std::vector<SeenContainer> Containers(int server) const;
  // Since the start.
  std::vector<EngineEvent> Events() const;
  // Lines with secrets in what our programs have printed since the last call.
  std::vector<std::string> SecretsInLogs();
  // Starts again what has ended by itself; returns what a signal has ended.
  std::vector<std::string> Supervise();

  // From 1.
  Service& controller(int number = 1) {
    return *controllers_.at(static_cast<std::size_t>(number - 1));
  }
  int controllers() const { return controller_count_; }
  // Null with one controller.
  Database* database() { return database_.get(); }
  Host& host(int server) { return *hosts_.at(static_cast<std::size_t>(server - 1)); }
  const Links& links() const { return links_; }
  void MoveClock(absl::Duration jump);
  const std::string& directory() const { return directory_; }

 private:
  void MakeHost(int server);
  void MakeBystanders(int server) const;
  void MakeControllers();
  std::unique_ptr<Service> MakeController(int number) const;
  // The first one alone, then the others with its authority and keys.
  absl::Status StartControllers();
  // All addresses, with commas.
  std::string ControllersAt(const std::string& host) const;
  void WriteFiles(const World& world) const;
  std::vector<std::string> CliArguments(const std::vector<std::string>& arguments,
                                        int controller) const;

  const std::string directory_;
  Links links_;
  integration::Authority authority_;
  integration::GitRepository repository_;
  const int controller_count_;
  std::unique_ptr<Database> database_;
  std::vector<std::unique_ptr<Service>> controllers_;
  std::array<std::unique_ptr<Host>, kServers> hosts_;
  std::vector<std::unique_ptr<integration::Process>> questions_;
  absl::Duration clock_offset_;
  // How much of each log has been searched.
  std::map<std::string, std::size_t> searched_;
};

}  // namespace fairlead::chaos
