// How many events a store keeps.
#pragma once

#include <cstddef>

namespace fairlead::store {

// The newest so many stay.
inline constexpr std::size_t kEventsKept = 10'000;
// Older ones are removed after so many appends, so that not every append pays for it.
inline constexpr std::size_t kEventsBetweenTrims = 100;

}  // namespace fairlead::store
