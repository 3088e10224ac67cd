// What the komodo dialect reads otherwise.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ParsedFile ReadKomodo(const std::string& text) {
  return ReadToml("a.toml", text, v1::DIALECT_KOMODO);
}

TEST(TomlDialectTest, UnknownKeysAreWarningsInKomodo) {
  const ParsedFile file = ReadKomodo(
      "[[stack]]\nname = \"a\"\nauto_update = true\n[stack.config]\ncompose_file = \"x\"\n"
      "deploy = true\n");
  ASSERT_EQ(file.declarations.size(), 1u);
  const Declaration& declaration = file.declarations[0];
  EXPECT_NE(declaration.spec, nullptr);
  ASSERT_EQ(declaration.problems.size(), 3u);
  for (const v1::Problem& problem : declaration.problems) {
    EXPECT_EQ(problem.severity(), v1::SEVERITY_WARNING);
  }
  EXPECT_EQ(declaration.problems[0].suggestion(), "\"auto_update\" belongs in [stack.config]");
  EXPECT_EQ(declaration.problems[2].suggestion(),
            "\"deploy\" belongs beside \"name\" in [[stack]]");
  // A key that is not known there changes nothing.
  EXPECT_FALSE(declaration.spec->stack().auto_update());
  EXPECT_FALSE(declaration.spec->deploy());
}

TEST(TomlDialectTest, WrongTypesAreErrorsInKomodo) {
  const ParsedFile file = ReadKomodo("[[stack]]\nname = \"a\"\ndeploy = \"yes\"\n");
  ASSERT_EQ(file.declarations.size(), 1u);
  EXPECT_EQ(file.declarations[0].spec, nullptr);
}

TEST(TomlDialectTest, AdditionsAreReadInBoth) {
  const std::string config = "pull = \"never\"\nhealth_timeout = \"5s\"";
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    const v1::Resource deployment = ReadDeployment(config, dialect);
    EXPECT_EQ(deployment.deployment().pull(), v1::PULL_POLICY_NEVER);
    EXPECT_EQ(deployment.deployment().health_timeout().seconds(), 5);
  }
}

TEST(TomlDialectTest, DefaultsFollowTheDialect) {
  EXPECT_TRUE(ReadDeployment("", v1::DIALECT_TOML).deploy());
  EXPECT_FALSE(ReadDeployment("", v1::DIALECT_KOMODO).deploy());
  EXPECT_TRUE(ReadDeployment("", v1::DIALECT_KOMODO).restart_with_dependency());
  EXPECT_EQ(ReadDeployment("", v1::DIALECT_KOMODO).deployment().network(), "host");
}

TEST(TomlDialectTest, BackslashesInBlocksAreLiteralInKomodo) {
  const std::string config = "file_contents = \"\"\"\ncommand: a \\\n  b \\n\\\"\n\"\"\"\n";
  EXPECT_EQ(ReadStack(config, v1::DIALECT_KOMODO).stack().file_contents(),
            "command: a \\\n  b \\n\\\"\n");
  EXPECT_EQ(ReadStack(config, v1::DIALECT_TOML).stack().file_contents(), "command: a b \n\"\n");
}

TEST(TomlDialectTest, BackslashesInOtherStringsKeepTheirMeaningInKomodo) {
  EXPECT_EQ(ReadStack("project_name = \"a\\tb\"", v1::DIALECT_KOMODO).stack().project_name(),
            "a\tb");
  EXPECT_EQ(ReadStack("project_name = 'a\\tb'", v1::DIALECT_KOMODO).stack().project_name(),
            "a\\tb");
}

// The sample of the format's description: odd forms side by side.
constexpr char kSample[] = R"toml([[variable]]
name = "REG"
value = "registry.example.org"

[[server]]
name = "edge-1"
tags = ["prod"]
config.address = "https://10.0.0.4:8120"
config.enabled = true
config.ignore_mounts = """
/boot   # trailing comment
/mnt/a, /mnt/b
"""

[[stack]]
name = "web"
deploy = true
after = ["db"]
[stack.config]
server = "edge-1"
linked_repo = "infra"
environment = [{ variable = "A", value = "[[REG]]" }]

[[deployment]]
name = "db"
deploy = true
[deployment.config]
server = "edge-1"
image.type = "Image"
image.params.image = "postgres:17"
restart = "unless-stopped"
volumes = [{ local = "/srv/pg", container = "/var/lib/postgresql/data" }]

[[builder]]
name = "local"
[builder.config]
type = "Server"
params.server = "edge-1"

[[user_group]]
name = "ops"
all.Server = { level = "Read", specific = ["Logs"] }
)toml";

TEST(TomlDialectTest, ReadsTheSampleInBothDialects) {
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    const ParsedFile file = ReadToml("a.toml", kSample, dialect);
    for (const v1::Problem& problem : file.problems) {
      EXPECT_EQ(problem.severity(), v1::SEVERITY_NOTICE) << FormatProblem(problem);
    }
    ASSERT_EQ(file.declarations.size(), 6u);
    for (const Declaration& declaration : file.declarations) {
      EXPECT_NE(declaration.spec, nullptr) << declaration.id.ToString();
      EXPECT_THAT(declaration.problems, IsEmpty());
    }
    EXPECT_THAT(file.declarations[1].spec->server().ignore_mounts(),
                ElementsAre("/boot", "/mnt/a", "/mnt/b"));
    EXPECT_TRUE(file.declarations[1].spec->server().enabled());
    EXPECT_EQ(file.declarations[3].spec->deployment().image().image().image(), "postgres:17");
  }
}

std::string GuessOf(const std::string& text, v1::Dialect dialect) {
  std::string guess;
  for (const v1::Problem& problem : ReadToml("a.toml", text, dialect).problems) {
    if (problem.code() == "other-dialect") guess += problem.message();
  }
  return guess;
}

TEST(TomlDialectTest, AFileOfTheOtherDialectIsSuggestedOnce) {
  EXPECT_EQ(GuessOf(kSample, v1::DIALECT_TOML), "looks like dialect komodo");
  EXPECT_EQ(GuessOf(kSample, v1::DIALECT_KOMODO), "");
  for (const char* text : {"[[stack]]\nname = \"a\"\ndeploy = true\nauto_update = true\n",
                           "[[stacks]]\nname = \"a\"\n[stacks.config]\ncompose_file = \"x\"\n",
                           "[[stacks]]\nname = \"a\"\n[[provision]]\nx = 1\n",
                           "[[deployment]]\nname = \"a\"\nconfig.image = { type = \"Image\", "
                           "params.image = \"x\" }\n"}) {
    EXPECT_EQ(GuessOf(text, v1::DIALECT_TOML), "looks like dialect komodo") << text;
    EXPECT_EQ(GuessOf(text, v1::DIALECT_KOMODO), "") << text;
  }
}

TEST(TomlDialectTest, AFileOfItsOwnDialectIsNot) {
  for (const char* text : {"[[stacks]]\nname = \"a\"\ndeploy = true\n",
                           "[[stack]]\nname = \"a\"\n[stack.config]\nenviroment = \"x\"\n",
                           "[[deployments]]\nname = \"a\"\nstate = \"stopped\"\nx = 1\n",
                           "[[deployments]]\nname = \"a\"\nx = 1\nconfig.image = \"x\"\n"}) {
    EXPECT_EQ(GuessOf(text, v1::DIALECT_TOML), "") << text;
  }
  EXPECT_EQ(GuessOf("[[deployment]]\nname = \"a\"\nconfig.image = \"x\"\n", v1::DIALECT_KOMODO),
            "looks like dialect toml");
}

TEST(TomlDialectTest, FrequentMistakesHaveAHint) {
  const ParsedFile file = ReadKomodo(
      "[[stack]]\nname = \"a\"\n[stack.config]\ncompose_file = \"x\"\nauto_deploy = true\n"
      "poll_interval = \"5-min\"\n[[server_template]]\nname = \"b\"\n");
  for (const v1::Problem& problem : file.problems) EXPECT_NE(problem.suggestion(), "");
  ASSERT_EQ(file.declarations.size(), 1u);
  EXPECT_EQ(file.declarations[0].problems.size(), 3u);
  for (const v1::Problem& problem : file.declarations[0].problems) {
    EXPECT_NE(problem.suggestion(), "") << problem.message();
  }
}

}  // namespace
}  // namespace fairlead::resources
