// Builds that follow their branch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"
#include "sync/made.h"

namespace fairlead::actions {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kFirst[] = "4f2a91c7";
constexpr char kSecond[] = "5e3b02d8";

std::string BuildOf(const std::string& config = "") {
  return absl::StrCat(
      "[[builder]]\nname = \"local\"\nconfig = { type = \"Server\", params = { server = \"edge\" } "
      "}\n[[build]]\nname = \"api\"\n[build.config]\nbuilder = \"local\"\nrepo = "
      "\"team/api\"\npoll_interval = \"1m\"\n",
      config);
}

class RunPollTest : public ::testing::Test {
 protected:
  RunPollTest() {
    world_.core.Connect("edge", 16);
    world_.core.head = kFirst;
    world_.Declare(BuildOf());
    world_.Settle();
  }
  // The repository moves, and the poll sees it.
  void MoveTo(const std::string& commit) {
    world_.core.head = commit;
    See(commit);
  }
  void See(const std::string& commit) {
    world_.driver->OnHead("build/api", commit);
    world_.Settle();
  }
  std::vector<v1::Run> Runs() const { return world_.Runs("build/api"); }
  std::string Built() const {
    const auto builds = world_.core.store->Load()->builds;
    return builds.empty() ? "" : builds[0].commit();
  }
  void Fail() { world_.core.faults["build/api"] = absl::UnknownError("make failed"); }

  RunWorld world_;
};

TEST_F(RunPollTest, WhatWasNeverBuiltIsBuilt) {
  ASSERT_THAT(Runs(), IsEmpty());
  See(kFirst);
  ASSERT_THAT(Runs(), SizeIs(1));
  EXPECT_EQ(Runs()[0].trigger(), v1::RUN_TRIGGER_POLL);
  EXPECT_EQ(Runs()[0].who(), "its branch");
  EXPECT_EQ(Runs()[0].why(), "at 4f2a91c");
  EXPECT_EQ(Built(), kFirst);
}

TEST_F(RunPollTest, OnlyAnotherCommitIsBuilt) {
  See(kFirst);
  See(kFirst);
  EXPECT_THAT(Runs(), SizeIs(1));
  MoveTo(kSecond);
  EXPECT_THAT(Runs(), SizeIs(2));
  EXPECT_EQ(Built(), kSecond);
}

TEST_F(RunPollTest, WhatIsUnderWayIsWaitedForAndMayBeThatCommit) {
  See(kFirst);
  world_.core.head = kSecond;
  world_.hosts_hang = true;
  world_.Start("build/api");
  world_.Settle();
  See(kSecond);
  EXPECT_EQ(world_.Sent("build_image build/api"), 2);
  world_.hosts_hang = false;
  world_.Settle();
  EXPECT_EQ(Built(), kSecond);
  EXPECT_THAT(Runs(), SizeIs(2));
}

TEST_F(RunPollTest, ACommitThatFailsIsNotTriedAgainAlsoAfterARestart) {
  Fail();
  MoveTo(kSecond);
  ASSERT_THAT(Runs(), SizeIs(1));
  EXPECT_EQ(Runs()[0].state(), v1::RUN_STATE_FAILED);
  See(kSecond);
  EXPECT_THAT(Runs(), SizeIs(1));
  world_.Restart();
  world_.DeclareAgain();
  world_.core.core->OnJournal("edge", 1, v1::JournalReport(), world_.core.now);
  world_.core.Connect("edge", 16);
  world_.Settle();
  See(kSecond);
  EXPECT_THAT(Runs(), SizeIs(1));
  world_.core.faults.clear();
  MoveTo(kFirst);
  EXPECT_EQ(Built(), kFirst);
  EXPECT_EQ(world_.core.ConditionOf("build/api"), v1::CONDITION_CONVERGED);
}

TEST_F(RunPollTest, AnotherDeclarationIsTriedAtTheSameCommit) {
  Fail();
  MoveTo(kSecond);
  world_.core.faults.clear();
  world_.Declare(BuildOf("build_path = \"app\"\n"));
  world_.Settle();
  See(kSecond);
  EXPECT_EQ(Built(), kSecond);
}

TEST_F(RunPollTest, WhatIsDeclaredNoMoreIsNotBuilt) {
  world_.Declare("");
  world_.Settle();
  See(kSecond);
  EXPECT_THAT(Runs(), IsEmpty());
  EXPECT_FALSE(world_.core.HasEvent("poll-refused", "build/api"));
}

TEST_F(RunPollTest, WhatCannotRunIsSaid) {
  world_.Declare(BuildOf("enviroment = \"A=1\"\n"));
  world_.Settle();
  See(kSecond);
  EXPECT_THAT(Runs(), IsEmpty());
  EXPECT_TRUE(world_.core.HasEvent("poll-refused", "build/api"));
}

}  // namespace
}  // namespace fairlead::actions
