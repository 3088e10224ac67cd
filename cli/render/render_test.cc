#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

#include "cli/render/json.h"
#include "cli/render/names.h"
#include "cli/render/plan_text.h"
#include "cli/render/resource_text.h"
#include "cli/render/status_text.h"

namespace fairlead::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// 2023-11-14 22:13:20 UTC.
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr char kNowText[] = "{ seconds: 1700000000 }";

TextOptions Plain() { return {.painter = Painter(false), .now = kNow}; }

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(TextTest, ControlCharactersCannotSteerTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[31m\nb\tc\x7f"), "a\\x1b[31m\\nb c\\x7f");
  EXPECT_EQ(Printable("K\xc3\xb6ln"), "K\xc3\xb6ln");
  EXPECT_EQ(PrintableLines("a\nb\x07\n\n", "  "), "a\n  b\\x07");
}

TEST(TextTest, SpansReadWell) {
  EXPECT_EQ(FormatSpan(absl::Milliseconds(3)), "3 ms");
  EXPECT_EQ(FormatSpan(absl::Milliseconds(900)), "0.9 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(12)), "12 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(119)), "119 s");
  EXPECT_EQ(FormatSpan(absl::Minutes(4)), "4 min");
  EXPECT_EQ(FormatSpan(absl::Hours(3)), "3 h");
  EXPECT_EQ(FormatSpan(absl::Hours(24 * 5)), "5 d");
  EXPECT_EQ(FormatAge(absl::UnixEpoch(), kNow), "never");
  EXPECT_EQ(FormatAge(kNow + absl::Seconds(1), kNow), "0 ms ago");
}

TEST(TextTest, MomentsDependOnTheDayInTheZone) {
  EXPECT_EQ(FormatMoment(kNow, Plain()), "22:13:20");
  EXPECT_EQ(FormatMoment(kNow - absl::Hours(23), Plain()), "yesterday 23:13");
  EXPECT_EQ(FormatMoment(kNow - absl::Hours(72), Plain()), "2023-11-11 22:13");
  TextOptions east = Plain();
  east.zone = absl::FixedTimeZone(3 * 3600);
  EXPECT_EQ(FormatMoment(kNow, east), "01:13:20");
}

TEST(TextTest, ColumnsAlignByCharactersNotBytes) {
  Table table;
  table.AddRow({{"a"}, {"x"}, {""}});
  table.AddRow({{"K\xc3\xb6ln"}, {"y"}});
  EXPECT_EQ(table.Render(Painter(false)), "a      x\nK\xc3\xb6ln   y\n");
  EXPECT_EQ(Truncate("K\xc3\xb6lner", 4), "K\xc3\xb6l~");
}

TEST(TextTest, ColourDoesNotChangeTheColumns) {
  Table table;
  table.AddRow({{"ab", Color::kRed}, {"x"}});
  table.AddRow({{"abcd"}, {"y"}});
  EXPECT_EQ(table.Render(Painter(true)), "\x1b[31mab\x1b[0m     x\nabcd   y\n");
}

constexpr char kPlan[] = R"pb(
  id: "8c1d03"
  syncs {
    name: "main"
    revision: "4f2a91c0000000000000000000000000000000aa"
    subject: "web: 1.4.2"
    files: 7
    resources: 23
    problems {
      file: "stacks/paperless.toml"
      line: 14
      column: 1
      severity: SEVERITY_ERROR
      resource: "stack/paperless"
      message: "unknown key \"enviroment\" in [stack.config]"
      suggestion: "did you mean \"environment\"?"
    }
  }
  steps {
    resource: "deployment/web"
    action: STEP_ACTION_REPLACE
    server: "edge-1"
    reason: "spec hash differs"
    gate { kind: KIND_AFTER reason: "waits for deployment/db" }
    changes { path: "image" before: "nginx:1.4.1" after: "nginx:1.4.2" }
    changes { path: "environment.LOG" before: "" after: "debug\nmore" }
    impact { sentence: "stops web for about 0.4 s (ports 8080 are fixed)" }
  }
  steps { resource: "stack/metrics" action: STEP_ACTION_CREATE server: "edge-2" reason: "missing" }
  steps {
    resource: "deployment/old"
    action: STEP_ACTION_PRUNE
    server: "edge-1"
    reason: "declared until 91bb0e2"
  }
  unchanged: 19
  invalid: 1
  servers: 2
  took { nanos: 3000000 }
)pb";

TEST(PlanTextTest, SaysWhatWillHappen) {
  EXPECT_EQ(RenderPlan(Parse<v1::Plan>(kPlan), {}, Plain()),
            R"(main @ 4f2a91c "web: 1.4.2"   7 files, 23 resources, 2 servers

  ~ deployment/web   on edge-1   replace   waits for deployment/db
      image             nginx:1.4.1 -> nginx:1.4.2
      environment.LOG   (none) -> debug\nmore
      stops web for about 0.4 s (ports 8080 are fixed)
  + stack/metrics    on edge-2   create    missing
  - deployment/old   on edge-1   prune     declared until 91bb0e2
  ! stack/paperless   invalid: its last good spec stays
      stacks/paperless.toml:14:1  unknown key "enviroment" in [stack.config]; did you mean "environment"?

1 to create, 1 to replace, 1 to prune, 1 invalid, 19 unchanged.     plan 8c1d03   planned in 3 ms
Run it exactly as shown: fairlead sync main --plan 8c1d03
)");
}

TEST(PlanTextTest, PlanOfAWorkingTreeIsNotOfferedToRun) {
  EXPECT_THAT(RenderPlan(Parse<v1::Plan>(kPlan), {.runnable = false}, Plain()),
              Not(HasSubstr("Run it")));
}

TEST(PlanTextTest, EmptyPlanIsQuiet) {
  const auto plan = Parse<v1::Plan>(
      "id: 'a' unchanged: 3 servers: 1 syncs { name: 'main' files: 1 resources: 3 }");
  EXPECT_EQ(RenderPlan(plan, {}, Plain()),
            "main   1 file, 3 resources, 1 server\n\nNothing to do: 3 unchanged.     plan a\n");
  EXPECT_FALSE(HasChanges(plan));
}

TEST(PlanTextTest, DriftAndBlockedStepsSaySo) {
  const auto plan = Parse<v1::Plan>(R"pb(
    steps { resource: "stack/a" action: STEP_ACTION_REPLACE heal: true reason: "image changed" }
    steps {
      resource: "stack/b"
      action: STEP_ACTION_BLOCKED
      gate { kind: KIND_SERVER reason: "edge-2 is offline" }
    })pb");
  const std::string text = RenderPlan(plan, {}, Plain());
  EXPECT_THAT(text, HasSubstr("~ stack/a"));
  EXPECT_THAT(text, HasSubstr("drift: image changed"));
  EXPECT_THAT(text, HasSubstr("! stack/b"));
  EXPECT_THAT(text, HasSubstr("edge-2 is offline"));
  EXPECT_THAT(text, HasSubstr("1 to replace, 1 blocked, 0 unchanged."));
}

TEST(PlanTextTest, WaitingAloneIsNoChangeAndWarningsAreNoErrors) {
  EXPECT_FALSE(HasChanges(Parse<v1::Plan>("steps { action: STEP_ACTION_WAIT }")));
  EXPECT_TRUE(HasChanges(Parse<v1::Plan>("steps { action: STEP_ACTION_BLOCKED }")));
  EXPECT_FALSE(HasErrors(Parse<v1::Plan>("syncs { problems { severity: SEVERITY_WARNING } }")));
  EXPECT_TRUE(HasErrors(Parse<v1::Plan>("syncs { problems { severity: SEVERITY_ERROR } }")));
}

TEST(StatusTextTest, ShowsSyncsServersAndWhatIsNotWell) {
  const auto status = Parse<v1::GetStatusResponse>(absl::StrCat(R"pb(
    syncs {
      name: "main"
      revision: "4f2a91c0000000000000000000000000000000aa"
      state: "converged"
      conditions { key: "CONDITION_CONVERGED" value: 20 }
      conditions { key: "ready" value: 2 }
      conditions { key: "invalid" value: 1 }
      last_change { seconds: 1699999988 }
    }
    servers {
      name: "edge-1"
      state: "online"
      containers_ok: 14
      agent_version: "0.3.0"
      lag { nanos: 2000000 }
    }
    servers {
      name: "edge-2"
      state: "offline"
      containers_ok: 9
      containers_bad: 1
      reason: "no session"
      last_seen { seconds: 1699999400 }
    }
    not_ok {
      resource: "stack/paperless"
      condition: CONDITION_INVALID
      reason: "cannot be read"
      problems {
        file: "stacks/paperless.toml"
        line: 14
        column: 1
        severity: SEVERITY_ERROR
        message: "unknown key \"enviroment\""
      }
    })pb"));
  EXPECT_EQ(RenderStatus(status, Plain()),
            R"(SYNC   REVISION   STATE       RESOURCES          LAST CHANGE
main   4f2a91c    converged   22 ok, 1 invalid   12 s ago
SERVER   STATE     CONTAINERS    AGENT   LAG
edge-1   online    14 ok         0.3.0   2 ms
edge-2   offline   9 ok, 1 not   -       seen 10 min ago
  edge-2: no session
NOT OK
stack/paperless   Invalid   stacks/paperless.toml:14:1 unknown key "enviroment"
)");
}

TEST(StatusTextTest, EmptyInstallationSaysHowToBegin) {
  EXPECT_THAT(RenderStatus({}, Plain()), HasSubstr("fairlead apply -f"));
  EXPECT_THAT(RenderStatus(Parse<v1::GetStatusResponse>(
                               "servers { name: \"a\" } active_controller: \"ctl-1:7400, term 7\""),
                           Plain()),
              HasSubstr("active controller: ctl-1:7400, term 7\n"));
}

TEST(StatusTextTest, RevisionThatIsFetchedButNotInEffectIsShown) {
  EXPECT_THAT(RenderStatus(Parse<v1::GetStatusResponse>(
                               "syncs { name: 'm' revision: 'aaa' fetched_revision: 'bbb' "
                               "state: 'failed' reason: 'no such branch' }"),
                           Plain()),
              testing::AllOf(HasSubstr("aaa (fetched bbb)"), HasSubstr("  m: no such branch\n")));
}

TEST(DescriptionTest, TellsTheStory) {
  const auto response = Parse<v1::GetResourceResponse>(absl::StrCat(
      R"pb(
        resource {
          status {
            resource: "deployment/web"
            server: "edge-1"
            condition: CONDITION_DEGRADED
            since { seconds: 1699999931 }
            wanted: "nginx:1.4.2"
            revision: "4f2a91c"
            wanted_hash: "v1:k1:9e0c77"
            running: "nginx:1.4.1"
            live_hash: "v1:k1:111111"
            reason: "1.4.2 exited with 1 after 0.8 s"
            log_tail: "nginx: [emerg] invalid port\nbye\n"
            next: "tried again on a new spec or: fairlead retry deployment/web"
            file: "web.toml"
            line: 3
            origin: "resource_sync/main"
          }
        }
        inventory { applied_revision: "91bb0e2" }
        containers { name: "web" state: CONTAINER_STATE_RUNNING health: CONTAINER_HEALTH_HEALTHY }
        containers { name: "web-old" state: CONTAINER_STATE_EXITED exit_code: 1 }
        history {
          at { seconds: 1699999930 }
          type: "step-started"
          message: "replace"
        }
        history { at)pb",
      kNowText, R"( type: "rolled-back" message: "old one is back" warning: true })"));
  EXPECT_EQ(RenderDescription(response, Plain()),
            R"(deployment/web on edge-1                                    Degraded since 22:12:11
  wanted    nginx:1.4.2   revision 4f2a91c   spec v1:k1:9e0c77
  running   nginx:1.4.1   revision 91bb0e2   spec v1:k1:111111
  why       1.4.2 exited with 1 after 0.8 s; last lines:
              nginx: [emerg] invalid port
              bye
  next      tried again on a new spec or: fairlead retry deployment/web
  declared  web.toml:3 (resource_sync/main)
  container web running, healthy; web-old exited with 1
  history   22:13:20  rolled-back   old one is back
            22:12:10  step-started  replace
)");
}

TEST(DescriptionTest, HoldSaysWhoWhyAndUntilWhen) {
  const auto response = Parse<v1::GetResourceResponse>(absl::StrCat(
      R"pb(resource { status { resource: "stack/a" condition: CONDITION_STOPPED
                               hold { who: "ann" why: "disk swap" at)pb",
      kNowText, " expires_at { seconds: 1700003600 } } } }"));
  EXPECT_THAT(RenderDescription(response, Plain()),
              HasSubstr("  hold      stopped by ann 22:13:20: disk swap; until 23:13:20\n"));
}

TEST(ResourceTableTest, OneRowEach) {
  const auto list = Parse<v1::ListResourcesResponse>(R"pb(
    resources {
      status {
        resource: "deployment/web"
        condition: CONDITION_CONVERGED
        server: "edge-1"
        revision: "abc"
        wanted: "nginx:1"
        since { seconds: 1699999700 }
      }
    }
    resources { status { resource: "variable/X" condition: CONDITION_READY } })pb");
  EXPECT_EQ(RenderResources(list, Plain()),
            "RESOURCE         STATE       SERVER   REVISION   SINCE       WANTED\n"
            "deployment/web   Converged   edge-1   abc        5 min ago   nginx:1\n"
            "variable/X       Ready       -        -          -\n");
}

TEST(JsonTest, NamesAreThoseOfTheProtoAndTimesUtc) {
  const auto json = ToJson(Parse<v1::Event>(absl::StrCat("id: 7 at ", kNowText, " warning: true")),
                           JsonStyle::kLine);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json,
            "{\"id\":\"7\",\"resource\":\"\",\"type\":\"\",\"message\":\"\",\"warning\":true,"
            "\"server\":\"\",\"revision\":\"\",\"at\":\"2023-11-14T22:13:20Z\"}\n");
}

TEST(JsonTest, MapsAreInOrderOfKey) {
  v1::SyncStatus sync;
  for (const char* name : {"zeta", "alpha", "mid", "beta", "omega", "eta"}) {
    (*sync.mutable_conditions())[name] = 1;
  }
  const std::string json = *ToJson(sync, JsonStyle::kLine);
  EXPECT_THAT(json,
              HasSubstr("{\"alpha\":1,\"beta\":1,\"eta\":1,\"mid\":1,\"omega\":1,\"zeta\":1}"));
}

TEST(NamesTest, EveryEnumValueHasWords) {
  EXPECT_EQ(ConditionName(v1::CONDITION_CRASH_LOOP), "Crash loop");
  EXPECT_EQ(ActionName(v1::STEP_ACTION_REMOVE_EXTRA), "remove extra");
  EXPECT_EQ(ActionMark(v1::STEP_ACTION_ADOPT), "=");
  EXPECT_EQ(PlaceOf(Parse<v1::Problem>("file: 'a' column: 3")), "a");
}

}  // namespace
}  // namespace fairlead::cli
