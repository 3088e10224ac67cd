#include <sys/stat.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kMessy[] = "[[server]]\ntags=[]  \nname  = \"edge\" # the edge";
constexpr char kClean[] = "[[server]]\nname = \"edge\" # the edge\ntags = []\n";
constexpr char kBroken[] = "[[server]]\nname = \n";

class FormatTest : public CommandTest {
 protected:
  FormatTest() { controller_.Shutdown(); }
  Outcome Format(const std::string& path, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"fmt", path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCommand(arguments);
  }
  static std::string ContentOf(const std::string& path) {
    return base::ReadFile(path).value_or("cannot be read");
  }
};

TEST_F(FormatTest, ChangedFilesAreNamedAndOthersNot) {
  const std::string messy = Write("d/messy.toml", kMessy);
  Write("d/clean.toml", kClean);
  const Outcome outcome = Format(folder_ + "/d");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, messy + "\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(ContentOf(messy), kClean);
  EXPECT_EQ(Format(folder_ + "/d").out, "");
}

TEST_F(FormatTest, CheckNamesFilesAndChangesNothing) {
  const std::string messy = Write("messy.toml", kMessy);
  const Outcome outcome = Format(messy, {"--check"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, messy + "\n");
  EXPECT_EQ(ContentOf(messy), kMessy);
  EXPECT_EQ(Format(Write("clean.toml", kClean), {"--check"}).code, 0);
}

TEST_F(FormatTest, SyntaxErrorIsReportedAndTheOthersAreDone) {
  const std::string broken = Write("a.toml", kBroken);
  const std::string messy = Write("b.toml", kMessy);
  const Outcome outcome = Format(folder_);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("a.toml:2:8: error: "));
  EXPECT_EQ(outcome.out, messy + "\n");
  EXPECT_EQ(ContentOf(broken), kBroken);
  EXPECT_EQ(ContentOf(messy), kClean);
}

TEST_F(FormatTest, ForeignFileIsLeftWithANotice) {
  const std::string foreign = Write("pyproject.toml", "[tool]\na=1");
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--check"}}) {
    const Outcome outcome = Format(foreign, more);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("pyproject.toml: notice: no resources in this file"));
  }
  EXPECT_EQ(ContentOf(foreign), "[tool]\na=1");
}

TEST_F(FormatTest, StandardInputGoesToStandardOutput) {
  input_ = kMessy;
  EXPECT_EQ(Format("-").out, kClean);
  const Outcome check = Format("-", {"--check"});
  EXPECT_EQ(check.code, 1);
  EXPECT_EQ(check.out, "<stdin>\n");
  input_ = kClean;
  EXPECT_EQ(Format("-", {"--check"}).code, 0);
  input_ = kBroken;
  const Outcome broken = Format("-");
  EXPECT_EQ(broken.code, 1);
  EXPECT_EQ(broken.out, "");
  EXPECT_THAT(broken.err, HasSubstr("<stdin>:2:8: error: "));
  EXPECT_THAT(Format("-", {folder_}).err, HasSubstr("cannot stand beside files"));
}

TEST_F(FormatTest, DialectDecidesAboutBackslashes) {
  const std::string path =
      Write("a.toml", "[[stack]]\nconfig.environment = \"\"\"A=\\d\"\"\"\nname=\"web\"\n");
  EXPECT_EQ(Format(path).code, 1);
  EXPECT_EQ(Format(path, {"--dialect", "komodo"}).code, 0);
  EXPECT_EQ(ContentOf(path), "[[stack]]\nname = \"web\"\nconfig.environment = \"\"\"A=\\d\"\"\"\n");
}

TEST_F(FormatTest, FileKeepsItsMode) {
  const std::string path = Write("a.toml", kMessy);
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  EXPECT_EQ(Format(path).code, 0);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0664u);
}

TEST_F(FormatTest, LinkOutOfTheTreeIsNotFollowed) {
  const std::string outside = Write("outside.toml", kMessy);
  Write("d/a.toml", kClean);
  std::filesystem::create_symlink(outside, folder_ + "/d/link.toml");
  const Outcome outcome = Format(folder_ + "/d");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("d/link.toml: notice: "), HasSubstr(outside)));
  EXPECT_EQ(ContentOf(outside), kMessy);
}

TEST_F(FormatTest, LinkWithinTheTreeStaysAndItsTargetIsFormatted) {
  const std::string target = Write("d/target.toml", kMessy);
  std::filesystem::create_symlink("target.toml", folder_ + "/d/a.toml");
  const Outcome outcome = Format(folder_ + "/d");
  EXPECT_EQ(outcome.out, target + "\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ + "/d/a.toml"));
  EXPECT_EQ(ContentOf(target), kClean);
}

TEST_F(FormatTest, LinkThatIsNamedIsRefused) {
  const std::string target = Write("target.toml", kMessy);
  std::filesystem::create_symlink(target, folder_ + "/link.toml");
  const Outcome outcome = Format(folder_ + "/link.toml");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("link.toml\" is a symbolic link"));
  EXPECT_EQ(ContentOf(target), kMessy);
}

TEST_F(FormatTest, PathThatIsNotThereAndFolderWithoutFiles) {
  EXPECT_THAT(Format("/no/such").err, HasSubstr("\"/no/such\" is not there"));
  EXPECT_THAT(Format(folder_).err, HasSubstr("no .toml file"));
  EXPECT_EQ(RunCommand({"fmt"}).code, 1);
}

}  // namespace
}  // namespace fairlead::cli
