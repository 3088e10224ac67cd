#include "resources/shell_words.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

struct Case {
  const char* text;
  std::vector<std::string> words;
};

TEST(ShellWordsTest, SplitsLikeAShell) {
  const Case cases[] = {
      {"", {}},
      {"  \n ", {}},
      {"a b  c", {"a", "b", "c"}},
      {"a\nb", {"a", "b"}},
      {"'a b' \"c d\"", {"a b", "c d"}},
      {"a'b'\"c\"d", {"abcd"}},
      {"''", {""}},
      {"a \"\" b", {"a", "", "b"}},
      {"a\\ b", {"a b"}},
      {"a \\\n b", {"a", "b"}},
      {"\"a\\\"b\\\\c\\nd\"", {"a\"b\\c\\nd"}},
      {"'a\\b'", {"a\\b"}},
      {"\"$HOME\" $X", {"$HOME", "$X"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const auto words = SplitShellWords(c.text);
    ASSERT_TRUE(words.ok()) << words.status();
    EXPECT_EQ(*words, c.words);
  }
}

TEST(ShellWordsTest, RefusesWhatHasNoEnd) {
  for (const char* text : {"'a", "\"a", "a\\", "\"a\\"}) {
    EXPECT_EQ(SplitShellWords(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace fairlead::resources
