#include "resources/toml_source.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

std::string CodeOf(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const auto problem = TomlSource("a.toml", text, dialect).Check();
  return problem ? problem->code() : "";
}

std::string Place(const SourcePosition& position) {
  return absl::StrCat(position.line, ":", position.column);
}

TEST(TomlSourceTest, ChecksSize) {
  EXPECT_EQ(CodeOf(std::string(10u << 20, ' ')), "");
  EXPECT_EQ(CodeOf(std::string((10u << 20) + 1, ' ')), "too-large");
}

TEST(TomlSourceTest, ChecksUtf8) {
  EXPECT_EQ(CodeOf("a = \"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""), "");
  for (const char* bad : {"\xFF", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80"}) {
    EXPECT_EQ(CodeOf(absl::StrCat("a = \"", bad, "\"")), "not-utf8");
  }
  const auto problem = TomlSource("a.toml", "a = 1\nb = \"\xFF\"", v1::DIALECT_TOML).Check();
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->line(), 2u);
  EXPECT_EQ(problem->column(), 6u);
  EXPECT_EQ(problem->source_line(), "");
}

TEST(TomlSourceTest, FindsConflictMarkers) {
  EXPECT_EQ(CodeOf("a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> x\n"), "conflict-marker");
  EXPECT_EQ(CodeOf("a = '''\n<<<<<<< EOF\n'''\n"), "");
  EXPECT_EQ(CodeOf("# =======\n"), "");
}

std::string DeepKey(int parts) {
  std::string key = "a";
  for (int i = 1; i < parts; ++i) key += ".a";
  return key;
}

TEST(TomlSourceTest, ChecksDepthOfKeysOnly) {
  EXPECT_EQ(CodeOf(DeepKey(64) + " = 1"), "");
  EXPECT_EQ(CodeOf(DeepKey(65) + " = 1"), "too-deep");
  EXPECT_EQ(CodeOf("[" + DeepKey(65) + "]"), "too-deep");
  EXPECT_EQ(CodeOf("x = { " + DeepKey(65) + " = 1 }"), "too-deep");
  EXPECT_EQ(CodeOf("x = \"" + DeepKey(100) + "\""), "");
  EXPECT_EQ(CodeOf("x = '" + DeepKey(100) + "'"), "");
  EXPECT_EQ(CodeOf("x = \"\"\"\n" + DeepKey(100) + "\"\"\""), "");
  EXPECT_EQ(CodeOf("# " + DeepKey(100)), "");
  EXPECT_EQ(CodeOf("x = \"\\\"\" # \"\n" + DeepKey(65) + " = 1"), "too-deep");
}

TEST(TomlSourceTest, MapsCharactersToBytes) {
  const TomlSource source("a.toml", "a = 1\n\xC3\xA9 = x", v1::DIALECT_TOML);
  EXPECT_EQ(Place(source.Map({1, 5})), "1:5");
  EXPECT_EQ(Place(source.Map({2, 1})), "2:1");
  EXPECT_EQ(Place(source.Map({2, 2})), "2:3");
  EXPECT_EQ(Place(source.Map({2, 1})), "2:1");
  EXPECT_EQ(Place(source.Map({2, 99})), "2:7");
  EXPECT_EQ(Place(source.Map({9, 1})), "0:0");
}

TEST(TomlSourceTest, KomodoDoublesBackslashesInBlocksOnly) {
  const std::string text = "a = \"\\n\"\nb = \"\"\"x\\y\\z\"\"\" # \\\nc = '\\'";
  const TomlSource toml("a.toml", text, v1::DIALECT_TOML);
  EXPECT_EQ(toml.text(), text);
  const TomlSource komodo("a.toml", text, v1::DIALECT_KOMODO);
  EXPECT_EQ(komodo.text(), "a = \"\\n\"\nb = \"\"\"x\\\\y\\\\z\"\"\" # \\\nc = '\\'");
  // The character after the block stands two columns further for the parser.
  EXPECT_EQ(Place(komodo.Map({2, 18})), "2:16");
  EXPECT_EQ(Place(komodo.Map({1, 5})), "1:5");
}

TEST(TomlSourceTest, KomodoKeepsEveryByteElsewhere) {
  for (const char* text : {"", "\\", "\"\"\"", "\"\"\"\\", "a\"\"\"\"b\\", "\"\"\"\"\"\"\\"}) {
    const TomlSource source("a.toml", text, v1::DIALECT_KOMODO);
    std::string undoubled;
    for (std::size_t i = 0; i < source.text().size(); ++i) {
      undoubled += source.text()[i];
      if (source.text().substr(i, 2) == "\\\\") ++i;
    }
    EXPECT_EQ(undoubled, text);
  }
}

TEST(TomlSourceTest, DropsTheByteOrderMarkAndCarriageReturns) {
  const TomlSource source("a.toml",
                          "\xEF\xBB\xBF"
                          "a = 1\r\nb = 2\r\n",
                          v1::DIALECT_TOML);
  EXPECT_EQ(source.Line(1), "a = 1");
  EXPECT_EQ(source.Line(2), "b = 2");
  EXPECT_EQ(source.Line(3), "");
  EXPECT_EQ(source.Line(4), "");
}

TEST(TomlSourceTest, FindsLinesWithinStrings) {
  const TomlSource source("a.toml", "a = \"\"\"\none\n  two\n\"\"\"\nb = \"one\\ntwo\"",
                          v1::DIALECT_TOML);
  EXPECT_EQ(Place(source.LineOfString({1, 5}, 1, "  two")), "3:3");
  EXPECT_EQ(Place(source.LineOfString({1, 5}, 1, "other")), "1:5");
  EXPECT_EQ(Place(source.LineOfString({5, 5}, 1, "two")), "5:5");
}

}  // namespace
}  // namespace fairlead::resources
