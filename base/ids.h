// Unique names for actions, installations and agent instances, and bytes for keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fairlead::base {

// Source of random bits. Injected, so that a simulation replays.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;

  // The machine's randomness. Thread-safe.
  static Random& Real();
};

// `length` characters of [0-9a-z], 5 bits each.
std::string NewId(Random& random, std::size_t length = 16);

// `count` bytes, 8 of each number, the lowest first.
std::string RandomBytes(Random& random, std::size_t count);

}  // namespace fairlead::base
