#include "controller/http/push_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace fairlead::http {
namespace {

using ::testing::ElementsAre;

constexpr char kBefore[] = R"("before":"1111111111111111111111111111111111111111")";

std::string Body(const std::string& commits, const std::string& more = "") {
  return absl::StrCat("{", kBefore, R"(,"ref":"refs/heads/main","commits":)", commits, more, "}");
}

TEST(PushEventTest, ReadsRefCommitAndFiles) {
  const auto event =
      ParsePushEvent(Body(R"([{"added":["a"],"modified":[],"removed":["b/c"]},{"modified":["d"]}])",
                          R"(,"after":"2222222222222222222222222222222222222222")"));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->ref, "refs/heads/main");
  EXPECT_EQ(event->commit, std::string(40, '2'));
  ASSERT_TRUE(event->changed.has_value());
  EXPECT_THAT(*event->changed, ElementsAre("a", "b/c", "d"));
}

TEST(PushEventTest, FilesAreUnknownUnlessAllAreListed) {
  std::string many = "[";
  for (int i = 0; i < 21; ++i) absl::StrAppend(&many, i == 0 ? "" : ",", R"({"added":["a"]})");
  many += "]";
  const std::string one = R"([{"added":["a"]}])";
  const std::vector<std::string> bodies = {
      R"({"ref":"refs/heads/main"})",
      Body("[]"),
      Body("7"),
      Body(many),
      Body(R"([{"added":["a"]},{"id":"x"}])"),
      Body(R"([{"added":["a"]},3])"),
      Body(one, R"(,"forced":true)"),
      Body(one, R"(,"created":true)"),
      Body(one, R"(,"total_commits_count":2)"),
      absl::StrCat(R"({"before":"0000000000000000000000000000000000000000","commits":)", one, "}"),
  };
  for (const std::string& body : bodies) {
    const auto event = ParsePushEvent(body);
    ASSERT_TRUE(event.ok()) << body;
    EXPECT_FALSE(event->changed.has_value()) << body;
  }
  EXPECT_TRUE(
      ParsePushEvent(Body(one, R"(,"forced":false,"total_commits_count":1)"))->changed.has_value());
}

TEST(PushEventTest, RemovedBranchHasNoCommit) {
  EXPECT_EQ(ParsePushEvent(R"({"after":"0000000000000000000000000000000000000000"})")->commit, "");
  EXPECT_EQ(ParsePushEvent(R"({"after":"main"})")->commit, "");
  EXPECT_EQ(
      ParsePushEvent(absl::StrCat(R"({"after":null,"checkout_sha":")", std::string(40, 'a'), "\"}"))
          ->commit,
      std::string(40, 'a'));
}

TEST(PushEventTest, NotAnObjectIsRefused) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  for (const std::string& body :
       {std::string(""), std::string(R"({"ref":"refs/hea)"), std::string("[]"),
        std::string(R"("x")"), std::string("{} x"), std::string("{\"a\":\"\xff\"}"), deep}) {
    EXPECT_EQ(ParsePushEvent(body).status().code(), absl::StatusCode::kInvalidArgument) << body;
  }
}

}  // namespace
}  // namespace fairlead::http
