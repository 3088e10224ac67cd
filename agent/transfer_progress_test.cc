#include "agent/transfer_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TransferProgressTest, TellsLayersUnderWayAndCountsTheRest) {
  TransferProgress progress;
  EXPECT_TRUE(progress.Add({.part = "3f4fca", .status = "Pulling fs layer"}));
  EXPECT_EQ(progress.Detail("nginx:1"), "nginx:1") << "one part is the whole";
  progress.Add({.part = "aa", .status = "Pulling fs layer"});
  progress.Add({.part = "bb", .status = "Already exists"});
  progress.Add(
      {.part = "3f4fca", .status = "Downloading", .current = 12'300'000, .total = 40'000'000});
  progress.Add({.part = "aa", .status = "Extracting", .current = 5, .total = 6});
  EXPECT_EQ(progress.Detail("nginx:1"),
            "nginx:1, 1 of 3 done\n3f4fca: 12.3 of 40.0 MB\naa: extracting");
  EXPECT_EQ(progress.current(), 12'300'000u);
  EXPECT_EQ(progress.total(), 40'000'000u);
  // Extracting counts bytes anew: they are not those of the way here.
  progress.Add({.part = "3f4fca", .status = "Extracting", .current = 1, .total = 2});
  EXPECT_EQ(progress.current(), 40'000'000u);
  progress.Add({.part = "3f4fca", .status = "Pull complete"});
  EXPECT_EQ(progress.Detail("nginx:1"), "nginx:1, 2 of 3 done\naa: extracting");
}

TEST(TransferProgressTest, AnUnknownTotalIsLeftOut) {
  TransferProgress progress;
  progress.Add({.part = "aa", .status = "Downloading", .current = 498'000});
  progress.Add({.part = "bb", .status = "Downloading", .current = 1, .total = 2'000'000});
  EXPECT_EQ(progress.Detail("x"), "x, 0 of 2 done\naa: 498.0 kB\nbb: 0.0 of 2.0 MB");
  EXPECT_EQ(progress.current(), 1u);
  EXPECT_EQ(progress.total(), 2'000'000u);
}

TEST(TransferProgressTest, ManyLayersAreFolded) {
  TransferProgress progress;
  for (int i = 0; i < 127; ++i) {
    progress.Add({.part = absl::StrCat("layer", i), .status = "Extracting"});
  }
  const std::string detail = progress.Detail("x");
  EXPECT_THAT(detail, HasSubstr("x, 0 of 127 done\nlayer0: extracting\n"));
  EXPECT_THAT(detail, HasSubstr("layer7: extracting\nand 119 more"));
  EXPECT_THAT(detail, Not(HasSubstr("layer8:")));
}

TEST(TransferProgressTest, WhatIsNoNewsOfAPartChangesNothing) {
  TransferProgress progress;
  EXPECT_FALSE(progress.Add({.part = "1.2", .status = "Digest: sha256:12"}));
  EXPECT_FALSE(progress.Add({.part = "", .status = "Downloading"}));
  EXPECT_TRUE(progress.empty());
  EXPECT_TRUE(progress.Add({.part = "aa", .status = "Downloading", .current = 1, .total = 9}));
  EXPECT_FALSE(progress.Add({.part = "aa", .status = "Downloading", .current = 2, .total = 9}))
      << "bytes alone can wait";
}

TEST(TransferProgressTest, ReadsWhatComposePrints) {
  TransferProgress progress;
  for (const char* line :
       {" 3f4fca12ab34 Pulling fs layer ", " 3f4fca12ab34 Downloading [==>   ]  1.049MB/9.5MB",
        " aa4fca12ab34 Already exists ", "Pulling web ... downloading (12.5%)\r",
        "Pulling db  ... pulling from library/db", "Pulling cache ... done"}) {
    const auto news = ParseComposeLine(line);
    ASSERT_TRUE(news.has_value()) << line;
    progress.Add(*news);
  }
  EXPECT_EQ(progress.Detail("shop"),
            "shop, 2 of 5 done\n3f4fca12ab34: 1.0 of 9.5 MB\nweb: downloading (12.5%)\n"
            "db: pulling");
  for (const char* line :
       {"web Pulling", "Creating shop_web_1 ... done", "Pulling is fun", "", " "}) {
    EXPECT_FALSE(ParseComposeLine(line).has_value()) << line;
  }
}

class TransferReportTest : public RuntimeFixture {};

TEST_F(TransferReportTest, APullTellsItsLayers) {
  v1::Action action = Apply("a1", "one");
  action.mutable_apply_container()->mutable_spec()->set_image("registry/app:3");
  ASSERT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
  const auto pulled = [&](const char* detail) {
    return std::count_if(progress_.begin(), progress_.end(), [&](const v1::ActionProgress& step) {
      return step.phase() == "pulling" && step.detail() == detail;
    });
  };
  EXPECT_EQ(pulled("registry/app:3"), 1) << "before it begins";
  EXPECT_EQ(pulled("registry/app:3\na: 5 of 10 B"), 1);
  EXPECT_EQ(pulled("registry/app:3, 0 of 2 done\na: 5 of 10 B\nb: 1 of 20 B"), 1);
  EXPECT_EQ(pulled("registry/app:3, 1 of 2 done\nb: 1 of 20 B"), 1);
}

}  // namespace
}  // namespace fairlead::agent
