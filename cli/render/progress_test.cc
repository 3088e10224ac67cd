// Lines that change: resources, runs, and the region they stand in.
#include "cli/render/progress.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

#include "cli/render/live_region.h"
#include "cli/render/run_progress.h"
#include "cli/testing/screen.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr ScreenSize kScreen{.width = 60, .height = 24};
// 2023-11-14 22:13:20 UTC.
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

TextOptions Plain() { return {.painter = Painter(false), .now = kNow}; }

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

v1::Event EventOf(const std::string& type, const std::string& resource, int64_t second) {
  return Parse<v1::Event>(absl::StrCat("type: '", type, "' resource: '", resource, "' message: '",
                                       type, "' at { seconds: ", 1'700'000'000 + second, " }"));
}

v1::GetStatusResponse Busy(const std::string& resource) {
  return Parse<v1::GetStatusResponse>(
      absl::StrCat("not_ok { resource: '", resource, "' condition: CONDITION_PROGRESSING }"));
}

ProgressRow RowOf(Mark mark, const std::string& name, std::size_t parts = 0) {
  ProgressRow row{.mark = mark, .name = name, .text = "pulling", .took = "3.0 s"};
  for (std::size_t i = 0; i < parts; ++i) row.parts.push_back(absl::StrCat("layer ", i));
  return row;
}

TEST(ProgressRowsTest, PartsStandBelowTheirRow) {
  EXPECT_THAT(RenderRows({RowOf(Mark::kBusy, "a", 2), RowOf(Mark::kFailed, "bb")}, Plain(),
                         {.width = 40, .height = 10}),
              ElementsAre("  .. a   pulling                   3.0 s", "       layer 0",
                          "       layer 1", "  !! bb  pulling                   3.0 s"));
}

TEST(ProgressRowsTest, NothingIsWiderThanTheScreen) {
  const ProgressRow row{.mark = Mark::kBusy,
                        .name = std::string(70, 'n'),
                        .text = std::string(70, 't'),
                        .took = "3.0 s",
                        .parts = {std::string(70, 'p')}};
  for (const std::size_t width : {1u, 5u, 20u, 40u, 80u}) {
    for (const std::string& line : RenderRows({row}, Plain(), {.width = width, .height = 10})) {
      EXPECT_LE(DisplayWidth(line), std::max<std::size_t>(width, 5)) << line;
    }
  }
}

TEST(ProgressRowsTest, MoreThanFitsIsFoldedPartsFirst) {
  const auto render = [](std::vector<ProgressRow> rows, std::size_t height) {
    return RenderRows(std::move(rows), Plain(), {.width = 40, .height = height});
  };
  EXPECT_THAT(
      render({RowOf(Mark::kBusy, "a", 127)}, 4),
      ElementsAre(HasSubstr(".. a"), "       layer 0", "       layer 1", "       and 125 more"));
  // Each gets its share.
  EXPECT_THAT(render({RowOf(Mark::kBusy, "a", 9), RowOf(Mark::kBusy, "b", 1)}, 6),
              ElementsAre(HasSubstr(".. a"), "       layer 0", "       and 8 more",
                          HasSubstr(".. b"), "       layer 0"));
  EXPECT_THAT(render({RowOf(Mark::kBusy, "a", 3)}, 1), ElementsAre(HasSubstr(".. a")));
  EXPECT_THAT(render({RowOf(Mark::kDone, "a"), RowOf(Mark::kBusy, "b"), RowOf(Mark::kWaiting, "c"),
                      RowOf(Mark::kFailed, "d")},
                     3),
              ElementsAre(HasSubstr(".. b"), HasSubstr("!! d"), "  and 2 more"));
  std::vector<ProgressRow> many(300, RowOf(Mark::kBusy, "x", 3));
  EXPECT_THAT(render(many, 10), SizeIs(10));
  EXPECT_THAT(render(many, 10).back(), "  and 291 more");
}

TEST(ProgressTest, FollowsEventsAndStatus) {
  Progress progress;
  progress.OnEvent(EventOf("step-started", "deployment/db", 0));
  progress.OnEvent(EventOf("step-started", "deployment/web", 1));
  progress.OnEvent(EventOf("step-succeeded", "deployment/db", 3));
  progress.OnEvent(EventOf("agent-notice", "deployment/other", 3));
  TextOptions options = Plain();
  options.now = kNow + absl::Seconds(5);
  EXPECT_THAT(progress.Lines(options, kScreen),
              ElementsAre("  ok deployment/db   step-succeeded                    3.0 s",
                          "  .. deployment/web  step-started                      4.0 s"));
  EXPECT_THAT(progress.TakeFinished(options, kScreen), IsEmpty()) << "only the status knows";
  progress.OnStatus(Parse<v1::GetStatusResponse>(
                        "not_ok { resource: 'deployment/web' condition: CONDITION_PROGRESSING "
                        "reason: '1 of 3 checks' }"
                        "not_ok { resource: 'stack/x' condition: CONDITION_INVALID }"),
                    options.now);
  EXPECT_THAT(progress.TakeFinished(options, kScreen),
              ElementsAre(HasSubstr("ok deployment/db  step-succeeded")));
  EXPECT_THAT(progress.Lines(options, kScreen),
              ElementsAre(HasSubstr(".. deployment/web  1 of 3 checks")));
  progress.OnStatus({}, options.now);
  EXPECT_THAT(progress.TakeFinished(options, kScreen),
              ElementsAre(HasSubstr("ok deployment/web  converged")));
  EXPECT_THAT(progress.Lines(options, kScreen), IsEmpty());
}

TEST(ProgressTest, WhatIsFinishedComesBackOnlyWhenSomethingBegins) {
  Progress progress;
  progress.OnEvent(EventOf("step-started", "deployment/web", 0));
  progress.OnStatus({}, kNow);
  EXPECT_THAT(progress.TakeFinished(Plain(), kScreen), SizeIs(1));
  progress.OnEvent(EventOf("converged", "deployment/web", 1));
  EXPECT_THAT(progress.Lines(Plain(), kScreen), IsEmpty()) << "its end was told already";
  progress.OnStatus(Busy("deployment/web"), kNow);
  EXPECT_THAT(progress.Lines(Plain(), kScreen), ElementsAre(HasSubstr(".. deployment/web")));
  progress.OnStatus({}, kNow);
  progress.TakeFinished(Plain(), kScreen);
  progress.OnEvent(EventOf("step-failed", "deployment/web", 2));
  EXPECT_THAT(progress.Lines(Plain(), kScreen), ElementsAre(HasSubstr("!! deployment/web")));
}

TEST(ProgressTest, FailureIsMarked) {
  Progress progress;
  progress.OnEvent(Parse<v1::Event>("type: 'rolled-back' resource: 'stack/a' message: 'bad'"));
  EXPECT_THAT(progress.Lines(Plain(), kScreen)[0], HasSubstr("!! stack/a  bad"));
}

TEST(ProgressTest, NewsOfAnActionStandInTheLineOfItsResource) {
  constexpr ScreenSize kWide{.width = 80, .height = 24};
  Progress progress;
  progress.OnEvent(Parse<v1::Event>("type: 'step-started' resource: 'deployment/web'"));
  const auto news = [](absl::string_view resource) {
    return Parse<v1::ActionProgress>(
        absl::StrCat("action_id: 'x1' phase: 'pulling' detail: 'nginx\\n3f4fca: 1 of 2 MB' "
                     "current: 14100000 total: 24000000 resource: '",
                     resource, "'"));
  };
  progress.OnProgress(news("deployment/web"), kNow);
  EXPECT_THAT(progress.Lines(Plain(), kWide),
              ElementsAre(HasSubstr(".. deployment/web  pulling nginx  14.1 / 24.0 MB"),
                          "       3f4fca: 1 of 2 MB"));
  progress.OnStatus(Busy("deployment/web"), kNow);
  EXPECT_THAT(progress.Lines(Plain(), kWide), SizeIs(2)) << "a look in between takes nothing away";
  progress.OnEvent(
      Parse<v1::Event>("type: 'converged' resource: 'deployment/web' message: 'healthy'"));
  progress.OnProgress(news("deployment/web"), kNow);
  EXPECT_THAT(progress.Lines(Plain(), kWide), ElementsAre(HasSubstr("ok deployment/web  healthy")));
  // An older agent does not say of which resource.
  progress.OnProgress(news(""), kNow);
  EXPECT_THAT(progress.Lines(Plain(), kWide)[1],
              AllOf(HasSubstr(".. action x1"), HasSubstr("pulling nginx")));
}

TEST(LiveRegionTest, LinesChangeInPlaceAndWhatStaysGoesAbove) {
  Screen screen(20, 5);
  LiveRegion region;
  const auto draw = [&](absl::string_view above, const std::vector<std::string>& lines) {
    screen.Write(region.Draw(above, lines));
    EXPECT_FALSE(screen.broken());
    return screen.Lines();
  };
  EXPECT_THAT(draw("", {"a 1", "b 1"}), ElementsAre("a 1", "b 1"));
  EXPECT_THAT(draw("", {"a 2", "b"}), ElementsAre("a 2", "b"));
  EXPECT_EQ(region.Draw("", {"a 2", "b"}), "") << "nothing has changed";
  EXPECT_THAT(draw("log one\nlog two\n", {"a 3"}), ElementsAre("log one", "log two", "a 3"));
  EXPECT_THAT(draw("", {"a", "b", "c", "d"}),
              ElementsAre("log one", "log two", "a", "b", "c", "d"));
  EXPECT_THAT(draw("", {"b"}), ElementsAre("log one", "log two", "b"));
  EXPECT_THAT(draw("", {std::string(50, 'x'), "y"}),
              ElementsAre("log one", "log two", std::string(20, 'x'), "y"))
      << "too wide a line takes one row";
  EXPECT_THAT(draw("a log line that is longer than the screen is wide\n", {}),
              ElementsAre("log one", "log two", "a log line that is l", "onger than the scree",
                          "n is wide"));
}

TEST(LiveRegionTest, ManyFinishedResourcesScrollAway) {
  constexpr ScreenSize kSmall{.width = 40, .height = 5};
  Screen screen(40, 6);
  LiveRegion region;
  Progress progress;
  for (int i = 0; i < 40; ++i) {
    progress.OnEvent(EventOf("step-started", absl::StrCat("deployment/d", i), 0));
  }
  for (int i = 0; i <= 40; ++i) {
    v1::GetStatusResponse status;
    for (int j = i; j < 40; ++j) {
      v1::ResourceStatus& resource = *status.add_not_ok();
      resource.set_resource(absl::StrCat("deployment/d", j));
      resource.set_condition(v1::CONDITION_PROGRESSING);
    }
    progress.OnStatus(status, kNow);
    std::string above;
    for (const std::string& line : progress.TakeFinished(Plain(), kSmall)) {
      absl::StrAppend(&above, line, "\n");
    }
    screen.Write(region.Draw(above, progress.Lines(Plain(), kSmall)));
    ASSERT_FALSE(screen.broken()) << i;
    ASSERT_EQ(screen.Lines().size(), static_cast<std::size_t>(i + std::min(5, 40 - i))) << i;
  }
  EXPECT_THAT(screen.Lines(), AllOf(SizeIs(40), Each(HasSubstr("ok deployment/d"))));
}

v1::Run BuildRun() {
  return Parse<v1::Run>(
      "id: 'r1' resource: 'build/api' state: RUN_STATE_RUNNING stages { state: RUN_STATE_RUNNING "
      "executions { type: 'RunBuild' target: 'build/api' state: RUN_STATE_RUNNING request_id: 'q' "
      "action_id: 'a1' message: 'building step 3/11: COPY' started_at { seconds: 1699999990 } } }");
}

v1::ActionProgress Step(const std::string& action, const std::string& resource) {
  return Parse<v1::ActionProgress>(absl::StrCat("action_id: '", action, "' resource: '", resource,
                                                "' phase: 'building' detail: 'step 4/11: RUN'"));
}

TEST(RunProgressTest, ABuildIsOneLineWithItsStep) {
  RunProgress progress;
  EXPECT_THAT(progress.Lines(Plain(), kScreen), IsEmpty());
  progress.OnProgress(Step("a1", "build/api"));
  progress.OnRun(BuildRun());
  // The record is behind what the action itself tells.
  EXPECT_THAT(progress.Lines(Plain(), kScreen),
              ElementsAre("  .. RunBuild build/api  building step 4/11: RUN        10 s"));
  v1::Run ended = BuildRun();
  ended.set_state(v1::RUN_STATE_SUCCEEDED);
  progress.OnRun(ended);
  EXPECT_THAT(progress.Lines(Plain(), kScreen), IsEmpty());
}

TEST(RunProgressTest, NewsOfOtherActionsAreNotItsOwn) {
  RunProgress progress;
  progress.OnRun(BuildRun());
  progress.OnProgress(Step("a2", "build/api"));
  progress.OnProgress(Step("a3", "build/other"));
  EXPECT_THAT(progress.Lines(Plain(), kScreen), ElementsAre(HasSubstr("building step 3/11: COPY")));
}

TEST(RunProgressTest, OfADeployTheNewestWordCounts) {
  RunProgress progress;
  v1::Run run = BuildRun();
  run.mutable_stages(0)->mutable_executions(0)->clear_action_id();
  progress.OnRun(run);
  progress.OnProgress(Step("a2", "build/api"));
  EXPECT_THAT(progress.Lines(Plain(), kScreen), ElementsAre(HasSubstr("step 4/11")));
  run.mutable_stages(0)->mutable_executions(0)->set_message("1 of 3 checks");
  progress.OnRun(run);
  EXPECT_THAT(progress.Lines(Plain(), kScreen), ElementsAre(HasSubstr("1 of 3 checks")));
}

TEST(RunProgressTest, ARunThatWaitsSaysSo) {
  RunProgress progress;
  v1::Run run = BuildRun();
  run.set_state(v1::RUN_STATE_WAITING);
  progress.OnRun(run);
  EXPECT_THAT(progress.Lines(Plain(), kScreen),
              ElementsAre(HasSubstr("-- build/api  waits for its turn")));
}

}  // namespace
}  // namespace fairlead::cli
