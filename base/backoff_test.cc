#include "base/backoff.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(uint64_t value) : value_(value) {}
  uint64_t Next() override { return value_; }

 private:
  uint64_t value_;
};

TEST(BackoffTest, DoublesUpToTheMaximum) {
  const BackoffPolicy policy{.initial = absl::Seconds(1), .maximum = absl::Seconds(10)};
  EXPECT_EQ(ComputeDelay(policy, 1), absl::Seconds(1));
  EXPECT_EQ(ComputeDelay(policy, 2), absl::Seconds(2));
  EXPECT_EQ(ComputeDelay(policy, 4), absl::Seconds(8));
  EXPECT_EQ(ComputeDelay(policy, 5), absl::Seconds(10));
  EXPECT_EQ(ComputeDelay(policy, 5000), absl::Seconds(10));
}

TEST(BackoffTest, JitterStaysWithinItsPart) {
  const BackoffPolicy policy{.initial = absl::Seconds(1), .jitter = 0.2};
  FixedRandom low(0);
  FixedRandom high((1 << 20) - 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(ComputeJitteredDelay(policy, 1, low)), 0.8, 1e-6);
  EXPECT_NEAR(absl::ToDoubleSeconds(ComputeJitteredDelay(policy, 1, high)), 1.2, 1e-5);
}

TEST(BackoffTest, AWaitFromBeforeTheClockWasSetBackIsOver) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_FALSE(IsWaiting(now, now));
  EXPECT_TRUE(IsWaiting(now + absl::Minutes(6), now));
  EXPECT_FALSE(IsWaiting(now + absl::Hours(2), now));
  EXPECT_TRUE(IsWaiting(absl::InfiniteFuture(), now));
}

}  // namespace
}  // namespace fairlead::base
