#include "controller/actions/job_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A stack with two containers of "web" and one of "db", beside a foreign project.
class RestartServicesTest : public ::testing::Test {
 protected:
  RestartServicesTest() {
    view_.input.installation = "inst";
    auto entry = std::make_shared<v1::InventoryEntry>();
    entry->set_server("edge");
    view_.input.inventory["stack/shop"] = entry;
    Add("shop_web_1", "web", "inst");
    Add("shop_web_2", "web", "inst");
    Add("shop_db_1", "db", "inst");
    Add("other_cache_1", "cache", "another");
    SetOnline(true);
  }
  void Add(const std::string& name, const std::string& service, const std::string& installation) {
    auto container = std::make_shared<v1::Container>();
    container->set_name(name);
    container->set_installation(installation);
    container->set_resource("stack/shop");
    container->set_compose_service(service);
    host_.containers[name] = container;
  }
  void SetOnline(bool online) {
    host_.online = online;
    auto live = std::make_shared<sync::LiveState>();
    live->hosts["edge"] = std::make_shared<const sync::HostLive>(host_);
    view_.input.live = live;
  }
  absl::StatusOr<loop::HostJob> Restart(const std::vector<std::string>& services) {
    v1::Execution execution;
    execution.mutable_restart_stack()->set_stack("shop");
    for (const std::string& service : services) {
      execution.mutable_restart_stack()->add_services(service);
    }
    return ComputeJob(execution, {.view = view_, .load = {}});
  }

  sync::HostLive host_;
  loop::LoopView view_;
};

TEST_F(RestartServicesTest, NamesTheContainersOfTheServicesAlone) {
  const auto job = Restart({"web"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->server, "edge");
  // What else acts on the stack waits for it.
  EXPECT_EQ(job->action.resource(), "stack/shop");
  EXPECT_EQ(job->action.guarantee(), v1::ACTION_GUARANTEE_ONCE);
  EXPECT_EQ(job->action.act_on_container().verb(), v1::ActOnContainer::VERB_RESTART);
  EXPECT_THAT(job->action.act_on_container().container(), ElementsAre("shop_web_1", "shop_web_2"));
  EXPECT_THAT(Restart({"db", "web"})->action.act_on_container().container(),
              ElementsAre("shop_db_1", "shop_web_1", "shop_web_2"));
}

TEST_F(RestartServicesTest, AServiceWithoutAContainerIsNamed) {
  const absl::Status status = Restart({"web", "cache"}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("service \"cache\" has no container on edge; there are those of: db, web"));
}

TEST_F(RestartServicesTest, AnOfflineServerIsWaitedForAndAHoldIsRespected) {
  SetOnline(false);
  EXPECT_TRUE(absl::IsUnavailable(Restart({"web"}).status()));
  SetOnline(true);
  view_.input.holds["stack/shop"].set_kind(v1::Hold::KIND_STOP);
  EXPECT_THAT(std::string(Restart({"web"}).status().message()), HasSubstr("held stopped"));
  view_.input.holds.clear();
  view_.input.inventory.clear();
  EXPECT_THAT(std::string(Restart({"web"}).status().message()), HasSubstr("never deployed"));
}

}  // namespace
}  // namespace fairlead::actions
