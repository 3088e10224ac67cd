#include "controller/store/reconnect_gate.h"

#include <gtest/gtest.h>

namespace fairlead::store {
namespace {

class Zeros final : public base::Random {
 public:
  uint64_t Next() override { return 0; }
};

TEST(ReconnectGateTest, FirstAttemptIsFreeAndLaterOnesWaitLongerAndLonger) {
  Zeros random;
  ReconnectGate gate({.initial = absl::Seconds(1), .maximum = absl::Seconds(4), .jitter = 0},
                     random);
  absl::Duration uptime = absl::Seconds(100);
  EXPECT_TRUE(gate.Check(uptime).ok());
  for (const int seconds : {1, 2, 4, 4}) {
    gate.NoteFailure(uptime, absl::UnavailableError("refused"));
    EXPECT_EQ(gate.Check(uptime).message(), "refused");
    uptime += absl::Seconds(seconds) - absl::Milliseconds(1);
    EXPECT_FALSE(gate.Check(uptime).ok()) << seconds;
    uptime += absl::Milliseconds(1);
    EXPECT_TRUE(gate.Check(uptime).ok()) << seconds;
  }
}

TEST(ReconnectGateTest, SuccessForgetsFailures) {
  Zeros random;
  ReconnectGate gate({.initial = absl::Seconds(1), .maximum = absl::Seconds(9), .jitter = 0},
                     random);
  gate.NoteFailure(absl::ZeroDuration(), absl::UnavailableError("refused"));
  gate.NoteFailure(absl::ZeroDuration(), absl::UnavailableError("refused"));
  gate.NoteSuccess();
  EXPECT_TRUE(gate.Check(absl::ZeroDuration()).ok());
  gate.NoteFailure(absl::ZeroDuration(), absl::UnavailableError("refused"));
  EXPECT_TRUE(gate.Check(absl::Seconds(1)).ok());
}

}  // namespace
}  // namespace fairlead::store
