#include "agent/checkout_obstacles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CheckoutObstaclesTest : public ::testing::Test {
 protected:
  void Write(const std::string& path) const {
    fs::create_directories(fs::path(folder_.path() + "/" + path).parent_path());
    std::ofstream(folder_.path() + "/" + path) << "x";
  }
  std::vector<std::string> Find(const std::set<std::string>& tracked,
                                const std::vector<WantedPath>& wanted, std::size_t most = 9) const {
    return FindObstacles(folder_.path(), tracked, wanted, most);
  }

  base::ScratchFolder folder_;
};

TEST_F(CheckoutObstaclesTest, WhatStandsBesideIsNone) {
  Write("a");
  Write("data/of/people");
  EXPECT_THAT(Find({"a"}, {{.path = "a"}, {.path = "b"}, {.path = "data/c"}}), IsEmpty());
}

TEST_F(CheckoutObstaclesTest, AFileThatGitDoesNotKnowIsOneWhereGitWantsToWrite) {
  Write("a");
  Write("b/c");
  fs::create_symlink("/nowhere", folder_.path() + "/link");
  const std::vector<WantedPath> wanted = {{.path = "a"}, {.path = "b/c"}, {.path = "link"}};
  EXPECT_THAT(Find({}, wanted), ElementsAre("a", "b/c", "link"));
  EXPECT_THAT(Find({}, wanted, 2), ElementsAre("a", "b/c"));
  EXPECT_THAT(Find({"a", "b/c", "link"}, wanted), IsEmpty());
}

TEST_F(CheckoutObstaclesTest, AFileIsOneWhereGitNeedsAFolder) {
  Write("a");
  const std::vector<WantedPath> wanted = {{.path = "a/b"}, {.path = "a/c/d"}};
  EXPECT_THAT(Find({}, wanted), ElementsAre("a"));
  EXPECT_THAT(Find({"a"}, wanted), IsEmpty()) << "it was git's";
  // A person made a link of what was a folder.
  EXPECT_THAT(Find({"a/b"}, wanted), ElementsAre("a"));
}

TEST_F(CheckoutObstaclesTest, FilesInAFolderAreWhereGitWantsAFile) {
  Write("a/tracked");
  EXPECT_THAT(Find({"a/tracked"}, {{.path = "a"}}), IsEmpty());
  Write("a/deep/note");
  EXPECT_THAT(Find({"a/tracked"}, {{.path = "a"}}), ElementsAre("a/deep/note"));
  EXPECT_THAT(Find({"a"}, {{.path = "a"}}), ElementsAre("a/deep/note"))
      << "in place of the file that git knows";
}

TEST_F(CheckoutObstaclesTest, SubmodulesAreGits) {
  Write("vendor/lib/file");
  EXPECT_THAT(Find({"vendor/lib"}, {{.path = "vendor/lib", .is_submodule = true}}), IsEmpty());
  EXPECT_THAT(Find({"vendor/lib"}, {{.path = "vendor/lib/file"}}), IsEmpty());
  EXPECT_THAT(Find({"vendor/lib"}, {{.path = "vendor"}}), IsEmpty());
}

}  // namespace
}  // namespace fairlead::agent
