#include "resources/docs/reference_page.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "fairlead/v1/build.pb.h"
#include "fairlead/v1/deployment.pb.h"
#include "fairlead/v1/execution.pb.h"
#include "fairlead/v1/server.pb.h"
#include "fairlead/v1/stack.pb.h"
#include "fairlead/v1/user_group.pb.h"
#include "resources/docs/field_row.h"
#include "resources/field_defaults.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kExamples[] = FAIRLEAD_SOURCE_DIR "/testdata/manifests/valid";

std::map<std::string, std::string> Examples() {
  const auto examples = ReadExamples(kExamples);
  EXPECT_TRUE(examples.ok()) << examples.status();
  return examples.value_or(std::map<std::string, std::string>());
}

template <typename M>
FieldRow Row(const char* key) {
  return RowOf(*FieldsOf(M::descriptor()).Find(key), DefaultsOf(M::descriptor(), v1::DIALECT_TOML),
               DefaultsOf(M::descriptor(), v1::DIALECT_KOMODO));
}

TEST(FieldRowTest, TypeSaysWhatMayBeWritten) {
  EXPECT_EQ(Row<v1::Deployment>("server").type, "name of a server");
  EXPECT_EQ(Row<v1::Deployment>("command").type, "text");
  EXPECT_EQ(Row<v1::Deployment>("rollback").type, "boolean");
  EXPECT_EQ(Row<v1::Deployment>("replicas").type, "integer");
  EXPECT_EQ(Row<v1::Deployment>("links").type, "array of texts");
  EXPECT_EQ(Row<v1::Deployment>("extra_args").type, "[list](#forms)");
  EXPECT_EQ(Row<v1::Deployment>("environment").type, "[lines](#forms) `variable = value`");
  EXPECT_EQ(Row<v1::Deployment>("health_timeout").type, "[duration](#forms)");
  EXPECT_EQ(Row<v1::Deployment>("image").type, "[DeploymentImage](#deploymentimage)");
  EXPECT_EQ(Row<v1::BuildReference>("version").type, "[version](#forms)");
  EXPECT_EQ(Row<v1::Server>("max_parallel").type, "integer from 0");
  EXPECT_EQ(Row<v1::Server>("cpu_warning").type, "number");
  EXPECT_EQ(Row<v1::Server>("maintenance_windows").type,
            "array of [MaintenanceWindow](#maintenancewindow)");
  EXPECT_EQ(Row<v1::Stack>("file_contents").type, "[file](#forms)");
  EXPECT_EQ(Row<v1::Stack>("pre_deploy").type, "[SystemCommand](#systemcommand)");
  EXPECT_EQ(Row<v1::Stack>("config_files").type,
            "array of [ConfigFile](#configfile), or of its `path` alone");
}

TEST(FieldRowTest, TablesOfOtherShapesSaySo) {
  EXPECT_EQ(Row<v1::Build>("image_registry").type,
            "[ImageRegistry](#imageregistry), or an array of them");
  EXPECT_EQ(Row<v1::UserGroup>("all").type,
            "table of `type = level`, or of [TypePermission](#typepermission)");
  EXPECT_EQ(Row<v1::RunStackServiceParams>("env").type, "table of `variable = value`");
  EXPECT_EQ(Row<v1::ActionParams>("args").type, "table of any values");
}

TEST(FieldRowTest, OptionalFieldHasNoDefault) {
  EXPECT_EQ(Row<v1::DeployParams>("stop_time").default_value, "");
}

TEST(FieldRowTest, EnumNamesItsValuesAndTheirOtherSpellings) {
  EXPECT_EQ(Row<v1::Deployment>("restart").type, "`no`, `on-failure`, `always`, `unless-stopped`");
  EXPECT_THAT(Row<v1::Deployment>("termination_signal").type, HasSubstr("`SIGTERM` (`15`)"));
}

TEST(FieldRowTest, KeyThatPeopleUseComesFirst) {
  EXPECT_EQ(Row<v1::Deployment>("server_id").keys, "`server`, `server_id`");
  EXPECT_EQ(Row<v1::ConfigFile>("requires").keys, "`requires`, `req`");
}

TEST(FieldRowTest, AdditionIsMarked) {
  EXPECT_EQ(Row<v1::Deployment>("rollback").keys, "`rollback` +");
}

TEST(FieldRowTest, DefaultIsTomlAndNamesTheOtherDialectWhereItDiffers) {
  EXPECT_EQ(Row<v1::Deployment>("network").default_value, "`\"bridge\"`; komodo: `\"host\"`");
  EXPECT_EQ(Row<v1::Deployment>("health_timeout").default_value, "`\"3m\"`");
  EXPECT_EQ(Row<v1::Deployment>("links").default_value, "`[]`");
  EXPECT_EQ(Row<v1::Deployment>("image").default_value, "");
  EXPECT_EQ(Row<v1::ConfigFile>("path").default_value, "required");
}

TEST(FieldRowTest, ChangeSaysWhatBecomesOfContainers) {
  EXPECT_EQ(Row<v1::Deployment>("image").change, "recreates");
  EXPECT_EQ(Row<v1::Deployment>("restart").change, "in place");
  EXPECT_EQ(Row<v1::Deployment>("links").change, "");
}

TEST(FieldRowTest, MeaningSaysWhatIsNotActedOn) {
  EXPECT_THAT(Row<v1::Deployment>("swarm").meaning, HasSubstr("Not acted on yet"));
}

TEST(ReferencePageTest, EveryKindAndFieldIsNamed) {
  const auto page = ReferencePage(Examples());
  ASSERT_TRUE(page.ok()) << page.status();
  for (const Kind& kind : Kinds()) {
    EXPECT_THAT(*page, HasSubstr(absl::StrCat("\n## ", kind.name, "\n")));
    for (const Field& field : FieldsOf(kind.message).fields) {
      // What a `type` chooses stands under that word.
      const std::string& tag = field.rule->type();
      EXPECT_THAT(*page, HasSubstr(absl::StrCat("`", tag.empty() ? field.key : tag, "`")));
    }
  }
}

TEST(ReferencePageTest, EveryFieldHasASentence) {
  for (const Kind& kind : Kinds()) {
    for (const Field& field : FieldsOf(kind.message).fields) {
      EXPECT_THAT(field.rule->doc(), ::testing::EndsWith(".")) << field.descriptor->full_name();
    }
  }
}

TEST(ReferencePageTest, KindWithoutAnExampleIsRefused) {
  auto examples = Examples();
  examples.erase("stack");
  EXPECT_EQ(ReferencePage(examples).status().message(), "there is no example of stack");
}

TEST(ReferencePageTest, ExampleWithAnErrorOrOfAnotherKindIsRefused) {
  auto examples = Examples();
  examples["stack"] = "[[stack]]\nname = 3\n";
  EXPECT_THAT(std::string(ReferencePage(examples).status().message()),
              AllOf(HasSubstr("stack.toml:2"), HasSubstr("must be a string")));
  examples["stack"] = "[[server]]\nname = \"edge-1\"\n";
  EXPECT_EQ(ReferencePage(examples).status().message(),
            "the example of stack declares no resource of that kind");
}

// FAIRLEAD_REWRITE_GOLDEN=1 does what `make docs` does.
TEST(ReferencePageTest, PageInTheTreeIsUpToDate) {
  const std::string path = FAIRLEAD_SOURCE_DIR "/docs/resources.md";
  const auto page = ReferencePage(Examples());
  ASSERT_TRUE(page.ok()) << page.status();
  if (std::getenv("FAIRLEAD_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << *page;
    return;
  }
  const auto in_tree = base::ReadFile(path);
  ASSERT_TRUE(in_tree.ok()) << in_tree.status() << "; run: make docs";
  EXPECT_EQ(*in_tree, *page) << "docs/resources.md is stale; run: make docs";
}

}  // namespace
}  // namespace fairlead::resources
