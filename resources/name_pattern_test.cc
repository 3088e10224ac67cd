#include "resources/name_pattern.h"

#include <gtest/gtest.h>

namespace fairlead::resources {
namespace {

bool Matches(absl::string_view pattern, const std::string& name) {
  const absl::StatusOr<NamePattern> parsed = NamePattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() && parsed->Matches(name);
}

TEST(NamePatternTest, NamesWildcardsAndRegexes) {
  struct Case {
    const char* pattern;
    const char* name;
    bool expected;
  };
  for (const Case& one : {
           Case{"web", "web", true},
           Case{"web", "web-1", false},
           Case{"web-*", "web-1", true},
           Case{"*", "", true},
           Case{"*a*b", "xxaybyb", true},
           Case{"*a*b", "xxaybya", false},
           Case{"web-?", "web-12", false},
           Case{"a, web\nb", "web", true},
           Case{"a, web\nb", "w", false},
           Case{"\\^web-[0-9]+$\\", "web-12", true},
           Case{"\\^web-[0-9]+$\\", "web-x", false},
           Case{"\\eb\\", "web", true},
           Case{"db, \\^a{1,2}$\\, web", "aa", true},
           Case{"db, \\^a{1,2}$\\, web", "web", true},
           Case{"db, \\^a{1,2}$\\, web", "aaa", false},
           Case{"", "web", false},
       }) {
    EXPECT_EQ(Matches(one.pattern, one.name), one.expected) << one.pattern << " " << one.name;
  }
}

TEST(NamePatternTest, WhatCannotBeReadIsNamed) {
  const auto parsed = NamePattern::Parse("web, \\web(\\");
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find("\"web(\""), absl::string_view::npos);
}

TEST(NamePatternTest, AHardRegexEndsAtOnce) {
  EXPECT_FALSE(Matches("\\^(a*)*b$\\", std::string(60, 'a')));
}

}  // namespace
}  // namespace fairlead::resources
