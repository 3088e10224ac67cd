// A runtime on a fake engine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/container_records.h"
#include "agent/docker_runtime.h"
#include "agent/secret_texts.h"
#include "agent/testing/fake_engine.h"
#include "base/clock.h"
#include "base/testing/scratch_folder.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

inline constexpr char kTestInstallation[] = "inst";

// Every restart of the agent is a new runtime on the same folder and engine.
class RuntimeFixture : public ::testing::Test {
 protected:
  RuntimeFixture();

  // A new agent process.
  void RestartAgent();

  v1::ActionOutcome Run(const v1::Action& action);

  // ApplyContainer of deployment/web, image "app:1", port 8080, restart unless-stopped.
  static v1::Action Apply(const std::string& id, const std::string& hash);
  // As Apply, of a container in network "apps" that publishes nothing; start_first.
  static v1::Action ApplyFirst(const std::string& id, const std::string& hash);
  static v1::Action Finish(const std::string& id, v1::FinishReplacement::Keep keep);
  static v1::Action ActionOf(const std::string& id, const std::string& resource = "deployment/web");

  base::ScratchFolder folder_;
  FakeEngine engine_;
  SecretTexts secrets_;
  std::unique_ptr<ContainerRecords> records_;
  std::unique_ptr<DockerRuntime> runtime_;
  // As reported by the last Run.
  std::vector<v1::ActionProgress> progress_;
  // The next Run is cancelled from the start of this phase on.
  std::string cancel_at_phase_;
};

}  // namespace fairlead::agent
