// The pure parts of the chaos suite: its plan, its model of the repository, and that each
// invariant reports what is planted against it.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/chaos/invariants.h"
#include "integration/chaos/script.h"

namespace fairlead::chaos {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::Not;
using ::testing::SizeIs;

Item Service(const std::string& image, int revision = 1) {
  return {.spec = {.server = 1, .image = image, .revision = revision}, .after = {}};
}

World WorldWith(std::map<std::string, Item> items) {
  World world;
  world.items = std::move(items);
  for (const auto& [name, item] : world.items) world.order.push_back(name);
  return world;
}

SeenContainer ContainerOf(const std::string& name, const Item& item) {
  SeenContainer seen;
  seen.server = item.spec.server;
  seen.id = absl::StrCat("id-of-", name);
  seen.name = name;
  seen.resource = ResourceOf(name, item);
  seen.action = absl::StrCat("action-of-", name);
  seen.image = item.spec.image;
  seen.state = item.spec.stopped ? "exited" : "running";
  seen.environment = {absl::StrCat("REV=", item.spec.revision)};
  if (!item.spec.token.empty()) seen.environment.push_back("TOKEN=" + item.spec.token);
  seen.text = absl::StrCat("{", name, "}");
  return seen;
}

constexpr char kHead[] = "0123456789abcdef";

// A fleet of web and db, at rest.
class InvariantTest : public testing::Test {
 protected:
  InvariantTest() {
    Declare(WorldWith({{"web", Service("fl/app:1")}, {"db", Service("fl/app:2")}}));
    model_.Rest();
    for (const auto& [name, item] : model_.world().items) {
      seen_.containers.push_back(ContainerOf(name, item));
      seen_.resources[ResourceOf(name, item)] = {.condition = "CONVERGED"};
    }
    SeenContainer bystander = ContainerOf("bystander", Service("fl/app:1"));
    bystander.resource.clear();
    seen_.containers.push_back(bystander);
    for (int server = 1; server <= kServers; ++server) {
      seen_.servers[absl::StrCat("host-", server)] = "online";
    }
    seen_.revision = "0123456";
    before_ = seen_;
  }

  void Declare(const World& world) { model_.Commit(world); }
  // Of the containers, by name.
  SeenContainer& Find(const std::string& name) {
    return *std::find_if(seen_.containers.begin(), seen_.containers.end(),
                         [&](const SeenContainer& one) { return one.name == name; });
  }
  Violations Rest() const { return CheckRest(model_.Expect(), kHead, seen_); }

  Model model_;
  Observation seen_;
  Observation before_;
};

TEST_F(InvariantTest, AFleetAtRestIsAccepted) {
  EXPECT_THAT(Rest(), IsEmpty());
  EXPECT_THAT(CheckBystanders(before_, seen_), IsEmpty());
  EXPECT_THAT(CheckKept({"deployment/web"}, before_, seen_), IsEmpty());
}

TEST_F(InvariantTest, ASecondContainerOfAResourceIsFound) {
  SeenContainer second = Find("web");
  second.id = "another";
  second.name = "web-2";
  seen_.containers.push_back(second);
  EXPECT_THAT(Rest(), ElementsAre(AllOf(HasSubstr("deployment/web: expected at host-1"),
                                        HasSubstr("web-2 another at host-1"))));
}

TEST_F(InvariantTest, AnOrphanIsFound) {
  SeenContainer orphan = ContainerOf("late", Service("fl/app:1"));
  seen_.containers.push_back(orphan);
  EXPECT_THAT(Rest(), ElementsAre(AllOf(HasSubstr("deployment/late: declared nowhere"),
                                        HasSubstr("host-1"))));
}

TEST_F(InvariantTest, WhatIsNotAsDeclaredIsFound) {
  Find("web").environment = {"REV=9"};
  EXPECT_THAT(Rest(), ElementsAre(AllOf(HasSubstr("REV 1"), HasSubstr("REV 9"))));
  seen_ = before_;
  Find("web").state = "exited";
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("exited")));
  seen_ = before_;
  Find("web").server = 2;
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("at host-2")));
  seen_ = before_;
  Find("web").name = "web.fairlead-old";
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("web.fairlead-old")));
  seen_ = before_;
  std::erase_if(seen_.containers, [](const auto& one) { return one.name == "web"; });
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("seen none")));
}

TEST_F(InvariantTest, AnotherRevisionServerOrConditionIsFound) {
  seen_.revision = "fffffff";
  seen_.servers["host-2"] = "offline";
  seen_.resources["deployment/db"] = {.condition = "DEGRADED", .reason = "it is ill"};
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("sync main"), HasSubstr("host-2"),
                                  AllOf(HasSubstr("deployment/db"), HasSubstr("it is ill"))));
}

TEST_F(InvariantTest, ABrokenCommitKeepsTheOldOneAndHasToBeNamed) {
  World broken = model_.world();
  broken.items["web"].spec = {.image = "fl/sick:1", .revision = 2};
  broken.items["web"].flaw = Flaw::kSick;
  Declare(broken);
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("names its flaw; seen CONVERGED")));
  seen_.resources["deployment/web"] = {.condition = "DEGRADED"};
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("without a reason")));
  seen_.resources["deployment/web"].reason = "not healthy in time";
  EXPECT_THAT(Rest(), IsEmpty());
  Find("web").image = "fl/sick:1";
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("fl/sick:1")));
}

TEST_F(InvariantTest, WhatIsNotPrunedNeedsAnErrorAndAReason) {
  World without = model_.world();
  without.items.erase("web");
  std::erase(without.order, "web");
  Declare(without);
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("deployment/web: declared nowhere")));
  without.items["db"].flaw = Flaw::kUnknownKey;
  Declare(without);
  seen_.resources["deployment/db"] = {.condition = "INVALID", .problems = 1};
  seen_.resources["deployment/web"] = {.condition = "BLOCKED"};
  EXPECT_THAT(Rest(), ElementsAre(HasSubstr("nothing says why")));
  seen_.resources["deployment/web"].reason = "db cannot be read";
  EXPECT_THAT(Rest(), IsEmpty());
}

TEST_F(InvariantTest, ATouchedBystanderAndAnExtraContainerAreFound) {
  Find("bystander").text = "{bystander, restarted}";
  SeenContainer extra = ContainerOf("extra", Service("fl/app:1"));
  extra.resource.clear();
  seen_.containers.push_back(extra);
  EXPECT_THAT(CheckBystanders(before_, seen_),
              ElementsAre(HasSubstr("restarted"), HasSubstr("of nobody: extra")));
  std::erase_if(seen_.containers, [](const auto& one) { return one.resource.empty(); });
  EXPECT_THAT(CheckBystanders(before_, seen_), ElementsAre(HasSubstr("is gone")));
}

TEST_F(InvariantTest, AContainerMadeAnewForNothingIsFound) {
  Find("web").id = "another";
  EXPECT_THAT(CheckKept({"deployment/db"}, before_, seen_), IsEmpty());
  EXPECT_THAT(CheckKept({"deployment/web"}, before_, seen_),
              ElementsAre(HasSubstr("nobody touched it")));
}

EngineEvent EventOf(const std::string& what, const std::string& id) {
  return {.server = 1, .what = what, .id = id, .resource = "deployment/web", .action = "a1"};
}

TEST(EventTest, AnActionThatMakesTwoContainersIsFound) {
  const std::vector<EngineEvent> events = {EventOf("create", "one"), EventOf("destroy", "one"),
                                           EventOf("create", "two")};
  EXPECT_THAT(CheckEvents(events, {}), ElementsAre(HasSubstr("\"a1\" has made 2 containers")));
  // Removed by hand under the action, which goes on.
  EXPECT_THAT(CheckEvents(events, {.removed = {"one"}, .restarts = {}}), IsEmpty());
}

TEST(EventTest, ARestartMoreThanAskedForIsFound) {
  const ByHand once = {.removed = {}, .restarts = {{"deployment/web", 1}}};
  EXPECT_THAT(CheckEvents({EventOf("restart", "one")}, once), IsEmpty());
  EXPECT_THAT(CheckEvents({EventOf("restart", "one")}, {}), SizeIs(1));
  EXPECT_THAT(CheckEvents({EventOf("restart", "one"), EventOf("restart", "one")}, once),
              ElementsAre(HasSubstr("restarted 2 times, asked for 1")));
}

TEST(EventTest, ARestartOfWhatDoesNotAnswerItsHealthCheckIsAHeal) {
  EngineEvent first = EventOf("restart", "one");
  EngineEvent second = first;
  second.nanoseconds = absl::ToInt64Nanoseconds(kHealthTimeout);
  const ByHand once = {.removed = {}, .restarts = {{"deployment/web", 1}}};
  EXPECT_THAT(CheckEvents({first, second}, once), IsEmpty());
  EngineEvent answer = EventOf("health_status: healthy", "one");
  EXPECT_THAT(CheckEvents({first, answer, second}, once), SizeIs(1));
  --second.nanoseconds;
  EXPECT_THAT(CheckEvents({first, second}, once), SizeIs(1));
}

TEST(EventTest, EventsOfDockerAreRead) {
  const auto event =
      ParseEvent(2, R"({"Type":"container","Action":"create","Actor":{"ID":"c1","Attributes":)"
                    R"({"dev.fairlead.action":"a9","dev.fairlead.resource":"stack/site",)"
                    R"("com.docker.compose.service":"front"}},"timeNano":7})");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->server, 2);
  EXPECT_EQ(absl::StrJoin({event->what, event->id, event->action, event->service}, " "),
            "create c1 a9 front");
  EXPECT_FALSE(ParseEvent(1, R"({"Type":"network","Action":"connect"})").has_value());
  EXPECT_FALSE(ParseEvent(1, "Cannot connect to the Docker daemon").has_value());
}

TEST(SecretTest, ASecretIsFoundWithItsLine) {
  World world;
  const std::string log = absl::StrCat("fine\nTOKEN=", SecretOf(world), "\nfine\n");
  EXPECT_THAT(CheckSecrets("agent-1.log", log),
              ElementsAre(AllOf(HasSubstr("agent-1.log"), HasSubstr("TOKEN="))));
  EXPECT_THAT(CheckSecrets("agent-1.log", "TOKEN=***\n"), IsEmpty());
}

TEST(ScriptTest, ARoundDependsOnSeedAndNumberOnly) {
  Script one(7);
  Script two(7);
  Script other(8);
  bool differs = false;
  for (int i = 0; i < 50; ++i) {
    const Round round = one.Next();
    const Round again = two.Next();
    EXPECT_EQ(Describe(round), Describe(again));
    EXPECT_EQ(round.commits.back().world, again.commits.back().world);
    differs = differs || Describe(round) != Describe(other.Next());
  }
  EXPECT_TRUE(differs);
}

TEST(ScriptTest, AllKindsOfFaultsAndEditsComeUpAndTheGuardIsNeverHit) {
  Script script(3);
  std::set<std::string> words;
  std::set<std::string> faults;
  for (int i = 0; i < 200; ++i) {
    const Round round = script.Next();
    for (const ScriptedCommit& commit : round.commits) {
      words.insert(commit.subject.substr(0, commit.subject.find(' ')));
      EXPECT_GE(commit.world.items.size(), 5u);
      EXPECT_EQ(commit.world.order.size(), commit.world.items.size());
    }
    for (const Fault& fault : round.faults) faults.insert(NameOf(fault.kind));
    EXPECT_LE(script.model().Gone().size(), 3u) << Describe(round);
  }
  EXPECT_THAT(faults, SizeIs(kFaultKinds));
  for (const char* word : {"add", "change", "break", "repair", "remove", "rename", "reorder",
                           "move", "stop", "start", "rotate"}) {
    EXPECT_THAT(words, Contains(word));
  }
}

TEST(ScriptTest, WithTwoControllersBothAndTheirDatabaseAreHit) {
  Script script(3, 2);
  std::set<std::string> faults;
  for (int i = 0; i < 200; ++i) {
    for (const Fault& fault : script.Next().faults) {
      faults.insert(absl::StrCat(NameOf(fault.kind), fault.controller));
    }
  }
  for (const char* fault :
       {"kill-controller1", "kill-controller2", "stop-controller1", "stop-controller2",
        "cut-database1", "cut-database2", "crash-database1"}) {
    EXPECT_THAT(faults, Contains(fault));
  }
}

TEST(InvariantsTest, OfficesThatOverlapAreFound) {
  const std::vector<SeenOffice> good = {
      {.term = 1, .holder = "a", .began = 100, .expires = 200, .stopped = 190},
      {.term = 2, .holder = "b", .began = 200, .expires = 300, .stopped = 0},
      // Its process was killed, and a new one on the same data directory has ended its lease.
      {.term = 3, .holder = "b", .began = 300, .expires = 500, .stopped = 0}};
  EXPECT_THAT(CheckOffices(good), IsEmpty());
  std::vector<SeenOffice> bad = good;
  bad[1].began = 199;
  EXPECT_THAT(CheckOffices(bad), SizeIs(1));
  bad = good;
  bad[0].stopped = 201;
  EXPECT_THAT(CheckOffices(bad), SizeIs(1));
  bad = good;
  bad[1].term = 4;
  EXPECT_THAT(CheckOffices(bad), Not(IsEmpty()));
}

TEST(InvariantsTest, ActionsOfAnotherTermOrTwiceAreFound) {
  EXPECT_THAT(CheckIssued({{"x", 1, 1}, {"y", 2, 2}}), IsEmpty());
  EXPECT_THAT(CheckIssued({{"x", 1, 2}}), SizeIs(1));
  EXPECT_THAT(CheckIssued({{"x", 1, 1}, {"x", 1, 1}}), SizeIs(1));
}

TEST(ScriptTest, NothingWaitsForItself) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Script script(seed);
    for (int i = 0; i < 50; ++i) {
      const World world = script.Next().commits.back().world;
      // Ends, unless there is a cycle.
      for (const auto& [name, item] : world.items) IsHeldUp(world, name);
    }
  }
}

TEST(WorldTest, ASecretIsDeclaredOnceAndNamedElsewhere) {
  World world = WorldWith({{"web", Service("fl/app:1")}});
  world.items["web"].spec.token = SecretOf(world);
  const auto files = Render(world);
  EXPECT_THAT(files.at("variables.toml"), HasSubstr(SecretOf(world)));
  EXPECT_THAT(files.at("fleet-0.toml"),
              AllOf(HasSubstr("TOKEN = [[TOKEN]]"), Not(HasSubstr(kSecretMark))));
}

TEST(ModelTest, TheGoodWorldHasWhatWasGoodBefore) {
  Model model;
  model.Commit(WorldWith({{"web", Service("fl/app:1", 1)}}));
  model.Rest();
  World flawed = WorldWith({{"web", Service("fl/sick:1", 2)}, {"db", Service("fl/exits:1", 3)}});
  flawed.items["web"].flaw = Flaw::kSick;
  flawed.items["db"].flaw = Flaw::kExits;
  model.Commit(flawed);
  const World good = model.GoodWorld();
  EXPECT_THAT(good.order, ElementsAre("web"));
  EXPECT_EQ(good.items.at("web"), Service("fl/app:1", 1));
}

TEST(ModelTest, TheGoodWorldHasTheSecretOfNow) {
  Model model;
  World world = WorldWith({{"web", Service("fl/app:1", 1)}});
  world.items["web"].spec.token = SecretOf(world);
  model.Commit(world);
  model.Rest();
  world.items["web"].flaw = Flaw::kNoImage;
  ++world.secret_revision;
  model.Commit(world);
  EXPECT_EQ(model.GoodWorld().items.at("web").spec.token, SecretOf(world));
}

}  // namespace
}  // namespace fairlead::chaos
