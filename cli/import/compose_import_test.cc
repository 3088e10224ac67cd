#include "cli/import/compose_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/command_test.h"
#include "resources/container_spec.h"

namespace fairlead::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ComposeFolder FolderOf(const std::string& content, const std::string& name = "shop") {
  return {.name = name,
          .files = {{"compose.yaml", content}},
          .is_file = [](const std::string& path) { return path == "nginx.conf"; }};
}

TEST(ComposeImportTest, TopLevelNameIsFoundInItsSpellings) {
  EXPECT_EQ(TopLevelName("# x\nname: shop\nservices:\n"), "shop");
  EXPECT_EQ(TopLevelName("name: \"my shop\"  # ours\n"), "my shop");
  EXPECT_EQ(TopLevelName("services:\n  a:\n    name: inner\n"), "");
  EXPECT_EQ(TopLevelName("name: ${X:-shop}\n"), "");
}

TEST(ComposeImportTest, ProjectStaysWhatComposeMadeOfTheName) {
  const auto project_of = [](const ComposeFolder& folder, const std::string& name = "") {
    const auto imported = ImportCompose(folder, {.name = name});
    return resources::DockerNameOf(imported->stack);
  };
  EXPECT_EQ(project_of(FolderOf("", "My.Shop")), "myshop");
  EXPECT_EQ(project_of(FolderOf("", "_shop")), "shop");
  EXPECT_EQ(project_of(FolderOf("name: other\n")), "other");
  EXPECT_EQ(project_of(FolderOf("name: other\n"), "renamed"), "other");
  EXPECT_EQ(ImportCompose(FolderOf("name: other\n"), {.name = "renamed"})->stack.name(), "renamed");
}

TEST(ComposeImportTest, WhatLiesBesideTheFileIsNamed) {
  const char* content =
      "services:\n  web:\n    build: .\n    # ./comment\n    env_file: web.env\n"
      "    volumes: [\"./nginx.conf:/etc/nginx.conf:ro\", './data/:/data', \"named:/x\"]\n";
  const auto imported = ImportCompose(FolderOf(content), {});
  EXPECT_THAT(
      imported->cares,
      ElementsAre(HasSubstr("build"), "not carried over: ./data", "not carried over: ./nginx.conf",
                  "not carried over: ./web.env", HasSubstr("use --files")));
  const auto as_files = ImportCompose(FolderOf(content), {.run_directory = "stacks/shop"});
  ASSERT_EQ(as_files->stack.stack().config_files_size(), 1);
  EXPECT_EQ(as_files->stack.stack().config_files(0).path(), "nginx.conf");
  EXPECT_THAT(as_files->cares, Not(Contains(HasSubstr("nginx.conf"))));
}

TEST(ComposeImportTest, SeveralFilesNeedToBeNamed) {
  ComposeFolder folder = FolderOf("");
  folder.files.push_back({"compose.override.yaml", "name: last\n"});
  EXPECT_THAT(ImportCompose(folder, {}).status().message(), HasSubstr("use --files"));
  const auto imported = ImportCompose(folder, {.run_directory = "."});
  EXPECT_EQ(imported->stack.name(), "last");
  EXPECT_THAT(imported->stack.stack().file_paths(),
              ElementsAre("compose.yaml", "compose.override.yaml"));
}

TEST(ComposeImportTest, EnvironmentComesAlongWithoutWhatNoLineCanSay) {
  ComposeFolder folder = FolderOf("");
  folder.env = "# mine\n\nA=1\nDB_PASSWORD='x y'\nEMPTY_TOKEN=\nJUST_A_NAME\n";
  const auto imported = ImportCompose(folder, {});
  EXPECT_EQ(imported->stack.stack().environment(), "A=1\nDB_PASSWORD='x y'\nEMPTY_TOKEN=\n");
  EXPECT_THAT(imported->secrets, ElementsAre("DB_PASSWORD"));
  EXPECT_THAT(imported->cares, ElementsAre("not carried over: .env JUST_A_NAME"));
  EXPECT_THAT(ImportCompose(folder, {.run_directory = "."})->stack.stack().environment(),
              IsEmpty());
}

TEST(ComposeImportTest, DoubleBracketsOfTheFileAreKept) {
  const auto imported = ImportCompose(FolderOf("x: '[[HOST]]'\n"), {});
  EXPECT_TRUE(imported->stack.stack().skip_secret_interp());
}

class ImportCommandTest : public CommandTest {};

TEST_F(ImportCommandTest, ComposeFoldersBecomeStacksThatValidate) {
  Write("stacks/blog/docker-compose.yml", "services:\n  web:\n    image: \"a\\\\b\"\n");
  Write("stacks/blog/.env", "API_TOKEN=t\n");
  Write("stacks/shop/compose.yaml", "name: store\nservices: {}\n");
  const Outcome outcome = RunCommand(
      {"import", "compose", folder_ + "/stacks/shop", folder_ + "/stacks/blog", "--server", "a"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "[[stack]]\nname = \"blog\"\nadopt = true\n[stack.config]\nserver = \"a\"\n"
            "file_contents = \"\"\"\nservices:\n  web:\n    image: \"a\\\\\\\\b\"\n\"\"\"\n"
            "environment = \"\"\"\nAPI_TOKEN=t\n\"\"\"\n\n"
            "[[stack]]\nname = \"store\"\nadopt = true\n[stack.config]\nserver = \"a\"\n"
            "file_contents = \"\"\"\nname: store\nservices: {}\n\"\"\"\n");
  EXPECT_EQ(outcome.err,
            "fairlead: stack/blog has API_TOKEN in clear; put secrets into a [[variable]]\n");
  EXPECT_EQ(RunCommand({"validate", Write("out.toml", outcome.out)}).code, 0);
}

TEST_F(ImportCommandTest, FilesAreNamedFromTheRootOfTheRepository) {
  Write("stacks/shop/compose.yaml", "services: {}\n");
  Write("stacks/shop/compose.override.yaml", "services: {}\n");
  const Outcome outcome =
      RunCommand({"import", "compose", "--files", folder_ + "/stacks/shop", "--root", folder_});
  EXPECT_EQ(outcome.out,
            "[[stack]]\nname = \"shop\"\nadopt = true\n[stack.config]\n"
            "run_directory = \"stacks/shop\"\n"
            "file_paths = [\"compose.yaml\", \"compose.override.yaml\"]\n");
  EXPECT_THAT(RunCommand({"import", "compose", "--files", folder_ + "/stacks/shop", "--root",
                          folder_ + "/stacks/shop/../../stacks/shop"})
                  .out,
              Not(HasSubstr("run_directory")));
  const std::string elsewhere = folder_ + "/elsewhere";
  Write("elsewhere/x", "");
  EXPECT_THAT(
      RunCommand({"import", "compose", "--files", folder_ + "/stacks/shop", "--root", elsewhere})
          .err,
      HasSubstr("is not below the root"));
}

TEST_F(ImportCommandTest, WhatCannotBeImportedIsNamed) {
  Write("empty/x", "");
  Write("a/compose.yaml", "");
  Write("b/compose.yaml", "");
  EXPECT_THAT(RunCommand({"import", "compose", folder_ + "/empty"}).err,
              HasSubstr("holds no compose file"));
  EXPECT_THAT(RunCommand({"import", "compose", folder_ + "/nope"}).err, HasSubstr("is not there"));
  EXPECT_THAT(RunCommand({"import", "compose", folder_ + "/a", folder_ + "/b", "--name", "x"}).err,
              HasSubstr("--name is for one stack"));
}

TEST_F(ImportCommandTest, EngineThatDoesNotAnswerIsNamedWithTheWayOut) {
  variables_["DOCKER_HOST"] = "unix:///nowhere/docker.sock";
  const Outcome outcome = RunCommand({"import", "docker", "--server", "a"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot reach Docker at unix:///nowhere/docker.sock"));
  EXPECT_THAT(outcome.err, HasSubstr("--docker-host"));
  EXPECT_THAT(RunCommand({"import", "docker", "--server", "a", "--docker-host", "/x"}).err,
              HasSubstr("neither unix:///PATH nor tcp://HOST:PORT"));
}

}  // namespace
}  // namespace fairlead::cli
