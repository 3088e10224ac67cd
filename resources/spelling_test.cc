#include "resources/spelling.h"

#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

TEST(SpellingTest, CountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("sevrer", "server"), 1u);
  EXPECT_EQ(EditDistance("enviroment", "environment"), 1u);
}

TEST(SpellingTest, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(NearestWord("resource-sync", {"stack", "resource_sync"}), "resource_sync");
  EXPECT_EQ(NearestWord("Ports", {"ports", "port"}), "ports");
  EXPECT_EQ(NearestWord("zzz", {"ports", "image"}), "");
  EXPECT_EQ(NearestWord(std::string(1000, 'a'), {std::string(1000, 'a')}), "");
  EXPECT_EQ(DidYouMean("imgae", {"image"}), "did you mean \"image\"?");
  EXPECT_EQ(DidYouMean("nothing", {"image"}), "");
}

TEST(SpellingTest, AnUnknownKeyComesWithTheNearestOrAll) {
  const std::vector<std::string> known = {"allow", "allow-mount"};
  EXPECT_EQ(DescribeUnknownKey("alow", known), "unknown key \"alow\"; did you mean \"allow\"?");
  EXPECT_EQ(DescribeUnknownKey("allow_mount", known),
            "unknown key \"allow_mount\"; did you mean \"allow-mount\"?");
  EXPECT_EQ(DescribeUnknownKey("zzz", known), "unknown key \"zzz\"; known are allow, allow-mount");
}

TEST(SpellingTest, WhatTheParserSaysOfAnOptionsFileIsMadePlain) {
  const std::vector<std::string> known = {"allow", "allow-mount"};
  EXPECT_EQ(DescribeOptionsFileError("INI was not able to parse alow", known),
            DescribeUnknownKey("alow", known));
  EXPECT_EQ(DescribeOptionsFileError("INI was not able to parse limits.++", known),
            "unknown section [limits]");
  EXPECT_EQ(DescribeOptionsFileError("no such file", known), "no such file");
}

TEST(SpellingTest, KnowsWhatFilesOftenGetWrong) {
  EXPECT_EQ(KnownMistake("auto_deploy"), "write deploy = true beside \"name\"");
  EXPECT_NE(KnownMistake("compose_file"), "");
  EXPECT_EQ(KnownMistake("compose_files_x"), "");
}

}  // namespace
}  // namespace fairlead::resources
