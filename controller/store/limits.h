// How much a store keeps of what only grows.
#pragma once

#include <cstddef>

namespace fairlead::store {

// Events: the newest so many stay.
inline constexpr std::size_t kEventsKept = 10'000;
// Older ones are removed after so many appends, so that not every append pays for it.
inline constexpr std::size_t kEventsBetweenTrims = 100;
// Of one resource.
inline constexpr std::size_t kSpecsKept = 20;
// Of one procedure or sync, those that have ended.
inline constexpr std::size_t kRunsKept = 20;

}  // namespace fairlead::store
