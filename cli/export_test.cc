#include "cli/testing/command_test.h"

#include "base/file.h"
#include "resources/testing/read_resource.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ExportTest : public CommandTest {
 protected:
  ExportTest() {
    Hold("resource_sync/main", "[[variable]]\nname = \"KEY\"\nvalue = \"***\"\nis_secret = true");
    Hold("api",
         "[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"a\"\n"
         "image = \"nginx\"\nenvironment = \"A=1\\nB=2\"\n");
    Hold("resource_sync/main",
         "[[deployment]]\nname = \"db\"\n[deployment.config]\n"
         "server = \"a\"\nimage = \"pg\"\n");
    Hold("resource_sync/main", "[[server]]\nname = \"a\"\n");
  }

  v1::ResourceView& Hold(const std::string& origin, const std::string& toml) {
    v1::ResourceView& view = *controller_.resources.add_resources();
    *view.mutable_spec() = resources::ReadResource(toml);
    view.mutable_status()->set_resource(resources::IdOf(view.spec()).ToString());
    view.mutable_status()->set_origin(origin);
    return view;
  }
};

TEST_F(ExportTest, WritesAllInOrderWithoutSecretsSoThatItValidates) {
  const Outcome outcome = RunCommand({"export"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "[[server]]\nname = \"a\"\n\n"
            "[[deployment]]\nname = \"db\"\n[deployment.config]\nserver = \"a\"\nimage = \"pg\"\n\n"
            "[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"a\"\n"
            "image = \"nginx\"\nenvironment = \"\"\"\nA=1\nB=2\n\"\"\"\n\n"
            "[[variable]]\nname = \"KEY\"\nis_secret = true\n"
            "# Secret, so left out: value. Set before use.\n");
  EXPECT_EQ(RunCommand({"validate", Write("all.toml", outcome.out)}).code, 0);
  EXPECT_EQ(RunCommand({"get", "all", "-o", "toml"}).out, outcome.out);
}

TEST_F(ExportTest, SelectsByKindNameAndOrigin) {
  const Outcome some = RunCommand({"export", "servers", "deployment/web"});
  EXPECT_THAT(some.out, AllOf(HasSubstr("[[server]]"), HasSubstr("\"web\""), Not(HasSubstr("db"))));
  const Outcome main = RunCommand({"export", "deployment", "--origin", "main"});
  EXPECT_THAT(main.out, AllOf(HasSubstr("\"db\""), Not(HasSubstr("web"))));
  EXPECT_THAT(RunCommand({"export", "--origin", "api"}).out, HasSubstr("\"web\""));
  EXPECT_EQ(RunCommand({"export", "deployment/nope"}).err,
            "fairlead: no resource deployment/nope. List them with: fairlead get all\n");
  EXPECT_THAT(RunCommand({"export", "deploymet"}).err, HasSubstr("did you mean \"deployment\"?"));
}

TEST_F(ExportTest, WritesTheDialectAskedFor) {
  const Outcome outcome = RunCommand({"export", "deployment/db", "--dialect", "komodo"});
  EXPECT_THAT(outcome.out, HasSubstr("{ type = \"Image\", params = { image = \"pg\" } }"));
  EXPECT_EQ(RunCommand({"validate", "--dialect", "komodo", Write("k.toml", outcome.out)}).code, 0);
}

TEST_F(ExportTest, FolderGetsAFileForEachKindAndNothingIsOverwritten) {
  const std::string folder = folder_ + "/out";
  const Outcome outcome = RunCommand({"export", "-o", folder});
  EXPECT_EQ(outcome.out, "wrote " + folder + "/deployments.toml\nwrote " + folder +
                             "/servers.toml\nwrote " + folder + "/variables.toml\n");
  EXPECT_EQ(*base::ReadFile(folder + "/servers.toml"), "[[server]]\nname = \"a\"\n");
  const Outcome again = RunCommand({"export", "-o", folder});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.err, "fairlead: \"" + folder +
                           "/deployments.toml\" is there already; choose another folder\n");
}

TEST_F(ExportTest, SaysWhereTheTextIsNotTheDeclaration) {
  Hold("resource_sync/main", "[[stack]]\nname = \"s\"")
      .mutable_status()
      ->set_condition(v1::CONDITION_INVALID);
  Hold("resource_sync/main", "[[stack]]\nname = \"t\"")
      .mutable_status()
      ->set_condition(v1::CONDITION_ORPHANED);
  const Outcome outcome = RunCommand({"export", "stack"});
  EXPECT_EQ(outcome.out,
            "# Its declaration cannot be read: this is what was last applied.\n"
            "[[stack]]\nname = \"s\"\n\n"
            "# Declared nowhere any more: this is what was last applied.\n"
            "[[stack]]\nname = \"t\"\n");
}

}  // namespace
}  // namespace fairlead::cli
