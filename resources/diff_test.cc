#include "resources/diff.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const v1::Resource& before, const v1::Resource& after) {
  std::vector<std::string> texts;
  for (const v1::FieldChange& change : ComputeChanges(before, after)) {
    texts.push_back(absl::StrCat(change.path(), ": ", change.before(), " -> ", change.after()));
  }
  return texts;
}

std::vector<std::string> Deployments(const std::string& before, const std::string& after) {
  return Texts(ReadDeployment(before), ReadDeployment(after));
}

TEST(DiffTest, NothingDiffersFromItself) {
  const std::string config = "image = \"a\"\nenvironment = \"A=1\"\nlinks = [\"x\"]";
  EXPECT_THAT(Deployments(config, config), IsEmpty());
}

TEST(DiffTest, ListsChangesInFieldOrder) {
  EXPECT_THAT(Deployments("restart = \"always\"\nimage = \"nginx:1.4.1\"\nserver = \"a\"",
                          "image = \"nginx:1.4.2\"\nserver = \"b\""),
              ElementsAre("server: a -> b", "image: nginx:1.4.1 -> nginx:1.4.2",
                          "restart: always -> unless-stopped"));
}

TEST(DiffTest, KeyValuesByKey) {
  EXPECT_THAT(Deployments("environment = \"LOG=info\\nOLD=1\\nSAME=x\"",
                          "environment = \"# c\\nSAME: x\\nNEW=2\\nLOG=debug\""),
              ElementsAre("environment.LOG: info -> debug", "environment.NEW:  -> 2",
                          "environment.OLD: 1 -> "));
}

TEST(DiffTest, PairsAsAWhole) {
  EXPECT_THAT(Deployments("ports = \"90:91\\n80:81\"", "ports = \"80: 81\\n90: 91\""), IsEmpty());
  EXPECT_THAT(Deployments("ports = \"80:81\"", "ports = \"127.0.0.1:80:81\\n53:53/udp\""),
              ElementsAre("ports: 80:81 -> 127.0.0.1:80:81, 53:53/udp"));
}

TEST(DiffTest, ImageOfABuild) {
  EXPECT_THAT(
      Deployments("image = \"a\"",
                  "image = { type = \"Build\", params = { build = \"app\", version = \"1.2\" } }"),
      ElementsAre("image: a -> build { build = \"app\", version = \"1.2.0\" }"));
}

TEST(DiffTest, EntryFieldsButNotTheName) {
  EXPECT_THAT(Texts(ReadResource("[[stack]]\nname = \"a\"\ntags = [\"x\", \"y\"]\n"
                                 "description = \"d\"\nafter = [\"p\", \"q\"]"),
                    ReadResource("[[stack]]\nname = \"b\"\ntags = [\"z\"]\ndeploy = false\n"
                                 "after = [\"q\", \"p\"]")),
              ElementsAre("description: d -> ", "tags: x, y -> z", "deploy: true -> false"));
}

TEST(DiffTest, SecretsAreHidden) {
  EXPECT_THAT(Texts(ReadStack("webhook_secret = \"a\""), ReadStack("webhook_secret = \"b\"")),
              ElementsAre("webhook_secret: *** -> ***"));
  const std::string variable = "[[variable]]\nname = \"A\"\nis_secret = true\nvalue = ";
  EXPECT_THAT(Texts(ReadResource(variable + "\"a\""), ReadResource(variable + "\"b\"")),
              ElementsAre("value: *** -> ***"));
  EXPECT_THAT(Texts(ReadResource("[[variable]]\nname = \"A\"\nvalue = \"a\""),
                    ReadResource("[[variable]]\nname = \"A\"\nvalue = \"b\"")),
              ElementsAre("value: a -> b"));
}

TEST(DiffTest, LongTextsShowTheFirstLineThatDiffers) {
  EXPECT_THAT(
      Texts(ReadStack("file_contents = \"a\\nb\\nc\""), ReadStack("file_contents = \"a\\nx\\nc\"")),
      ElementsAre("file_contents:2: b -> x"));
}

TEST(DiffTest, ListsDurationsAndInnerTables) {
  EXPECT_THAT(
      Texts(ReadStack("links = \"a, b\"\npre_deploy = {}\nmin_ready = 90\n"),
            ReadStack("links = [\"b\", \"a\"]\nconfig_files = [\"x\", { path = \"y\", req = "
                      "\"restart\" }]")),
      ElementsAre("links: a, b -> b, a",
                  "config_files: [] -> [\"x\", { path = \"y\", requires = \"Restart\" }]",
                  "min_ready: 1m30s -> 2s"));
}

}  // namespace
}  // namespace fairlead::resources
