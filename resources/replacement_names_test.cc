#include "resources/replacement_names.h"

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

TEST(ReplacementNamesTest, SpellingsAreThreeNamesOfOneDnsName) {
  for (const char* name : {"web", "Web", "WEB", "1a-b2", "a.b", "x_1_y-9"}) {
    ASSERT_TRUE(HasSpellings(name)) << name;
    const std::string coming = ComingSpellingOf(name);
    const std::string going = GoingSpellingOf(name);
    EXPECT_TRUE(absl::EqualsIgnoreCase(coming, name)) << coming;
    EXPECT_TRUE(absl::EqualsIgnoreCase(going, name)) << going;
    EXPECT_NE(coming, name);
    EXPECT_NE(going, name);
    EXPECT_NE(coming, going);
  }
}

TEST(ReplacementNamesTest, OneLetterIsNotEnough) {
  EXPECT_FALSE(HasSpellings(""));
  EXPECT_FALSE(HasSpellings("12-3"));
  EXPECT_FALSE(HasSpellings("a1"));
  EXPECT_TRUE(HasSpellings("a1b"));
}

TEST(ReplacementNamesTest, ANameTellsThePart) {
  EXPECT_EQ(PartOf("web", "web"), ReplacementPart::kNone);
  EXPECT_EQ(PartOf("site", "web"), ReplacementPart::kNone);
  EXPECT_EQ(PartOf("WEB", "web"), ReplacementPart::kNone);
  EXPECT_EQ(PartOf("A1", "a1"), ReplacementPart::kNone);
  EXPECT_EQ(PartOf("Web", "web"), ReplacementPart::kComing);
  EXPECT_EQ(PartOf("weB", "web"), ReplacementPart::kGoing);
  EXPECT_EQ(PartOf(NewNameOf("web"), "web"), ReplacementPart::kComing);
  EXPECT_EQ(PartOf(OldNameOf("web"), "web"), ReplacementPart::kGoing);
  // A replacement under a name that is no longer the wanted one.
  EXPECT_EQ(PartOf(OldNameOf("web"), "site"), ReplacementPart::kGoing);
}

}  // namespace
}  // namespace fairlead::resources
