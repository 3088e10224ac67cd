#include "agent/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agent/engine_json.h"
#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// deployment/web runs with spec "one"; its successor meets an obstacle.
class PreflightTest : public RuntimeFixture {
 protected:
  PreflightTest() { EXPECT_EQ(Run(Apply("a1", "one")).status(), v1::ACTION_STATUS_SUCCEEDED); }

  void ExpectNothingChanged(const v1::Action& action, const std::string& why) {
    const std::vector<std::string> before = engine_.Changes();
    const v1::ActionOutcome outcome = Run(action);
    EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
    EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(outcome.message(), HasSubstr(why));
    EXPECT_THAT(outcome.message(), HasSubstr("nothing was changed"));
    EXPECT_EQ(engine_.Changes(), before);
    EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:one");
  }
};

TEST_F(PreflightTest, AnImageOfAnotherArchitectureStopsNothing) {
  engine_.AddImage("app:arm", "arm64");
  v1::Action action = Apply("a2", "two");
  action.mutable_apply_container()->mutable_spec()->set_image("app:arm");
  ExpectNothingChanged(action, "image app:arm is for arm64, this host is amd64");
}

TEST_F(PreflightTest, AMissingNetworkStopsNothingUntilItIsThere) {
  v1::Action action = Apply("a2", "two");
  action.mutable_apply_container()->mutable_spec()->set_network("backend");
  ExpectNothingChanged(action, "there is no network backend");
  engine_.AddNetwork("backend");
  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(PreflightTest, APortOfAnotherContainerStopsNothingAndItsOwnIsNoObstacle) {
  v1::Action action = Apply("a2", "two");
  v1::ContainerSpec::Port& port = *action.mutable_apply_container()->mutable_spec()->add_ports();
  port.set_host_ip("127.0.0.1");
  port.set_host_port(9090);
  port.set_container_port(90);
  port.set_protocol("tcp");
  v1::ContainerSpec other;
  other.set_image("app:1");
  *other.add_ports() = port;
  engine_.AddContainer("other", ToCreateBody(other, {}), "running");
  ExpectNothingChanged(action, "port 127.0.0.1:9090/tcp is taken by container other");
  engine_.Exit("other", 0);
  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(PreflightTest, AFullDiskStopsNothing) {
  // A file system without a single free block.
  engine_.SetDataRoot("/proc");
  // It asks once.
  RestartAgent();
  ExpectNothingChanged(Apply("a2", "two"), "0 MiB left in /proc");
}

TEST_F(PreflightTest, ALookAheadPullsTheImageAndLeavesTheContainer) {
  v1::Action action = Apply("a2", "two");
  v1::ApplyContainer apply = action.apply_container();
  apply.mutable_spec()->set_image("app:9");
  *action.mutable_check()->mutable_apply() = apply;

  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);

  const EngineClient client(engine_.address(), base::Clock::Real());
  EXPECT_TRUE(client.ImageId("app:9", {}).ok());
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:one");
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(PreflightTest, ALookAheadFindsWhatTheStepWouldFind) {
  v1::Action action = Apply("a2", "two");
  v1::ApplyContainer apply = action.apply_container();
  apply.mutable_spec()->set_network("backend");
  *action.mutable_check()->mutable_apply() = apply;
  ExpectNothingChanged(action, "there is no network backend");
}

TEST(CanRunArchitectureTest, TakesTheOlderOneOfAFamily) {
  EXPECT_TRUE(CanRunArchitecture("amd64", "amd64"));
  EXPECT_TRUE(CanRunArchitecture("amd64", "386"));
  EXPECT_TRUE(CanRunArchitecture("arm64", "arm"));
  EXPECT_FALSE(CanRunArchitecture("arm", "arm64"));
  EXPECT_FALSE(CanRunArchitecture("amd64", "arm64"));
}

}  // namespace
}  // namespace fairlead::agent
