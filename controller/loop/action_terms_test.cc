#include "controller/loop/action_terms.h"

#include <gtest/gtest.h>

#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

// Of the only action that a commit of these lines of the config leads to.
absl::Duration DeadlineWith(const std::string& config) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(absl::StrCat("[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n",
                            "[deployment.config]\nserver = \"edge\"\nimage = \"web:1\"\n", config),
               "r1");
  world.Pass();
  if (world.pending.size() != 1) return absl::ZeroDuration();
  return base::FromProto(world.pending[0].action.deadline());
}

TEST(ActionTermsTest, DefaultLeavesTimeToStop) {
  // Nothing runs yet: 10 s are Docker's own.
  EXPECT_EQ(DeadlineWith(""), absl::Minutes(15) + absl::Seconds(10));
}

TEST(ActionTermsTest, ADeadlineThatIsGivenCounts) {
  EXPECT_EQ(DeadlineWith("action_timeout = \"90s\"\n"), absl::Seconds(90));
}

TEST(ActionTermsTest, AnOperatorsRestartStopsAsTheContainerWantsIt) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(
      "[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n[deployment.config]\n"
      "server = \"edge\"\nimage = \"web:1\"\ntermination_timeout = 300\n",
      "r1");
  world.Settle();
  ASSERT_TRUE(
      world.core
          ->OnRequest(
              {.kind = OperatorRequest::Kind::kRestart, .resource = "deployment/web", .who = "ann"},
              world.now)
          .ok());
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  const v1::Action& action = world.pending[0].action;
  EXPECT_EQ(action.restart().timeout_seconds(), 300);
  EXPECT_EQ(base::FromProto(action.deadline()), absl::Minutes(3) + absl::Seconds(300));
}

}  // namespace
}  // namespace fairlead::loop
