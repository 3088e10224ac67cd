// fairlead-controller: keeps fleets of Docker hosts equal to what git says.
#include "base/clock.h"
#include "controller/program.h"

int main(int argc, char** argv) {
  return fairlead::controller::RunProgram(argc, argv, fairlead::base::Clock::Real());
}
