#include "resources/key_values.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

struct Case {
  const char* name;
  const char* line;
  const char* key;
  const char* value;
};

TEST(KeyValuesTest, ReadsEverySpellingOfALine) {
  const Case cases[] = {
      {"equals", "A=b", "A", "b"},
      {"colon", "A: b", "A", "b"},
      {"first separator", "A=b:c=d", "A", "b:c=d"},
      {"spaces", "  A =  b  ", "A", "b"},
      {"dash", "- A=b", "A", "b"},
      {"dash without space", "-A=b", "A", "b"},
      {"comment behind", "A=b # why", "A", "b"},
      {"hash within", "A=b#c", "A", "b#c"},
      {"quoted line", "- \"A=b c\"", "A", "b c"},
      {"single quoted line", "'A=b'", "A", "b"},
      {"quoted value", "A=\"b c\"", "A", "\"b c\""},
      {"quoted key", "\"A\": \"b\"", "\"A\"", "\"b\""},
      {"quotes that differ", "\"A=b'", "\"A", "b'"},
      {"empty value", "A=", "A", ""},
      {"carriage return", "A=b\r", "A", "b"},
      {"address", "127.0.0.1:8080:80", "127.0.0.1", "8080:80"},
      {"placeholder as value", "A=[[B]]", "A", "[[B]]"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto pairs = ParseKeyValues(c.line);
    ASSERT_TRUE(pairs.ok()) << pairs.status();
    EXPECT_THAT(*pairs, ElementsAre(Pair(c.key, c.value)));
    EXPECT_EQ(FindLineWithoutSeparator(c.line), std::nullopt);
  }
}

TEST(KeyValuesTest, SkipsBlankAndCommentLines) {
  const auto pairs = ParseKeyValues("\n# a: b\n // c=d\n\n  \nE=f\n");
  ASSERT_TRUE(pairs.ok());
  EXPECT_THAT(*pairs, ElementsAre(Pair("E", "f")));
}

TEST(KeyValuesTest, KeepsDuplicatesInOrder) {
  const auto pairs = ParseKeyValues("A=2\nA=1\n");
  ASSERT_TRUE(pairs.ok());
  EXPECT_THAT(*pairs, ElementsAre(Pair("A", "2"), Pair("A", "1")));
}

TEST(KeyValuesTest, RefusesALineWithoutSeparatorByNumber) {
  const auto pairs = ParseKeyValues("A=b\n\nnonsense\n");
  EXPECT_EQ(pairs.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(pairs.status().message()), HasSubstr("line 3"));
  EXPECT_EQ(FindLineWithoutSeparator("A=b\n\nnonsense\n"), 2u);
}

TEST(KeyValuesTest, TakesALonePlaceholderAsAKey) {
  const auto pairs = ParseKeyValues("[[ALL_OF_IT]]\nA=b");
  ASSERT_TRUE(pairs.ok());
  EXPECT_THAT(*pairs, ElementsAre(Pair("[[ALL_OF_IT]]", ""), Pair("A", "b")));
}

TEST(KeyValuesTest, AnEnvironmentFileHasOneSpelling) {
  const auto file = ToEnvironmentFile("# of the shop\nMODE = fast\n- LEVEL: \"3\" # high\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*file, "MODE=fast\nLEVEL=\"3\"\n");
  EXPECT_EQ(*ToEnvironmentFile(""), "");
  EXPECT_FALSE(ToEnvironmentFile("no separator").ok());
}

}  // namespace
}  // namespace fairlead::resources
