// The texts of testdata/schedules, one a line: what each is as cron, or what is wrong with it.
// FAIRLEAD_REWRITE_GOLDEN=1 writes the expected texts anew, for a person to read.
#include <cstdlib>
#include <fstream>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/schedule/schedule.h"

namespace fairlead::resources {
namespace {

std::string PathOf(const std::string& name) {
  return absl::StrCat(FAIRLEAD_SOURCE_DIR, "/testdata/schedules/", name);
}

// "text" and below it "  = cron", or a caret at what is wrong.
std::string Report(ScheduleFormat format, absl::string_view text) {
  std::string out = absl::StrCat(text, "\n");
  const auto reading = ReadSchedule(format, text);
  if (const auto* schedule = std::get_if<Schedule>(&reading)) {
    absl::StrAppend(&out, "  = ", schedule->Describe(), "\n");
    return out;
  }
  const auto& error = std::get<ScheduleError>(reading);
  absl::StrAppend(&out, std::string(error.offset, ' '), "^ ", error.message, "\n");
  if (!error.suggestion.empty()) absl::StrAppend(&out, "  suggestion: ", error.suggestion, "\n");
  return out;
}

void CompareTexts(ScheduleFormat format, const std::string& name) {
  const auto texts = base::ReadFile(PathOf(name + ".txt"));
  ASSERT_TRUE(texts.ok()) << texts.status();
  std::string actual;
  for (const absl::string_view text : absl::StrSplit(*texts, '\n')) {
    absl::StrAppend(&actual, Report(format, text));
  }
  if (std::getenv("FAIRLEAD_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(PathOf(name + ".expected")) << actual;
    return;
  }
  const auto expected = base::ReadFile(PathOf(name + ".expected"));
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(actual, *expected);
}

TEST(ScheduleGoldenTest, EnglishReadsAsExpected) {
  CompareTexts(ScheduleFormat::kEnglish, "english");
}

TEST(ScheduleGoldenTest, CronReadsAsExpected) { CompareTexts(ScheduleFormat::kCron, "cron"); }

}  // namespace
}  // namespace fairlead::resources
