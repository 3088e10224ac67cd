// One seed, from the first commit to the last check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "integration/simulation/stage.h"

namespace fairlead::simulation {

struct RunOptions {
  uint64_t seed = 1;
  // 0: as the seed has it, 1 to 50, mostly few.
  std::size_t agents = 0;
  Plant plant = Plant::kNone;
  bool keep_trace = false;
};

struct RunResult {
  std::size_t agents = 0;
  // Simulated.
  absl::Duration time;
  // From the end of the last storm to rest.
  absl::Duration settled_in;
  // What happened how often.
  std::map<std::string, uint64_t> counts;
  std::vector<std::string> violations;
  uint64_t trace_hash = 0;
  uint64_t trace_lines = 0;
  // Only when it was to be kept.
  std::vector<std::string> trace;
};

// Uses nothing but the options: the same ones give the same result, byte for byte.
RunResult RunSeed(const RunOptions& options);

// "simulate --seed 7 --trace", with the options that differ from their defaults.
std::string ReplayCommand(const RunOptions& options);

}  // namespace fairlead::simulation
