#include "resources/kind_table.h"

#include <set>

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
    EXPECT_FALSE(IsKindNotActedOn(kind.name)) << kind.name;
  }
}

TEST(KindTableTest, FindsNoUnknownKind) {
  EXPECT_EQ(FindKind("stak"), nullptr);
  EXPECT_EQ(FindKind(""), nullptr);
  EXPECT_EQ(FindKind("build"), nullptr);
}

TEST(KindTableTest, KnowsKindsThatAreNotActedOn) {
  for (const char* name : {"build", "builds", "user_group", "user_groups", "swarm", "swarms"}) {
    EXPECT_TRUE(IsKindNotActedOn(name)) << name;
  }
  EXPECT_FALSE(IsKindNotActedOn("buildss"));
  EXPECT_FALSE(IsKindNotActedOn(""));
}

TEST(KindTableTest, EveryFieldHasADocSentenceAndUniqueKeys) {
  for (const Kind& kind : Kinds()) {
    const FieldTable& table = FieldsOf(kind.message);
    std::size_t keys = 0;
    for (const Field& field : table.fields) {
      EXPECT_FALSE(field.rule->doc().empty()) << field.descriptor->full_name();
      keys += 1 + static_cast<std::size_t>(field.rule->alias_size());
    }
    EXPECT_EQ(table.by_key.size(), keys) << kind.name;
  }
}

TEST(KindTableTest, EveryEnumValueHasText) {
  for (const Kind& kind : Kinds()) {
    for (const Field& field : FieldsOf(kind.message).fields) {
      if (field.descriptor->enum_type() == nullptr) continue;
      EXPECT_EQ(field.values.size(),
                static_cast<std::size_t>(field.descriptor->enum_type()->value_count()))
          << field.descriptor->full_name();
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
  for (const char* text : {"", "stack", "stack/", "/a", "stak/a", "stacks/a", "build/a"}) {
    EXPECT_EQ(ResourceId::Parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fairlead::resources
