// The controller with a wall clock that the chaos suite moves; in all else the same program.
#include <cstdlib>

#include "base/clock.h"
#include "base/log.h"
#include "controller/program.h"
#include "integration/chaos/jumping_clock.h"

int main(int argc, char** argv) {
  const char* const file = std::getenv(fairlead::chaos::kClockFileVariable);
  if (file == nullptr) {
    return fairlead::controller::RunProgram(argc, argv, fairlead::base::Clock::Real());
  }
  auto clock = fairlead::chaos::JumpingClock::Open(file);
  if (!clock.ok()) {
    fairlead::base::LogError("chaos", clock.status().message());
    return 1;
  }
  return fairlead::controller::RunProgram(argc, argv, *clock);
}
