// The command line: what may be written, and what it runs.
#pragma once

#include <string>
#include <vector>

#include "cli/environment.h"

namespace fairlead::cli {

// Runs one command; `arguments` are without the program's name. The exit code: 0 all is well, 1 an
// error, 2 the plan has changes, 3 not converged.
int Run(const std::vector<std::string>& arguments, Environment& environment);

// Names of the commands that people use, in order of the help.
std::vector<std::string> CommandNames();

}  // namespace fairlead::cli
