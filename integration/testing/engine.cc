#include "integration/testing/engine.h"

#include <errno.h>
#include <signal.h>

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {

namespace {

constexpr char kIdle[] = "trap \"exit 0\" TERM INT; while :; do sleep 3600 & wait $!; done";

std::string Tool(absl::string_view name) {
  return absl::StrCat(FAIRLEAD_SOURCE_DIR, "/tools/", name);
}

}  // namespace

Engine::Engine(std::string name, std::string directory)
    : name_(std::move(name)), directory_(std::move(directory)) {
  // What a killed run left would otherwise be found as if it were ours.
  MustRun({Tool("private_engine"), "remove", directory_});
}

Engine& Engine::Shared(int index) {
  // Made first, so that it still lives when the engines are removed at exit.
  base::Clock::Real();
  static std::unique_ptr<Engine> engines[3];
  auto& engine = engines[index];
  if (engine == nullptr) {
    engine.reset(new Engine(
        absl::StrCat("test-", index),
        absl::StrCat(FAIRLEAD_BINARY_DIR, "/engines/", program_invocation_short_name, "-", index)));
    const absl::Status started = engine->Start();
    EXPECT_TRUE(started.ok()) << started;
    engine->MakeImages(/*for_long=*/false);
  }
  return *engine;
}

std::unique_ptr<Engine> Engine::Live(const std::string& directory) {
  std::unique_ptr<Engine> engine(new Engine("live", directory));
  const absl::Status started = engine->Begin("live");
  EXPECT_TRUE(started.ok()) << started;
  engine->MakeImages(/*for_long=*/true);
  return engine;
}

Engine::~Engine() { RunCommand({Tool("private_engine"), "remove", directory_}); }

absl::Status Engine::Start() { return Begin("start"); }

absl::Status Engine::Begin(const std::string& command) {
  const CommandResult result = RunCommand({Tool("private_engine"), command, name_, directory_});
  if (result.exit_code != 0) {
    return absl::UnavailableError(absl::StrCat("private engine: ", result.err));
  }
  host_ = std::string(absl::StripTrailingAsciiWhitespace(result.out));
  return absl::OkStatus();
}

absl::Status Engine::Stop() {
  const CommandResult result = RunCommand({Tool("private_engine"), "stop", directory_});
  return result.exit_code == 0 ? absl::OkStatus() : absl::UnavailableError(result.err);
}

pid_t Engine::DaemonPid() const {
  int pid = 0;
  if (!absl::SimpleAtoi(base::ReadFile(directory_ + "/docker.pid").value_or(""), &pid)) return -1;
  // The number may be somebody else's by now; a zombie has no arguments.
  const auto arguments = base::ReadFile(absl::StrCat("/proc/", pid, "/cmdline"));
  return absl::StrContains(arguments.value_or(""), directory_) ? pid : -1;
}

bool Engine::SignalDaemon(int number) const {
  const pid_t pid = DaemonPid();
  return pid > 0 && kill(pid, number) == 0;
}

bool Engine::KillDaemon() const {
  if (!SignalDaemon(SIGKILL)) return false;
  EXPECT_OK(WaitFor("the end of dockerd", [this] { return DaemonPid() < 0; }));
  return true;
}

std::vector<std::string> Engine::AgainCommand() const {
  return {Tool("private_engine"), "again", directory_};
}

void Engine::MakeImages(bool for_long) const {
  const std::string ready = absl::StrCat("touch /tmp/ready; ", kIdle);
  const auto make = [&](absl::string_view image, std::vector<std::string> options) {
    options.insert(options.begin(), {Tool("make_image"), host_, absl::StrCat("fl/", image),
                                     "--interval", for_long ? "500ms" : "200ms"});
    MustRun(options);
  };
  for (const char* image : {"app:1", "app:2", "app:3"}) {
    const std::string check = for_long && image != std::string("app:1") ? "" : "test -f /tmp/ready";
    make(image, {"--healthcheck", check, "--cmd", ready});
  }
  for (const char* image : {"slow:1", "slow:2"}) {
    make(image, {"--healthcheck", "test -f /tmp/ready", "--cmd", absl::StrCat("sleep 2; ", ready),
                 "--retries", "100"});
  }
  make("exits:1", {"--cmd", "echo boom: bad option; exit 3"});
  make("sick:1", {"--healthcheck", "echo not well; false"});
  make("done:1", {"--cmd", "exit 0"});
}

std::string Engine::Docker(std::vector<std::string> arguments) const {
  std::vector<std::string> argv = {"docker", "-H", host_};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return MustRun(argv);
}

std::vector<EngineContainer> Engine::Containers(absl::string_view resource) const {
  std::string label = "label=dev.fairlead.resource";
  if (!resource.empty()) {
    absl::StrAppend(&label, "=", resource);
  }
  // The list races with removals; one that fails is taken again by the caller's poll.
  const CommandResult listed =
      RunCommand({"docker", "-H", host_, "ps", "-a", "--no-trunc", "--filter", label, "--format",
                  "{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Image}}"});
  std::vector<EngineContainer> containers;
  for (absl::string_view line : absl::StrSplit(listed.out, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    if (parts.size() == 4) {
      containers.push_back(
          {.id = parts[0], .name = parts[1], .state = parts[2], .image = parts[3]});
    }
  }
  return containers;
}

std::string Engine::IdOf(absl::string_view name) const {
  const CommandResult result = RunCommand({"docker", "-H", host_, "inspect", "--type", "container",
                                           "--format", "{{.Id}}", std::string(name)});
  return result.exit_code == 0 ? std::string(absl::StripTrailingAsciiWhitespace(result.out)) : "";
}

std::vector<std::string> Engine::InNetwork(const std::vector<std::string>& argv) const {
  std::vector<std::string> command = {Tool("private_engine"), "exec", directory_};
  command.insert(command.end(), argv.begin(), argv.end());
  return command;
}

void Engine::Clear() const {
  const std::string ids = Docker({"ps", "-aq"});
  if (!ids.empty()) {
    std::vector<std::string> arguments = {"rm", "-f", "-v"};
    for (absl::string_view id : absl::StrSplit(ids, '\n', absl::SkipEmpty())) {
      arguments.emplace_back(id);
    }
    Docker(arguments);
  }
  Docker({"network", "prune", "-f"});
  Docker({"volume", "prune", "-f"});
}

}  // namespace fairlead::integration
