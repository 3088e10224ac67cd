// Secrets through the whole system: they arrive where they are used, and are written nowhere else.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/testing/scratch_folder.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;

CommandResult SetSecret(const MiniFleet& fleet, const std::string& name, const std::string& value) {
  return RunCommand({"sh", "-c", "printf %s \"$1\" | \"$2\" --controller \"$3\" secret set \"$4\"",
                     "sh", value, ProgramPath("fairlead"), fleet.grpc(), name});
}

std::string EnvironmentOf(const MiniFleet& fleet, const std::string& container) {
  return fleet.engine().Docker({"inspect", "--format", "{{json .Config.Env}}", container});
}

constexpr char kVariable[] = "[[variable]]\nname = \"PW\"\nis_secret = true\n";

TEST(SecretsTest, AValueArrivesAndAnotherOneReplacesIt) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string commit = fleet.PushFile(
      "web.toml",
      absl::StrCat(kVariable, ToToml({.name = "web", .config = "environment = \"PW=[[PW]]\"\n"}),
                   ToToml({.name = "other"})));
  ASSERT_OK(fleet.WaitStory("deployment/web", "fairlead secret set PW"));
  // What needs none does not wait.
  ASSERT_OK(fleet.WaitCondition("deployment/other", "CONVERGED"));
  const CommandResult set = SetSecret(fleet, "PW", "first-value");
  EXPECT_THAT(set.out, HasSubstr("version 1; it goes into deployment/web")) << set.err;
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_THAT(EnvironmentOf(fleet, "web"), HasSubstr("PW=first-value"));

  // Also after the controller was killed.
  fleet.controller().Kill();
  ASSERT_OK(fleet.StartController());
  ASSERT_OK(fleet.WaitConverged(commit));
  const std::string before = fleet.engine().IdOf("web");
  EXPECT_EQ(SetSecret(fleet, "PW", "second-value").exit_code, 0);
  ASSERT_OK(WaitFor("the other value", [&] {
    return fleet.engine().IdOf("web") != before && fleet.Condition("deployment/web") == "CONVERGED";
  }));
  EXPECT_THAT(EnvironmentOf(fleet, "web"), HasSubstr("PW=second-value"));
  EXPECT_THAT(fleet.Cli({"secret", "list"}).out, HasSubstr("deployment/web"));
}

TEST(SecretsTest, AFileOfSecretsInGitIsDecryptedWithTheKeyOfTheController) {
  const base::ScratchFolder folder;
  const std::string key = folder.path() + "/made.key";
  const std::string in_place = folder.path() + "/age.key";
  MiniFleet fleet({.age_key = in_place});
  ASSERT_EQ(RunCommand({"age-keygen", "-o", key}).exit_code, 0);
  const auto encrypt = [&key](const std::string& text) {
    return RunCommand({"sh", "-c",
                       "printf %s \"$1\" | age --armor --recipient \"$(age-keygen -y \"$2\")\"",
                       "sh", text, key})
        .out;
  };
  ASSERT_OK(fleet.Start());
  fleet.PushFile("s.env.age", encrypt("PW=planted-in-git\n"));
  fleet.PushFile(
      "web.toml",
      absl::StrCat(kVariable, ToToml({.name = "web", .config = "environment = \"PW=[[PW]]\"\n"}),
                   ToToml({.name = "other"})));
  ASSERT_OK(fleet.WaitStory("deployment/web", "s.env.age cannot be decrypted"));
  // What needs none does not wait.
  ASSERT_OK(fleet.WaitCondition("deployment/other", "CONVERGED"));

  fleet.controller().Kill();
  std::filesystem::copy_file(key, in_place);
  ASSERT_OK(fleet.StartController());
  ASSERT_OK(fleet.WaitCondition("deployment/web", "CONVERGED"));
  EXPECT_THAT(EnvironmentOf(fleet, "web"), HasSubstr("PW=planted-in-git"));
  // In clear it is nowhere on the controller.
  EXPECT_NE(RunCommand({"grep", "-r", "planted-in-git", fleet.controller_data()}).exit_code, 0);
  EXPECT_THAT(fleet.Cli({"secret", "list"}).out, HasSubstr("s.env.age"));

  const std::string commit = fleet.PushFile("s.env.age", encrypt("PW=another-value\n"));
  ASSERT_OK(WaitFor("the other value", [&] {
    return EnvironmentOf(fleet, "web").find("another-value") != std::string::npos;
  }));
  ASSERT_OK(fleet.WaitConverged(commit));
}

// Fifty secrets, in every field that takes one; each [[Pnn]] stands in one place.
constexpr char kPlanted[] = R"(
[[builder]]
name = "local"
config = { type = "Server", params = { server = "host-1" } }
[[builder]]
name = "remote"
config = { type = "Url", params = { address = "http://127.0.0.1:1", passkey = "@01" } }

[[deployment]]
name = "full"
[deployment.config]
server = "host-1"
image = "fl/app:1"
min_ready = "300ms"
environment = """
A=[[P02]]
B=x-[[P03]]-y
C=[[P04]][[P05]]
"""
labels = """
one: [[P06]]
two: x[[P07]]
"""
volumes = "/tmp/fairlead-[[P08]]:/mounted"
command = "sh -c 'echo [[P09]]; exec sleep 100000' [[P10]]"
extra_args = ["--hostname", "h-[[P11]]", "--no-healthcheck"]

[[deployment]]
name = "fails"
[deployment.config]
server = "host-1"
image = "fl/app:1"
min_ready = "1500ms"
environment = "A=[[P12]]"
command = "sh -c 'echo it is [[P13]]; echo and $A >&2; exit 3'"

[[deployment]]
name = "refused"
[deployment.config]
server = "host-1"
image = "fl/app:1"
volumes = "relative-[[P14]]/x:y:[[P15]]"
extra_args = ["--no-such-flag=[[P16]]"]

[[stack]]
name = "shop"
[stack.config]
server = "host-1"
environment = """
FROM_FILE=[[P17]]
UNUSED=[[P18]]
"""
extra_args = ["--remove-orphans"]
pre_deploy = { path = "", command = "echo before [[P19]]" }
post_deploy = { path = "", command = "echo after [[P20]]; exit 4" }
webhook_secret = "@21"
file_contents = """
services:
  app:
    image: fl/app:1
    environment:
      ONE: "[[P22]]"
      TWO: "${FROM_FILE}"
    labels:
      three: "[[P23]]"
    command: ["sh", "-c", "echo [[P24]]; exec sleep 100000"]
"""

[[stack]]
name = "broken"
[stack.config]
server = "host-1"
environment = "A=[[P25]]"
file_contents = """
services:
  app:
    image: "[[P26]]:nowhere"
    surprise: "[[P27]]"
"""

[[build]]
name = "good"
[build.config]
builder = "local"
build_args = "ARG_ONE=[[P28]]\nARG_TWO=x"
labels = "label: [[P29]]"
secret_args = "TOKEN=[[P30]]"
webhook_secret = "@31"
dockerfile = """
FROM fl/app:1
ARG ARG_ONE
RUN echo "built with $ARG_ONE"
RUN echo "and [[P32]]"
"""

[[build]]
name = "bad"
[build.config]
builder = "local"
build_args = "ARG_ONE=[[P33]]"
secret_args = "TOKEN=[[P34]]"
dockerfile = """
FROM fl/app:1
ARG ARG_ONE
RUN echo "fails with $ARG_ONE and [[P35]]" && exit 5
"""

[[repo]]
name = "site"
[repo.config]
server = "host-1"
git_provider = "127.0.0.1:1"
git_https = false
repo = "a/b"
environment = "A=[[P36]]"
webhook_secret = "@37"
on_clone = { path = "", command = "echo [[P38]]" }

[[procedure]]
name = "nightly"
[procedure.config]
webhook_secret = "@39"
[[procedure.config.stage]]
name = "builds"
executions = [
  { execution.type = "RunBuild", execution.params.build = "good" },
  { execution.type = "RunBuild", execution.params.build = "bad" },
  { execution.type = "CloneRepo", execution.params.repo = "site" },
]

[[alerter]]
name = "pager"
[alerter.config]
endpoint = { type = "Custom", params = { url = "http://127.0.0.1:1/@40" } }

[[resource_sync]]
name = "elsewhere"
[resource_sync.config]
git_provider = "127.0.0.1:1"
git_https = false
repo = "a/b"
webhook_secret = "@41"

[[deployment]]
name = "lines"
[deployment.config]
server = "host-1"
image = "fl/app:1"
min_ready = "300ms"
environment = """
KEY=[[P42]]
D=[[P43]] [[P44]]
"""
labels = "many: [[P45]], [[P46]]"
extra_args = ["--no-healthcheck"]
command = "sh -c 'echo [[P47]] [[P48]]; exec sleep 100000'"

[[stack]]
name = "late"
[stack.config]
server = "host-1"
environment = "A=[[P49]]"
pre_deploy = { path = "", command = "echo [[P50]]; exit 6" }
file_contents = "services:\n  app:\n    image: fl/app:1\n"
)";

// The webhook secret of a stack.
constexpr int kInClearOfStack = 21;

std::string ValueOf(int number) { return absl::StrFormat("planted%02dvalue", number); }

// What is left of `text` when nothing may be: the values in it.
std::vector<std::string> ValuesIn(const std::string& text) {
  std::vector<std::string> found;
  for (int number = 1; number <= 50; ++number) {
    if (text.find(ValueOf(number)) != std::string::npos) found.push_back(ValueOf(number));
  }
  return found;
}

// Every file below `folder`, but those where values have to be: what is given to compose, what the
// agent has been asked to do, what it needs to heal alone; and the tree that was committed.
void ExpectClean(const std::string& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           folder, std::filesystem::directory_options::skip_permission_denied)) {
    const std::string path = std::filesystem::relative(entry.path(), folder).string();
    const bool must_hold = path.starts_with("work/") || path.starts_with("origin.git/") ||
                           path.find("/stacks/") != std::string::npos ||
                           path.find("/applied/") != std::string::npos ||
                           path.ends_with("/journal");
    if (must_hold || !entry.is_regular_file()) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    std::vector<std::string> found = ValuesIn(text.str());
    // What stands in git in clear is a part of the spec that was applied, which the database keeps.
    if (path.starts_with("controller/fairlead.db")) std::erase(found, ValueOf(kInClearOfStack));
    EXPECT_THAT(found, testing::IsEmpty()) << path;
  }
}

TEST(SecretsTest, NothingIsWrittenThatShouldStayInside) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  std::string text = kPlanted;
  for (int number = 1; number <= 50; ++number) {
    const std::string placeholder = absl::StrFormat("[[P%02d]]", number);
    // Fields that are secrets themselves hold it in clear.
    const std::string in_clear = absl::StrFormat("@%02d", number);
    ASSERT_NE(text.find(placeholder) == std::string::npos, text.find(in_clear) == std::string::npos)
        << number;
    text = absl::StrReplaceAll(text, {{in_clear, ValueOf(number)}});
    absl::StrAppend(&text,
                    absl::StrFormat("[[variable]]\nname = \"P%02d\"\nis_secret = true\n", number));
    ASSERT_EQ(SetSecret(fleet, absl::StrFormat("P%02d", number), ValueOf(number)).exit_code, 0);
  }
  fleet.PushFile("planted.toml", text);
  ASSERT_OK(fleet.WaitCondition("deployment/full", "CONVERGED"));
  ASSERT_OK(fleet.WaitCondition("deployment/lines", "CONVERGED"));
  ASSERT_OK(fleet.WaitCondition("deployment/fails", "CRASH_LOOP"));
  EXPECT_THAT(EnvironmentOf(fleet, "full"), HasSubstr("A=" + ValueOf(2)));
  EXPECT_THAT(fleet.engine().Docker({"logs", "fails"}), HasSubstr(ValueOf(13)));
  fleet.Cli({"run", "procedure/nightly", "--wait"});
  ASSERT_OK(WaitFor("the failure of the hook", [&] {
    const std::string condition = fleet.Condition("stack/late");
    return condition == "BLOCKED" || condition == "DEGRADED";
  }));

  std::string said;
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"plan"},
                                             {"get", "deployments"},
                                             {"get", "stacks"},
                                             {"get", "builds"},
                                             {"get", "repos"},
                                             {"get", "procedures"},
                                             {"get", "variables"},
                                             {"get", "alerters"},
                                             {"get", "builders"},
                                             {"describe", "deployment/full"},
                                             {"describe", "deployment/fails"},
                                             {"describe", "deployment/refused"},
                                             {"describe", "stack/shop"},
                                             {"describe", "stack/broken"},
                                             {"describe", "stack/late"},
                                             {"describe", "build/bad"},
                                             {"describe", "repo/site"},
                                             {"describe", "variable/P02"},
                                             {"history", "deployment/full"},
                                             {"events", "--tail", "1000"},
                                             {"runs"},
                                             {"secret", "list"}}) {
    std::vector<std::string> as_json = command;
    as_json.insert(as_json.end(), {"-o", "json"});
    for (const auto& arguments : {command, as_json}) {
      const CommandResult result = fleet.Cli(arguments);
      EXPECT_NE(result.out + result.err, "");
      EXPECT_THAT(ValuesIn(result.out + result.err), testing::IsEmpty())
          << testing::PrintToString(arguments);
      absl::StrAppend(&said, result.out, result.err);
    }
  }
  const boost::json::object runs = MiniFleet::AsObject(fleet.CliJson({"runs"}));
  for (const auto& run : runs.at("runs").as_array()) {
    const CommandResult log =
        fleet.Cli({"logs", absl::StrCat("run/", std::string(run.at("id").as_string()))});
    absl::StrAppend(&said, log.out);
    EXPECT_THAT(ValuesIn(log.out + log.err), testing::IsEmpty());
  }
  // It has gone through there, and was taken out.
  EXPECT_THAT(said, HasSubstr("***"));
  EXPECT_THAT(said, HasSubstr("it is ***"));
  EXPECT_THAT(fleet.Cli({"export"}).out, testing::Not(HasSubstr("planted")));
  const absl::StatusOr<HttpAnswer> metrics = HttpGet(fleet.http(), "/metrics");
  ASSERT_OK(metrics.status());
  EXPECT_THAT(ValuesIn(metrics->body), testing::IsEmpty());
  EXPECT_TRUE(fleet.agent(1).Stop());
  EXPECT_TRUE(fleet.controller().Stop());
  ExpectClean(fleet.directory());
  // What is left is for root alone.
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(fleet.AgentData(1)).permissions() &
                (perms::group_all | perms::others_all),
            perms::none);
}

}  // namespace
}  // namespace fairlead::integration
