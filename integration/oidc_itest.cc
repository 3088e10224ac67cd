// Logins by OpenID Connect through the programs as they are started by hand: with a provider of the
// tests' own, and with glewlwyd.
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/http.h"
#include "integration/testing/oidc_provider.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "correct horse battery\n";
constexpr char kGlewlwydHelper[] = FAIRLEAD_SOURCE_DIR "/integration/testing/glewlwyd.py";
constexpr char kFiles[] =
    "[[server]]\nname = \"edge\"\n[[server]]\nname = \"core\"\n[[user_group]]\nname = \"web\"\n"
    "[[user_group.permission]]\ntarget = { type = \"Server\", id = \"e*\" }\nlevel = \"Read\"\n";

class OidcTest : public ::testing::Test {
 protected:
  OidcTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fairlead-oidc-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    std::filesystem::create_directory(folder_ + "/home");
  }
  ~OidcTest() override {
    login_.Stop();
    controller_.Stop();
    glewlwyd_.Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start(const std::string& settings) {
    ASSERT_OK(base::WriteFileAtomically(folder_ + "/oidc.toml", settings));
    ASSERT_OK(controller_.Start({Program("fairlead-controller"), "--dev", "--require-login",
                                 "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                                 "--data-dir", folder_ + "/data", "--oidc", folder_ + "/oidc.toml"},
                                folder_ + "/controller.log"));
    ASSERT_OK(WaitFor("the controller listens", [this] { return !Endpoint().empty(); }))
        << TailOf(folder_ + "/controller.log", 5);
    const std::string log = base::ReadFile(folder_ + "/controller.log").value_or("");
    const std::size_t at = log.rfind("fla_");
    ASSERT_NE(at, std::string::npos);
    MustCli({"login", "--user", "root", "--token", log.substr(at, 47)}, kPassword, "root");
    MustCli({"apply", "-f", "-"}, kFiles, "root");
  }
  static std::string Program(const std::string& name) {
    return absl::StrCat(FAIRLEAD_BINARY_DIR, "/bin/", name);
  }
  std::string Endpoint() {
    const auto text = base::ReadFile(folder_ + "/data/endpoints.json");
    if (!text.ok()) return "";
    const std::vector<std::string> parts = absl::StrSplit(*text, '"');
    return parts.size() > 3 ? parts[3] : "";
  }
  std::map<std::string, std::string> EnvironmentOf(const std::string& who) {
    return {{"HOME", absl::StrCat(folder_, "/home/", who)},
            {"XDG_CONFIG_HOME", ""},
            {"FAIRLEAD_TOKEN", ""},
            {"FAIRLEAD_CONTROLLER", Endpoint()}};
  }
  CommandResult Cli(const std::vector<std::string>& arguments, const std::string& input = "",
                    const std::string& who = "ann") {
    std::vector<std::string> argv = {Program("fairlead")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = base::RunSubprocess({.argv = argv,
                                             .environment = EnvironmentOf(who),
                                             .input = input,
                                             .timeout = absl::Seconds(60)});
    if (!result.ok()) return {-1, "", std::string(result.status().message())};
    return {result->exit_code, result->out, result->err};
  }
  std::string MustCli(const std::vector<std::string>& arguments, const std::string& input = "",
                      const std::string& who = "ann") {
    const CommandResult result = Cli(arguments, input, who);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.err;
    return result.out;
  }

  // Begins a login of ann; the address that it prints.
  std::string BeginLogin(const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {Program("fairlead"), "login", "--oidc"};
    argv.insert(argv.end(), more.begin(), more.end());
    std::filesystem::remove(LoginLog());
    EXPECT_OK(login_.Start(argv, LoginLog(), EnvironmentOf("ann")));
    std::string url;
    EXPECT_OK(WaitFor("the login prints an address", [&] {
      url = PrintedAddress();
      return !url.empty() || !login_.Running();
    })) << TailOf(LoginLog(), 5);
    return url;
  }
  // Where the login sends the browser; empty before it says so.
  std::string PrintedAddress() const {
    const std::string log = base::ReadFile(LoginLog()).value_or("");
    for (absl::string_view line : absl::StrSplit(log, '\n')) {
      if (absl::ConsumePrefix(&line, "  http")) return absl::StrCat("http", line);
    }
    return "";
  }
  std::string LoginLog() const { return folder_ + "/login.log"; }
  // What it says when it has ended.
  std::string EndOfLogin(int exit_code) {
    EXPECT_OK(login_.WaitForEnd(absl::Seconds(60)));
    const std::string log = base::ReadFile(LoginLog()).value_or("");
    EXPECT_EQ(login_.exit_code(), exit_code) << log;
    return log;
  }
  // The browser goes where the provider sends it.
  static HttpAnswer Follow(const std::string& location) {
    const std::vector<std::string> parts = absl::StrSplit(location, absl::MaxSplits('/', 3));
    if (parts.size() < 4) return {};
    const auto answer = HttpGet(parts[2], absl::StrCat("/", parts[3]));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(HttpAnswer());
  }
  void ExpectLoggedIn() {
    EXPECT_OK(WaitFor("the group counts",
                      [this] { return absl::StrContains(Cli({"get", "servers"}).out, "edge"); }));
    EXPECT_THAT(MustCli({"whoami"}), AllOf(HasSubstr("oidc/ann"), HasSubstr("web")));
    EXPECT_THAT(MustCli({"get", "servers"}), Not(HasSubstr("core")));
    EXPECT_NE(Cli({"user", "list"}).exit_code, 0);
  }

  std::string folder_;
  Process controller_;
  Process login_;
  Process glewlwyd_;
};

TEST_F(OidcTest, BrowserComesBackToTheCommandLine) {
  OidcProvider provider;
  ASSERT_NO_FATAL_FAILURE(Start(provider.Settings()));
  const std::string url = BeginLogin();
  const std::string location = provider.Visit(url);
  ASSERT_THAT(location, HasSubstr("/callback?code="));
  // Somebody else sends the browser there with a code of their own.
  const std::string forged = location.substr(0, location.find('?')) + "?code=theirs&state=theirs";
  EXPECT_EQ(Follow(forged).status, 400);
  EXPECT_TRUE(login_.Running());
  const HttpAnswer page = Follow(location);
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("can be closed"));
  EXPECT_THAT(EndOfLogin(0), HasSubstr("logged in as ann until"));
  ExpectLoggedIn();
  MustCli({"logout"});
  EXPECT_EQ(Cli({"whoami"}).exit_code, 1);
  EXPECT_THAT(MustCli({"audit", "--all", "-o", "csv"}, "", "root"),
              AllOf(HasSubstr("OidcService.Finish"), HasSubstr("oidc/ann")));
}

TEST_F(OidcTest, AddressIsPastedWhereTheBrowserIsElsewhere) {
  OidcProvider provider;
  ASSERT_NO_FATAL_FAILURE(Start(provider.Settings()));
  // What is pasted is known only when the address has been printed: by a pipe of its own.
  const std::string pipe = folder_ + "/typed";
  MustRun({"mkfifo", pipe});
  EXPECT_OK(login_.Start({"/bin/sh", "-c",
                          absl::StrCat("exec ", Program("fairlead"),
                                       " login --oidc --no-browser --port 7500 < ", pipe)},
                         LoginLog(), EnvironmentOf("ann")));
  Process typist;
  ASSERT_OK(
      typist.Start({"/bin/sh", "-c",
                    absl::StrCat("exec 3> ", pipe, "; until [ -e ", folder_,
                                 "/address ]; do sleep 0.05; done; cat ", folder_, "/address >&3")},
                   folder_ + "/typist.log"));
  std::string url;
  ASSERT_OK(WaitFor("the login prints an address", [&] {
    url = PrintedAddress();
    return !url.empty();
  })) << TailOf(LoginLog(), 5);
  const std::string location = provider.Visit(url);
  EXPECT_TRUE(absl::StartsWith(location, "http://127.0.0.1:7500/callback?code=")) << location;
  ASSERT_OK(base::WriteFileAtomically(folder_ + "/address", location + "\n"));
  EXPECT_THAT(EndOfLogin(0), HasSubstr("logged in as ann until"));
  ExpectLoggedIn();
}

TEST_F(OidcTest, RefusalsAreClear) {
  OidcProvider provider;
  ASSERT_NO_FATAL_FAILURE(Start(provider.Settings()));
  std::string url = BeginLogin();
  std::string location = provider.Visit(url);
  const std::string base = location.substr(0, location.find('?'));
  const std::string state = location.substr(location.rfind("state="));
  Follow(absl::StrCat(base, "?error=access_denied&error_description=not%20you&", state));
  EXPECT_THAT(EndOfLogin(1), HasSubstr("the provider says no: access_denied: not you"));

  provider.SetPerson("bob", {"sales"});
  Follow(provider.Visit(BeginLogin()));
  EXPECT_THAT(EndOfLogin(1), HasSubstr("\"bob\" is in no group that may log in"));

  provider.SetLie(Lie::kExpired);
  Follow(provider.Visit(BeginLogin()));
  EXPECT_THAT(EndOfLogin(1), AllOf(HasSubstr("has expired"), HasSubstr("clock")));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/home/ann/.config/fairlead/sessions"));
}

TEST_F(OidcTest, ControllerSaysWhatIsWrongWithTheFile) {
  ASSERT_OK(base::WriteFileAtomically(folder_ + "/oidc.toml", "issuer = \"http://id\"\n"));
  ASSERT_OK(controller_.Start({Program("fairlead-controller"), "--dev", "--require-login",
                               "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                               "--data-dir", folder_ + "/data", "--oidc", folder_ + "/oidc.toml"},
                              folder_ + "/controller.log"));
  ASSERT_OK(controller_.WaitForEnd(absl::Seconds(30)));
  EXPECT_EQ(controller_.exit_code(), 1);
  EXPECT_THAT(TailOf(folder_ + "/controller.log", 20),
              AllOf(HasSubstr("--oidc"), HasSubstr("client_id")));
}

// A provider that others have written.
TEST_F(OidcTest, GlewlwydLogsIn) {
  const std::string tool = CheckTool("glewlwyd/usr/bin/glewlwyd");
  if (tool.empty()) {
    GTEST_SKIP() << "glewlwyd is not here; tools/check_tools unpacks it where Debian's packages "
                    "can be reached";
  }
  const std::string root = tool.substr(0, tool.size() - std::string("/usr/bin/glewlwyd").size());
  const std::string port = absl::StrCat(FreePort());
  const std::string client_port = absl::StrCat(FreePort());
  MustRun({"python3", kGlewlwydHelper, "prepare", root, folder_, port});
  ASSERT_OK(glewlwyd_.Start({tool, "--config-file", folder_ + "/glewlwyd.conf"},
                            folder_ + "/glewlwyd.log",
                            {{"LD_LIBRARY_PATH", root + "/usr/libraries"}}));
  const std::string secret = MustRun({"python3", kGlewlwydHelper, "configure", port,
                                      absl::StrCat("http://127.0.0.1:", client_port, "/callback")});
  ASSERT_FALSE(secret.empty()) << TailOf(folder_ + "/glewlwyd.log", 20);
  ASSERT_OK(base::WriteFileAtomically(folder_ + "/secret", secret, 0600));
  ASSERT_NO_FATAL_FAILURE(
      Start(absl::StrCat("issuer = \"http://127.0.0.1:", port, "/api/oidc\"\n",
                         "client_id = \"fairlead\"\nclient_secret_file = \"secret\"\n",
                         "scopes = [\"groups\"]\n[[group]]\nclaim = \"devs\"\ngroup = \"web\"\n")));
  const std::string url = BeginLogin({"--port", client_port});
  MustRun({"python3", kGlewlwydHelper, "visit", port, url});
  EXPECT_THAT(EndOfLogin(0), HasSubstr("logged in as ann until"));
  ExpectLoggedIn();
}

}  // namespace
}  // namespace fairlead::integration
