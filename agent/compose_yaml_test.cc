#include "agent/compose_yaml.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace fairlead::agent {
namespace {

struct Case {
  const char* name;
  const char* yaml;
  const char* json;
};

class ComposeYamlTest : public ::testing::TestWithParam<Case> {};

TEST_P(ComposeYamlTest, Reads) {
  const absl::StatusOr<boost::json::value> value = ParseComposeYaml(GetParam().yaml);

  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, boost::json::parse(GetParam().json)) << boost::json::serialize(*value);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ComposeYamlTest,
    ::testing::Values(
        Case{"Empty", "\n", "null"},
        Case{"Scalars", "a: 1\nb: '1'\nc: true\nd: \"true\"\ne: null\nf: 1.5\ng: 007\n",
             R"({"a":1,"b":"1","c":true,"d":"true","e":null,"f":"1.5","g":"007"})"},
        Case{"Nested", "a:\n  b:\n    c: x\n  d: y\ne: z\n",
             R"({"a":{"b":{"c":"x"},"d":"y"},"e":"z"})"},
        Case{"SequenceAtTheIndentOfItsKey", "a:\n- x\n- 2\nb:\n- y\n",
             R"({"a":["x",2],"b":["y"]})"},
        Case{"SequenceOfMappings", "a:\n- s: 1\n  t: 2\n- s: 3\n",
             R"({"a":[{"s":1,"t":2},{"s":3}]})"},
        Case{"SequenceOfSequences", "a:\n- - 1\n  - 2\n- - 3\n", R"({"a":[[1,2],[3]]})"},
        Case{"EmptyCollections", "a: {}\nb: []\n", R"({"a":{},"b":[]})"},
        Case{"NullBeforeADedent", "a:\n  b:\nc: 1\n", R"({"a":{"b":null},"c":1})"},
        Case{"FoldedPlain", "a:\n- one two\n  three\n- x\n", R"({"a":["one two three","x"]})"},
        Case{"FoldedPlainValue", "a: one\n  two\n\n  three\nb: 1\n",
             R"({"a":"one two\nthree","b":1})"},
        Case{"SingleQuotes", "a: 'it''s # no: comment'\n", R"({"a":"it's # no: comment"})"},
        Case{"FoldedSingleQuotes", "a: 'one\n  two\n\n  three'\nb: 1\n",
             R"({"a":"one two\nthree","b":1})"},
        Case{"Escapes", "a: \"\\tx\\n\\\"q\\\" \\\\ \\xe9 \\u20ac \\U0001F600 \\e\"\n",
             R"({"a":"\tx\n\"q\" \\ é € 😀 \u001b"})"},
        Case{"JoinedDoubleQuotes", "a: \"one\\\n  \\ two\"\nb: 1\n", R"({"a":"one two","b":1})"},
        Case{"QuotedKey", "'a: b': c\n\"d\\\"\": e\n", R"({"a: b":"c","d\"":"e"})"},
        Case{"LongKey", "? aaa\n: x\n? bbb\n: y: 1\n", R"({"aaa":"x","bbb":"y: 1"})"},
        Case{"Anchors", "a: &id001\n  x: 1\nb: *id001\n", R"({"a":{"x":1},"b":{"x":1}})"},
        Case{"ColonsInPlain", "a: docker:80/x\nb: http://x/\n",
             R"({"a":"docker:80/x","b":"http://x/"})"},
        Case{"DashesInPlain", "a:\n- --flag\n- -c\n", R"({"a":["--flag","-c"]})"}),
    [](const auto& param) { return param.param.name; });

TEST(ComposeYamlErrorTest, NamesTheLineOfWhatItDoesNotRead) {
  for (const char* yaml : {"a: 1\nb: |\n  text\n", "a: 1\nb: {x: 1}\n", "a: 1\nb: *nosuch\n",
                           "a: 1\nb: \"x\n", "a: 1\njust text\n", "a:\n  b: 1\n c: 2\n"}) {
    const absl::Status status = ParseComposeYaml(yaml).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << yaml;
    EXPECT_NE(status.message().find("line "), absl::string_view::npos) << status;
  }
}

TEST(ComposeYamlErrorTest, EndlessNestingIsRefused) {
  std::string yaml;
  for (int i = 0; i < 500; ++i) yaml += "- ";
  EXPECT_FALSE(ParseComposeYaml(yaml + "x\n").ok());
}

}  // namespace
}  // namespace fairlead::agent
