// What must be true of a world at rest.
#pragma once

#include "integration/simulation/world.h"

namespace fairlead::simulation {

// Nothing is under way, and nothing is going to happen soon by itself.
bool IsAtRest(World& world);

// What keeps the world from being at rest, in words.
std::string WhyNotAtRest(World& world);

// Compares engines, the controller's picture and the committed wishes; each breach is a violation.
void CheckAtRest(World& world);

}  // namespace fairlead::simulation
