#include "resources/problem_codes.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace fairlead::resources {
namespace {

using ::testing::HasSubstr;

TEST(ProblemCodesTest, AreInOrderAndEachHasAMeaning) {
  const auto& codes = ProblemCodes();
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end(),
                             [](const auto& a, const auto& b) { return a.code < b.code; }));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_FALSE(codes[i].meaning.empty()) << codes[i].code;
    EXPECT_EQ(IndexOfProblemCode(codes[i].code), i);
  }
  EXPECT_EQ(IndexOfProblemCode("nothing"), codes.size());
}

TEST(ProblemCodesTest, ThePageListsThem) {
  const auto page = base::ReadFile(FAIRLEAD_SOURCE_DIR "/docs/validation.md");
  ASSERT_TRUE(page.ok()) << page.status();
  for (const ProblemCode& code : ProblemCodes()) {
    EXPECT_THAT(*page, HasSubstr(absl::StrCat("| `", code.code, "` | ", code.meaning, " |")));
  }
}

}  // namespace
}  // namespace fairlead::resources
