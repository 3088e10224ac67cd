#include "sync/live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fairlead::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::Container Make(const std::string& id, const std::string& name,
                   const std::string& resource = "") {
  v1::Container container;
  container.set_id(id);
  container.set_name(name);
  container.set_resource(resource);
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  (*container.mutable_section_hash())["image"] = "a";
  (*container.mutable_section_hash())["command"] = "b";
  return container;
}

HostLive Empty() {
  HostLive host;
  host.server = "edge-1";
  host.generation = 7;
  return host;
}

v1::HostState TwoContainers() {
  v1::HostState state;
  state.set_engine_up(true);
  state.mutable_engine()->set_cpus(4);
  *state.add_containers() = Make("c1", "web", "deployment/web");
  *state.add_containers() = Make("c2", "other");
  v1::Project* project = state.add_projects();
  project->set_resource("stack/shop");
  project->set_name("shop");
  return state;
}

TEST(ApplySnapshotTest, TakesTheWholeState) {
  const auto host = ApplySnapshot(Empty(), TwoContainers());
  EXPECT_TRUE(host->online);
  EXPECT_TRUE(host->engine_up);
  EXPECT_EQ(host->server, "edge-1");
  EXPECT_EQ(host->generation, 8u);
  EXPECT_EQ(host->cpus, 4u);
  EXPECT_EQ(host->containers.size(), 2u);
  EXPECT_EQ(host->projects.at("stack/shop")->name(), "shop");
}

TEST(ApplySnapshotTest, KeepsWhatWasKnownWhileTheEngineIsDown) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  // The agent was started after the engine had gone.
  const auto after = ApplySnapshot(*before, v1::HostState());
  EXPECT_FALSE(after->engine_up);
  EXPECT_EQ(after->containers.size(), 2u);
  EXPECT_EQ(after->projects.size(), 1u);
  v1::HostState empty;
  empty.set_engine_up(true);
  EXPECT_EQ(ApplySnapshot(*after, empty)->containers.size(), 0u);
}

TEST(ApplySnapshotTest, DropsWhatIsNotInIt) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostState state;
  *state.add_containers() = Make("c2", "other");
  const auto after = ApplySnapshot(*before, state);
  EXPECT_EQ(after->containers.size(), 1u);
  EXPECT_TRUE(after->projects.empty());
  EXPECT_FALSE(after->engine_up);
}

TEST(ApplySnapshotTest, SharesWhatDidNotChangeInWhateverOrderItComes) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostState reversed = TwoContainers();
  reversed.mutable_containers()->SwapElements(0, 1);
  const auto after = ApplySnapshot(*before, reversed);
  EXPECT_EQ(before->containers.at("c1"), after->containers.at("c1"));
  EXPECT_EQ(before->containers.at("c2"), after->containers.at("c2"));
  EXPECT_EQ(before->projects.at("stack/shop"), after->projects.at("stack/shop"));
}

TEST(ApplyDeltaTest, ChangesOnlyWhatItNames) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostDelta delta;
  v1::Container stopped = Make("c1", "web", "deployment/web");
  stopped.set_state(v1::CONTAINER_STATE_EXITED);
  *delta.add_upsert_containers() = stopped;
  delta.add_remove_container_ids("c2");
  delta.add_remove_projects("stack/shop");
  const auto after = ApplyDelta(*before, delta);
  EXPECT_EQ(after->generation, before->generation + 1);
  EXPECT_EQ(after->containers.at("c1")->state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(after->containers.count("c2"), 0u);
  EXPECT_TRUE(after->projects.empty());
  EXPECT_TRUE(after->engine_up);
  EXPECT_EQ(before->containers.size(), 2u) << "the state before must stay as it was";
}

TEST(ApplyDeltaTest, ReplacesAContainerThatIsRemovedAndMadeAgain) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostDelta delta;
  delta.add_remove_container_ids("c1");
  *delta.add_upsert_containers() = Make("c1", "web-2", "deployment/web");
  EXPECT_EQ(ApplyDelta(*before, delta)->containers.at("c1")->name(), "web-2");
}

TEST(ApplyDeltaTest, CarriesTheEngine) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostDelta delta;
  delta.mutable_engine()->set_up(false);
  delta.mutable_engine()->set_error("connection refused");
  const auto after = ApplyDelta(*before, delta);
  EXPECT_FALSE(after->engine_up);
  EXPECT_EQ(after->engine_error, "connection refused");
  EXPECT_EQ(after->containers.size(), 2u) << "the last known ones stay";
  EXPECT_TRUE(ComputeLiveChange(before.get(), *after).whole_host);
}

TEST(ComputeLiveChangeTest, EverythingIsNewAtFirst) {
  const auto after = ApplySnapshot(Empty(), TwoContainers());
  const LiveChange change = ComputeLiveChange(nullptr, *after);
  EXPECT_TRUE(change.whole_host);
  EXPECT_THAT(change.resources, ElementsAre("deployment/web", "stack/shop"));
  EXPECT_THAT(change.foreign_names, ElementsAre("other"));
}

TEST(ComputeLiveChangeTest, NothingForAnEqualState) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  const auto after = ApplySnapshot(*before, TwoContainers());
  const LiveChange change = ComputeLiveChange(before.get(), *after);
  EXPECT_FALSE(change.whole_host);
  EXPECT_THAT(change.resources, IsEmpty());
  EXPECT_THAT(change.foreign_names, IsEmpty());
}

TEST(ComputeLiveChangeTest, NamesBothSidesOfAChange) {
  const auto before = ApplySnapshot(Empty(), TwoContainers());
  v1::HostDelta delta;
  *delta.add_upsert_containers() = Make("c1", "web", "deployment/renamed");
  *delta.add_upsert_containers() = Make("c2", "another");
  const auto after = ApplyDelta(*before, delta);
  const LiveChange change = ComputeLiveChange(before.get(), *after);
  EXPECT_THAT(change.resources, ElementsAre("deployment/renamed", "deployment/web"));
  EXPECT_THAT(change.foreign_names, ElementsAre("another", "other"));
}

TEST(ComputeLiveChangeTest, KnowsForeignProjectsByName) {
  const auto before = ApplySnapshot(Empty(), v1::HostState());
  v1::HostDelta delta;
  v1::Container container = Make("c9", "shop_app_1");
  container.set_compose_project("shop");
  *delta.add_upsert_containers() = container;
  const auto after = ApplyDelta(*before, delta);
  EXPECT_THAT(ComputeLiveChange(before.get(), *after).foreign_names,
              ElementsAre("shop", "shop_app_1"));
}

}  // namespace
}  // namespace fairlead::sync
