#include "resources/toml_layout.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<LayoutTable> Scan(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const auto tables = ScanLayout(text, dialect);
  EXPECT_TRUE(tables.ok()) << tables.status() << "\n" << text;
  return tables.value_or(std::vector<LayoutTable>(1));
}

// The value of the only key.
std::string ValueOf(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const auto tables = Scan(text, dialect);
  if (tables.front().pairs.size() != 1) {
    ADD_FAILURE() << tables.front().pairs.size() << " keys in:\n" << text;
    return "";
  }
  return tables.front().pairs.front().value;
}

TEST(TomlLayoutTest, EmptyTextIsAnEmptyRootTable) {
  const auto tables = Scan("");
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_THAT(tables[0].pairs, IsEmpty());
  EXPECT_THAT(tables[0].tail, IsEmpty());
}

TEST(TomlLayoutTest, CommentsGoToWhatTheyStandAt) {
  const auto tables = Scan(R"(# file

# header
[[stack]]  # behind the header
# top

# of name
name = "web"# behind name
# tail

# entry's end

)");
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_THAT(tables[0].tail, ElementsAre("# file"));
  EXPECT_THAT(tables[1].lead, ElementsAre("", "# header"));
  EXPECT_EQ(tables[1].comment, "  # behind the header");
  EXPECT_THAT(tables[1].top, ElementsAre("# top"));
  ASSERT_EQ(tables[1].pairs.size(), 1u);
  EXPECT_THAT(tables[1].pairs[0].lead, ElementsAre("", "# of name"));
  EXPECT_EQ(tables[1].pairs[0].comment, " # behind name");
  EXPECT_THAT(tables[1].tail, ElementsAre("# tail", "", "# entry's end"));
}

TEST(TomlLayoutTest, HeadersAndKeysAreSplitAtTheirDots) {
  const auto tables = Scan("[ a . \"b.c\" ]\nx . 'y z' = 1\n[[d]]\n");
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_THAT(tables[1].path, ElementsAre("a", "b.c"));
  EXPECT_EQ(tables[1].header, "[a.\"b.c\"]");
  EXPECT_FALSE(tables[1].is_array);
  EXPECT_THAT(tables[1].pairs.at(0).path, ElementsAre("x", "y z"));
  EXPECT_EQ(tables[1].pairs.at(0).key, "x.'y z'");
  EXPECT_TRUE(tables[2].is_array);
  EXPECT_EQ(tables[2].header, "[[d]]");
}

TEST(TomlLayoutTest, ValuesAreTakenAsSpelled) {
  for (const std::string value :
       {"1", "0xff", "1979-05-27 07:32:00Z", "\"a # b\\\" = [c\"", "'a # b\\'", "\"\"", "''",
        "\"\"\"\"quoted\"\"\"\"", "'''\n# no comment  \n[no.header]\n'''",
        "\"\"\"a\\\"\"\" b\"\"\"", "[1, [2, \"]\"], {a = '}'}]", "{a = 1, b.c = [\n  1,\n]}",
        "[ # comment ]\n  1\n]"}) {
    EXPECT_EQ(ValueOf("k   =\t" + value + "  \n"), value);
    EXPECT_EQ(ValueOf("k=" + value), value);
    EXPECT_EQ(ValueOf("k=" + value + "#c"), value);
  }
}

TEST(TomlLayoutTest, BlanksGoFromLineEndsButNotFromStrings) {
  EXPECT_EQ(ValueOf("k = [ \t\r\n  1, # c \r\n\t\r\n]"), "[\n  1, # c\n\n]");
  EXPECT_EQ(ValueOf("k = \"\"\" \r\na \r\n\"\"\""), "\"\"\" \na \n\"\"\"");
}

TEST(TomlLayoutTest, IndentationOfTheKeyGoesFromItsValueToo) {
  EXPECT_EQ(ValueOf("  k = [\n    '''\n    x\n''',\n   1,\n ]"), "[\n  '''\n    x\n''',\n 1,\n]");
}

TEST(TomlLayoutTest, BackslashEndsNoKomodoBlock) {
  EXPECT_EQ(ValueOf("k = \"\"\"C:\\\"\"\"", v1::DIALECT_KOMODO), "\"\"\"C:\\\"\"\"");
  EXPECT_EQ(ValueOf("k = \"a\\\"b\"", v1::DIALECT_KOMODO), "\"a\\\"b\"");
  EXPECT_FALSE(ScanLayout("k = \"\"\"C:\\\"\"\"", v1::DIALECT_TOML).ok());
}

TEST(TomlLayoutTest, WhatIsNotTomlNamesItsLine) {
  for (const char* text : {"a = 1\nb", "a = 1\n= 2", "a = 1\n[b", "a = 1\n[[b]", "a = 1\nb =",
                           "a = 1\nb = [1", "a = 1\nb = 1]", "a = 1\nb = \"x", "a = 1\n[b] c",
                           "a = 1\n[", "a = 1\nb.", "a = 1\n\"", "a = 1\nb = \"x\" \"\"\""}) {
    const auto tables = ScanLayout(text, v1::DIALECT_TOML);
    EXPECT_FALSE(tables.ok()) << text;
    EXPECT_THAT(tables.status().message(), HasSubstr("line 2: ")) << text;
  }
}

}  // namespace
}  // namespace fairlead::resources
