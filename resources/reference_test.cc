#include "resources/reference.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const v1::Resource& resource) {
  std::vector<std::string> texts;
  for (const Reference& reference : ReferencesOf(resource)) {
    texts.push_back(
        absl::StrCat(reference.field, "=", reference.text, " (", reference.kinds[0], ")"));
  }
  return texts;
}

TEST(ReferenceTest, FindsReferencesInFieldOrder) {
  EXPECT_THAT(Texts(ReadResource(R"(
[[deployment]]
name = "web"
after = ["db", "stack/cache"]
[deployment.config]
server = "edge-1"
image = { type = "Build", params = { build = "app" } }
)")),
              ElementsAre("after=db (stack)", "after=stack/cache (stack)",
                          "config.server=edge-1 (server)", "config.image.build=app (build)"));
}

TEST(ReferenceTest, EmptyOnesAreLeftOut) {
  EXPECT_THAT(ReferencesOf(ReadStack("server = \"\"")), IsEmpty());
  EXPECT_THAT(ReferencesOf(ReadResource("[[variable]]\nname = \"A\"")), IsEmpty());
}

std::optional<ResourceId> ResolveAmong(const std::string& text, const std::set<ResourceId>& world) {
  return Resolve(Reference{"after", {"stack", "deployment", "server"}, text},
                 [&](const ResourceId& id) { return world.contains(id); });
}

TEST(ReferenceTest, PrefersKindsInOrder) {
  EXPECT_EQ(ResolveAmong("db", {{"server", "db"}, {"deployment", "db"}}),
            (ResourceId{"deployment", "db"}));
  EXPECT_EQ(ResolveAmong("db", {{"stack", "db"}, {"deployment", "db"}}),
            (ResourceId{"stack", "db"}));
  EXPECT_EQ(ResolveAmong("db", {{"variable", "db"}}), std::nullopt);
}

TEST(ReferenceTest, AcceptsKindAndNameAndNamesWithSlashes) {
  EXPECT_EQ(ResolveAmong("server/db", {{"server", "db"}, {"stack", "db"}}),
            (ResourceId{"server", "db"}));
  EXPECT_EQ(ResolveAmong("a/b", {{"stack", "a/b"}}), (ResourceId{"stack", "a/b"}));
  EXPECT_EQ(ResolveAmong("stack/b", {{"deployment", "stack/b"}}),
            (ResourceId{"deployment", "stack/b"}));
}

TEST(ReferenceTest, AFieldOfOneKindTakesNamesOnly) {
  const Reference server{"config.server", {"server"}, "server/a"};
  EXPECT_EQ(Resolve(server, [](const ResourceId& id) { return id.name == "a"; }), std::nullopt);
}

ResourceId Stack(const std::string& name) { return ResourceId{"stack", name}; }

std::vector<std::string> Cycles(const std::map<std::string, std::vector<std::string>>& edges) {
  AfterGraph graph;
  for (const auto& [from, targets] : edges) {
    std::vector<ResourceId>& out = graph[Stack(from)];
    for (const std::string& target : targets) out.push_back(Stack(target));
  }
  std::vector<std::string> texts;
  for (const auto& cycle : FindCycles(graph)) {
    texts.push_back(absl::StrJoin(
        cycle, " ", [](std::string* out, const ResourceId& id) { absl::StrAppend(out, id.name); }));
  }
  return texts;
}

TEST(CycleTest, NoneInAnAcyclicGraph) {
  EXPECT_THAT(Cycles({{"a", {"b", "c"}}, {"b", {"d"}}, {"c", {"d"}}, {"d", {"missing"}}}),
              IsEmpty());
}

TEST(CycleTest, PrintsThePathThatCloses) {
  EXPECT_THAT(Cycles({{"a", {"a"}}}), ElementsAre("a a"));
  EXPECT_THAT(Cycles({{"c", {"a"}}, {"a", {"b"}}, {"b", {"c"}}, {"x", {"a"}}}),
              ElementsAre("a b c a"));
}

TEST(CycleTest, EachCycleOnceInOrder) {
  EXPECT_THAT(Cycles({{"z", {"y", "y"}}, {"y", {"z"}}, {"a", {"b"}}, {"b", {"a"}}}),
              ElementsAre("a b a", "y z y"));
}

TEST(CycleTest, EveryMemberOfAKnotIsNamed) {
  EXPECT_THAT(Cycles({{"a", {"b", "c"}}, {"b", {"a"}}, {"c", {"b"}}}),
              ElementsAre("a b a", "a c b a"));
}

TEST(CycleTest, LongChainsDoNotOverflowTheStack) {
  constexpr int kLength = 10000;
  AfterGraph graph;
  for (int i = 0; i < kLength; ++i) {
    graph[Stack(absl::StrCat(100000 + i))].push_back(Stack(absl::StrCat(100001 + i)));
  }
  EXPECT_THAT(FindCycles(graph), IsEmpty());
  graph[Stack(absl::StrCat(100000 + kLength - 1))].push_back(Stack("100000"));
  const auto cycles = FindCycles(graph);
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(cycles[0].size(), static_cast<std::size_t>(kLength) + 1);
}

}  // namespace
}  // namespace fairlead::resources
