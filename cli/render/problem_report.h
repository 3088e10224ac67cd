// The outcome of `fairlead validate` in the forms that programs read.
#pragma once

#include <string>

#include "cli/validation.h"

namespace fairlead::cli {

// As compilers print: problems, then a line that counts.
std::string RenderProblems(const Validation& validation);

// {files, resources, problems: [{file, line, column, severity, code, resource, message,
// suggestion}]}, ends with a line break.
std::string ProblemsAsJson(const Validation& validation);

// SARIF 2.1.0 with a rule for each code. Paths below `folder` (absolute) are relative to it.
std::string ProblemsAsSarif(const Validation& validation, const std::string& folder);

// Commands of GitHub workflows, one a line, then the line that counts.
std::string ProblemsForGithub(const Validation& validation, const std::string& folder);

}  // namespace fairlead::cli
