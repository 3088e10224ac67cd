// Replacements that fail, and what is known of it afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/core.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::IsEmpty;

std::string StartFirst(const std::string& image) {
  return absl::StrCat(
      "[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\nconfig.server = \"edge\"\n"
      "config.network = \"apps\"\nconfig.strategy = \"start_first\"\n"
      "config.termination_timeout = 40\nconfig.image = \"",
      image, "\"\n");
}

TEST(CoreReplacementTest, StartsTheNewOneFirstWhenAskedTo) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(StartFirst("web:1"), "r1");
  world.Settle();
  world.Commit(StartFirst("web:2"), "r2");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_TRUE(world.pending[0].action.apply_container().start_first());
  world.Perform();
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:1");
  world.now += absl::Seconds(5);
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_TRUE(world.pending[0].action.finish_replacement().must_run());
  EXPECT_EQ(world.pending[0].action.deadline().seconds(), 180 + 40 + 40)
      << "both have their time to end";
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:2");
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 1u);
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST(CoreReplacementTest, GoesBackToOneThatHasNeverStopped) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(StartFirst("web:1"), "r1");
  world.Settle();
  const std::string good = world.hosts["edge"].Find("web")->id();
  world.Commit(StartFirst("web:broken"), "r2");
  world.Pass();
  world.Perform();
  v1::Container* made = world.hosts["edge"].Find("web.fairlead-new");
  made->set_state(v1::CONTAINER_STATE_EXITED);
  made->set_exit_code(1);
  made->set_log_tail("boom");
  world.Report("edge");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_DEGRADED);
  ASSERT_EQ(world.hosts["edge"].live.containers.size(), 1u);
  EXPECT_EQ(world.hosts["edge"].Find("web")->id(), good);
  ASSERT_EQ(world.store->Load()->failed_specs.size(), 1u);
  EXPECT_EQ(world.store->Load()->failed_specs[0].log_tail(), "boom");
}

void MakeUnhealthy(CoreWorld& world, const std::string& container) {
  world.hosts["edge"].Find(container)->set_health(v1::CONTAINER_HEALTH_UNHEALTHY);
  world.Report("edge");
}

TEST(CoreReplacementTest, WhatFailedIsNotTriedAgainBecauseTheDeclarationCannotBeRead) {
  CoreWorld world;
  world.Connect("edge");
  for (const std::string image : {"web:1", "web:2"}) {
    world.Commit(StartFirst(image), image);
    world.Pass();
    world.Perform();
    MakeUnhealthy(world, image == "web:1" ? "web" : "web.fairlead-new");
    world.Settle(absl::Minutes(10));
  }
  ASSERT_EQ(world.store->Load()->failed_specs.size(), 2u);
  const std::string served = world.hosts["edge"].Find("web")->image();
  world.sent.clear();
  world.Commit(StartFirst("web:2") + "config.imgae = \"typo\"\n", "r3");
  world.Settle(absl::Minutes(20));
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), served);
}

TEST(CoreReplacementTest, WhatBecomesHealthyAfterAllHasNotFailed) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(StartFirst("web:1"), "r1");
  world.Pass();
  world.Perform();
  MakeUnhealthy(world, "web");
  world.Settle(absl::Minutes(10));
  ASSERT_EQ(world.store->Load()->failed_specs.size(), 1u);
  world.hosts["edge"].Find("web")->set_health(v1::CONTAINER_HEALTH_HEALTHY);
  world.Report("edge");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_THAT(world.store->Load()->failed_specs, IsEmpty());
  world.Restart();
  world.Connect("edge");
  world.Commit(StartFirst("web:1"), "r1");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

}  // namespace
}  // namespace fairlead::loop
