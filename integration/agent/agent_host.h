// The agent's runtime on a private engine, without a controller.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/container_records.h"
#include "agent/docker_runtime.h"
#include "agent/secret_texts.h"
#include "base/mutex.h"
#include "fairlead/v1/action.pb.h"
#include "integration/testing/engine.h"

namespace fairlead::integration {

// Keeps its data below out/build/PRESET/itest/SUITE.TEST, which is emptied first. The program's
// first engine is shared and cleared. Confined to one thread, but for what runs behind Start.
class AgentHost {
 public:
  AgentHost();
  ~AgentHost();
  AgentHost(const AgentHost&) = delete;
  AgentHost& operator=(const AgentHost&) = delete;

  // Runs an action to its end; `resource` as "build/app". `id` is made up when it is empty.
  v1::ActionOutcome Run(v1::Action action);
  // As Run, cancelled once a line of its output has `sign`.
  v1::ActionOutcome RunAndCancelAt(const v1::Action& action, const std::string& sign);
  // As a new process would: what is in memory is gone.
  void Restart();

  // Of the last run: lines of output, with "-N" where N are left out, and the longest pause is
  // none.
  const std::vector<std::string>& lines() const { return lines_; }
  std::string Output() const;
  // Of the last run: phase and detail of each news of how far it is.
  const std::vector<std::string>& progress() const { return progress_; }
  // Command lines of all processes that were seen while the last action ran, asked for by
  // `WatchArguments`.
  const std::string& arguments_seen() const { return arguments_seen_; }
  // Looks at the arguments of all processes whenever a line of output comes.
  void WatchArguments() { watches_arguments_ = true; }

  const Engine& engine() const { return engine_; }
  const std::string& directory() const { return directory_; }
  std::string data() const { return directory_ + "/data"; }

  // A folder of the test, made.
  std::string Folder(const std::string& name) const;
  static void WriteFile(const std::string& path, const std::string& text, unsigned mode = 0644);
  // Every file below the data directory, and what containers and images there are.
  std::vector<std::string> PathsBelow(const std::string& folder) const;

 private:
  v1::ActionOutcome RunUntil(v1::Action action, const std::function<bool()>& is_cancelled);

  Engine& engine_;
  const std::string directory_;
  agent::SecretTexts secrets_;
  std::unique_ptr<agent::ContainerRecords> records_;
  std::unique_ptr<agent::DockerRuntime> runtime_;
  int next_id_ = 1;
  std::vector<std::string> lines_;
  std::vector<std::string> progress_;
  bool watches_arguments_ = false;
  std::string arguments_seen_;
};

}  // namespace fairlead::integration
