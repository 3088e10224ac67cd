#include "resources/spec_hash.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::MatchesRegex;

const SpecHasher& Hasher() {
  static const auto& hasher = *new SpecHasher("k1", std::string(32, 'k'));
  return hasher;
}

std::string HashOf(const std::string& config) { return Hasher().Hash(ReadDeployment(config)); }

v1::StackFile File(const std::string& path, const std::string& content) {
  v1::StackFile file;
  file.set_path(path);
  file.set_content(content);
  return file;
}

TEST(SpecHashTest, ReadsVersionKeyAndHash) {
  EXPECT_THAT(HashOf("image = \"a\""), MatchesRegex("v1:k1:[0-9a-f]+"));
  EXPECT_EQ(HashOf("image = \"a\"").size(), 6u + 32u);
  EXPECT_TRUE(Hasher().CanVerify(HashOf("")));
}

TEST(SpecHashTest, KnowsWhatItCannotVerify) {
  const std::string hex(32, 'a');
  EXPECT_TRUE(Hasher().CanVerify("v1:k1:" + hex));
  for (const std::string& hash : {std::string(), "v2:k1:" + hex, "v1:k2:" + hex,
                                  "v1:k1:" + hex + "a", "v1:k1:" + std::string(32, 'g'), hex}) {
    EXPECT_FALSE(Hasher().CanVerify(hash)) << hash;
  }
}

TEST(SpecHashTest, SpellingDoesNotCount) {
  const std::string plain = HashOf("environment = \"A=1\\nB=2\"\nports = \"80:81\\n90:91\"");
  EXPECT_EQ(HashOf(R"(
environment = """
  # comment
  B: 2   # why
  A = 1
"""
ports = [{ local = "90", container = "91" }, { local = "80", container = "81" }]
)"),
            plain);
}

TEST(SpecHashTest, TheHealthcheckCounts) {
  EXPECT_NE(HashOf("healthcheck.command = \"true\""), HashOf(""));
  EXPECT_NE(HashOf("healthcheck.command = \"true\""),
            HashOf("healthcheck = { command = \"true\", retries = 2 }"));
  EXPECT_EQ(HashOf("strategy = \"recreate\""), HashOf(""));
}

// So that an upgrade recreates nothing.
TEST(SpecHashTest, StaysAsItIsForAPlainDeployment) {
  EXPECT_EQ(HashOf("image = \"a\""), "v1:k1:0365e85e27921c909604e651d972c19a");
}

TEST(SpecHashTest, TheLastOfEqualKeysCounts) {
  EXPECT_EQ(HashOf("environment = \"A=1\\nA=2\""), HashOf("environment = \"A=2\""));
  EXPECT_NE(HashOf("environment = \"A=2\\nA=1\""), HashOf("environment = \"A=2\""));
}

TEST(SpecHashTest, EachRecreateFieldCounts) {
  std::set<std::string> hashes;
  for (const char* config :
       {"", "image = \"a\"", "image = { type = \"Build\", params = { build = \"a\" } }",
        "image = { type = \"Build\" }", "custom_name = \"a\"", "command = \"a\"", "network = \"a\"",
        "extra_args = [\"a\"]", "extra_args = [\"a\", \"b\"]", "extra_args = [\"b\", \"a\"]",
        "extra_args = [\"ab\"]", "ports = \"1:2\"", "volumes = \"/a:/b\"", "labels = \"a=b\"",
        "environment = \"a=b\"", "environment = \"a=\"", "environment = \"ab=\""}) {
    EXPECT_TRUE(hashes.insert(HashOf(config)).second) << config;
  }
}

TEST(SpecHashTest, LiveFieldsDoNotCount) {
  EXPECT_EQ(HashOf("restart = \"always\"\nserver = \"a\"\npull = \"always\""), HashOf(""));
}

TEST(SpecHashTest, NamesAndDialectDoNotCount) {
  const std::string config = "image = \"a\"\nnetwork = \"n\"";
  EXPECT_EQ(Hasher().Hash(ReadDeployment(config, v1::DIALECT_KOMODO)), HashOf(config));
}

TEST(SpecHashTest, EnvFilesThatAreNotTrackedDoNotCount) {
  const v1::Resource stack =
      ReadStack("additional_env_files = [\"a.env\", { path = \"./b.env\", track = false }]");
  const std::string hash = Hasher().Hash(stack, {File("a.env", "1"), File("b.env", "1")});
  EXPECT_EQ(Hasher().Hash(stack, {File("a.env", "1"), File("b.env", "2")}), hash);
  EXPECT_NE(Hasher().Hash(stack, {File("a.env", "2"), File("b.env", "1")}), hash);
}

TEST(SpecHashTest, FilesCountByPathAndContentInAnyOrder) {
  const v1::Resource stack = ReadStack("");
  const std::string hash = Hasher().Hash(stack, {File("a", "1"), File("b", "2")});
  EXPECT_EQ(Hasher().Hash(stack, {File("b", "2"), File("a", "1")}), hash);
  EXPECT_NE(Hasher().Hash(stack, {File("a", "2"), File("b", "1")}), hash);
  EXPECT_NE(Hasher().Hash(stack, {File("a", "1")}), hash);
  EXPECT_NE(Hasher().Hash(stack), hash);
}

TEST(SpecHashTest, KeysGiveOtherHashes) {
  const SpecHasher other("k1", std::string(32, 'x'));
  EXPECT_NE(other.HashText("a"), Hasher().HashText("a"));
  EXPECT_EQ(SpecHasher("k2", Hasher().key()).HashText("a"), Hasher().HashText("a"));
  EXPECT_EQ(Hasher().HashText("").size(), 32u);
}

}  // namespace
}  // namespace fairlead::resources
