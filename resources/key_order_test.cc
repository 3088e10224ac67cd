#include "resources/key_order.h"

#include "gtest/gtest.h"

#include "fairlead/v1/resource.pb.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

using Path = std::vector<std::string>;

void ExpectInOrder(const std::vector<Path>& paths) {
  KeyOrder order;
  std::vector<std::vector<std::size_t>> ranks;
  for (const Path& path : paths) ranks.push_back(order.RankOf(path));
  for (std::size_t i = 1; i < ranks.size(); ++i) {
    EXPECT_LT(ranks[i - 1], ranks[i]) << paths[i - 1].back() << " before " << paths[i].back();
  }
}

TEST(KeyOrderTest, EntryFieldsComeBeforeUnknownKeysAndConfig) {
  ExpectInOrder({{"stack", "name"},
                 {"stack", "description"},
                 {"stack", "tags"},
                 {"stack", "deploy"},
                 {"stack", "after"},
                 {"stack", "state"},
                 {"stack", "nobody_knows"},
                 {"stack", "config"},
                 {"stack", "config", "server"},
                 {"stack", "config", "environment"},
                 {"stack", "config", "nobody_knows"}});
}

TEST(KeyOrderTest, FieldsOfEveryKindComeAsDeclared) {
  for (const Kind& kind : Kinds()) {
    std::vector<Path> paths{{kind.plural, "name"}};
    for (const Field& field : FieldsOf(kind.message).fields) {
      paths.push_back(kind.flat ? Path{kind.plural, field.display}
                                : Path{kind.plural, "config", field.display});
    }
    ExpectInOrder(paths);
  }
}

TEST(KeyOrderTest, AliasesStandWhereTheFieldStands) {
  KeyOrder order;
  EXPECT_EQ(order.RankOf({"stack", "config", "server"}),
            order.RankOf({"stack", "config", "server_id"}));
}

TEST(KeyOrderTest, TypeComesBeforeParamsAndTheirFields) {
  ExpectInOrder({{"deployment", "config", "image", "type"},
                 {"deployment", "config", "image", "params", "image"},
                 {"deployment", "config", "image", "params", "build"},
                 {"deployment", "config", "image", "params", "version"},
                 {"deployment", "config", "image", "params", "nobody_knows"}});
}

TEST(KeyOrderTest, KeysOfUnknownTablesComeAsFirstSeen) {
  ExpectInOrder({{"nobody", "zulu"}, {"nobody", "name"}, {"nobody", "alpha"}});
}

TEST(KeyOrderTest, UnknownKeyKeepsTheRankItWasSeenWith) {
  KeyOrder order;
  const auto first = order.RankOf({"stack", "zulu", "a"});
  order.RankOf({"stack", "alpha"});
  EXPECT_EQ(order.RankOf({"stack", "zulu", "a"}), first);
  EXPECT_LT(order.RankOf({"stack", "zulu", "b"}), order.RankOf({"stack", "alpha"}));
}

TEST(KeyOrderTest, FieldsOfOtherKindsAreUnknown) {
  ExpectInOrder({{"server", "tags"}, {"server", "nobody_knows"}, {"server", "deploy"}});
}

}  // namespace
}  // namespace fairlead::resources
