#include "base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/clock.h"

namespace fairlead::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SubprocessTest, ReturnsOutputAndExitCode) {
  const auto result = RunSubprocess({.argv = {"sh", "-c", "cat; echo $X >&2; exit 3"},
                                     .environment = {{"X", "y"}},
                                     .input = "in"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "in");
  EXPECT_EQ(result->err, "y\n");
}

TEST(SubprocessTest, MissingProgramIsNotFound) {
  const auto result = RunSubprocess({.argv = {"no-such-program-here"}});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("no-such-program-here"));
}

TEST(SubprocessTest, DeadlineKillsTheWholeGroup) {
  pid_t group = 0;
  const auto result = RunSubprocess({.argv = {"sh", "-c", "sleep 100 & sleep 100"},
                                     .timeout = absl::Milliseconds(200),
                                     .on_start = [&](pid_t pid) { group = pid; }});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  // The orphaned grandchild may be a zombie of init for a moment, but nothing runs.
  ASSERT_GT(group, 0);
}

TEST(SubprocessTest, DeadlineAndCancelEndAChildThatHasClosedItsOutput) {
  SubprocessOptions options;
  options.argv = {"sh", "-c", "exec >&- 2>&-; sleep 1000"};
  options.timeout = absl::Milliseconds(200);
  EXPECT_EQ(RunSubprocess(options).status().code(), absl::StatusCode::kDeadlineExceeded);
  options.timeout = absl::Seconds(20);
  const absl::Time begin = Clock::Real().Now();
  options.is_cancelled = [&] { return Clock::Real().Now() - begin > absl::Milliseconds(200); };
  EXPECT_EQ(RunSubprocess(options).status().code(), absl::StatusCode::kCancelled);
}

TEST(SubprocessTest, CancelEndsIt) {
  int polls = 0;
  const auto result =
      RunSubprocess({.argv = {"sleep", "100"}, .is_cancelled = [&] { return ++polls > 2; }});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
}

TEST(SubprocessTest, KeepsTheEndOfALongOutputAndSeesEveryLine) {
  std::vector<std::string> lines;
  const auto result =
      RunSubprocess({.argv = {"sh", "-c", "printf 'one\\ntwo\\nthree'"},
                     .output_limit = 5,
                     .on_line = [&](absl::string_view line) { lines.emplace_back(line); }});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->out, "three");
  EXPECT_THAT(lines, ElementsAre("one", "two", "three"));
}

}  // namespace
}  // namespace fairlead::base
