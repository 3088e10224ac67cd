// All chance of a run, from its seed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

#include "base/ids.h"

namespace fairlead::simulation {

// SplitMix64: small, and the same on every machine.
class SeededRandom final : public base::Random {
 public:
  // Mixed, so that neighbouring seeds begin far from each other and not a step apart.
  explicit SeededRandom(uint64_t seed) : state_(Mix(seed + kStep)) {}

  uint64_t Next() override {
    state_ += kStep;
    return Mix(state_);
  }

  // 0 to `bound` - 1; `bound` is at least 1.
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(Next() % bound); }
  bool Chance(double probability) {
    return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    const int64_t span = absl::ToInt64Microseconds(high - low);
    if (span <= 0) return low;
    return low + absl::Microseconds(static_cast<int64_t>(Next() % static_cast<uint64_t>(span)));
  }
  template <typename List>
  const typename List::value_type& Pick(const List& list) {
    return list[Below(list.size())];
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;

  static constexpr uint64_t Mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
  }

  uint64_t state_;
};

}  // namespace fairlead::simulation
