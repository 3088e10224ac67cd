// The simulation itself: it replays, and its parts do what they claim.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/simulation/disk.h"
#include "integration/simulation/fiber.h"
#include "integration/simulation/host_clock.h"
#include "integration/simulation/run.h"
#include "integration/simulation/timeline.h"

namespace fairlead::simulation {
namespace {

using ::testing::ElementsAre;

TEST(TimelineTest, EqualTimesRunInOrderOfArrival) {
  Timeline timeline;
  std::vector<int> order;
  timeline.After(absl::Seconds(2), [&] { order.push_back(3); });
  timeline.After(absl::Seconds(1), [&] { order.push_back(1); });
  timeline.After(absl::Seconds(1), [&] { order.push_back(2); });
  const absl::Time start = timeline.now();
  timeline.RunUntil(start + absl::Seconds(5));
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_EQ(timeline.now(), start + absl::Seconds(5));
}

TEST(FiberTest, SleepsEndAtTheirTimeOrByAWake) {
  Timeline timeline;
  const absl::Time start = timeline.now();
  std::vector<absl::Duration> woken;
  const auto fiber = Fiber::Start(timeline, "a", [&] {
    for (int i = 0; i < 3; ++i) {
      Fiber::Current()->SleepUntil(timeline.now() + absl::Seconds(10));
      woken.push_back(timeline.now() - start);
    }
  });
  timeline.After(absl::Seconds(13), [&] { fiber->Wake(); });
  timeline.RunUntil(start + absl::Minutes(1));
  EXPECT_TRUE(fiber->ended());
  EXPECT_THAT(woken, ElementsAre(absl::Seconds(10), absl::Seconds(13), absl::Seconds(23)));
}

TEST(FiberTest, TwoFibersTakeTurns) {
  Timeline timeline;
  std::string order;
  const auto body = [&](char name) {
    return [&, name] {
      for (int i = 0; i < 3; ++i) {
        order.push_back(name);
        Fiber::Current()->SleepUntil(timeline.now() + absl::Seconds(1));
      }
    };
  };
  const auto one = Fiber::Start(timeline, "a", body('a'));
  const auto two = Fiber::Start(timeline, "b", body('b'));
  timeline.RunUntil(timeline.now() + absl::Minutes(1));
  EXPECT_EQ(order, "ababab");
}

TEST(DiskFileTest, ACrashKeepsWhatWasSyncedAndAPartOfTheRest) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    DiskFile file;
    file.Append("durable");
    file.Sync();
    file.Append(" and not");
    file.Crash(random);
    EXPECT_EQ(std::string("durable and not").substr(0, file.content().size()), file.content());
    EXPECT_GE(file.content().size(), 7u);
  }
}

TEST(HostClockTest, DriftsAndJumps) {
  Timeline timeline;
  HostClock clock(timeline);
  clock.SetDrift(0.5);
  timeline.RunUntil(timeline.now() + absl::Seconds(10));
  EXPECT_EQ(clock.Now() - timeline.now(), absl::Seconds(5));
  clock.Jump(absl::Seconds(-8));
  clock.SetDrift(0);
  timeline.RunUntil(timeline.now() + absl::Seconds(10));
  EXPECT_EQ(clock.Now() - timeline.now(), absl::Seconds(-3));
}

TEST(SimulationTest, TheSameSeedGivesTheSameTraceByteForByte) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const RunOptions options{.seed = seed, .agents = 3, .keep_trace = true};
    const RunResult one = RunSeed(options);
    const RunResult two = RunSeed(options);
    EXPECT_GT(one.trace.size(), 100u);
    EXPECT_EQ(one.trace, two.trace);
    EXPECT_EQ(one.trace_hash, two.trace_hash);
  }
}

TEST(SimulationTest, AnotherSeedGivesAnotherTrace) {
  EXPECT_NE(RunSeed({.seed = 1, .agents = 1}).trace_hash,
            RunSeed({.seed = 2, .agents = 1}).trace_hash);
}

// The first seed that finds the planted bug; 0 when none of so many does.
uint64_t FindPlanted(Plant plant, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    if (!RunSeed({.seed = seed, .plant = plant}).violations.empty()) return seed;
  }
  return 0;
}

class PlantedBugTest : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedBugTest, IsFoundWithinAThousandSeeds) {
  const uint64_t seed = FindPlanted(GetParam(), 1000);
  ASSERT_NE(seed, 0u);
  // It was the bug that was found.
  const RunResult without = RunSeed({.seed = seed});
  EXPECT_TRUE(without.violations.empty()) << seed << ": " << without.violations.front();
}

INSTANTIATE_TEST_SUITE_P(Plants, PlantedBugTest,
                         ::testing::Values(Plant::kJournalAfterAck, Plant::kLostDelta,
                                           Plant::kStalePlan, Plant::kDoubleStart));

TEST(SimulationTest, SeedsAreClean) {
  constexpr uint64_t kSeeds = 60;
  uint64_t faults = 0;
  uint64_t actions = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const RunOptions options{.seed = seed};
    const RunResult result = RunSeed(options);
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << violation << "\n  replay: " << ReplayCommand(options);
    }
    for (const auto& [what, count] : result.counts) {
      if (what.rfind("fault ", 0) == 0) faults += count;
      if (what == "actions") actions += count;
    }
  }
  // Worlds in which nothing happens would prove nothing.
  EXPECT_GT(faults, 20 * kSeeds);
  EXPECT_GT(actions, 15 * kSeeds);
}

}  // namespace
}  // namespace fairlead::simulation
