#include "cli/source_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

constexpr char kServer[] = "[[server]]\nname = \"edge\"\n";

class SourceFilesTest : public CommandTest {
 protected:
  SourceFilesTest() { controller_.Shutdown(); }

  static std::vector<std::string> PathsOf(const std::vector<v1::SourceFile>& files) {
    std::vector<std::string> paths;
    for (const v1::SourceFile& file : files) paths.push_back(file.path());
    return paths;
  }
};

TEST_F(SourceFilesTest, LinksInAFolderAreNoticedAndNotFollowed) {
  const std::string outside = Write("outside.toml", kServer);
  Write("outside/b.toml", kServer);
  Write("d/a.toml", kServer);
  fs::create_symlink(outside, folder_ + "/d/link.toml");
  fs::create_symlink("nowhere", folder_ + "/d/dangling.toml");
  fs::create_directory_symlink(folder_ + "/outside", folder_ + "/d/linked");
  const Outcome outcome = RunCommand({"validate", folder_ + "/d"});
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("d/link.toml: notice: symbolic link; it is not followed"),
                    HasSubstr("d/dangling.toml: notice"), HasSubstr("1 file, 1 res")));
}

TEST_F(SourceFilesTest, ANamedLinkIsFollowed) {
  Write("outside.toml", kServer);
  fs::create_symlink("outside.toml", folder_ + "/link.toml");
  EXPECT_EQ(RunCommand({"validate", folder_ + "/link.toml"}).code, 0);
}

TEST_F(SourceFilesTest, ALoopOfLinksEnds) {
  Write("d/a.toml", kServer);
  fs::create_directory_symlink("..", folder_ + "/d/up");
  EXPECT_THAT(RunCommand({"validate", folder_}).out, HasSubstr("1 file, 1 resource"));
}

TEST_F(SourceFilesTest, WhatCannotBeReadIsAProblemAmongOthers) {
  const std::string closed = Write("d/closed.toml", kServer);
  Write("d/folder/a.toml", kServer);
  Write("d/wrong.toml", "x");
  chmod(closed.c_str(), 0);
  chmod((folder_ + "/d/folder").c_str(), 0);
  // Root reads everything.
  const uid_t user = geteuid();
  constexpr uid_t kNobody = 65534;
  if (user == 0) {
    chmod(folder_.c_str(), 0755);
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const Outcome outcome = RunCommand({"validate", folder_ + "/d"});
  ASSERT_EQ(seteuid(user), 0);
  chmod((folder_ + "/d/folder").c_str(), 0700);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("d/closed.toml: error: cannot be read: Permission denied"),
                    HasSubstr("d/folder: error: cannot be read: Permission denied [unreadable]"),
                    HasSubstr("d/wrong.toml:1:2: error"), HasSubstr("1 file, ")));
}

TEST_F(SourceFilesTest, AFolderNamedLikeAFileIsAFolder) {
  fs::create_directories(folder_ + "/d/folder.toml");
  Write("d/folder.toml/a.toml", kServer);
  EXPECT_THAT(RunCommand({"validate", folder_ + "/d"}).out, HasSubstr("1 file, 1 resource"));
}

TEST_F(SourceFilesTest, AHugeFileIsRefusedUnread) {
  const std::string path = Write("d/huge.toml", "");
  fs::resize_file(path, 100u << 20);
  Write("d/a.toml", kServer);
  const Outcome outcome = RunCommand({"validate", folder_ + "/d"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("d/huge.toml: error: file is larger than 10 MiB"),
                                 HasSubstr("suggestion: split it"), HasSubstr("1 file, ")));
}

TEST_F(SourceFilesTest, ANamedLinkToNothingIsNotThere) {
  fs::create_symlink("nowhere", folder_ + "/link.toml");
  EXPECT_THAT(RunCommand({"validate", folder_ + "/link.toml"}).err, HasSubstr("is not there"));
}

TEST_F(SourceFilesTest, AWorkingTreeSendsNothingThatLiesOutside) {
  Write("secret.yaml", "geheim");
  Write("tree/a.toml",
        "[[stack]]\nname = \"one\"\n[stack.config]\nrun_directory = \"one\"\n"
        "[[stack]]\nname = \"two\"\n[stack.config]\nrun_directory = \"linked\"\n"
        "[[stack]]\nname = \"three\"\n[stack.config]\nfile_paths = [\"../secret.yaml\"]\n");
  Write("tree/one/.keep", "");
  Write("outside/compose.yaml", "geheim");
  fs::create_symlink("../../secret.yaml", folder_ + "/tree/one/compose.yaml");
  fs::create_directory_symlink("../outside", folder_ + "/tree/linked");
  const auto files = ReadWorkingTree(folder_ + "/tree", v1::DIALECT_TOML);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(PathsOf(*files), ElementsAre("a.toml"));
}

TEST_F(SourceFilesTest, ApplyRefusesWhatItCannotRead) {
  fs::resize_file(Write("huge.toml", ""), 11u << 20);
  const Outcome outcome = RunCommand({"apply", "-f", folder_ + "/huge.toml"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("huge.toml"), HasSubstr("larger than 10 MiB"),
                                 Not(HasSubstr("controller"))));
}

}  // namespace
}  // namespace fairlead::cli
