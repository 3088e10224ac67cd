#include "agent/log_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;

std::string Frame(char stream, absl::string_view text) {
  std::string frame(8, '\0');
  frame[0] = stream;
  frame[6] = static_cast<char>(text.size() >> 8);
  frame[7] = static_cast<char>(text.size() & 0xFF);
  return absl::StrCat(frame, text);
}

// The lines of `bytes`, given `step` bytes at a time; standard error is marked.
std::vector<std::string> Split(const std::string& bytes, std::size_t step, bool tty) {
  std::vector<std::string> lines;
  LogSplitter splitter(tty, false, [&](const LogLine& line) {
    lines.push_back(absl::StrCat(line.is_stderr ? "E:" : "", line.text));
  });
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    splitter.Add(absl::string_view(bytes).substr(i, step));
  }
  splitter.Finish();
  return lines;
}

TEST(LogSplitterTest, TakesFramesApartAtAnyCut) {
  const std::string bytes = Frame(1, "one\ntw") + Frame(2, "bad\n") + Frame(1, "o\r\nlast");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    EXPECT_THAT(Split(bytes, step, false), ElementsAre("one", "E:bad", "two", "last")) << step;
  }
}

TEST(LogSplitterTest, ATerminalHasNoFrames) {
  EXPECT_THAT(Split("one\r\ntwo", 3, true), ElementsAre("one", "two"));
}

TEST(LogSplitterTest, ReadsTimes) {
  std::vector<LogLine> lines;
  LogSplitter splitter(true, true, [&](const LogLine& line) { lines.push_back(line); });

  splitter.Add("2023-11-14T22:13:20.000000005Z a b\nno time\n");

  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, "a b");
  EXPECT_EQ(absl::ToUnixNanos(lines[0].time), 1'700'000'000'000'000'005);
  EXPECT_EQ(lines[1].text, "no time");
  EXPECT_EQ(lines[1].time, absl::InfinitePast());
}

TEST(LogSplitterTest, ALineWithoutEndIsCutBeforeItFillsTheMemory) {
  const std::vector<std::string> lines = Split(std::string(200'000, 'x'), 1000, true);

  EXPECT_GT(lines.size(), 2u);
}

}  // namespace
}  // namespace fairlead::agent
