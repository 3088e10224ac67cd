// Against a scan of each minute: whatever the fields and the zone, the same runs.
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "resources/schedule/cron_text.h"
#include "resources/schedule/schedule.h"
#include "resources/schedule/time_zone_name.h"

namespace fairlead::resources {
namespace {

constexpr uint64_t kSeed = 20240331;
constexpr int kCases = 80;
constexpr int kScannedDays = 2;

class Source {
 public:
  explicit Source(uint64_t seed) : random_(seed) {}

  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }

  // A field of cron within the bounds; most are stars.
  std::string Field(int lowest, int highest) {
    const auto number = [&] { return lowest + Below(highest - lowest + 1); };
    switch (Below(6)) {
      case 0:
        return absl::StrCat(number());
      case 1:
        return absl::StrCat(number(), ",", number());
      case 2:
        return absl::StrCat("*/", 1 + Below(highest - lowest));
      case 3: {
        const int first = number();
        return absl::StrCat(first, "-", first + Below(highest - first + 1));
      }
      default:
        return "*";
    }
  }

  std::string Cron() {
    const std::string minute = Below(3) == 0 ? absl::StrCat(Below(60)) : Field(0, 59);
    // Hours near the changes of the clock more often than others.
    const std::string hour = Below(3) == 0 ? absl::StrCat(Below(4)) : Field(0, 23);
    return absl::StrJoin({minute, hour, Below(3) == 0 ? Field(1, 28) : "*",
                          Below(4) == 0 ? Field(1, 12) : "*", Below(4) == 0 ? Field(0, 6) : "*"},
                         " ");
  }

 private:
  std::mt19937_64 random_;
};

struct Zone {
  const char* name;
  // Near a change of the clock, where there is one.
  std::vector<const char*> moments;
};

const Zone kZones[] = {
    {"UTC", {"2024-02-27T10:07:31Z", "2023-12-30T22:00:00Z"}},
    {"Europe/Berlin", {"2024-03-30T20:00:00Z", "2024-10-26T21:30:00Z"}},
    {"America/New_York", {"2024-03-10T01:00:00Z", "2024-11-03T01:00:00Z"}},
    {"Australia/Lord_Howe", {"2024-04-06T09:00:00Z", "2024-10-05T10:00:00Z"}},
    {"America/Sao_Paulo", {"2018-11-03T22:00:00Z", "2018-02-17T22:00:00Z"}},
    {"Africa/Casablanca", {"2024-03-09T22:00:00Z", "2024-04-13T22:00:00Z"}},
};

// The rules as docs/schedules.md tells them, by asking at each minute.
class MinuteScan {
 public:
  MinuteScan(const CalendarFields& fields, absl::TimeZone zone) : fields_(fields), zone_(zone) {
    fields_.Settle();
  }

  std::vector<absl::Time> Runs(absl::Time after, absl::Time until) const {
    std::vector<absl::Time> runs;
    absl::Time time = absl::FromUnixSeconds(absl::ToUnixSeconds(after) / 60 * 60 + 60);
    for (; time <= until; time += absl::Minutes(1)) {
      if (RunsAt(time)) runs.push_back(time);
    }
    return runs;
  }

 private:
  bool Matches(absl::CivilSecond local) const {
    return Holds(fields_.minutes.set, local.minute()) && Holds(fields_.hours, local.hour()) &&
           fields_.MatchesDay(absl::CivilDay(local));
  }

  bool RunsAt(absl::Time time) const {
    const absl::CivilSecond local = zone_.At(time).cs;
    const absl::TimeZone::TimeInfo info = zone_.At(local);
    const bool again = info.kind == absl::TimeZone::TimeInfo::REPEATED && info.pre != time;
    if (Matches(local) && (!again || fields_.IsRhythm())) return true;
    if (fields_.EveryHour()) return false;
    // Local minutes that are left out just before this one.
    absl::CivilSecond skipped = zone_.At(time - absl::Minutes(1)).cs + 60;
    for (; skipped < local; skipped += 60) {
      if (Matches(skipped)) return true;
    }
    return false;
  }

  CalendarFields fields_;
  absl::TimeZone zone_;
};

absl::Time Moment(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

CalendarFields FieldsOf(const std::string& cron) {
  const auto reading = ReadCron(cron);
  EXPECT_TRUE(std::holds_alternative<CalendarFields>(reading)) << cron;
  return std::get<CalendarFields>(reading);
}

TEST(SchedulePropertyTest, RunsAreThoseOfAScanOfEachMinute) {
  std::cout << "seed " << kSeed << "\n";
  Source source(kSeed);
  for (const Zone& zone : kZones) {
    const absl::TimeZone loaded = FindTimeZone(zone.name).value();
    for (int i = 0; i < kCases; ++i) {
      const std::string cron = source.Cron();
      SCOPED_TRACE(absl::StrCat(zone.name, ": ", cron));
      const absl::Time base = Moment(zone.moments[static_cast<std::size_t>(i) % 2]);
      const absl::Time after = base + absl::Seconds(source.Below(12 * 3600));
      const absl::Time until = base + absl::Hours(24 * kScannedDays);
      const CalendarFields fields = FieldsOf(cron);
      const std::vector<absl::Time> expected = MinuteScan(fields, loaded).Runs(after, until);
      std::vector<absl::Time> actual =
          Schedule(fields).NextTimes(after, loaded, expected.size() + 1);
      while (!actual.empty() && actual.back() > until) actual.pop_back();
      ASSERT_EQ(actual, expected);
    }
  }
}

TEST(SchedulePropertyTest, NextIsLaterAndNeverFallsBack) {
  Source source(kSeed + 1);
  for (const Zone& zone : kZones) {
    const absl::TimeZone loaded = FindTimeZone(zone.name).value();
    for (int i = 0; i < kCases; ++i) {
      const std::string cron = source.Cron();
      SCOPED_TRACE(absl::StrCat(zone.name, ": ", cron));
      const Schedule schedule(FieldsOf(cron));
      const absl::Time a = absl::FromUnixMillis(1'600'000'000'000) +
                           absl::Milliseconds(173) * source.Below(1'000'000'000);
      const absl::Time b = a + absl::Milliseconds(source.Below(2'000'000'000));
      const auto after_a = schedule.Next(a, loaded);
      const auto after_b = schedule.Next(b, loaded);
      ASSERT_TRUE(after_a.has_value() && after_b.has_value());
      EXPECT_GT(*after_a, a);
      EXPECT_GT(*after_b, b);
      EXPECT_LE(*after_a, *after_b);
      // Nothing is left out between: the next run of any moment before it is the same.
      if (b < *after_a) {
        EXPECT_EQ(*after_a, *after_b);
      }
    }
  }
}

TEST(SchedulePropertyTest, DescriptionReadsAsTheSameSchedule) {
  Source source(kSeed + 2);
  for (int i = 0; i < 30 * kCases; ++i) {
    const std::string cron = absl::StrCat(source.Field(0, 59), " ", source.Cron());
    const Schedule schedule(FieldsOf(cron));
    const auto again = ParseSchedule(ScheduleFormat::kCron, schedule.Describe());
    ASSERT_TRUE(again.ok()) << cron << ": " << again.status();
    EXPECT_EQ(*again, schedule) << cron << " is " << schedule.Describe();
    EXPECT_EQ(again->Describe(), schedule.Describe()) << cron;
  }
}

}  // namespace
}  // namespace fairlead::resources
