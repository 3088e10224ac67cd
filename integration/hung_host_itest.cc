// One host that does not go on delays nothing elsewhere, and catches up.
#include <signal.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;

// Far less than any deadline of an action or a stream.
constexpr absl::Duration kSoon = absl::Seconds(15);

// `here` on host-1 goes on whatever becomes of `there` on host-2.
class HungHostTest : public testing::Test {
 protected:
  HungHostTest() : fleet_({.servers = 2, .last_agent_disk_kib = 512}) {}
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "a small disk needs root to mount";
    ASSERT_OK(fleet_.Start());
    ASSERT_OK(fleet_.WaitConverged(Deploy("fl/app:1")));
  }

  // Both in one commit.
  std::string Deploy(const std::string& image) {
    return fleet_.PushFile("all.toml",
                           absl::StrCat(ToToml({.name = "here", .image = image}),
                                        ToToml({.name = "there", .image = image, .server = 2})));
  }
  // With host-2 hung: a commit and a heal on host-1 are done soon.
  std::string ExpectHost1GoesOn() {
    const std::string commit = Deploy("fl/app:2");
    EXPECT_OK(fleet_.WaitRunning("deployment/here", "fl/app:2", 1, kSoon));
    EXPECT_OK(fleet_.WaitCondition("deployment/here", "CONVERGED", kSoon));
    const std::string before = fleet_.engine(1).IdOf("here");
    fleet_.engine(1).Docker({"rm", "-f", "here"});
    EXPECT_OK(WaitFor(
        "the heal on host-1",
        [&] {
          const std::string now = fleet_.engine(1).IdOf("here");
          return !now.empty() && now != before;
        },
        kSoon));
    EXPECT_NE(fleet_.Condition("deployment/there"), "CONVERGED");
    return commit;
  }
  void ExpectHost2CatchesUp(const std::string& commit) {
    EXPECT_OK(fleet_.WaitConverged(commit, absl::Seconds(90)));
    EXPECT_OK(fleet_.WaitRunning("deployment/there", "fl/app:2", 2));
  }

  MiniFleet fleet_;
};

TEST_F(HungHostTest, AnEngineThatIsStopped) {
  ASSERT_TRUE(fleet_.engine(2).SignalDaemon(SIGSTOP));
  const std::string commit = ExpectHost1GoesOn();
  ASSERT_TRUE(fleet_.engine(2).SignalDaemon(SIGCONT));
  ExpectHost2CatchesUp(commit);
}

TEST_F(HungHostTest, AnAgentThatIsStopped) {
  fleet_.agent(2).Signal(SIGSTOP);
  const std::string commit = ExpectHost1GoesOn();
  fleet_.agent(2).Signal(SIGCONT);
  ExpectHost2CatchesUp(commit);
}

TEST_F(HungHostTest, AnAgentWhoseDiskIsFull) {
  fleet_.last_agent_disk()->Fill();
  const std::string commit = ExpectHost1GoesOn();
  EXPECT_OK(fleet_.WaitStory("deployment/there", "No space left"));
  EXPECT_NE(fleet_.engine(2).IdOf("there"), "") << "what runs goes on";
  fleet_.last_agent_disk()->Empty();
  ExpectHost2CatchesUp(commit);
}

}  // namespace
}  // namespace fairlead::integration
