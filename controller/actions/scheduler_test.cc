#include "controller/actions/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

std::string Scheduled(const std::string& phrase, const std::string& more = "") {
  return ProcedureOf("p", {StageOf({Do("None")})},
                     absl::StrCat("[procedure.config]\nschedule = \"", phrase, "\"\n", more));
}

class SchedulerTest : public ::testing::Test {
 protected:
  void Begin(const std::string& toml, const std::string& now) {
    world_.core.now = At(now);
    world_.core.Connect("edge");
    world_.Declare(toml);
    world_.Settle(absl::Seconds(1));
  }
  // Lets the time pass with the controller running.
  void RunUntil(const std::string& time) { world_.Settle(At(time) - world_.core.now); }
  // ... and with the controller away.
  void AwayUntil(const std::string& time) {
    world_.core.now = At(time);
    world_.Restart();
    world_.DeclareAgain();
    world_.core.Connect("edge");
    world_.Settle(absl::Seconds(1));
  }
  // When runs began, oldest first.
  std::vector<std::string> Times() const {
    std::vector<std::string> times;
    for (const v1::Run& run : world_.Runs("procedure/p")) {
      times.insert(times.begin(), absl::FormatTime("%m-%dT%H:%M", base::FromProto(run.created_at()),
                                                   absl::UTCTimeZone()));
    }
    return times;
  }
  v1::ListSchedulesResponse List() const {
    return world_.driver->scheduler().List("", world_.core.now);
  }

  RunWorld world_;
};

TEST_F(SchedulerTest, RunsAtItsTimesAndSaysSo) {
  Begin(Scheduled("Every day at 03:00"), "2026-05-01T12:00:00Z");
  EXPECT_THAT(Times(), IsEmpty());
  RunUntil("2026-05-03T12:00:00Z");
  EXPECT_THAT(Times(), ElementsAre("05-02T03:00", "05-03T03:00"));
  const v1::Run run = world_.Runs("procedure/p")[0];
  EXPECT_EQ(run.trigger(), v1::RUN_TRIGGER_SCHEDULE);
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED);
}

TEST_F(SchedulerTest, ShowsTheNextTimes) {
  Begin(
      Scheduled("0 3 * * *", "schedule_format = \"Cron\"\nschedule_timezone = \"Europe/Berlin\"\n"),
      "2026-05-01T12:00:00Z");
  const v1::ListSchedulesResponse list = List();
  ASSERT_EQ(list.schedules_size(), 1);
  EXPECT_EQ(list.schedules(0).resource(), "procedure/p");
  EXPECT_EQ(list.schedules(0).timezone(), "Europe/Berlin");
  ASSERT_EQ(list.schedules(0).next_size(), 3);
  EXPECT_EQ(base::FromProto(list.schedules(0).next(0)), At("2026-05-02T01:00:00Z"));
  EXPECT_FALSE(list.schedules(0).has_last_run());
  RunUntil("2026-05-02T12:00:00Z");
  EXPECT_EQ(base::FromProto(List().schedules(0).last_run()), At("2026-05-02T01:00:00Z"));
}

TEST_F(SchedulerTest, ATimeThatDoesNotExistRunsOnceAndOneThatExistsTwiceRunsOnce) {
  Begin(Scheduled("Every day at 02:30", "schedule_timezone = \"Europe/Berlin\"\n"),
        "2026-03-28T12:00:00Z");
  RunUntil("2026-03-30T12:00:00Z");
  EXPECT_THAT(Times(), ElementsAre("03-29T01:00", "03-30T00:30"));
  world_.core.now = At("2026-10-24T12:00:00Z");
  AwayUntil("2026-10-24T12:00:00Z");
  const std::size_t before = Times().size();
  RunUntil("2026-10-25T12:00:00Z");
  ASSERT_EQ(Times().size(), before + 1);
  EXPECT_EQ(Times().back(), "10-25T00:30");
}

TEST_F(SchedulerTest, WhatWasMissedIsCaughtUpOnce) {
  Begin(Scheduled("Every day at 03:00"), "2026-05-01T12:00:00Z");
  AwayUntil("2026-05-04T12:00:00Z");
  EXPECT_THAT(Times(), ElementsAre("05-04T12:00"));
  EXPECT_EQ(world_.Runs("procedure/p")[0].why(), "missed at 2026-05-02T03:00:00+00:00");
  AwayUntil("2026-05-04T13:00:00Z");
  EXPECT_THAT(Times(), ElementsAre("05-04T12:00"));
}

TEST_F(SchedulerTest, WithoutCatchUpWhatWasMissedIsPassedOver) {
  Begin(Scheduled("Every day at 03:00", "catch_up = false\n"), "2026-05-01T12:00:00Z");
  AwayUntil("2026-05-04T12:00:00Z");
  EXPECT_THAT(Times(), IsEmpty());
  // Half a minute late is on time.
  AwayUntil("2026-05-05T03:00:30Z");
  EXPECT_THAT(Times(), ElementsAre("05-05T03:00"));
}

TEST_F(SchedulerTest, ATimeCountsOnceAlthoughTheControllerIsKilledAtIt) {
  Begin(Scheduled("Every day at 03:00"), "2026-05-01T12:00:00Z");
  RunUntil("2026-05-02T02:59:59Z");
  world_.core.now = At("2026-05-02T03:00:00Z");
  world_.Pass();
  EXPECT_EQ(Times().size(), 1u);
  AwayUntil("2026-05-02T03:00:05Z");
  EXPECT_EQ(Times().size(), 1u);
  // Killed before the batch was stored, it had not happened.
  world_.core.now = At("2026-05-03T03:00:00Z");
  world_.before_store = [] { return false; };
  world_.Pass();
  world_.before_store = nullptr;
  AwayUntil("2026-05-03T03:00:05Z");
  EXPECT_EQ(Times().size(), 2u);
}

TEST_F(SchedulerTest, AnotherScheduleBeginsAnew) {
  Begin(Scheduled("Every day at 03:00"), "2026-05-01T12:00:00Z");
  world_.Declare(Scheduled("Every day at 11:00"));
  world_.Settle(absl::Seconds(1));
  EXPECT_THAT(Times(), IsEmpty());
  RunUntil("2026-05-02T12:00:00Z");
  EXPECT_THAT(Times(), ElementsAre("05-02T11:00"));
}

TEST_F(SchedulerTest, IsPassedOverWhileARunIsUnderWay) {
  Begin(ProcedureOf("p", {StageOf({SleepOf(90'000)})},
                    "[procedure.config]\nschedule = \"every minute\"\n"),
        "2026-05-01T12:00:30Z");
  RunUntil("2026-05-01T12:04:00Z");
  EXPECT_THAT(Times(), ElementsAre("05-01T12:01", "05-01T12:03"));
  EXPECT_TRUE(world_.core.HasEvent("schedule-skipped", "procedure/p"));
}

TEST_F(SchedulerTest, ADisabledScheduleHasNoTimes) {
  Begin(Scheduled("Every day at 03:00", "schedule_enabled = false\n"), "2026-05-01T12:00:00Z");
  RunUntil("2026-05-03T12:00:00Z");
  EXPECT_THAT(Times(), IsEmpty());
  ASSERT_EQ(List().schedules_size(), 1);
  EXPECT_EQ(List().schedules(0).next_size(), 0);
}

TEST_F(SchedulerTest, ASyncHasASchedule) {
  Begin(
      "[[resource_sync]]\nname = \"main\"\nconfig.url = \"file:///nowhere\"\nconfig.schedule = "
      "\"Every day at 03:00\"\n",
      "2026-05-01T12:00:00Z");
  RunUntil("2026-05-02T12:00:00Z");
  ASSERT_EQ(world_.fetches.size(), 1u);
  EXPECT_EQ(world_.fetches[0].sync, "main");
}

}  // namespace
}  // namespace fairlead::actions
