// testdata/import/engine.json is what a real engine said (20.10, docker-compose 1.29), trimmed.
// FAIRLEAD_UPDATE_GOLDEN=1 rewrites the expectations; a human reads the difference.
#include "cli/import/docker_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "cli/import/inspect_json.h"
#include "resources/container_spec.h"
#include "resources/problem_text.h"
#include "resources/testing/read_resource.h"
#include "resources/toml_reader.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::filesystem::path Folder() {
  return std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "import";
}

DockerSnapshot Recorded() {
  const auto text = base::ReadFile((Folder() / "engine.json").string());
  EXPECT_TRUE(text.ok()) << text.status();
  const json::value recorded = json::parse(text.value_or("{}"));
  const json::array containers = ArrayAt(recorded, "/containers");
  const json::array images = ArrayAt(recorded, "/images");
  return {.containers = {containers.begin(), containers.end()},
          .images = {images.begin(), images.end()}};
}

void ExpectGolden(const std::string& name, const DockerImport& imported) {
  const std::string text = absl::StrCat(imported.toml, "\n# ---- notices\n# ",
                                        absl::StrJoin(imported.notices, "\n# "), "\n");
  const std::string path = (Folder() / name).string();
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  EXPECT_EQ(text, base::ReadFile(path).value_or("none"));
}

// Every resource is read without error and says what the engine is to make.
void ExpectUsable(const std::string& toml) {
  const resources::ParsedFile file = resources::ReadToml("a.toml", toml, v1::DIALECT_TOML);
  EXPECT_TRUE(file.problems.empty());
  for (const resources::Declaration& declaration : file.declarations) {
    for (const v1::Problem& problem : declaration.problems) {
      ADD_FAILURE() << resources::FormatProblem(problem);
    }
    if (declaration.spec == nullptr || !declaration.spec->has_deployment()) continue;
    EXPECT_TRUE(resources::ContainerSpecOf(*declaration.spec).ok());
  }
}

TEST(DockerImportTest, RecordedEngineAsExpected) {
  const DockerImport imported = ImportDocker(Recorded(), {.server = "edge-1"});
  ExpectGolden("expected.toml", imported);
  ExpectUsable(imported.toml);
}

TEST(DockerImportTest, RecordedEngineWithSecretsAsVariables) {
  const DockerImport imported =
      ImportDocker(Recorded(), {.server = "edge-1", .secrets_as_variables = true});
  ExpectGolden("expected-variables.toml", imported);
  ExpectUsable(imported.toml);
  EXPECT_THAT(imported.toml, Not(HasSubstr("hunter2")));
}

TEST(DockerImportTest, WithoutItsImageAllThatTheContainerHasIsItsOwn) {
  DockerSnapshot snapshot = Recorded();
  snapshot.images.clear();
  const DockerImport imported = ImportDocker(snapshot, {.server = "edge-1"});
  EXPECT_THAT(imported.toml, HasSubstr("PATH=/bin\n"));
  EXPECT_THAT(imported.toml, HasSubstr("vendor: acme\n"));
  ExpectUsable(imported.toml);
}

json::value ProjectContainer(const std::string& name, json::object labels, bool running = true) {
  labels["com.docker.compose.project"] = "shop";
  return {{"Name", absl::StrCat("/", name)},
          {"State", {{"Running", running}}},
          {"Config", {{"Labels", std::move(labels)}}}};
}

TEST(DockerImportTest, ProjectsThatCannotBeDescribedAreNamed) {
  const char* folder = "com.docker.compose.project.working_dir";
  const auto notices = [](std::vector<json::value> containers) {
    const DockerImport imported =
        ImportDocker({.containers = std::move(containers)}, {.server = "a"});
    EXPECT_EQ(imported.toml, "");
    return imported.notices;
  };
  EXPECT_THAT(notices({ProjectContainer("a", {{folder, "/x"}}, false)}),
              ElementsAre("compose project shop is left out: nothing of it runs"));
  EXPECT_THAT(notices({ProjectContainer("a", {})}), ElementsAre(HasSubstr("where its files are")));
  EXPECT_THAT(
      notices({ProjectContainer("a", {{folder, "/x"}}), ProjectContainer("b", {{folder, "/y"}})}),
      ElementsAre(HasSubstr("several folders, /x, /y")));
  EXPECT_THAT(notices({ProjectContainer("a", {{"dev.fairlead.installation", "i"}})}),
              ElementsAre("compose project shop is left out: Fairlead made it"));
  EXPECT_THAT(notices({ProjectContainer("a", {{"com.docker.compose.oneoff", "True"}})}),
              ElementsAre(HasSubstr("one-off")));
}

TEST(DockerImportTest, StackKeepsItsFilesAndEnvFiles) {
  const DockerImport imported = ImportDocker(
      {.containers = {ProjectContainer(
           "a", {{"com.docker.compose.project.working_dir", "/srv/shop"},
                 {"com.docker.compose.project.config_files", "/srv/shop/a.yaml,/srv/common/b.yaml"},
                 {"com.docker.compose.project.environment_file", "/srv/shop/prod.env"}})}},
      {.server = "edge-1"});
  EXPECT_EQ(imported.toml,
            "[[stack]]\nname = \"shop\"\nadopt = true\n[stack.config]\nserver = \"edge-1\"\n"
            "files_on_host = true\nrun_directory = \"/srv/shop\"\n"
            "file_paths = [\"a.yaml\", \"/srv/common/b.yaml\"]\nenv_file_path = \"prod.env\"\n"
            "additional_env_files = [\"prod.env\"]\n");
}

TEST(DockerImportTest, TextThatLooksLikeAVariableIsNotFilledIn) {
  const json::value container = {{"Name", "/web"},
                                 {"Config", {{"Image", "a"}, {"Labels", {{"rule", "[[HOST]]"}}}}}};
  const ImportedContainer plain = ImportContainer(container, nullptr, {.server = "a"});
  EXPECT_EQ(plain.deployment.deployment().labels(), "rule: [[HOST]]\n");
  EXPECT_TRUE(plain.deployment.deployment().skip_secret_interp());
  EXPECT_TRUE(plain.deployment.adopt());
  const ImportedContainer open =
      ImportContainer(container, nullptr, {.server = "a", .secrets_as_variables = true});
  EXPECT_THAT(open.uncarried, ElementsAre("Config.Labels rule"));
  EXPECT_FALSE(open.deployment.deployment().skip_secret_interp());
  EXPECT_FALSE(open.deployment.adopt());
}

TEST(DockerImportTest, StopSignalsOfEverySpellingAreUnderstood) {
  for (const char* signal : {"SIGINT", "INT", "2"}) {
    const json::value container = {{"Name", "/web"},
                                   {"Config", {{"Image", "a"}, {"StopSignal", signal}}}};
    const ImportedContainer imported = ImportContainer(container, nullptr, {});
    EXPECT_EQ(imported.deployment.deployment().termination_signal(), v1::TERMINATION_SIGNAL_SIGINT)
        << signal;
    EXPECT_THAT(imported.uncarried, IsEmpty());
  }
}

TEST(DockerImportTest, NamesThatLookSecret) {
  for (const char* name : {"DB_PASSWORD", "token", "API_KEY", "Secret", "AWS_ACCESS_KEY_ID",
                           "SMTP_PASS", "GITHUB_TOKEN", "DBPASSWORD"}) {
    EXPECT_TRUE(LooksSecret(name)) << name;
  }
  for (const char* name : {"PATH", "KEYBOARD", "MONKEY", "PASSENGERS", "DB_PASSWORD_FILE", ""}) {
    EXPECT_FALSE(LooksSecret(name)) << name;
  }
}

}  // namespace
}  // namespace fairlead::cli
