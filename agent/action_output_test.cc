#include "agent/action_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/testing/simulated_clock.h"
#include "resources/interpolation.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class ActionOutputTest : public ::testing::Test {
 protected:
  ActionOutputTest() { action_.set_id("a1"); }

  ActionOutput Make(OutputBounds bounds = {}) {
    return ActionOutput(
        action_, [this](const v1::ActionLog& log) { sent_.push_back(log); },
        [this](const std::string& text) { return resources::RedactText(text, secrets_); }, clock_,
        bounds);
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const v1::ActionLog& log : sent_) {
      if (log.dropped() > 0) lines.push_back(absl::StrCat("-", log.dropped()));
      lines.insert(lines.end(), log.lines().begin(), log.lines().end());
    }
    return lines;
  }

  v1::Action action_;
  base::SimulatedClock clock_;
  std::vector<std::string> secrets_;
  std::vector<v1::ActionLog> sent_;
};

TEST_F(ActionOutputTest, LinesGoInBatches) {
  ActionOutput output = Make();
  output.Add("one");
  output.Tick();
  EXPECT_THAT(sent_, SizeIs(0));
  output.Add("two");
  clock_.Advance(absl::Milliseconds(300));
  output.Tick();
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].action_id(), "a1");
  output.Add("three");
  output.Finish();
  EXPECT_THAT(Lines(), ElementsAre("one", "two", "three"));
  EXPECT_THAT(sent_, SizeIs(2));
}

TEST_F(ActionOutputTest, AFloodIsCountedAndItsEndIsKept) {
  ActionOutput output = Make({.lines = 8, .tail = 3});
  for (int i = 1; i <= 1000; ++i) output.Add(absl::StrCat(i));
  output.Finish();
  EXPECT_THAT(Lines(), ElementsAre("1", "2", "3", "4", "5", "-992", "998", "999", "1000"));
  EXPECT_EQ(output.LastLines(2), "999\n1000");
}

TEST_F(ActionOutputTest, TheRateHoldsBackAndCatchesUp) {
  ActionOutput output = Make({.lines_per_second = 2, .tail = 3});
  for (int i = 1; i <= 7; ++i) output.Add(absl::StrCat(i));
  clock_.Advance(absl::Seconds(10));
  output.Tick();
  output.Add("8");
  output.Finish();
  EXPECT_THAT(Lines(), ElementsAre("1", "2", "-2", "5", "6", "7", "8"));
}

TEST_F(ActionOutputTest, AFloodGoesInLargePieces) {
  ActionOutput output = Make();
  for (int i = 0; i < 5000; ++i) {
    output.Add("again");
    clock_.Advance(absl::Milliseconds(1));
  }
  output.Finish();
  EXPECT_LT(sent_.size(), 40);
  EXPECT_GT(Lines().size(), 1000);
}

TEST_F(ActionOutputTest, BytesAreBounded) {
  ActionOutput output = Make({.bytes = 10000, .tail = 2});
  for (int i = 0; i < 100; ++i) {
    output.Add(std::string(999, 'x'));
    clock_.Advance(absl::Seconds(1));
  }
  output.Finish();
  std::size_t bytes = 0;
  for (const v1::ActionLog& log : sent_) bytes += log.ByteSizeLong();
  EXPECT_LT(bytes, 13000);
  EXPECT_THAT(Lines(), SizeIs(10 + 1 + 2));
}

TEST_F(ActionOutputTest, ASecretIsRedactedBeforeTheCut) {
  secrets_ = {"hunter2-hunter2"};
  ActionOutput output = Make({.line_bytes = 20});
  output.Add("0123456789 hunter2-hunter2 and more");
  output.Finish();
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0], Not(HasSubstr("hunter")));
  EXPECT_THAT(Lines()[0], EndsWith("..."));
}

TEST_F(ActionOutputTest, ASecretAcrossPiecesOfALongLineIsNotShown) {
  secrets_ = {"hunter2-hunter2"};
  ActionOutput output = Make({.line_bytes = 200000});
  const std::string line = std::string(65530, 'x') + "hunter2-hunter2 rest";
  output.Add(line.substr(0, 65537));
  output.Add(line.substr(65537));
  output.Add("next");
  output.Finish();
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_THAT(Lines()[0], Not(HasSubstr("2 rest")));
  EXPECT_EQ(Lines()[1], "next");
}

TEST_F(ActionOutputTest, LinesAreText) {
  ActionOutput output = Make();
  output.Add("\x1b[31mred\x1b[0m \xff\xc3\xa9\xe2\x82");
  output.Finish();
  EXPECT_THAT(Lines(), ElementsAre("red ?\xc3\xa9??"));
}

}  // namespace
}  // namespace fairlead::agent
