// What waits for a person does so over a restart of the controller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/core.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Web(const std::string& image) {
  return absl::StrCat("[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n",
                      "config.server = \"edge\"\nconfig.image = \"", image, "\"\n");
}

class CoreAttemptsTest : public ::testing::Test {
 protected:
  CoreAttemptsTest() {
    world_.Connect("edge");
    world_.Commit(Web("web:1"), "r1");
    world_.Settle();
  }

  // The second image is tried and refused.
  void Fail(const absl::Status& why) {
    world_.faults["deployment/web"] = why;
    world_.Commit(Web("web:2"), "r2");
    world_.Settle();
    world_.faults.clear();
  }
  void RestartWith(const std::string& toml) {
    world_.Restart();
    world_.sent.clear();
    world_.Commit(toml, "r2");
    world_.core->OnJournal("edge", ++session_, v1::JournalReport(), world_.now);
    world_.Connect("edge");
    world_.Settle(absl::Hours(2));
  }
  std::vector<v1::AttemptRecord> Kept() { return world_.store->Load()->attempts; }
  std::string Image() { return world_.hosts["edge"].Find("web")->image(); }

  CoreWorld world_;
  uint64_t session_ = 0;
};

TEST_F(CoreAttemptsTest, WhatNoWaitingHelpsIsNotTriedAgainAfterARestart) {
  Fail(absl::InvalidArgumentError("post_deploy ended with 1"));
  ASSERT_EQ(Kept().size(), 1u);
  RestartWith(Web("web:2"));
  EXPECT_THAT(world_.sent, IsEmpty());
  EXPECT_EQ(world_.ConditionOf("deployment/web"), v1::CONDITION_DEGRADED);
  const auto& decision = world_.core->view()->result.decisions.at({"deployment", "web"});
  EXPECT_THAT(decision->gate.reason(), HasSubstr("post_deploy ended with 1"));
}

TEST_F(CoreAttemptsTest, ARetryEndsTheWaitForGood) {
  Fail(absl::InvalidArgumentError("post_deploy ended with 1"));
  RestartWith(Web("web:2"));
  ASSERT_TRUE(world_.core
                  ->OnRequest({.kind = OperatorRequest::Kind::kRetry, .resource = "deployment/web"},
                              world_.now)
                  .ok());
  world_.Settle();
  EXPECT_EQ(Image(), "web:2");
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(CoreAttemptsTest, AnotherTargetIsTriedAtOnceAndTheRecordGoesWithItsSuccess) {
  Fail(absl::InvalidArgumentError("post_deploy ended with 1"));
  RestartWith(Web("web:3"));
  EXPECT_EQ(Image(), "web:3");
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(CoreAttemptsTest, APauseIsNotKept) {
  Fail(absl::UnavailableError("registry away"));
  EXPECT_THAT(Kept(), IsEmpty());
  RestartWith(Web("web:2"));
  EXPECT_EQ(Image(), "web:2");
}

TEST_F(CoreAttemptsTest, WhatIsDeclaredNoMoreLeavesNoRecord) {
  const std::string other =
      "[[deployment]]\nname = \"new\"\nconfig.server = \"edge\"\nconfig.image = \"a:1\"\n";
  world_.faults["deployment/new"] = absl::InvalidArgumentError("no such driver");
  world_.Commit(Web("web:1") + other, "r2");
  world_.Settle();
  ASSERT_EQ(Kept().size(), 1u);
  EXPECT_EQ(Kept()[0].resource(), "deployment/new");
  world_.Commit(Web("web:1"), "r3");
  world_.Settle();
  EXPECT_THAT(Kept(), IsEmpty());
}

}  // namespace
}  // namespace fairlead::loop
