#include "resources/schedule/time_zone_name.h"

#include <string>

#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

TEST(TimeZoneNameTest, KnowsTheZonesOfTheDatabase) {
  for (const char* name : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5",
                           "US/Pacific", "EST5EDT"}) {
    const auto zone = FindTimeZone(name);
    ASSERT_TRUE(zone.ok()) << zone.status();
    EXPECT_EQ(zone->name(), name);
  }
}

TEST(TimeZoneNameTest, UnknownZoneIsAnErrorWithASuggestion) {
  struct Case {
    const char* name;
    const char* suggestion;
  };
  const Case cases[] = {
      {"Europe/Berln", "did you mean \"Europe/Berlin\"?"},
      {"europe/berlin", "did you mean \"Europe/Berlin\"?"},
      {"America/New York", "did you mean \"America/New_York\"?"},
      {"vancouver", "did you mean \"America/Vancouver\"?"},
      {"PST", "name it as in \"Europe/Berlin\" or \"UTC\""},
      {"UTC+2", "name it as in \"Europe/Berlin\" or \"UTC\""},
      {"", "name it as in \"Europe/Berlin\" or \"UTC\""},
  };
  for (const Case& c : cases) {
    const auto zone = FindTimeZone(c.name);
    EXPECT_EQ(zone.status().message(),
              "unknown time zone \"" + std::string(c.name) + "\"; " + c.suggestion);
  }
}

TEST(TimeZoneNameTest, PathsAndTheZoneOfTheMachineAreUnknown) {
  for (const char* name :
       {"/usr/share/zoneinfo/Europe/Berlin", "../zoneinfo/Europe/Berlin", ":Europe/Berlin",
        "localtime", "right/Europe/Berlin", "Fixed/UTC+01:00:00", "Europe", "zone.tab"}) {
    EXPECT_FALSE(FindTimeZone(name).ok()) << name;
  }
}

}  // namespace
}  // namespace fairlead::resources
