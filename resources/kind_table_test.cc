#include "resources/kind_table.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "resources/field_table.h"
#include "resources/resource_id.h"
#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

TEST(KindTableTest, EveryMemberOfTheOneofIsAKindWithNames) {
  const auto* spec = v1::Resource::descriptor()->FindOneofByName("spec");
  ASSERT_EQ(Kinds().size(), static_cast<std::size_t>(spec->field_count()));
  std::set<std::string> names;
  for (const Kind& kind : Kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_TRUE(names.insert(kind.plural).second) << kind.plural;
    EXPECT_EQ(FindKind(kind.name), &kind);
    EXPECT_EQ(FindKind(kind.plural), &kind);
  }
}

TEST(KindTableTest, FindsNoUnknownKind) {
  EXPECT_EQ(FindKind("stak"), nullptr);
  EXPECT_EQ(FindKind(""), nullptr);
  EXPECT_EQ(FindKind("server_template"), nullptr);
}

TEST(KindTableTest, EveryKindOfTheFormatIsKnown) {
  for (const char* name :
       {"swarm", "server", "stack", "deployment", "build", "repo", "procedure", "action", "alerter",
        "builder", "resource_sync", "user", "user_group", "variable"}) {
    ASSERT_NE(FindKind(name), nullptr) << name;
    EXPECT_EQ(FindKind(absl::StrCat(name, "s")), FindKind(name));
  }
  EXPECT_EQ(Kinds().size(), 14u);
}

TEST(KindTableTest, KindsThatDeployAreActedOn) {
  for (const Kind& kind : Kinds()) {
    EXPECT_FALSE(kind.deploys && !kind.not_acted_on.empty()) << kind.name;
  }
  EXPECT_NE(FindKind("action")->not_acted_on, "");
  EXPECT_EQ(FindKind("build")->not_acted_on, "");
}

// All messages that resources are made of.
std::set<const FieldTable*> AllTables() {
  std::set<const FieldTable*> tables;
  std::vector<const FieldTable*> open = {&FieldsOf(v1::Resource::descriptor())};
  for (const Kind& kind : Kinds()) open.push_back(&FieldsOf(kind.message));
  while (!open.empty()) {
    const FieldTable* table = open.back();
    open.pop_back();
    if (!tables.insert(table).second) continue;
    for (const Field& field : table->fields) {
      if (field.message != nullptr) open.push_back(field.message);
    }
  }
  return tables;
}

TEST(KindTableTest, EveryFieldHasADocSentenceAndUniqueKeys) {
  for (const FieldTable* table : AllTables()) {
    std::size_t keys = 0;
    for (const Field& field : table->fields) {
      EXPECT_FALSE(field.rule->doc().empty()) << field.descriptor->full_name();
      keys += 1 + static_cast<std::size_t>(field.rule->alias_size());
    }
    EXPECT_EQ(table->by_key.size(), keys) << table->message->full_name();
  }
}

TEST(KindTableTest, EveryEnumValueHasText) {
  for (const FieldTable* table : AllTables()) {
    for (const Field& field : table->fields) {
      if (field.descriptor->enum_type() == nullptr) continue;
      EXPECT_EQ(field.values.size(),
                static_cast<std::size_t>(field.descriptor->enum_type()->value_count()))
          << field.descriptor->full_name();
    }
  }
}

TEST(KindTableTest, EveryReferenceNamesKinds) {
  for (const FieldTable* table : AllTables()) {
    for (const Field& field : table->fields) {
      for (const std::string& kind : field.references) {
        EXPECT_NE(FindKind(kind), nullptr) << field.descriptor->full_name() << ": " << kind;
      }
      if (field.rule->reference_by().empty()) continue;
      const Field* type = table->Find(field.rule->reference_by());
      ASSERT_NE(type, nullptr) << field.descriptor->full_name();
      for (const EnumText& value : type->values) {
        const std::string& kind = value.rule->kind();
        EXPECT_TRUE(kind.empty() || FindKind(kind) != nullptr) << kind;
      }
    }
  }
}

TEST(KindTableTest, MembersOfTaggedMessagesHaveAType) {
  for (const FieldTable* table : AllTables()) {
    std::set<std::string> types;
    for (const Field& field : table->fields) {
      if (field.descriptor->real_containing_oneof() == nullptr) continue;
      EXPECT_TRUE(types.insert(field.rule->type()).second) << field.descriptor->full_name();
      EXPECT_NE(field.message, nullptr) << field.descriptor->full_name();
    }
  }
}

TEST(KindTableTest, ServerComesFromTheFieldThatNamesOne) {
  EXPECT_EQ(ServerOf(ReadStack("server = \"edge-1\"")), "edge-1");
  EXPECT_EQ(ServerOf(ReadDeployment("server_id = \"edge-2\"")), "edge-2");
  EXPECT_EQ(ServerOf(ReadDeployment("")), "");
  EXPECT_EQ(ServerOf(ReadResource("[[server]]\nname = \"edge-1\"")), "");
}

TEST(ResourceIdTest, ParsesWhatItPrints) {
  const ResourceId id = IdOf(ReadResource("[[stack]]\nname = \"a/b c\""));
  EXPECT_EQ(id.ToString(), "stack/a/b c");
  EXPECT_EQ(ResourceId::Parse("stack/a/b c"), id);
}

TEST(ResourceIdTest, RefusesWhatNamesNoResource) {
  for (const char* text : {"", "stack", "stack/", "/a", "stak/a", "stacks/a", "template/a"}) {
    EXPECT_EQ(ResourceId::Parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fairlead::resources
