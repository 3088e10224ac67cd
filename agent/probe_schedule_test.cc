#include "agent/probe_schedule.h"

#include <gtest/gtest.h>

namespace fairlead::agent {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
constexpr v1::ContainerHealth kStarting = v1::CONTAINER_HEALTH_STARTING;
constexpr v1::ContainerHealth kHealthy = v1::CONTAINER_HEALTH_HEALTHY;
constexpr v1::ContainerHealth kUnhealthy = v1::CONTAINER_HEALTH_UNHEALTHY;

ProbeDefinition Every10s() {
  return {.port = 80, .interval = absl::Seconds(10), .timeout = absl::Seconds(1), .retries = 2};
}

absl::Status Refused(const std::string& why = "refused") { return absl::UnavailableError(why); }

// Asks when it is due and tells the answer.
bool Answer(ProbeSchedule& schedule, const absl::Status& answer) {
  const absl::Time now = schedule.next();
  EXPECT_TRUE(schedule.IsDue(now));
  schedule.OnAsked();
  EXPECT_FALSE(schedule.IsDue(now + absl::Hours(1))) << "asked twice at once";
  EXPECT_EQ(schedule.next(), absl::InfiniteFuture());
  return schedule.OnAnswer(answer, now);
}

TEST(ProbeScheduleTest, AsksFirstAfterAnIntervalAndThenAnIntervalAfterEachAnswer) {
  ProbeSchedule schedule(Every10s(), kStart, kStart);
  EXPECT_EQ(schedule.health(), kStarting);
  EXPECT_EQ(schedule.next(), kStart + absl::Seconds(10));
  EXPECT_FALSE(schedule.IsDue(kStart + absl::Seconds(9)));

  schedule.OnAsked();
  EXPECT_TRUE(schedule.OnAnswer(absl::OkStatus(), kStart + absl::Seconds(13)));

  EXPECT_EQ(schedule.health(), kHealthy);
  EXPECT_EQ(schedule.next(), kStart + absl::Seconds(23));
}

TEST(ProbeScheduleTest, AsksAtOnceWhatRunsForLong) {
  const absl::Time now = kStart + absl::Hours(1);
  ProbeSchedule schedule(Every10s(), kStart, now);

  EXPECT_EQ(schedule.next(), now);
  EXPECT_TRUE(schedule.IsDue(now));
}

TEST(ProbeScheduleTest, AsksAgainSoonWhenTheClockWasSetBack) {
  ProbeSchedule schedule(Every10s(), kStart, kStart);
  Answer(schedule, absl::OkStatus());

  EXPECT_TRUE(schedule.IsDue(kStart - absl::Hours(1)));
}

TEST(ProbeScheduleTest, AStartInTheFutureIsNow) {
  ProbeSchedule schedule(Every10s(), kStart + absl::Hours(1), kStart);

  EXPECT_EQ(schedule.next(), kStart + absl::Seconds(10));
}

TEST(ProbeScheduleTest, IsUnhealthyAfterSoManyFailuresInARow) {
  ProbeSchedule schedule(Every10s(), kStart, kStart);
  Answer(schedule, absl::OkStatus());

  EXPECT_FALSE(Answer(schedule, Refused())) << "one failure is no news of a healthy one";
  EXPECT_EQ(schedule.health(), kHealthy);
  EXPECT_EQ(schedule.failure(), "");
  EXPECT_FALSE(Answer(schedule, absl::OkStatus()));
  EXPECT_FALSE(Answer(schedule, Refused())) << "a success between them ends the row";
  EXPECT_TRUE(Answer(schedule, Refused("503")));

  EXPECT_EQ(schedule.health(), kUnhealthy);
  EXPECT_EQ(schedule.failure(), "503");
}

TEST(ProbeScheduleTest, OneSuccessMakesItHealthyAgain) {
  ProbeSchedule schedule(Every10s(), kStart, kStart);
  Answer(schedule, Refused());
  Answer(schedule, Refused());
  ASSERT_EQ(schedule.health(), kUnhealthy);

  EXPECT_TRUE(Answer(schedule, absl::OkStatus()));

  EXPECT_EQ(schedule.health(), kHealthy);
  EXPECT_EQ(schedule.failure(), "");
}

TEST(ProbeScheduleTest, FailuresInTheStartPeriodDoNotCount) {
  ProbeDefinition definition = Every10s();
  definition.start_period = absl::Seconds(45);
  ProbeSchedule schedule(definition, kStart, kStart);

  for (int i = 0; i < 4; ++i) Answer(schedule, Refused());
  EXPECT_EQ(schedule.health(), kStarting) << "asked at 10, 20, 30 and 40 s";
  Answer(schedule, Refused());
  EXPECT_EQ(schedule.health(), kStarting) << "50 s: the first that counts";
  Answer(schedule, Refused());
  EXPECT_EQ(schedule.health(), kUnhealthy);
}

TEST(ProbeScheduleTest, TheStartPeriodEndsWithTheFirstSuccess) {
  ProbeDefinition definition = Every10s();
  definition.start_period = absl::Hours(1);
  ProbeSchedule schedule(definition, kStart, kStart);
  Answer(schedule, Refused());
  Answer(schedule, absl::OkStatus());

  Answer(schedule, Refused());
  Answer(schedule, Refused());

  EXPECT_EQ(schedule.health(), kUnhealthy);
}

TEST(ProbeScheduleTest, TheFirstFailureOfAStartIsNewsAndTheNextAreNot) {
  ProbeDefinition definition = Every10s();
  definition.retries = 4;
  ProbeSchedule schedule(definition, kStart, kStart);

  EXPECT_TRUE(Answer(schedule, Refused("refused")));
  EXPECT_EQ(schedule.failure(), "refused");
  EXPECT_FALSE(Answer(schedule, Refused("503")));
  EXPECT_EQ(schedule.failure(), "refused");
  EXPECT_FALSE(Answer(schedule, Refused("503")));
  EXPECT_TRUE(Answer(schedule, Refused("503")));
  EXPECT_EQ(schedule.failure(), "503");
  EXPECT_FALSE(Answer(schedule, Refused("500")));
  EXPECT_EQ(schedule.failure(), "503");
}

TEST(ProbeTextTest, ComesBackAsItWas) {
  v1::ContainerSpec::Healthcheck check;
  check.mutable_probe()->set_port(8080);
  check.mutable_probe()->set_path("/health?a=\"b\"");
  check.mutable_probe()->set_host("shop:8080");
  check.mutable_interval()->set_nanos(300'000'000);
  check.mutable_timeout()->set_seconds(2);
  check.set_retries(5);
  check.mutable_start_period()->set_seconds(60);

  const std::optional<ProbeDefinition> read = ReadProbeText(ProbeText(check));

  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, (ProbeDefinition{.port = 8080,
                                    .path = "/health?a=\"b\"",
                                    .host = "shop:8080",
                                    .interval = absl::Milliseconds(300),
                                    .timeout = absl::Seconds(2),
                                    .retries = 5,
                                    .start_period = absl::Seconds(60)}));
}

TEST(ProbeTextTest, WhatIsNotGivenIsDockersDefault) {
  v1::ContainerSpec::Healthcheck check;
  check.mutable_probe()->set_port(80);

  EXPECT_EQ(*ReadProbeText(ProbeText(check)),
            (ProbeDefinition{.port = 80,
                             .interval = absl::Seconds(30),
                             .timeout = absl::Seconds(30),
                             .retries = 3,
                             .start_period = absl::ZeroDuration()}));
}

TEST(ProbeTextTest, WhatIsNoProbeIsNone) {
  v1::ContainerSpec::Healthcheck command;
  command.set_command("true");
  EXPECT_EQ(ProbeText(command), "");
  for (const char* text : {"", "{", "{}", "[]", "null", R"({"probe":{}})",
                           R"({"probe":{"port":65536}})", R"({"probe":{"port":-1}})"}) {
    EXPECT_FALSE(ReadProbeText(text).has_value()) << text;
  }
  EXPECT_TRUE(ReadProbeText(R"({"probe":{"port":1,"later":2},"more":[]})").has_value())
      << "a later version may say more";
}

}  // namespace
}  // namespace fairlead::agent
