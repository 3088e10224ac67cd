#include "integration/testing/engine.h"

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"

namespace fairlead::integration {

namespace {

constexpr char kIdle[] = "trap \"exit 0\" TERM INT; while :; do sleep 3600 & wait $!; done";

std::string Tool(absl::string_view name) {
  return absl::StrCat(FAIRLEAD_SOURCE_DIR, "/tools/", name);
}

}  // namespace

Engine::Engine(int index)
    : index_(index), directory_(absl::StrCat(FAIRLEAD_BINARY_DIR, "/engines/", index)) {}

Engine& Engine::Shared(int index) {
  // Made first, so that it still lives when the engines are removed at exit.
  base::Clock::Real();
  static std::unique_ptr<Engine> engines[3];
  auto& engine = engines[index];
  if (engine == nullptr) {
    engine.reset(new Engine(index));
    // What a killed run left would otherwise be found as if it were ours.
    MustRun({Tool("private_engine"), "remove", engine->directory_});
    const absl::Status started = engine->Start();
    EXPECT_TRUE(started.ok()) << started;
    engine->MakeImages();
  }
  return *engine;
}

Engine::~Engine() { RunCommand({Tool("private_engine"), "remove", directory_}); }

absl::Status Engine::Start() {
  const CommandResult result =
      RunCommand({Tool("private_engine"), "start", absl::StrCat("test-", index_), directory_});
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

void Engine::MakeImages() const {
  const std::string make = Tool("make_image");
  const std::string ready = absl::StrCat("touch /tmp/ready; ", kIdle);
  for (const char* version : {"1", "2", "3"}) {
    MustRun({make, host_, absl::StrCat("fl/app:", version), "--healthcheck", "test -f /tmp/ready",
             "--cmd", ready});
  }
  for (const char* version : {"1", "2"}) {
    MustRun({make, host_, absl::StrCat("fl/slow:", version), "--healthcheck", "test -f /tmp/ready",
             "--cmd", absl::StrCat("sleep 2; ", ready), "--retries", "100"});
  }
  MustRun({make, host_, "fl/exits:1", "--cmd", "echo boom: bad option; exit 3"});
  MustRun({make, host_, "fl/sick:1", "--healthcheck", "echo not well; false"});
  MustRun({make, host_, "fl/done:1", "--cmd", "exit 0"});
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
