#include "agent/build_step.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace fairlead::agent {
namespace {

struct Case {
  const char* line;
  // Empty: no step.
  const char* step;
};

class BuildStepTest : public ::testing::TestWithParam<Case> {};

TEST_P(BuildStepTest, IsFoundInALine) {
  EXPECT_EQ(BuildStepOf(GetParam().line).value_or(""), GetParam().step) << GetParam().line;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BuildStepTest,
    ::testing::Values(Case{"Step 4/11 : RUN make", "step 4/11: RUN make"},
                      Case{"Step 1/2 : FROM a:1 AS b\r", "step 1/2: FROM a:1 AS b"},
                      Case{"#9 [4/11] RUN make", "step 4/11: RUN make"},
                      Case{"#12 [web  4/11] RUN [ -f x ] && y",
                           "step 4/11 of web: RUN [ -f x ] && y"},
                      Case{"#9 [stage-1 2/3] COPY . /", "step 2/3 of stage-1: COPY . /"},
                      // Whatever a program of the build prints.
                      Case{"#9 0.213 [4/11] of something", ""}, Case{"Step by step : go", ""},
                      Case{"Step 4 : RUN make", ""}, Case{" ---> Running in 3f4fca12ab34", ""},
                      Case{"#1 [internal] load build definition", ""}, Case{"#9 CACHED", ""},
                      Case{"#9 [4/11]", ""}, Case{"#", ""}, Case{"", ""}));

// What is seen after these lines.
std::string Seen(BuildSteps& steps, const std::vector<std::string>& lines) {
  std::string seen;
  for (const std::string& line : lines) seen = steps.Add(line).value_or(seen);
  return seen;
}

TEST(BuildStepsTest, TheLayersOfFromAreUnderItsStep) {
  BuildSteps steps;
  EXPECT_EQ(Seen(steps, {"Step 1/2 : FROM team/app:1", "1: Pulling from team/app",
                         "3f4fca12ab34: Pulling fs layer", "aa4fca12ab34: Already exists",
                         "3f4fca12ab34: Verifying Checksum"}),
            "step 1/2: FROM team/app:1, 1 of 2 done\n3f4fca12ab34: verifying");
  EXPECT_EQ(Seen(steps, {"3f4fca12ab34: Download complete"}),
            "step 1/2: FROM team/app:1, 1 of 2 done\n3f4fca12ab34: downloaded");
  EXPECT_EQ(Seen(steps, {"3f4fca12ab34: Pull complete\r"}),
            "step 1/2: FROM team/app:1, 2 of 2 done");
  EXPECT_EQ(steps.Add("3f4fca12ab34: Pull complete"), std::nullopt) << "it is as before";
  EXPECT_EQ(steps.Add("Digest: sha256:12"), std::nullopt);
  EXPECT_EQ(steps.Add(" ---> 3f4fca12ab34"), std::nullopt);
}

TEST(BuildStepsTest, WhatOtherStepsPrintIsNoLayer) {
  BuildSteps steps;
  steps.Add("Step 1/3 : FROM team/app:1");
  steps.Add("3f4fca12ab34: Pull complete");
  EXPECT_EQ(Seen(steps, {"Step 2/3 : RUN fetch"}), "step 2/3: RUN fetch");
  EXPECT_EQ(steps.Add("3f4fca12ab34: Downloading"), std::nullopt);
  EXPECT_EQ(
      Seen(steps, {"Step 3/3 : COPY --from=team/tool:1 /a /a", "bb4fca12ab34: Verifying Checksum"}),
      "step 3/3: COPY --from=team/tool:1 /a /a\nbb4fca12ab34: verifying");
}

TEST(BuildStepsTest, BeforeTheFirstStepThereIsNothing) {
  BuildSteps steps;
  EXPECT_EQ(steps.Add("3f4fca12ab34: Pull complete"), std::nullopt);
}

}  // namespace
}  // namespace fairlead::agent
