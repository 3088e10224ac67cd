// Git remotes of every kind, and the ways in which they fail.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/git_server.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(GitTest, ConvergesOverHttp) {
  const std::string directory = absl::StrCat(FAIRLEAD_BINARY_DIR, "/itest/http-remote");
  RunCommand({"rm", "-rf", directory});
  ASSERT_OK(base::MakeDirectories(directory));
  const GitRepository repository(directory);
  repository.Write("servers.toml", "[[server]]\nname = \"host-1\"\n");
  repository.Commit("servers");
  repository.Push();
  const GitHttpServer server(directory);
  MiniFleet fleet({.url = server.url()});
  ASSERT_OK(fleet.Start());

  repository.Write("a.toml", ToToml({.name = "alpha"}));
  std::string commit = repository.Commit("alpha");
  repository.Push();
  ASSERT_OK(fleet.WaitConverged(commit)) << "found by polling";
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
  repository.Write("a.toml", ToToml({.name = "alpha", .image = "fl/app:2"}));
  commit = repository.Commit("a 2");
  repository.Push();
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:2"));
}

TEST(GitTest, RemoteGoneKeepsAndHealsWhatRuns) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));

  fleet.repository().Hide();
  EXPECT_OK(WaitFor("an error naming the remote",
                    [&] { return absl::StrContains(fleet.SyncStory(), "origin.git"); }));
  EXPECT_NE(fleet.Cli({"status"}).exit_code, 0);
  fleet.engine().Docker({"rm", "-f", "alpha"});
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1")) << "healed from the last revision";

  fleet.repository().Unhide();
  commit = fleet.PushFile("a.toml", ToToml({.name = "alpha", .image = "fl/app:2"}));
  EXPECT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:2"));
}

TEST(GitTest, RemoteGoneAtTheStartPrunesNothing) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));
  const std::string a = fleet.engine().IdOf("alpha");
  fleet.controller().Kill();
  fleet.repository().Hide();
  ASSERT_OK(fleet.StartController());
  EXPECT_OK(WaitFor("an error naming the remote",
                    [&] { return absl::StrContains(fleet.SyncStory(), "origin.git"); }));
  EXPECT_OK(
      HoldsFor("a stays", [&] { return fleet.engine().IdOf("alpha") == a; }, absl::Seconds(2)));
  fleet.repository().Unhide();
  EXPECT_OK(fleet.WaitConverged(commit));
  EXPECT_EQ(fleet.engine().IdOf("alpha"), a);
}

TEST(GitTest, ASilentRemoteDelaysNobodyElse) {
  const SilentServer silent;
  MiniFleet fleet({.more_bootstrap = absl::StrCat(
                       "[[resource_sync]]\nname = \"silent\"\n[resource_sync.config]\n",
                       "url = \"http://127.0.0.1:", silent.port(),
                       "/x.git\"\npoll_interval = \"1s\"\nfetch_timeout = \"2s\"\n")});
  ASSERT_OK(fleet.Start());
  EXPECT_OK(WaitFor("the silent remote to be reported", [&] {
    return absl::StrContains(fleet.SyncStory("silent"), absl::StrCat(silent.port()));
  }));
  EXPECT_THAT(fleet.SyncStory("silent"), HasSubstr("not finished after 2s"));
  // While it hangs, again and again, the other sync does its work at once.
  fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1", 1, absl::Seconds(10)));
  fleet.engine().Docker({"rm", "-f", "alpha"});
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1", 1, absl::Seconds(10)));
}

TEST(GitTest, ForcePushedBranchIsFollowed) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string first = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(first));
  ASSERT_OK(fleet.WaitConverged(
      fleet.PushFile("a.toml", ToToml({.name = "alpha", .image = "fl/app:2"}))));

  fleet.repository().ResetTo(first);
  fleet.repository().Write("b.toml", ToToml({.name = "beta"}));
  const std::string rewritten = fleet.repository().Commit("another history");
  fleet.repository().Push(/*force=*/true);
  EXPECT_OK(fleet.WaitConverged(rewritten));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
  EXPECT_OK(fleet.WaitRunning("deployment/beta", "fl/app:1"));
  EXPECT_THAT(fleet.engine().Containers(), SizeIs(2));
}

TEST(GitTest, AnEmptyRepositoryIsSaidAndThenFollowed) {
  const std::string directory = absl::StrCat(FAIRLEAD_BINARY_DIR, "/itest/empty-remote");
  RunCommand({"rm", "-rf", directory});
  ASSERT_OK(base::MakeDirectories(directory));
  const GitRepository repository(directory);
  MiniFleet fleet({.url = repository.url()});
  ASSERT_OK(fleet.StartController());
  ASSERT_OK(fleet.StartAgent(1));
  EXPECT_OK(fleet.WaitStory("main", "empty"));
  EXPECT_TRUE(fleet.controller().Running());

  repository.Write("servers.toml", "[[server]]\nname = \"host-1\"\n");
  repository.Write("a.toml", ToToml({.name = "alpha"}));
  const std::string commit = repository.Commit("the first commit");
  repository.Push();
  EXPECT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
}

TEST(GitTest, ARepositoryThatBecomesEmptyOfResourcesPrunesNothing) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  fleet.repository().Write("sub/note.txt", "not a resource\n");
  const std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));
  const std::string a = fleet.engine().IdOf("alpha");
  ASSERT_NE(a, "");
  // The file still exists and holds nothing that can be read: a mistake, not a wish.
  fleet.PushFile("a.toml", "# nothing here\n");
  EXPECT_OK(HoldsFor(
      "a is not pruned", [&] { return fleet.engine().IdOf("alpha") == a; }, absl::Seconds(3)));
  EXPECT_OK(fleet.WaitConverged(fleet.PushRemoval("a.toml")));
  EXPECT_THAT(fleet.engine().Containers("deployment/alpha"), IsEmpty());
}

}  // namespace
}  // namespace fairlead::integration
