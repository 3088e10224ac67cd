#include "resources/problem_text.h"

#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

v1::Problem FullProblem() {
  v1::Problem problem;
  problem.set_file("stacks/a.toml");
  problem.set_line(14);
  problem.set_column(3);
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_code("unknown-key");
  problem.set_message("unknown key \"x\"");
  problem.set_source_line("\té x = 1");
  problem.set_suggestion("did you mean \"y\"?");
  return problem;
}

TEST(ProblemTextTest, PrintsLikeACompiler) {
  v1::Problem problem = FullProblem();
  problem.set_source_line("  x = 1");
  EXPECT_EQ(FormatProblem(problem),
            "stacks/a.toml:14:3: error: unknown key \"x\" [unknown-key]\n"
            "    x = 1\n"
            "    ^\n"
            "  suggestion: did you mean \"y\"?\n");
}

TEST(ProblemTextTest, LinesUpTheCaretUnderTabsAndWideCharacters) {
  v1::Problem problem = FullProblem();
  problem.set_column(5);
  problem.clear_suggestion();
  EXPECT_EQ(FormatProblem(problem),
            "stacks/a.toml:14:5: error: unknown key \"x\" [unknown-key]\n"
            "  \té x = 1\n"
            "  \t  ^\n");
}

TEST(ProblemTextTest, LeavesOutWhatIsUnknown) {
  v1::Problem problem;
  problem.set_resource("stack/web");
  problem.set_severity(v1::SEVERITY_WARNING);
  problem.set_message("no variable");
  EXPECT_EQ(FormatProblem(problem), "stack/web: warning: no variable\n");
  problem.set_file("a.toml");
  problem.set_severity(v1::SEVERITY_NOTICE);
  EXPECT_EQ(FormatProblem(problem), "a.toml: notice: no variable\n");
}

}  // namespace
}  // namespace fairlead::resources
