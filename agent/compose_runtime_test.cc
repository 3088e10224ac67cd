#include "agent/compose_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/testing/compose_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using ComposeRuntimeTest = ComposeFixture;

TEST_F(ComposeRuntimeTest, StartsEverythingInOrderAndRecordsIt) {
  const v1::ActionOutcome outcome = Run(Stack("a1"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db web"));
  const auto labels = OverrideLabels();
  EXPECT_EQ(labels.at("web").at(kResourceLabel), "stack/shop");
  EXPECT_EQ(labels.at("web").at(kActionLabel), "a1");
  EXPECT_NE(labels.at("web").at(kSpecHashLabel), labels.at("db").at(kSpecHashLabel));
  const absl::StatusOr<v1::Project> record = Record();
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->spec_hash(), "v1:k1:s1");
  ASSERT_EQ(record->services_size(), 2);
  EXPECT_EQ(record->services(1).hash(), labels.at("web").at(kSpecHashLabel));
}

TEST_F(ComposeRuntimeTest, TouchesNothingThatIsRight) {
  Deploy();

  EXPECT_EQ(Run(Stack("a2")).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ComposeRuntimeTest, TouchesOnlyTheServiceThatChanged) {
  Deploy();
  Write("config.yaml", absl::StrCat("services:\n  db:\n    image: app:1\n    user: x\n",
                                    "  web:\n    image: app:1\n    depends_on:\n      db:\n"
                                    "        condition: service_started\n"));

  Run(Stack("a2", "v1:k1:s2"));

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
  EXPECT_EQ(OverrideLabels().at("db").at(kActionLabel), "a2");
  EXPECT_EQ(OverrideLabels().at("web").at(kActionLabel), "a1") << "another would recreate it";
}

TEST_F(ComposeRuntimeTest, StartsAgainWhatWasKilled) {
  Deploy();
  engine_.Exit("shop_db_1", 137);

  Run(Stack("a2"));

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
}

TEST_F(ComposeRuntimeTest, LeavesACompletedServiceAlone) {
  Deploy();
  engine_.Exit("shop_db_1", 0);

  Run(Stack("a2"));

  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ComposeRuntimeTest, RecreatesWhatWasChangedByHand) {
  Deploy();
  engine_.SetMemory("shop_web_1", 1 << 20);

  Run(Stack("a2"));

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d --force-recreate web"));
}

TEST_F(ComposeRuntimeTest, RemovesServicesThatAreGone) {
  Deploy();
  Write("config.yaml", "services:\n  db:\n    image: app:1\n");

  Run(Stack("a2", "v1:k1:s2"));

  EXPECT_THAT(engine_.Containers(), ElementsAre("shop_db_1 running"));
  EXPECT_EQ(Record()->services_size(), 1);
}

TEST_F(ComposeRuntimeTest, KeepsTheRecordOfTheLastSuccessWhenUpFails) {
  Deploy();
  Write("config.yaml", "services:\n  db:\n    image: app:1\n    user: y\n");
  Write("up.fails", "Creating shop_db_1 ... error\nERROR: for db  the word is hunter22\n");
  v1::Action action = Stack("a2", "v1:k1:s2");
  action.add_secrets("hunter22");

  const v1::ActionOutcome outcome = Run(action);

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("ERROR: for db  the word is ***"));
  EXPECT_EQ(Record()->spec_hash(), "v1:k1:s1");
  EXPECT_THAT(engine_.Containers(), ElementsAre("shop_db_1 running", "shop_web_1 running"));
}

TEST_F(ComposeRuntimeTest, ABrokenFileIsTheUsersFault) {
  Write("config.fails", "The Compose file is invalid because: x\n");

  const v1::ActionOutcome outcome = Run(Stack("a1"));

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(outcome.message(), HasSubstr("invalid because"));
}

TEST_F(ComposeRuntimeTest, NeverTouchesAForeignProject) {
  engine_.AddContainer("shop_db_1",
                       {{"Image", "app:1"},
                        {"Labels", {{kComposeProjectLabel, "shop"}, {kComposeServiceLabel, "db"}}}},
                       "running");

  const v1::ActionOutcome outcome = Run(Stack("a1"));

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Calls(), IsEmpty());
  v1::Action remove = ActionOf("r1", "stack/shop");
  remove.mutable_remove_stack()->set_project("shop");
  EXPECT_EQ(Run(remove).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_THAT(engine_.Containers(), ElementsAre("shop_db_1 running"));
}

TEST_F(ComposeRuntimeTest, ProjectOfAnotherResourceIsRefused) {
  Deploy();
  v1::Action other = Stack("a2");
  other.set_resource("stack/other");

  EXPECT_THAT(Run(other).message(), HasSubstr("belongs to stack/shop"));
}

TEST_F(ComposeRuntimeTest, PullsWhatIsMissingAndWarnsWhenThatFailsBesidePresentImages) {
  v1::Action action = Stack("a1");
  action.mutable_apply_stack()->set_pull(v1::PULL_POLICY_ALWAYS);
  Write("pull.fails", "Get https://registry: i/o timeout\n");

  const v1::ActionOutcome outcome = Run(action);

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(outcome.warnings(), ElementsAre(HasSubstr("using the images that are present")));
  EXPECT_THAT(Calls(), ElementsAre("pull db web", "up --no-deps -d db web"));
}

TEST_F(ComposeRuntimeTest, AFailedPullOfAMissingImageStopsBeforeUp) {
  Write("config.yaml", "services:\n  db:\n    image: registry/db:7\n");
  Write("pull.fails", "Get https://registry: i/o timeout\n");

  const v1::ActionOutcome outcome = Run(Stack("a1"));

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(outcome.message(), HasSubstr("image registry/db:7: pull failed"));
  EXPECT_THAT(Calls(), ElementsAre("pull db"));
}

TEST_F(ComposeRuntimeTest, WhatTheHostLacksStopsBeforeUp) {
  Deploy();
  Write("config.yaml",
        "services:\n  db:\n    image: app:1\n    ports:\n    - 9090:90/tcp\n    volumes:\n"
        "    - d:/d\n"
        "networks:\n  default:\n    external: true\n    name: edge\n"
        "volumes:\n  d:\n    external: true\n    name: data\n");
  AddHolderOfPort9090();
  const auto expect_refusal = [&](const std::string& why) {
    const v1::ActionOutcome outcome = Run(Stack("a2", "v1:k1:s2"));
    EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(outcome.message(), HasSubstr(why));
    EXPECT_THAT(Calls(), IsEmpty());
    EXPECT_THAT(engine_.Containers(), Contains("shop_web_1 running")) << "it goes once db is there";
  };

  expect_refusal("there is no network edge on this host");
  engine_.AddNetwork("edge");
  expect_refusal("there is no volume data on this host");
  engine_.AddVolume("data");
  expect_refusal("port 9090/tcp is taken by container other");
  engine_.Exit("other", 0);
  EXPECT_EQ(Run(Stack("a2", "v1:k1:s2")).message(), "");
  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
}

v1::Action Look(const v1::Action& apply, bool networks_may_come = false) {
  v1::Action action = apply;
  v1::CheckStack check;
  *check.mutable_stack() = apply.apply_stack();
  check.set_networks_may_come(networks_may_come);
  *action.mutable_check_stack() = std::move(check);
  return action;
}

TEST_F(ComposeRuntimeTest, ALookAheadFindsWhatIsMissingAndChangesNothing) {
  Deploy();
  const std::string compose = folder_.path() + "/stacks/shop/files/compose.yaml";
  const std::string before = base::ReadFile(compose).value();
  v1::Action next = Stack("a2", "v1:k1:s2");
  next.mutable_apply_stack()->mutable_files(0)->set_content("services: {db: {}}\n");
  Write("config.yaml",
        "services:\n  db:\n    image: app:1\n    networks:\n      edge: null\n"
        "networks:\n  edge:\n    external: true\n    name: edge\n");
  EXPECT_THAT(Run(Look(next)).message(), HasSubstr("there is no network edge on this host"));
  EXPECT_EQ(Run(Look(next, true)).message(), "") << "another stack may make it";
  engine_.AddNetwork("edge");
  EXPECT_EQ(Run(Look(next)).message(), "");

  EXPECT_EQ(base::ReadFile(compose).value(), before);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/checks/shop")) << "nothing is left of it";
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/checks/stacks/shop"));
  EXPECT_THAT(engine_.Containers(), Contains("shop_web_1 running"));
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ComposeRuntimeTest, ALookAheadSeesServicesThatMountTheirFilesAsTheyAre) {
  v1::Action stack = Stack("a1");
  v1::StackFile& page = *stack.mutable_apply_stack()->add_files();
  page.set_path("page/index.html");
  page.set_content("hello");
  const std::string files = folder_.path() + "/stacks/shop/files";
  const auto config = [](const std::string& root) {
    return absl::StrCat("services:\n  db:\n    image: app:1\n    ports:\n    - 9090:90/tcp\n",
                        "    volumes:\n    - ", root, "/page:/www:ro\n    - ", root,
                        "/page/index.html:/i.html:ro\n");
  };
  Write("config.yaml", config(files));
  ASSERT_EQ(Run(stack).message(), "");
  AddContainerOf("db");
  ASSERT_EQ(Run(stack).message(), "");
  AddHolderOfPort9090();

  // As compose resolves it from where the look is made.
  Write("config.yaml", config(folder_.path() + "/checks/stacks/shop/files"));
  EXPECT_EQ(Run(Look(stack)).message(), "") << "db is as it should be and needs nothing";
  stack.mutable_apply_stack()->mutable_files(1)->set_content("bye");
  EXPECT_THAT(Run(Look(stack)).message(), HasSubstr("port 9090/tcp is taken"));
}

TEST_F(ComposeRuntimeTest, PassesArgumentsAndLeavesStopped) {
  v1::Action action = Stack("a1");
  action.mutable_apply_stack()->set_leave_stopped(true);
  action.mutable_apply_stack()->add_extra_args("--timeout");
  action.mutable_apply_stack()->add_extra_args("3");

  Run(action);

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps --no-start --timeout 3 db web"));
}

TEST_F(ComposeRuntimeTest, DestroysFirstOnRequest) {
  Deploy();
  engine_.Exit("shop_db_1", 137);
  v1::Action action = Stack("a2");
  action.mutable_apply_stack()->set_destroy_first(true);

  Run(action);

  EXPECT_THAT(Calls(), ElementsAre("down", "up --no-deps -d db web"));
}

TEST_F(ComposeRuntimeTest, KillsComposeAtTheDeadlineAndTellsItsProcessGroup) {
  Write("up.hangs", "");
  v1::Action action = Stack("a1");
  action.mutable_deadline()->set_nanos(500'000'000);
  std::vector<pid_t> groups;

  const v1::ActionOutcome outcome =
      runtime_->Run(action, {.is_cancelled = [] { return false; },
                             .report = [](const v1::ActionProgress&) {},
                             .on_process_group = [&](pid_t group) { groups.push_back(group); }});

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  ASSERT_FALSE(groups.empty());
  EXPECT_NE(::kill(-groups.back(), 0), 0) << "the group is gone";
}

TEST_F(ComposeRuntimeTest, RemovesByComposeAndThenWhatIsLeft) {
  Deploy();
  v1::Action remove = ActionOf("r1", "stack/shop");
  remove.mutable_remove_stack()->set_project("shop");

  EXPECT_EQ(Run(remove).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(Calls(), ElementsAre("down --remove-orphans"));
  EXPECT_THAT(engine_.Containers(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(Record().status()));
  EXPECT_EQ(Run(remove).status(), v1::ACTION_STATUS_SUCCEEDED) << "twice is fine";
}

TEST_F(ComposeRuntimeTest, RemovesByLabelWhenComposeFails) {
  Deploy();
  Write("down.fails", "The Compose file is invalid\n");
  v1::Action remove = ActionOf("r1", "stack/shop");
  remove.mutable_remove_stack()->set_project("shop");

  EXPECT_EQ(Run(remove).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(engine_.Containers(), IsEmpty());
}

TEST_F(ComposeRuntimeTest, AdoptsAProjectThatComposeWouldLeaveAsItIs) {
  Write("hashes", "db h-db\nweb h-web\n");
  const std::string db = AddForeign("db", "h-db");
  AddForeign("web", "h-web");

  EXPECT_EQ(Run(Adopt("d1")).message(), "");

  EXPECT_THAT(Calls(), ElementsAre("config --hash=*"));
  ASSERT_TRUE(Record().ok());
  EXPECT_EQ(Record()->spec_hash(), "v1:k1:s1");
  ASSERT_EQ(Record()->services_size(), 2);
  const auto record = records_->Find(db);
  ASSERT_TRUE(record.has_value());
  EXPECT_TRUE(record->adopted);
  EXPECT_EQ(record->resource, "stack/shop");
  EXPECT_EQ(record->spec_hash, Record()->services(0).hash());
  EXPECT_EQ(Run(Stack("a2")).message(), "");
  EXPECT_THAT(Calls(), IsEmpty()) << "what is adopted and equal stays as it is";
}

TEST_F(ComposeRuntimeTest, AdoptionNamesWhatComposeWouldChange) {
  Write("hashes", "db h-db\nweb h-new\n");
  AddForeign("web", "h-web");
  AddForeign("old", "h-old");

  const v1::ActionOutcome outcome = Run(Adopt("d1"));

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(outcome.message(),
            "compose project shop differs from its declaration: service old is not declared; "
            "service db: 0 containers, not 1; service web: its definition or its image");
  EXPECT_FALSE(Record().ok());
  EXPECT_TRUE(records_->All().empty());
  EXPECT_THAT(engine_.Changes(), IsEmpty());
}

TEST_F(ComposeRuntimeTest, AdoptionRefusesAProjectThatDoesNotRun) {
  Write("hashes", "db h-db\nweb h-web\n");
  EXPECT_THAT(Run(Adopt("d1")).message(), HasSubstr("compose project shop has no container"));
  AddForeign("db", "h-db");
  AddForeign("web", "h-web");
  engine_.Exit("shop_web_1", 1);
  EXPECT_THAT(Run(Adopt("d2")).message(), HasSubstr("service web: shop_web_1 does not run"));
}

TEST_F(ComposeRuntimeTest, AdoptedServiceThatDiedIsStartedWithoutLabels) {
  AdoptAll();
  engine_.Exit("shop_db_1", 137);

  Run(Stack("a2"));

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
  EXPECT_FALSE(OverrideLabels().contains("db")) << "labels would recreate it";
}

TEST_F(ComposeRuntimeTest, AdoptedServiceGetsItsLabelsWithTheNextChange) {
  AdoptAll();
  Write("config.yaml", absl::StrCat("services:\n  db:\n    image: app:1\n    user: x\n",
                                    "  web:\n    image: app:1\n    depends_on:\n      db:\n"
                                    "        condition: service_started\n"));

  Run(Stack("a2", "v1:k1:s2"));

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
  EXPECT_EQ(OverrideLabels().at("db").at(kResourceLabel), "stack/shop");
}

}  // namespace
}  // namespace fairlead::agent
