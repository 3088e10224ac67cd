// The textual forms of the kinds beside servers, stacks and deployments.
#include <google/protobuf/struct.pb.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/kind_table.h"
#include "resources/problem_text.h"
#include "resources/reference.h"
#include "resources/testing/read_resource.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string FirstProblem(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const ParsedFile file = ReadToml("test.toml", text, dialect);
  if (file.declarations.size() != 1) return "not one resource";
  const std::vector<v1::Problem>& problems = file.declarations[0].problems;
  return problems.empty() ? "" : FormatProblem(problems[0]);
}

std::string Kindred(const std::string& kind, const std::string& config) {
  return absl::StrCat("[[", kind, "]]\nname = \"a\"\n[", kind, ".config]\n", config);
}

std::string Running(const std::string& execution) {
  return Kindred("procedure", absl::StrCat("stages = [{ name = \"s\", executions = [{ execution = ",
                                           execution, " }] }]\n"));
}

v1::Execution ReadExecution(const std::string& execution) {
  const v1::Resource resource = ReadResource(Running(execution));
  if (resource.procedure().stages_size() != 1) return {};
  return resource.procedure().stages(0).executions(0).execution();
}

TEST(ProcedureFormTest, ReadsTheUsualNotation) {
  const v1::Resource resource = ReadResource(R"(
[[procedure]]
name = "nightly"
[procedure.config]
schedule_format = "Cron"
schedule = "0 0 3 * * *"
[[procedure.config.stage]]
name = "first"
executions = [
  { execution.type = "DeployStack", execution.params.stack = "web", enabled = true },
  { execution.type = "Sleep", execution.params.duration_ms = 500, enabled = false },
]
[[procedure.config.stage]]
name = "second"
enabled = false
execution = [{ execution = { type = "BackupCoreDatabase", params = {} } }]
)",
                                             v1::DIALECT_KOMODO);
  const v1::Procedure& procedure = resource.procedure();
  EXPECT_EQ(procedure.schedule_format(), v1::SCHEDULE_FORMAT_CRON);
  EXPECT_TRUE(procedure.schedule_enabled());
  ASSERT_EQ(procedure.stages_size(), 2);
  EXPECT_TRUE(procedure.stages(0).enabled());
  EXPECT_EQ(procedure.stages(0).executions(0).execution().deploy_stack().stack(), "web");
  EXPECT_EQ(procedure.stages(0).executions(1).execution().sleep().duration_ms(), 500u);
  EXPECT_FALSE(procedure.stages(0).executions(1).enabled());
  EXPECT_FALSE(procedure.stages(1).enabled());
  EXPECT_TRUE(procedure.stages(1).executions(0).execution().has_backup_core_database());
}

TEST(ProcedureFormTest, AnEmptyTableOfParametersMayBeLeftOut) {
  EXPECT_TRUE(ReadExecution("{ type = \"None\" }").has_none());
  EXPECT_TRUE(ReadExecution("{ type = \"GlobalAutoUpdate\" }").has_global_auto_update());
  EXPECT_THAT(FirstProblem(Running("{ type = \"RunBuild\" }")),
              HasSubstr("\"build\" is missing in \"execution.params\""));
}

TEST(ProcedureFormTest, NamesAnUnknownTypeAndTheNearest) {
  const std::string problem = FirstProblem(Running("{ type = \"DeployStak\", params = {} }"));
  EXPECT_THAT(problem, HasSubstr("found \"DeployStak\""));
  EXPECT_THAT(problem, HasSubstr("did you mean \"DeployStack\"?"));
  EXPECT_THAT(FirstProblem(Running("\"DeployStack\"")), HasSubstr("a table {type, params}"));
}

TEST(ProcedureFormTest, AbsentIsNotZero) {
  EXPECT_FALSE(ReadExecution("{ type = \"StopStack\", params = { stack = \"a\" } }")
                   .stop_stack()
                   .has_stop_time());
  const v1::Execution zero =
      ReadExecution("{ type = \"StopStack\", params = { stack = \"a\", stop_time = 0 } }");
  EXPECT_TRUE(zero.stop_stack().has_stop_time());
  EXPECT_EQ(zero.stop_stack().stop_time(), 0);
}

TEST(ProcedureFormTest, ReadsTablesOfVariablesAndOfAnything) {
  const v1::Execution run = ReadExecution(
      "{ type = \"RunStackService\", params = { stack = \"a\", service = \"job\", "
      "command = [\"x\", \"y\"], env = { B = \"2\", A = \"1\" }, pull = true } }");
  ASSERT_EQ(run.run_stack_service().env_size(), 2);
  EXPECT_EQ(run.run_stack_service().env(0).variable(), "A");
  EXPECT_EQ(run.run_stack_service().env(1).value(), "2");
  EXPECT_THAT(run.run_stack_service().command(), ElementsAre("x", "y"));
  const v1::Execution action = ReadExecution(
      "{ type = \"RunAction\", params = { action = \"a\", "
      "args = { n = 1.5, deep = { list = [true, \"x\"] } } } }");
  const auto& args = action.run_action().args().fields();
  EXPECT_EQ(args.at("n").number_value(), 1.5);
  EXPECT_EQ(args.at("deep").struct_value().fields().at("list").list_value().values_size(), 2);
}

TEST(ProcedureFormTest, CommitSyncHasThreeSpellings) {
  for (const char* key : {"sync", "id", "name"}) {
    EXPECT_EQ(
        ReadExecution(absl::StrCat("{ type = \"CommitSync\", params = { ", key, " = \"main\" } }"))
            .commit_sync()
            .sync(),
        "main");
  }
}

std::vector<std::string> ReferenceTexts(const v1::Resource& resource) {
  std::vector<std::string> texts;
  for (const Reference& reference : ReferencesOf(resource)) {
    texts.push_back(
        absl::StrCat(reference.field, " ", reference.kinds.front(), "/", reference.text));
  }
  return texts;
}

TEST(ProcedureFormTest, ExecutionsNameResourcesButPatternsDoNot) {
  EXPECT_THAT(ReferenceTexts(ReadResource(Kindred("procedure", R"(
stages = [{ name = "s", executions = [
  { execution = { type = "DeployStack", params = { stack = "web" } } },
  { execution = { type = "RunSync", params = { sync = "main", resources = ["x"] } } },
  { execution = { type = "BatchDeployStack", params = { pattern = "web-*" } } },
  { execution = { type = "DeployStack", params = { stack = "web-*" } } },
  { execution = { type = "SendAlert", params = { message = "m", alerters = ["mail", "chat"] } } },
] }]
)"))),
              ElementsAre("config.stages.executions.execution.stack stack/web",
                          "config.stages.executions.execution.sync resource_sync/main",
                          "config.stages.executions.execution.alerters alerter/mail",
                          "config.stages.executions.execution.alerters alerter/chat"));
}

TEST(BuilderFormTest, TheConfigTableIsTheTaggedValue) {
  const v1::Resource server = ReadResource(
      "[[builder]]\nname = \"a\"\n[builder.config]\ntype = \"Server\"\nparams.server = \"edge\"\n");
  EXPECT_THAT(server.builder().server().server_ids(), ElementsAre("edge"));
  EXPECT_THAT(ReferenceTexts(server), ElementsAre("config.server server/edge"));
  const v1::Resource aws = ReadResource(Kindred("builder", "type = \"Aws\"\n"));
  EXPECT_EQ(aws.builder().aws().region(), "us-east-1");
  EXPECT_EQ(aws.builder().aws().volume_gb(), 20);
}

TEST(BuilderFormTest, WithoutConfigItIsAnAddress) {
  const v1::Resource builder = ReadResource("[[builder]]\nname = \"a\"\n", v1::DIALECT_KOMODO);
  EXPECT_EQ(builder.builder().url().address(), "https://periphery:8120");
  EXPECT_TRUE(builder.builder().url().insecure_tls());
  EXPECT_FALSE(ReadResource("[[builder]]\nname = \"a\"\n").builder().url().insecure_tls());
}

TEST(BuilderFormTest, SaysWhatIsWrong) {
  EXPECT_THAT(FirstProblem(Kindred("builder", "type = \"Sever\"\n")),
              HasSubstr("did you mean \"Server\"?"));
  EXPECT_THAT(FirstProblem(Kindred("builder", "params = {}\n")), HasSubstr("\"type\" is missing"));
  EXPECT_THAT(FirstProblem("[[builder]]\nname = \"a\"\nconfig = \"Url\"\n"), HasSubstr("a table"));
}

TEST(AlerterFormTest, ReadsEndpointAndTargets) {
  const v1::Resource resource = ReadResource(Kindred("alerter", R"(
endpoint = { type = "Ntfy", params = { email = "a@example.org" } }
alert_types = ["ServerUnreachable"]
resources = [{ type = "Server", id = "edge" }, { type = "System", id = "" }]
)"),
                                             v1::DIALECT_KOMODO);
  EXPECT_FALSE(resource.alerter().enabled());
  EXPECT_EQ(resource.alerter().endpoint().ntfy().url(), "http://localhost:8080/komodo");
  EXPECT_EQ(resource.alerter().endpoint().ntfy().email(), "a@example.org");
  EXPECT_THAT(ReferenceTexts(resource), ElementsAre("config.resources.id server/edge"));
}

TEST(AlerterFormTest, AnAddressAloneReceivesJson) {
  EXPECT_EQ(ReadResource("[[alerter]]\nname = \"a\"\n").alerter().endpoint().custom().url(),
            "http://localhost:7000");
  EXPECT_EQ(ReadResource(Kindred("alerter", "endpoint = \"https://x\""))
                .alerter()
                .endpoint()
                .custom()
                .url(),
            "https://x");
}

TEST(UserGroupFormTest, ReadsPermissionsInBothForms) {
  const v1::Resource resource = ReadResource(R"(
[[user_group]]
name = "ops"
users = ["ann"]
all.Stack = "Write"
all.Server = { level = "Read", specific = ["Logs", "Terminal"] }
[[user_group.permission]]
target.type = "Stack"
target.id = '\^web-.+$\'
level = "Execute"
[[user_group.permission]]
target = { type = "ResourceSync", id = "main" }
)");
  const v1::UserGroup& group = resource.user_group();
  ASSERT_EQ(group.all_size(), 2);
  EXPECT_EQ(group.all(0).type(), v1::RESOURCE_TYPE_SERVER);
  EXPECT_EQ(group.all(0).level(), v1::PERMISSION_LEVEL_READ);
  EXPECT_THAT(group.all(0).specific(),
              ElementsAre(v1::SPECIFIC_PERMISSION_LOGS, v1::SPECIFIC_PERMISSION_TERMINAL));
  EXPECT_EQ(group.all(1).level(), v1::PERMISSION_LEVEL_WRITE);
  ASSERT_EQ(group.permissions_size(), 2);
  EXPECT_EQ(group.permissions(1).level(), v1::PERMISSION_LEVEL_NONE);
  EXPECT_THAT(ReferenceTexts(resource), ElementsAre("permissions.target.id resource_sync/main"));
}

TEST(UserGroupFormTest, SaysWhatIsWrong) {
  const std::string head = "[[user_group]]\nname = \"a\"\n";
  EXPECT_THAT(FirstProblem(head + "all.Sever = \"Read\""), HasSubstr("did you mean \"Server\"?"));
  EXPECT_THAT(FirstProblem(head + "all.Server = \"Raed\""), HasSubstr("did you mean \"Read\"?"));
  EXPECT_THAT(FirstProblem(head + "all = \"Read\""), HasSubstr("\"all\" must be a table"));
  EXPECT_THAT(FirstProblem(head + "permissions = [{ level = \"Read\" }]"),
              HasSubstr("\"target\" is missing"));
}

TEST(UserFormTest, IsReadAsAUserGroupIs) {
  const v1::Resource resource = ReadResource(R"(
[[user]]
name = "ann"
groups = ["ops"]
all.Server = "Read"
[[user.permission]]
target = { type = "Stack", id = "web-*" }
level = "Execute"
)");
  const v1::User& user = resource.user();
  EXPECT_TRUE(user.enabled());
  EXPECT_THAT(user.groups(), ElementsAre("ops"));
  EXPECT_EQ(user.all(0).level(), v1::PERMISSION_LEVEL_READ);
  EXPECT_EQ(user.permissions(0).target().id(), "web-*");
  EXPECT_THAT(ReferenceTexts(resource), ElementsAre("groups user_group/ops"));
}

TEST(UserFormTest, RefusesSecretsInBothDialectsWithoutShowingThem) {
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    for (const std::string key : {"password", "password_hash", "api_key", "token", "Secret"}) {
      const ParsedFile file = ReadToml(
          "a.toml", absl::StrCat("[[user]]\nname = \"ann\"\n", key, " = \"hunter22\"\n"), dialect);
      ASSERT_EQ(file.declarations.size(), 1u) << key;
      EXPECT_EQ(file.declarations[0].spec, nullptr) << key;
      ASSERT_EQ(file.declarations[0].problems.size(), 1u) << key;
      const std::string shown = FormatProblem(file.declarations[0].problems[0]);
      EXPECT_THAT(shown, HasSubstr("fairlead user password")) << key;
      EXPECT_THAT(shown, ::testing::Not(HasSubstr("hunter22"))) << key;
    }
  }
}

TEST(BuildFormTest, ReadsOneRegistryOrMany) {
  const v1::Resource one =
      ReadResource(Kindred("build", "image_registry = { domain = \"ghcr.io\" }\n"));
  ASSERT_EQ(one.build().image_registry_size(), 1);
  EXPECT_EQ(one.build().image_registry(0).domain(), "ghcr.io");
  const v1::Resource many = ReadResource(
      Kindred("build", "image_registry = [{ domain = \"a\" }, { account = \"b\" }]\n"));
  EXPECT_EQ(many.build().image_registry_size(), 2);
  EXPECT_EQ(many.build().build_path(), ".");
  EXPECT_THAT(FirstProblem(Kindred("build", "image_registry = \"ghcr.io\"\n")),
              HasSubstr("a table or an array of tables"));
}

TEST(BuildFormTest, ReadsVersionsAndCommands) {
  const v1::Resource build =
      ReadResource(Kindred("build",
                           "builder = \"b\"\nversion = \"1.2\"\n"
                           "pre_build = { command = \"make\" }\nrepo = \"a/b\"\n"));
  EXPECT_EQ(build.build().version().minor(), 2);
  EXPECT_EQ(build.build().pre_build().command(), "make\n");
  EXPECT_THAT(ReferenceTexts(build), ElementsAre("config.builder builder/b"));
}

TEST(SwarmFormTest, NamesItsManagers) {
  const v1::Resource swarm = ReadResource(Kindred("swarm", "servers = [\"a\", \"b\"]\n"));
  EXPECT_THAT(ReferenceTexts(swarm),
              ElementsAre("config.servers server/a", "config.servers server/b"));
  EXPECT_THAT(FirstProblem(Kindred("swarm", "servers = \"a\"\n")), HasSubstr("an array"));
}

TEST(KindFormTest, EveryKindIsReadUnderItsPlural) {
  for (const Kind& kind : Kinds()) {
    const v1::Resource resource =
        ReadResource(absl::StrCat("[[", kind.plural, "]]\nname = \"a\"\n"));
    EXPECT_EQ(KindOf(resource), &kind);
  }
}

}  // namespace
}  // namespace fairlead::resources
