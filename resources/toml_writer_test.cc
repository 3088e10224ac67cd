#include "resources/toml_writer.h"

#include <google/protobuf/util/message_differencer.h>

#include <cstdint>
#include <iostream>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "resources/kind_table.h"
#include "resources/testing/read_resource.h"
#include "resources/testing/resource_generator.h"

namespace fairlead::resources {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr uint64_t kSeed = 20240607;
constexpr int kWorlds = 80;

TEST(TomlWriterTest, WritesOnlyWhatDiffersFromTheDefaults) {
  EXPECT_EQ(WriteToml(ReadResource("[[stack]]\nname = \"a\"\ndeploy = true\n"
                                   "config.branch = \"main\"")),
            "[[stack]]\nname = \"a\"\n");
  EXPECT_EQ(WriteToml(ReadDeployment("server_id = \"s\"\nimage = \"a:1\"\n"
                                     "environment = \"A=1\\nB=2\"\nmin_ready = 90\n"
                                     "extra_args = \"--x, --y\"")),
            "[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"s\"\n"
            "image = \"a:1\"\nextra_args = [\"--x\", \"--y\"]\n"
            "environment = \"\"\"\nA=1\nB=2\n\"\"\"\nmin_ready = \"1m30s\"\n");
  EXPECT_EQ(WriteToml(ReadResource("[[variable]]\nname = \"A\"\nvalue = \"x\"")),
            "[[variable]]\nname = \"A\"\nvalue = \"x\"\n");
}

TEST(TomlWriterTest, WritesWhatTheDialectDoesNotAssume) {
  v1::Resource deployment = ReadDeployment("image = \"a\"");
  EXPECT_EQ(WriteToml(deployment, v1::DIALECT_KOMODO),
            "[[deployment]]\nname = \"web\"\ndeploy = true\nrestart_with_dependency = false\n"
            "[deployment.config]\n"
            "image = { type = \"Image\", params = { image = \"a\" } }\n"
            "network = \"bridge\"\nrestart = \"unless-stopped\"\n");
}

TEST(TomlWriterTest, WritesSpecialValues) {
  EXPECT_EQ(WriteToml(ReadStack("env_file_path = \"\"\nhealth_timeout = 0\n"
                                "additional_env_files = [\"a\", {path = \"b\", track = false}]")),
            "[[stack]]\nname = \"web\"\n[stack.config]\nenv_file_path = \"\"\n"
            "additional_env_files = [\"a\", { path = \"b\", track = false }]\n"
            "health_timeout = \"0s\"\n");
}

TEST(TomlWriterTest, RedactsSecretsOnly) {
  const v1::Resource stack = Redact(ReadStack("webhook_secret = \"s\"\nbranch = \"b\""));
  EXPECT_EQ(stack.stack().webhook_secret(), "***");
  EXPECT_EQ(stack.stack().branch(), "b");
  EXPECT_EQ(Redact(ReadStack("")).stack().webhook_secret(), "");
  const std::string variable = "[[variable]]\nname = \"A\"\nvalue = \"x\"\n";
  EXPECT_EQ(Redact(ReadResource(variable)).variable().value(), "x");
  EXPECT_EQ(Redact(ReadResource(variable + "is_secret = true")).variable().value(), "***");
}

TEST(TomlWriterTest, LeavesSecretsOutAndNamesThem) {
  EXPECT_EQ(WriteTomlWithoutSecrets(ReadStack("webhook_secret = \"s\"\nbranch = \"b\"")),
            "[[stack]]\nname = \"web\"\n[stack.config]\nbranch = \"b\"\n"
            "# Secret, so left out: webhook_secret. Set before use.\n");
  const std::string variable = "[[variable]]\nname = \"A\"\nvalue = \"x\"\n";
  EXPECT_EQ(WriteTomlWithoutSecrets(ReadResource(variable)), variable);
  EXPECT_EQ(WriteTomlWithoutSecrets(ReadResource(variable + "is_secret = true")),
            "[[variable]]\nname = \"A\"\nis_secret = true\n"
            "# Secret, so left out: value. Set before use.\n");
}

TEST(TomlWriterPropertyTest, ReadingBackGivesTheSameResource) {
  std::cout << "seed " << kSeed << "\n";
  ResourceGenerator generator(kSeed);
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    for (const Kind& kind : Kinds()) {
      for (int world = 0; world < kWorlds; ++world) {
        const v1::Resource resource = generator.Next(kind, dialect);
        const std::string text = WriteToml(resource, dialect);
        SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", world ", world, ", dialect ",
                                  static_cast<int>(dialect), "\n", text));
        const v1::Resource again = ReadResource(text, dialect);
        MessageDifferencer differencer;
        std::string difference;
        differencer.ReportDifferencesToString(&difference);
        ASSERT_TRUE(differencer.Compare(resource, again)) << difference;
        ASSERT_EQ(WriteToml(again, dialect), text);
      }
    }
  }
}

TEST(TomlWriterPropertyTest, WithoutSecretsOnlyTheyAreMissing) {
  ResourceGenerator generator(kSeed + 2);
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    for (int world = 0; world < kWorlds; ++world) {
      const Kind& kind = Kinds()[static_cast<std::size_t>(world) % Kinds().size()];
      const v1::Resource resource = generator.Next(kind, dialect);
      v1::Resource expected = resource;
      RewriteTexts(&expected, [](const google::protobuf::Message& parent, const Field& field,
                                 const std::string& text) {
        return IsSecret(parent, field) ? std::string() : text;
      });
      const std::string text = WriteTomlWithoutSecrets(resource, dialect);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed + 2, ", world ", world, "\n", text));
      EXPECT_EQ(text, WriteTomlWithoutSecrets(Redact(resource), dialect));
      ASSERT_TRUE(MessageDifferencer::Equals(expected, ReadResource(text, dialect)));
    }
  }
}

TEST(TomlWriterPropertyTest, ManyResourcesOfOneFileReadBack) {
  ResourceGenerator generator(kSeed + 1);
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    std::vector<v1::Resource> resources;
    std::string text;
    for (int i = 0; i < kWorlds; ++i) {
      for (const Kind& kind : Kinds()) {
        resources.push_back(generator.Next(kind, dialect));
        absl::StrAppend(&text, WriteToml(resources.back(), dialect), "\n");
      }
    }
    const ParsedFile file = ReadToml("a.toml", text, dialect);
    ASSERT_EQ(file.declarations.size(), resources.size());
    for (std::size_t i = 0; i < resources.size(); ++i) {
      ASSERT_NE(file.declarations[i].spec, nullptr);
      MessageDifferencer differencer;
      std::string difference;
      differencer.ReportDifferencesToString(&difference);
      EXPECT_TRUE(differencer.Compare(resources[i], *file.declarations[i].spec))
          << difference << "\n"
          << WriteToml(resources[i], dialect);
    }
  }
}

// Each field of each message is set in some world, so that none goes untested.
TEST(TomlWriterPropertyTest, TheGeneratorReachesEveryField) {
  ResourceGenerator generator(kSeed + 2);
  for (const Kind& kind : Kinds()) {
    for (int world = 0; world < 60 * kWorlds; ++world) generator.Next(kind, v1::DIALECT_TOML);
  }
  std::set<const FieldTable*> seen;
  std::vector<const FieldTable*> open;
  for (const Kind& kind : Kinds()) open.push_back(&FieldsOf(kind.message));
  while (!open.empty()) {
    const FieldTable* table = open.back();
    open.pop_back();
    if (!seen.insert(table).second) continue;
    for (const Field& field : table->fields) {
      EXPECT_TRUE(generator.filled().contains(field.descriptor)) << field.descriptor->full_name();
      if (field.message != nullptr) open.push_back(field.message);
    }
  }
}

}  // namespace
}  // namespace fairlead::resources
