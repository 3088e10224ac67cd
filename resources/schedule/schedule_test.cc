#include "resources/schedule/schedule.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/schedule/time_zone_name.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

Schedule Cron(absl::string_view text) {
  const absl::StatusOr<Schedule> schedule = ParseSchedule(ScheduleFormat::kCron, text);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return schedule.value_or(Schedule(CalendarFields::Midnights()));
}

absl::Time Utc(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

// The next runs as "MM-DD HH:MM+offset".
std::vector<std::string> Runs(absl::string_view cron, const std::string& after,
                              absl::string_view zone_name, std::size_t count) {
  const absl::StatusOr<absl::TimeZone> zone = FindTimeZone(zone_name);
  EXPECT_TRUE(zone.ok()) << zone.status();
  std::vector<std::string> out;
  for (const absl::Time time : Cron(cron).NextTimes(Utc(after), *zone, count)) {
    out.push_back(absl::FormatTime("%m-%d %H:%M%z", time, *zone));
  }
  return out;
}

struct RunCase {
  const char* situation;
  const char* cron;
  const char* after;
  const char* zone;
  std::vector<std::string> runs;
};

void Check(const std::vector<RunCase>& cases) {
  for (const RunCase& c : cases) {
    EXPECT_THAT(Runs(c.cron, c.after, c.zone, c.runs.size()), ElementsAreArray(c.runs))
        << c.situation << ": " << c.cron;
  }
}

TEST(ScheduleTest, RunsAtTheLocalTimeOfTheZone) {
  Check({
      {"UTC", "0 0 3 * * *", "2024-03-01T03:00:00Z", "UTC", {"03-02 03:00+0000"}},
      {"the moment itself is not next",
       "0 3 * * *",
       "2024-03-01T02:59:59Z",
       "UTC",
       {"03-01 03:00+0000", "03-02 03:00+0000"}},
      {"west",
       "0 3 * * *",
       "2024-01-01T00:00:00Z",
       "America/New_York",
       {"01-01 03:00-0500", "01-02 03:00-0500"}},
      {"east, half an hour",
       "0 3 * * *",
       "2024-01-01T00:00:00Z",
       "Asia/Kolkata",
       {"01-02 03:00+0530"}},
      {"weekdays over a weekend",
       "30 17 * * MON-FRI",
       "2024-03-07T20:00:00Z",
       "Europe/London",
       {"03-08 17:30+0000", "03-11 17:30+0000"}},
      {"both day fields must match",
       "0 0 13 * FRI",
       "2024-01-01T00:00:00Z",
       "UTC",
       {"09-13 00:00+0000", "12-13 00:00+0000"}},
      {"last day of months",
       "0 0 L * *",
       "2024-01-31T12:00:00Z",
       "UTC",
       {"02-29 00:00+0000", "03-31 00:00+0000", "04-30 00:00+0000"}},
      {"first Monday",
       "0 0 * * MON#1",
       "2024-01-01T00:00:00Z",
       "UTC",
       {"02-05 00:00+0000", "03-04 00:00+0000"}},
      {"last Friday",
       "0 0 * * FRI#L",
       "2024-02-01T00:00:00Z",
       "UTC",
       {"02-23 00:00+0000", "03-29 00:00+0000"}},
      {"fifth Friday",
       "0 0 * * FRI#5",
       "2024-01-01T00:00:00Z",
       "UTC",
       {"03-29 00:00+0000", "05-31 00:00+0000"}},
      {"turn of the year", "59 23 31 12 *", "2024-12-31T23:59:00Z", "UTC", {"12-31 23:59+0000"}},
  });
}

TEST(ScheduleTest, LeapDaysComeWhenTheyExist) {
  const auto year_of = [](absl::string_view cron, const std::string& after) {
    const auto next = Cron(cron).Next(Utc(after), absl::UTCTimeZone());
    return next.has_value() ? absl::FormatTime("%Y-%m-%d", *next, absl::UTCTimeZone()) : "none";
  };
  EXPECT_EQ(year_of("0 0 29 2 *", "2024-03-01T00:00:00Z"), "2028-02-29");
  EXPECT_EQ(year_of("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29");
  // Such a day comes 40 years later at worst.
  EXPECT_EQ(year_of("0 0 29 2 MON", "2072-03-01T00:00:00Z"), "2112-02-29");
}

TEST(ScheduleTest, TimeThatDoesNotExistRunsOnceAfterTheGap) {
  Check({
      {"Berlin 02:00 to 03:00",
       "30 2 * * *",
       "2024-03-30T00:00:00Z",
       "Europe/Berlin",
       {"03-30 02:30+0100", "03-31 03:00+0200", "04-01 02:30+0200"}},
      {"New York 02:00 to 03:00",
       "0 2 * * *",
       "2024-03-09T12:00:00Z",
       "America/New_York",
       {"03-10 03:00-0400", "03-11 02:00-0400"}},
      {"Lord Howe 02:00 to 02:30",
       "15 2 * * *",
       "2024-10-05T00:00:00Z",
       "Australia/Lord_Howe",
       {"10-06 02:30+1100", "10-07 02:15+1100"}},
      {"Lord Howe, a time after the gap",
       "45 2 * * *",
       "2024-10-05T00:00:00Z",
       "Australia/Lord_Howe",
       {"10-06 02:45+1100"}},
      {"several times in the gap",
       "0,30 2 * * *",
       "2024-03-30T20:00:00Z",
       "Europe/Berlin",
       {"03-31 03:00+0200", "04-01 02:00+0200"}},
      {"together with the hour after",
       "0 2,3 * * *",
       "2024-03-30T20:00:00Z",
       "Europe/Berlin",
       {"03-31 03:00+0200", "04-01 02:00+0200"}},
      {"at midnight",
       "0 0 * * *",
       "2018-11-03T12:00:00Z",
       "America/Sao_Paulo",
       {"11-04 01:00-0200", "11-05 00:00-0200"}},
      {"a whole day",
       "0 3 * * *",
       "2011-12-29T20:00:00Z",
       "Pacific/Apia",
       {"12-31 00:00+1400", "12-31 03:00+1400"}},
      {"another day's schedule",
       "30 2 * * MON",
       "2024-03-30T00:00:00Z",
       "Europe/Berlin",
       {"04-01 02:30+0200"}},
  });
}

TEST(ScheduleTest, GapIsSeenFromEachMomentBeforeIt) {
  const absl::TimeZone berlin = FindTimeZone("Europe/Berlin").value();
  const Schedule schedule = Cron("30 2 * * *");
  const absl::Time gap = Utc("2024-03-31T01:00:00Z");
  for (const absl::Duration before :
       {absl::Milliseconds(1), absl::Seconds(1), absl::Milliseconds(1500), absl::Minutes(31),
        absl::Hours(5)}) {
    EXPECT_EQ(schedule.Next(gap - before, berlin), gap) << before;
  }
  EXPECT_EQ(schedule.Next(gap, berlin), Utc("2024-04-01T00:30:00Z"));
}

TEST(ScheduleTest, TimeThatExistsTwiceRunsTheFirstTime) {
  Check({
      {"Berlin 03:00 to 02:00",
       "30 2 * * *",
       "2024-10-26T12:00:00Z",
       "Europe/Berlin",
       {"10-27 02:30+0200", "10-28 02:30+0100"}},
      {"New York 02:00 to 01:00",
       "0 1 * * *",
       "2024-11-02T12:00:00Z",
       "America/New_York",
       {"11-03 01:00-0400", "11-04 01:00-0500"}},
      {"asked in the second pass",
       "30 2 * * *",
       "2024-10-27T01:10:00Z",
       "Europe/Berlin",
       {"10-28 02:30+0100"}},
      {"Lord Howe 02:00 to 01:30",
       "45 1 * * *",
       "2024-04-06T00:00:00Z",
       "Australia/Lord_Howe",
       {"04-07 01:45+1100", "04-08 01:45+1030"}},
      {"times by list",
       "0,30 2 * * *",
       "2024-10-26T12:00:00Z",
       "Europe/Berlin",
       {"10-27 02:00+0200", "10-27 02:30+0200", "10-28 02:00+0100"}},
      {"hours by step",
       "0 0 */2 * * *",
       "2024-10-26T23:00:00Z",
       "Europe/Berlin",
       {"10-27 02:00+0200", "10-27 04:00+0100"}},
  });
}

TEST(ScheduleTest, RhythmsRunThroughGapAndRepetition) {
  Check({
      {"gap",
       "*/20 * * * *",
       "2024-03-31T00:30:00Z",
       "Europe/Berlin",
       {"03-31 01:40+0100", "03-31 03:00+0200", "03-31 03:20+0200"}},
      {"gap, each hour",
       "15 * * * *",
       "2024-03-31T00:10:00Z",
       "Europe/Berlin",
       {"03-31 01:15+0100", "03-31 03:15+0200"}},
      {"gap of half an hour, each hour",
       "0 * * * *",
       "2024-10-05T14:00:00Z",
       "Australia/Lord_Howe",
       {"10-06 01:00+1030", "10-06 03:00+1100"}},
      {"repetition",
       "*/30 * * * *",
       "2024-10-26T23:50:00Z",
       "Europe/Berlin",
       {"10-27 02:00+0200", "10-27 02:30+0200", "10-27 02:00+0100", "10-27 02:30+0100",
        "10-27 03:00+0100"}},
      {"repetition, each hour",
       "10 * * * *",
       "2024-10-26T23:50:00Z",
       "Europe/Berlin",
       {"10-27 02:10+0200", "10-27 02:10+0100", "10-27 03:10+0100"}},
      {"repetition within hours",
       "*/30 1-2 * * *",
       "2024-10-27T00:10:00Z",
       "Europe/Berlin",
       {"10-27 02:30+0200", "10-27 02:00+0100", "10-27 02:30+0100", "10-28 01:00+0100"}},
      {"gap within hours",
       "*/30 2 * * *",
       "2024-03-30T20:00:00Z",
       "Europe/Berlin",
       {"03-31 03:00+0200", "04-01 02:00+0200"}},
  });
}

TEST(ScheduleTest, SecondsCount) {
  const Schedule schedule = Cron("*/20 0 12 * * *");
  const auto times = schedule.NextTimes(Utc("2024-01-01T12:00:10.5Z"), absl::UTCTimeZone(), 3);
  EXPECT_THAT(times, ElementsAre(Utc("2024-01-01T12:00:20Z"), Utc("2024-01-01T12:00:40Z"),
                                 Utc("2024-01-02T12:00:00Z")));
}

TEST(ScheduleTest, FarMomentsHaveNoNextRun) {
  const Schedule schedule = Cron("* * * * *");
  for (const absl::Time after :
       {absl::InfiniteFuture(), absl::InfinitePast(), absl::FromUnixSeconds(1ll << 55),
        absl::FromUnixSeconds(-(1ll << 55)), absl::UniversalEpoch() - absl::Hours(24 * 366)}) {
    EXPECT_EQ(schedule.Next(after, absl::UTCTimeZone()), std::nullopt) << after;
  }
}

TEST(ScheduleTest, EqualWhenItRunsAtTheSameTimes) {
  EXPECT_EQ(Cron("0 */15 * * * *"), Cron("0,15,30,45 * * * *"));
  EXPECT_EQ(Cron("@daily"), ParseSchedule(ScheduleFormat::kEnglish, "every day").value());
  EXPECT_EQ(Cron("0 0 1-31,L * *"), Cron("@daily"));
  EXPECT_FALSE(Cron("0 0 * * MON") == Cron("0 0 * * TUE"));
  // They differ when a local time is repeated.
  EXPECT_FALSE(Cron("0,30 2 * * *") == Cron("*/30 2 * * *"));
}

TEST(ScheduleTest, ErrorSaysWhatWhereWhyAndWhatToDo) {
  const auto schedule = ParseSchedule(ScheduleFormat::kEnglish, "Every dya at 3am");
  EXPECT_EQ(schedule.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(schedule.status().message(),
            "schedule \"Every dya at 3am\": column 7: expected a unit such as \"day\" or the name "
            "of a day after \"every\", found \"dya\"; did you mean \"day\"?");
}

TEST(ScheduleTest, EndlessTextIsRefused) {
  const auto schedule =
      ParseSchedule(ScheduleFormat::kEnglish, absl::StrCat("on ", std::string(100'000, '-')));
  EXPECT_THAT(std::string(schedule.status().message()), HasSubstr("more than 1000 bytes"));
}

}  // namespace
}  // namespace fairlead::resources
