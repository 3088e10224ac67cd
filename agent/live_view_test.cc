#include "agent/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;

v1::Container Container(const std::string& id, v1::ContainerState state) {
  v1::Container container;
  container.set_id(id);
  container.set_state(state);
  return container;
}

v1::Project Project(const std::string& resource, const std::string& hash) {
  v1::Project project;
  project.set_resource(resource);
  project.set_name("p");
  project.set_spec_hash(hash);
  return project;
}

TEST(LiveViewTest, ReplaceTellsOnlyWhatChanged) {
  LiveView view;
  view.Replace(
      {Container("a", v1::CONTAINER_STATE_RUNNING), Container("b", v1::CONTAINER_STATE_RUNNING),
       Container("c", v1::CONTAINER_STATE_RUNNING)},
      {Project("stack/p", "1"), Project("stack/q", "1")});

  const v1::HostDelta delta = view.Replace(
      {Container("a", v1::CONTAINER_STATE_RUNNING), Container("b", v1::CONTAINER_STATE_EXITED)},
      {Project("stack/p", "2")});

  ASSERT_EQ(delta.upsert_containers_size(), 1);
  EXPECT_EQ(delta.upsert_containers(0).id(), "b");
  EXPECT_THAT(delta.remove_container_ids(), ElementsAre("c"));
  ASSERT_EQ(delta.upsert_projects_size(), 1);
  EXPECT_EQ(delta.upsert_projects(0).spec_hash(), "2");
  EXPECT_THAT(delta.remove_projects(), ElementsAre("stack/q"));
}

TEST(LiveViewTest, TheSameAgainIsEmpty) {
  LiveView view;
  const std::vector<v1::Container> all = {Container("a", v1::CONTAINER_STATE_RUNNING)};
  view.Replace(all, {Project("stack/p", "1")});

  EXPECT_TRUE(IsEmpty(view.Replace(all, {Project("stack/p", "1")})));
}

TEST(LiveViewTest, TheLastWordOnAContainerCounts) {
  LiveView view;
  v1::HostDelta delta;

  view.Upsert(Container("a", v1::CONTAINER_STATE_RUNNING), delta);
  view.Upsert(Container("a", v1::CONTAINER_STATE_EXITED), delta);
  view.Upsert(Container("b", v1::CONTAINER_STATE_RUNNING), delta);
  view.Remove("b", delta);

  ASSERT_EQ(delta.upsert_containers_size(), 1);
  EXPECT_EQ(delta.upsert_containers(0).state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_THAT(delta.remove_container_ids(), ElementsAre("b"));
}

TEST(LiveViewTest, RemovingWhatIsNotKnownSaysNothing) {
  LiveView view;
  v1::HostDelta delta;

  view.Remove("a", delta);

  EXPECT_TRUE(IsEmpty(delta));
}

}  // namespace
}  // namespace fairlead::agent
