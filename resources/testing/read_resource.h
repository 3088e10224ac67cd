// Resources for tests, from TOML text.
#pragma once

#include <string>

#include "gtest/gtest.h"

#include "fairlead/v1/resource.pb.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {

// The only resource of `text`; adds a test failure when it cannot be read. Notices are no
// failure.
inline v1::Resource ReadResource(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const ParsedFile file = ReadToml("test.toml", text, dialect);
  for (const v1::Problem& problem : file.problems) {
    EXPECT_EQ(problem.severity(), v1::SEVERITY_NOTICE) << FormatProblem(problem);
  }
  if (file.declarations.size() != 1) {
    ADD_FAILURE() << file.declarations.size() << " resources in:\n" << text;
    return {};
  }
  for (const v1::Problem& problem : file.declarations[0].problems) {
    ADD_FAILURE() << FormatProblem(problem);
  }
  return file.declarations[0].spec == nullptr ? v1::Resource() : *file.declarations[0].spec;
}

// A deployment "web" with these lines in its config.
inline v1::Resource ReadDeployment(const std::string& config,
                                   v1::Dialect dialect = v1::DIALECT_TOML) {
  return ReadResource("[[deployment]]\nname = \"web\"\n[deployment.config]\n" + config, dialect);
}

inline v1::Resource ReadStack(const std::string& config, v1::Dialect dialect = v1::DIALECT_TOML) {
  return ReadResource("[[stack]]\nname = \"web\"\n[stack.config]\n" + config, dialect);
}

}  // namespace fairlead::resources
