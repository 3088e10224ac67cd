#include "agent/build_step.h"

#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace fairlead::agent
