// What a core takes away: for good, or from a former place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/core.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;

TEST(CoreRemovalTest, RemovesWhatIsNoLongerDeclared) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  const std::string all = kPair;
  world.Commit(all.substr(0, all.find("[[deployment]]\nname = \"web\"")), "r2");
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("remove deployment/web"));
  EXPECT_TRUE(world.store->Load()->inventory.size() == 1);
}

TEST(CoreRemovalTest, RemovesWhatWasMadeAfterItsDeclarationWent) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(absl::StrCat(kPair,
                            "[[deployment]]\nname = \"late\"\nconfig.server = \"edge\"\n"
                            "config.image = \"late:1\"\n"),
               "r2");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  // The create is still under way when the declaration goes.
  world.Commit(kPair, "r3");
  world.Pass();
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 2u);
  EXPECT_EQ(world.store->Load()->inventory.size(), 2u);
}

TEST(CoreRemovalTest, RemovesWhatAFailedCreateHasLeft) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(absl::StrCat(kPair,
                            "[[deployment]]\nname = \"late\"\nconfig.server = \"edge\"\n"
                            "config.image = \"late:1\"\n"),
               "r2");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  // The container is made, but the engine breaks off and the agent cannot tell.
  world.Perform();
  ASSERT_EQ(world.hosts["edge"].live.containers.size(), 3u);
  v1::InventoryEntry entry;
  const store::StoreImage image = *world.store->Load();
  for (const auto& one : image.inventory) {
    if (one.resource() == "deployment/late") entry = one;
  }
  EXPECT_EQ(entry.origin(), "bootstrap");
  EXPECT_EQ(entry.server(), "edge");
  EXPECT_FALSE(entry.has_applied());
  world.Restart();
  world.Commit(kPair, "r3");
  world.core->OnJournal("edge", 1, v1::JournalReport(), world.now);
  world.Report("edge");
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 2u);
  EXPECT_EQ(world.store->Load()->inventory.size(), 2u);
}

TEST(CoreRemovalTest, AMoveThatHasBegunIsFinishedWhateverHappensToItsDependency) {
  const auto files = [](const std::string& server, const std::string& db, const std::string& heal) {
    return absl::StrCat(
        "[[server]]\nname = \"edge\"\n[[server]]\nname = \"far\"\n[[deployment]]\nname = \"db\"\n",
        "state = \"", db, "\"\nconfig.image = \"db:1\"\nconfig.server = \"far\"\n",
        "[[deployment]]\nname = \"web\"\nafter = [\"db\"]\nheal = ", heal,
        "\nconfig.image = \"web:1\"\nconfig.server = \"", server, "\"\n");
  };
  for (const std::string heal : {"true", "false"}) {
    CoreWorld world;
    world.Connect("edge");
    world.Connect("far");
    world.Commit(files("edge", "running", heal), "r1");
    world.Settle();
    world.sent.clear();
    world.Commit(files("far", "running", heal), "r2");
    world.Pass();
    ASSERT_THAT(world.sent, ElementsAre("remove deployment/web"));

    world.Commit(files("far", "stopped", heal), "r3");
    world.Settle();

    EXPECT_NE(world.hosts["far"].Find("web"), nullptr) << "heal = " << heal;
    EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
    EXPECT_EQ(world.ConditionOf("deployment/db"), v1::CONDITION_STOPPED);
  }
}

TEST(CoreRemovalTest, AMoveRemovesWhereTheContainersAre) {
  const std::string servers = "[[server]]\nname = \"edge\"\n[[server]]\nname = \"far\"\n";
  const std::string web =
      "[[deployment]]\nname = \"web\"\nconfig.image = \"web:1\"\nconfig.server = ";
  CoreWorld world;
  world.Connect("edge");
  world.Connect("far");
  world.Commit(servers + web + "\"far\"\n", "r1");
  world.Settle();
  // The inventory says so, but the container turns up elsewhere.
  v1::Container container = *world.hosts["far"].live.containers.begin()->second;
  world.hosts["far"].Remove("web");
  world.Report("far");
  world.hosts["edge"].Put(container);
  world.Report("edge");
  world.sent.clear();
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("remove deployment/web", "apply_container deployment/web"));
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 0u);
  EXPECT_EQ(world.hosts["far"].live.containers.size(), 1u);
}

TEST(CoreRemovalTest, ARemovalThatLeftSomethingIsTriedAgain) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  const std::string all = kPair;
  world.Commit(all.substr(0, all.find("[[deployment]]\nname = \"web\"")), "r2");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  // The engine hid the container from the agent, which therefore had nothing to do.
  v1::ActionOutcome outcome;
  outcome.set_action_id(world.pending.front().action.id());
  outcome.set_status(v1::ACTION_STATUS_SUCCEEDED);
  world.pending.clear();
  world.core->OnOutcome("edge", outcome, world.now);
  world.Pass();
  EXPECT_EQ(world.store->Load()->inventory.size(), 2u);
  EXPECT_TRUE(world.HasEvent("step-failed", "deployment/web"));
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("remove deployment/web", "remove deployment/web"));
  EXPECT_EQ(world.store->Load()->inventory.size(), 1u);
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 1u);
}

}  // namespace
}  // namespace fairlead::loop
