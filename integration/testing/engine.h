// A private Docker engine, shared by the tests of one program or of one owner.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::integration {

struct EngineContainer {
  std::string id;
  std::string name;
  // As Docker says: "running", "exited", "created"...
  std::string state;
  std::string image;
};

// An engine made by tools/private_engine below the build folder, with these local images:
//   fl/app:1, fl/app:2, fl/app:3  healthy at once; /etc/image says which
//   fl/slow:1, fl/slow:2          healthy 2 s after the start
//   fl/exits:1                    prints "boom: bad option" and exits with 3
//   fl/sick:1                     runs, never healthy
//   fl/done:1                     exits with 0
// Confined to one thread.
class Engine {
 public:
  // The `index`th engine of this program, 1 or 2; started on first use, removed at exit.
  static Engine& Shared(int index);
  // One of the caller's own in `directory`, whose containers survive a killed dockerd. It lives
  // long: checks run every 500 ms, and fl/app:2 and fl/app:3 have none.
  static std::unique_ptr<Engine> Live(const std::string& directory);

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  absl::Status Start();
  // As a service manager does: containers stop; those with a restart policy come back.
  absl::Status Stop();

  // Of a live one: signals its dockerd alone. False when none runs.
  bool SignalDaemon(int number) const;
  // SIGKILL, and waits for its end.
  bool KillDaemon() const;
  // The command that starts a killed dockerd over all that lives.
  std::vector<std::string> AgainCommand() const;

  // "unix://..."
  const std::string& host() const { return host_; }
  // Standard output of `docker ARGUMENTS`; a test failure when it fails.
  std::string Docker(std::vector<std::string> arguments) const;
  // All containers of a resource ("deployment/web"), or all with the label when empty.
  std::vector<EngineContainer> Containers(absl::string_view resource = "") const;
  // Id of a container by name, or "" when there is none.
  std::string IdOf(absl::string_view name) const;
  // The command that runs `argv` in the engine's network namespace, as the same process.
  std::vector<std::string> InNetwork(const std::vector<std::string>& argv) const;
  // Removes all containers, networks and volumes.
  void Clear() const;

 private:
  Engine(std::string name, std::string directory);
  absl::Status Begin(const std::string& command);
  pid_t DaemonPid() const;
  void MakeImages(bool for_long) const;

  const std::string name_;
  const std::string directory_;
  std::string host_;
};

}  // namespace fairlead::integration
