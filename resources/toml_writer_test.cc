#include "resources/toml_writer.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/util/message_differencer.h>

#include <array>
#include <cstdint>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "resources/field_defaults.h"
#include "resources/field_table.h"
#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr uint64_t kSeed = 20240607;
constexpr int kWorlds = 400;

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

// Random resources in the form in which the reader leaves them.
class ResourceGenerator {
 public:
  explicit ResourceGenerator(uint64_t seed) : random_(seed) {}

  v1::Resource Next(v1::Dialect dialect) {
    dialect_ = dialect;
    const Kind& kind = Kinds()[Below(Kinds().size())];
    v1::Resource resource = DefaultResource(kind, dialect);
    for (const Field& field : FieldsOf(v1::Resource::descriptor()).fields) {
      if (field.AppliesTo(kind.name) && Chance()) Fill(field, &resource);
    }
    resource.set_name("n" + LineText());
    FillMessage(FieldsOf(kind.message),
                resource.GetReflection()->MutableMessage(&resource, kind.field));
    return resource;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  bool Chance() { return Below(3) == 0; }

  std::string Piece() {
    static constexpr std::array<absl::string_view, 30> kPieces = {"a",        "B7",
                                                                  " ",        "\t",
                                                                  "\"",       "\"\"",
                                                                  "\"\"\"",   "'",
                                                                  "'''",      "\\",
                                                                  "\\n",      "\\\"",
                                                                  "#",        " # ",
                                                                  "=",        ":",
                                                                  ",",        "[[X]]",
                                                                  "${A}",     "/",
                                                                  "\xC3\xA9", "\xF0\x9F\x98\x80",
                                                                  "{}",       "%",
                                                                  "[",        "]",
                                                                  "\\u0041",  "-",
                                                                  ".",        "\\\\"};
    return std::string(kPieces[Below(kPieces.size())]);
  }
  std::string LineText() {
    std::string text;
    for (std::size_t i = Below(8); i > 0; --i) text += Piece();
    for (char& c : text) {
      if (c == '\t') c = ' ';
    }
    return text;
  }
  std::string AnyText() {
    static constexpr std::array<absl::string_view, 6> kOdd = {"\n",   "\n\n", "\r\n",
                                                              "\x01", "\x7F", "\r"};
    std::string text;
    for (std::size_t i = Below(12); i > 0; --i) {
      absl::StrAppend(&text, Below(4) == 0 ? std::string(kOdd[Below(kOdd.size())]) : Piece());
    }
    return text;
  }
  std::string TextFor(const Field& field) {
    switch (field.rule->form()) {
      case v1::FORM_ENV_LIST:
      case v1::FORM_LABELS_LIST:
      case v1::FORM_CONVERSION_LIST:
      case v1::FORM_TERM_LABEL_LIST: {
        std::string text;
        for (std::size_t i = Below(4); i > 0; --i)
          absl::StrAppend(&text, "K", i, "=", LineText(), "\n");
        return text;
      }
      case v1::FORM_FILE_CONTENTS: {
        const std::string text(absl::StripTrailingAsciiWhitespace(AnyText()));
        return text.empty() ? "" : text + "\n";
      }
      default:
        return AnyText();
    }
  }

  void FillMessage(const FieldTable& table, Message* message) {
    for (const Field& field : table.fields) {
      if (Chance()) Fill(field, message);
    }
  }

  void Fill(const Field& field, Message* message) {
    const auto* reflection = message->GetReflection();
    const FieldDescriptor* descriptor = field.descriptor;
    if (descriptor->is_repeated()) {
      reflection->ClearField(message, descriptor);
      for (std::size_t i = Below(4); i > 0; --i) {
        if (field.message == nullptr) {
          reflection->AddString(message, descriptor, AnyText());
        } else {
          Message* element = reflection->AddMessage(message, descriptor);
          element->CopyFrom(DefaultsOf(field.message->message, dialect_));
          FillMessage(*field.message, element);
        }
      }
      return;
    }
    switch (descriptor->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(message, descriptor, TextFor(field));
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(message, descriptor, Below(2) == 0);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnumValue(message, descriptor,
                                 field.values[Below(field.values.size())].number);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(message, descriptor, static_cast<int32_t>(Below(1u << 31)));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(message, descriptor, static_cast<uint32_t>(random_()));
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        reflection->SetFloat(message, descriptor, static_cast<float>(Below(1000000)) / 7.0f);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        reflection->SetDouble(message, descriptor, static_cast<double>(Below(1000000)) / 7.0);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        FillNested(field, reflection->MutableMessage(message, descriptor));
        if (field.message != nullptr && descriptor->containing_oneof() == nullptr &&
            reflection->GetMessage(*message, descriptor).ByteSizeLong() == 0) {
          reflection->ClearField(message, descriptor);
        }
        break;
      default:
        ADD_FAILURE() << "no generator for " << descriptor->full_name();
    }
  }

  void FillNested(const Field& field, Message* nested) {
    if (field.message == nullptr) {
      google::protobuf::Duration duration;
      duration.set_seconds(static_cast<int64_t>(Below(1000000)));
      duration.set_nanos(static_cast<int32_t>(Below(1000000000)));
      nested->CopyFrom(duration);
      return;
    }
    if (field.rule->form() == v1::FORM_TAGGED) {
      const Field& member = field.message->fields[Below(field.message->fields.size())];
      Message* chosen = nested->GetReflection()->MutableMessage(nested, member.descriptor);
      FillMessage(*member.message, chosen);
      return;
    }
    nested->CopyFrom(DefaultsOf(field.message->message, dialect_));
    FillMessage(*field.message, nested);
  }

  std::mt19937_64 random_;
  v1::Dialect dialect_ = v1::DIALECT_TOML;
};

TEST(TomlWriterPropertyTest, ReadingBackGivesTheSameResource) {
  ResourceGenerator generator(kSeed);
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    for (int world = 0; world < kWorlds; ++world) {
      const v1::Resource resource = generator.Next(dialect);
      const std::string text = WriteToml(resource, dialect);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, ", world ", world, ", dialect ",
                                static_cast<int>(dialect), "\n", text));
      const v1::Resource again = ReadResource(text, dialect);
      MessageDifferencer differencer;
      std::string difference;
      differencer.ReportDifferencesToString(&difference);
      ASSERT_TRUE(differencer.Compare(resource, again)) << difference;
    }
  }
}

TEST(TomlWriterPropertyTest, WithoutSecretsOnlyTheyAreMissing) {
  ResourceGenerator generator(kSeed + 2);
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    for (int world = 0; world < kWorlds; ++world) {
      const v1::Resource resource = generator.Next(dialect);
      v1::Resource expected = resource;
      RewriteTexts(&expected,
                   [](const Message& parent, const Field& field, const std::string& text) {
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
      resources.push_back(generator.Next(dialect));
      absl::StrAppend(&text, WriteToml(resources.back(), dialect), "\n");
    }
    const ParsedFile file = ReadToml("a.toml", text, dialect);
    ASSERT_EQ(file.declarations.size(), resources.size());
    for (std::size_t i = 0; i < resources.size(); ++i) {
      ASSERT_NE(file.declarations[i].spec, nullptr);
      EXPECT_TRUE(MessageDifferencer::Equals(resources[i], *file.declarations[i].spec));
    }
  }
}

}  // namespace
}  // namespace fairlead::resources
