// People, programs and the audit log, through the programs as they are started by hand.
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kPassword[] = "correct horse battery\n";

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fairlead-access-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~AccessTest() override {
    controller_.Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    std::filesystem::remove(folder_ + "/data/endpoints.json");
    ASSERT_OK(controller_.Start({absl::StrCat(FAIRLEAD_BINARY_DIR, "/bin/fairlead-controller"),
                                 "--dev", "--require-login", "--listen", "127.0.0.1:0",
                                 "--http-listen", "127.0.0.1:0", "--data-dir", folder_ + "/data"},
                                folder_ + "/controller.log"));
    ASSERT_OK(WaitFor("the controller listens", [this] { return !Endpoint().empty(); }));
    address_ = Endpoint();
  }
  std::string Endpoint() {
    const auto text = base::ReadFile(folder_ + "/data/endpoints.json");
    if (!text.ok()) return "";
    const std::vector<std::string> parts = absl::StrSplit(*text, '"');
    return parts.size() > 3 ? parts[3] : "";
  }
  // What the log says last of a token for the first admin.
  std::string FirstToken() {
    const std::string log = base::ReadFile(folder_ + "/controller.log").value_or("");
    const std::size_t at = log.rfind("fla_");
    return at == std::string::npos ? "" : log.substr(at, 47);
  }
  CommandResult Cli(const std::vector<std::string>& arguments, const std::string& input = "",
                    const std::string& token = "", const std::string& home = "ann") {
    std::vector<std::string> argv = {absl::StrCat(FAIRLEAD_BINARY_DIR, "/bin/fairlead")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = base::RunSubprocess({.argv = argv,
                                             .environment = {{"HOME", folder_ + "/" + home},
                                                             {"XDG_CONFIG_HOME", ""},
                                                             {"FAIRLEAD_TOKEN", token},
                                                             {"FAIRLEAD_CONTROLLER", address_}},
                                             .input = input,
                                             .timeout = absl::Seconds(60)});
    if (!result.ok()) return {-1, "", std::string(result.status().message())};
    return {result->exit_code, result->out, result->err};
  }
  std::string MustCli(const std::vector<std::string>& arguments, const std::string& input = "",
                      const std::string& token = "", const std::string& home = "ann") {
    const CommandResult result = Cli(arguments, input, token, home);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.err;
    return result.out;
  }

  std::string folder_;
  Process controller_;
  std::string address_;
};

TEST_F(AccessTest, FromTheFirstTokenToAKeyAndTheAuditLog) {
  Start();
  EXPECT_THAT(Cli({"status"}).err,
              AllOf(HasSubstr("does not know who you are"), HasSubstr("fairlead login")));
  const std::string token = FirstToken();
  ASSERT_THAT(token, StartsWith("fla_"));
  EXPECT_THAT(MustCli({"login", "--user", "ann", "--token", token}, kPassword),
              HasSubstr("logged in as ann"));
  const auto mode =
      std::filesystem::status(folder_ + "/ann/.config/fairlead/sessions").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::mask, std::filesystem::perms(0600));
  EXPECT_THAT(MustCli({"whoami"}), AllOf(HasSubstr("user/ann"), HasSubstr("yes")));
  MustCli({"status"});

  MustCli({"user", "add", "bob", "--group", "web"}, "another password\n");
  EXPECT_THAT(MustCli({"user", "list"}), AllOf(HasSubstr("bob"), HasSubstr("web")));
  MustCli({"login"}, "bob\nanother password\n", "", "bob");
  EXPECT_THAT(Cli({"get", "servers"}, "", "", "bob").err, HasSubstr("may do nothing yet"));
  MustCli({"apply", "-f", "-"},
          "[[server]]\nname = \"edge\"\n[[server]]\nname = \"core\"\n[[user_group]]\n"
          "name = \"web\"\n[[user_group.permission]]\n"
          "target = { type = \"Server\", id = \"e*\" }\nlevel = \"Read\"\n");
  EXPECT_THAT(MustCli({"get", "servers"}, "", "", "bob"),
              AllOf(HasSubstr("edge"), Not(HasSubstr("core"))));

  std::string key = MustCli({"key", "create", "ci", "--expires", "90d", "--cidr", "127.0.0.0/8",
                             "--permission", "server:core:read"});
  ASSERT_THAT(key, StartsWith("flk_"));
  key.pop_back();
  EXPECT_THAT(MustCli({"get", "servers"}, "", key, "none"),
              AllOf(HasSubstr("core"), Not(HasSubstr("edge"))));
  EXPECT_THAT(Cli({"user", "list"}, "", key, "none").err, HasSubstr("type System"));
  EXPECT_THAT(MustCli({"key", "list"}),
              AllOf(HasSubstr(key.substr(0, 14)), HasSubstr("127.0.0.0/8"), Not(HasSubstr(key))));
  MustCli({"key", "revoke", "ci"});
  EXPECT_EQ(Cli({"get", "servers"}, "", key, "none").exit_code, 1);

  const std::string csv = MustCli({"audit", "--all", "-o", "csv"});
  EXPECT_THAT(csv, AllOf(StartsWith("id,at,caller"), HasSubstr("AccessService.CreateKey"),
                         HasSubstr("\"refused\""), Not(HasSubstr(key))));
}

TEST_F(AccessTest, LogoutAndDisablingEndIt) {
  Start();
  MustCli({"login", "--user", "ann", "--token", FirstToken()}, kPassword);
  MustCli({"user", "add", "bob"}, "another password\n");
  MustCli({"login", "--user", "bob"}, "another password\n", "", "bob");
  MustCli({"whoami"}, "", "", "bob");
  MustCli({"user", "disable", "bob"});
  EXPECT_EQ(Cli({"whoami"}, "", "", "bob").exit_code, 1);
  EXPECT_THAT(Cli({"login", "--user", "bob"}, "another password\n", "", "bob").err,
              HasSubstr("user and password do not fit"));
  MustCli({"logout"});
  EXPECT_EQ(Cli({"whoami"}).exit_code, 1);
  EXPECT_EQ(base::ReadFile(folder_ + "/ann/.config/fairlead/sessions").value_or("?"), "");
  EXPECT_THAT(Cli({"user", "disable", "ann"}).err, HasSubstr("does not know who you are"));
}

TEST_F(AccessTest, UsersAndKeysOutliveARestartAndTamperingIsFound) {
  Start();
  const std::string first = FirstToken();
  ASSERT_TRUE(controller_.Stop());
  // Nobody has used it: another start prints another one.
  Start();
  EXPECT_NE(FirstToken(), first);
  EXPECT_EQ(Cli({"login", "--user", "ann", "--token", first}, kPassword).exit_code, 1);
  MustCli({"login", "--user", "ann", "--token", FirstToken()}, kPassword);
  std::string key = MustCli({"key", "create", "ci"});
  key.pop_back();
  const std::string last_token = FirstToken();
  ASSERT_TRUE(controller_.Stop());
  Start();
  EXPECT_EQ(FirstToken(), last_token);
  MustCli({"login", "--user", "ann"}, kPassword);
  EXPECT_THAT(MustCli({"whoami"}, "", key), HasSubstr("key/ann/ci"));
  EXPECT_THAT(MustCli({"audit", "verify"}), HasSubstr("records are as they were written"));
  ASSERT_TRUE(controller_.Stop());

  const CommandResult removed =
      RunCommand({"/usr/bin/python3", "-c",
                  "import sqlite3, sys\n"
                  "with sqlite3.connect(sys.argv[1]) as database:\n"
                  "    database.execute('DELETE FROM audit WHERE id = 2')\n",
                  folder_ + "/data/fairlead.db"});
  ASSERT_EQ(removed.exit_code, 0) << removed.err;
  Start();
  const CommandResult verified = Cli({"audit", "verify"}, "", key);
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.out, HasSubstr("audit record 2 is missing"));
}

}  // namespace
}  // namespace fairlead::integration
