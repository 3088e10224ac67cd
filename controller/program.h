// The controller as a program: command line, signals, exit code.
#pragma once

#include "base/clock.h"

namespace fairlead::controller {

// All of main: runs until SIGTERM or SIGINT and returns the exit code. `clock` outlives the call.
int RunProgram(int argc, char** argv, base::Clock& clock);

}  // namespace fairlead::controller
