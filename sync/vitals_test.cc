#include "sync/vitals.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::sync {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::Container Running(absl::Duration since) {
  v1::Container container;
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  *container.mutable_created_at() = ToProto(kNow - since);
  *container.mutable_started_at() = ToProto(kNow - since);
  return container;
}

v1::Container Exited(int code) {
  v1::Container container = Running(absl::Seconds(30));
  container.set_state(v1::CONTAINER_STATE_EXITED);
  container.set_exit_code(code);
  *container.mutable_finished_at() = ToProto(kNow - absl::Seconds(10));
  return container;
}

Wellness Judge(const v1::Container& container, const HealthRules& rules = {},
               absl::Duration offset = absl::ZeroDuration()) {
  absl::Time ready_at = absl::InfiniteFuture();
  return ComputeWellness(container, rules, offset, kNow, &ready_at);
}

TEST(ComputeWellnessTest, WithoutAHealthCheckTimeDecides) {
  EXPECT_EQ(Judge(Running(absl::Seconds(1))), Wellness::kStarting);
  EXPECT_EQ(Judge(Running(absl::Seconds(2))), Wellness::kHealthy);
  absl::Time ready_at = absl::InfiniteFuture();
  ComputeWellness(Running(absl::Seconds(1)), {}, absl::ZeroDuration(), kNow, &ready_at);
  EXPECT_EQ(ready_at, kNow + absl::Seconds(1));
}

TEST(ComputeWellnessTest, TheHostsClockIsCorrected) {
  // By a clock that is ten seconds ahead it started one second from now.
  EXPECT_EQ(Judge(Running(-absl::Seconds(1)), {}, absl::Seconds(10)), Wellness::kHealthy);
  EXPECT_EQ(Judge(Running(absl::Seconds(5)), {}, -absl::Seconds(10)), Wellness::kStarting);
}

TEST(ComputeWellnessTest, AHealthCheckOutweighsTime) {
  v1::Container container = Running(absl::Hours(1));
  container.set_health(v1::CONTAINER_HEALTH_STARTING);
  EXPECT_EQ(Judge(container), Wellness::kStarting);
  container.set_health(v1::CONTAINER_HEALTH_UNHEALTHY);
  EXPECT_EQ(Judge(container), Wellness::kUnhealthy);
}

TEST(DescribeContainerTest, SaysWhyTheHealthCheckFails) {
  v1::Container container = Running(absl::Hours(1));
  container.set_health(v1::CONTAINER_HEALTH_STARTING);
  EXPECT_EQ(DescribeContainer(container), "is not healthy yet");
  container.set_health_failure("GET http://10.0.0.2/: 503");
  EXPECT_EQ(DescribeContainer(container), "is not healthy yet: GET http://10.0.0.2/: 503");
  container.set_health(v1::CONTAINER_HEALTH_UNHEALTHY);
  EXPECT_EQ(DescribeContainer(container), "is unhealthy: GET http://10.0.0.2/: 503");
  container.set_state(v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(DescribeContainer(container), "exited with 0");
}

TEST(ComputeWellnessTest, OnlyItsOwnGoodEndIsCompleted) {
  HealthRules rules;
  EXPECT_EQ(Judge(Exited(0), rules), Wellness::kDown);
  rules.exit_may_complete = true;
  EXPECT_EQ(Judge(Exited(0), rules), Wellness::kCompleted);
  EXPECT_EQ(Judge(Exited(1), rules), Wellness::kDown);
  v1::Container killed = Exited(0);
  killed.set_killed(true);
  EXPECT_EQ(Judge(killed, rules), Wellness::kDown);
  v1::Container starved = Exited(0);
  starved.set_oom_killed(true);
  EXPECT_EQ(Judge(starved, rules), Wellness::kDown);
}

TEST(ComputeWellnessTest, AServiceIsJudgedByItsOwnPolicy) {
  HealthRules rules;
  rules.by_container = true;
  v1::Container job = Exited(0);
  job.set_restart_policy("on-failure");
  EXPECT_EQ(Judge(job, rules), Wellness::kCompleted);
  job.set_restart_policy("always");
  EXPECT_EQ(Judge(job, rules), Wellness::kDown);
}

// Restarts at these many seconds before now; the container ended ten seconds ago.
RestartBackoff BackoffAfter(const std::vector<int>& restarts) {
  v1::InventoryEntry entry;
  for (const int seconds : restarts) {
    *entry.add_restarts() = ToProto(kNow - absl::Seconds(seconds));
  }
  return ComputeRestartBackoff(&entry, Exited(1), absl::ZeroDuration(), kNow);
}

TEST(ComputeRestartBackoffTest, TheDelayDoublesToFiveMinutes) {
  const absl::Time ended = kNow - absl::Seconds(10);
  EXPECT_EQ(BackoffAfter({}).next, absl::InfinitePast());
  EXPECT_EQ(BackoffAfter({30}).next, ended + absl::Seconds(1));
  EXPECT_EQ(BackoffAfter({60, 30}).next, ended + absl::Seconds(2));
  EXPECT_EQ(BackoffAfter({90, 60, 30}).next, ended + absl::Seconds(4));
  EXPECT_EQ(BackoffAfter({600, 550, 500, 450, 400, 350, 300, 250, 200, 150, 100, 30}).next,
            ended + absl::Minutes(5));
}

TEST(ComputeRestartBackoffTest, OldRestartsDoNotCount) {
  EXPECT_EQ(BackoffAfter({4000, 3900}).restarts, 0);
  EXPECT_EQ(BackoffAfter({4000, 3900, 30}).restarts, 1);
}

TEST(ComputeRestartBackoffTest, RestartsBeforeTheClockWasSetBackDelayNothingButTheNext) {
  EXPECT_EQ(BackoffAfter({-7200}).next, kNow - absl::Seconds(10) + absl::Seconds(1));
  EXPECT_EQ(BackoffAfter({-7200, -7230}).restarts, 2);
}

TEST(ComputeRestartBackoffTest, TenMinutesOfRunningEndTheSeries) {
  v1::InventoryEntry entry;
  *entry.add_restarts() = ToProto(kNow - absl::Minutes(11));
  v1::Container container = Exited(1);
  *container.mutable_started_at() = ToProto(kNow - absl::Minutes(11));
  EXPECT_EQ(ComputeRestartBackoff(&entry, container, absl::ZeroDuration(), kNow).restarts, 0);
}

TEST(FirstDeadlineTest, CountsFromTheStartUnlessRestartsMovedIt) {
  const HealthRules rules;
  v1::InventoryEntry entry;
  v1::Container container = Running(absl::Seconds(100));
  *container.mutable_created_at() = ToProto(kNow - absl::Seconds(150));
  const v1::Container* one = &container;
  EXPECT_EQ(FirstDeadline({&one, 1}, entry, rules, absl::ZeroDuration(), kNow),
            kNow + absl::Seconds(80));
  container.set_restart_count(3);
  EXPECT_EQ(FirstDeadline({&one, 1}, entry, rules, absl::ZeroDuration(), kNow),
            kNow + absl::Seconds(30));
}

TEST(FirstDeadlineTest, ARestartBeforeTheClockWasSetBackMovesNothing) {
  v1::InventoryEntry entry;
  *entry.add_restarts() = ToProto(kNow + absl::Hours(2));
  v1::Container container = Running(absl::Seconds(100));
  *container.mutable_created_at() = ToProto(kNow - absl::Seconds(150));
  const v1::Container* one = &container;
  EXPECT_EQ(FirstDeadline({&one, 1}, entry, {}, absl::ZeroDuration(), kNow),
            kNow + absl::Seconds(80));
}

}  // namespace
}  // namespace fairlead::sync
