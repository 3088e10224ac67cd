// Stacks whose files come from repositories of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "integration/testing/git_repository.h"
#include "integration/testing/git_server.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Seconds(90);

std::string Compose(const std::string& image) {
  return absl::StrCat("version: \"3.7\"\nservices:\n  front:\n    image: ", image,
                      "\n    volumes:\n    - ./site.conf:/etc/site.conf:ro\n"
                      "  back:\n    image: fl/app:1\n");
}

// A fleet that looks for commits when it is told to, and a second repository with a compose project
// in a folder and another in its root.
class StackSourceTest : public ::testing::Test {
 protected:
  StackSourceTest() : fleet_({.poll_interval = "1h"}), infra_(fleet_.directory() + "/infra") {
    infra_.Write("shop/compose.yaml", Compose("fl/app:1"));
    infra_.Write("shop/site.conf", "listen 1\n");
    infra_.Write("compose.yaml", "version: \"3.7\"\nservices:\n  one:\n    image: fl/app:3\n");
    PushInfra("first");
    EXPECT_OK(fleet_.Start());
  }

  std::string PushInfra(const std::string& subject) {
    const std::string commit = infra_.Commit(subject);
    infra_.Push();
    return commit;
  }
  // As the forge of the second repository does after a push.
  int Webhook(const std::string& target) const {
    const auto answer = HttpPost(fleet_.http(), absl::StrCat("/webhook/generic/", target),
                                 {{"X-Fairlead-Token", "open sesame"}}, "");
    return answer.ok() ? answer->status : 0;
  }
  std::string Stack(const std::string& name, const std::string& config) const {
    return absl::StrCat("[[stack]]\nname = \"", name,
                        "\"\n[stack.config]\nserver = \"host-1\"\nauto_pull = false\n"
                        "min_ready = \"300ms\"\n",
                        config);
  }
  std::string Shop() const {
    return Stack("shop", absl::StrCat("url = \"", infra_.url(), "\"\nrun_directory = \"shop\"\n"));
  }
  EngineContainer Find(absl::string_view service) const {
    for (const EngineContainer& one : fleet_.engine().Containers("stack/shop")) {
      if (absl::StrContains(one.name, service)) return one;
    }
    return EngineContainer();
  }
  absl::Status WaitImage(absl::string_view service, absl::string_view image) const {
    return WaitFor(
        absl::StrCat(service, " to run ", image),
        [&] {
          const EngineContainer found = Find(service);
          return found.image == image && found.state == "running";
        },
        kLong);
  }

  MiniFleet fleet_;
  GitRepository infra_;
};

TEST_F(StackSourceTest, FollowsItsRepositoryServiceByService) {
  ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("shop.toml", Shop()), kLong));
  ASSERT_OK(WaitImage("front", "fl/app:1"));
  const std::string back = Find("back").id;

  infra_.Write("shop/compose.yaml", Compose("fl/app:2"));
  const std::string second = PushInfra("another image");
  EXPECT_EQ(Webhook("stack/shop"), 202);
  ASSERT_OK(WaitImage("front", "fl/app:2"));
  EXPECT_EQ(Find("back").id, back);
  EXPECT_THAT(fleet_.Cli({"events"}).out, HasSubstr(second.substr(0, 7)));

  // A file that is mounted counts as well.
  const std::string front = Find("front").id;
  infra_.Write("shop/site.conf", "listen 2\n");
  PushInfra("another setting");
  EXPECT_EQ(Webhook("stack/shop"), 202);
  EXPECT_OK(WaitFor(
      "front to be made anew",
      [&] { return Find("front").state == "running" && Find("front").id != front; }, kLong));
  EXPECT_EQ(Find("back").id, back);
  EXPECT_OK(fleet_.WaitCondition("stack/shop", "CONVERGED"));
}

TEST_F(StackSourceTest, WithoutItsRepositoryItRunsOnHealsAndSurvivesARestart) {
  ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("shop.toml", Shop()), kLong));
  ASSERT_OK(WaitImage("front", "fl/app:1"));
  const std::string front = Find("front").id;
  const std::string back = Find("back").id;

  infra_.Hide();
  fleet_.controller().Kill();
  ASSERT_OK(fleet_.StartController());
  fleet_.engine().Docker({"rm", "-f", back});

  ASSERT_OK(WaitFor(
      "back to be there again",
      [&] { return Find("back").state == "running" && Find("back").id != back; }, kLong));
  EXPECT_EQ(Find("front").id, front);
  EXPECT_OK(fleet_.WaitCondition("stack/shop", "CONVERGED"));

  infra_.Unhide();
  infra_.Write("shop/compose.yaml", Compose("fl/app:2"));
  PushInfra("back again");
  EXPECT_EQ(Webhook("stack/shop"), 202);
  EXPECT_OK(WaitImage("front", "fl/app:2"));
}

TEST_F(StackSourceTest, ALinkedRepoIsSharedAndWhatCannotBeReadIsSaid) {
  const std::string repo =
      absl::StrCat("[[repo]]\nname = \"infra\"\n[repo.config]\nurl = \"", infra_.url(), "\"\n");
  fleet_.PushFile(
      "stacks.toml",
      absl::StrCat(
          repo, Stack("shop", "linked_repo = \"infra\"\nrun_directory = \"shop\"\n"),
          Stack("root", "linked_repo = \"infra\"\n"),
          Stack("lost", "linked_repo = \"infra\"\nrun_directory = \"nowhere\"\n"),
          Stack("gone", "url = \"file:///nosuch/repository.git\"\n"),
          Stack("branch", absl::StrCat("url = \"", infra_.url(), "\"\nbranch = \"dev\"\n"))));

  ASSERT_OK(WaitImage("front", "fl/app:1"));
  EXPECT_OK(fleet_.WaitRunning("stack/root", "fl/app:3", 1, kLong));
  EXPECT_OK(fleet_.WaitStory("stack/lost", "nowhere"));
  EXPECT_OK(fleet_.WaitStory("stack/gone", "file:///nosuch/repository.git"));
  EXPECT_OK(fleet_.WaitStory("stack/branch", "dev"));
  EXPECT_EQ(fleet_.Condition("stack/lost"), "INVALID");

  // A branch that comes is found.
  MustRun({"git", "-C", infra_.work(), "push", "-q", infra_.url(), "HEAD:refs/heads/dev"});
  EXPECT_EQ(Webhook("repo/infra"), 202);
  EXPECT_OK(fleet_.WaitRunning("stack/branch", "fl/app:3", 1, kLong));
}

// A repository behind an sshd, and accounts with keys for it: one that fits, one that takes the
// server for another, one whose key is not let in, and one with a token only.
class SshSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = GitSshServer::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    server_ = std::make_unique<GitSshServer>(folder_ + "/server");
    const GitSshServer stranger(folder_ + "/stranger");
    const auto write = [&](const std::string& name, const std::string& text) {
      EXPECT_OK(base::WriteFileAtomically(absl::StrCat(folder_, "/", name), text, 0600));
      return absl::StrCat("\"", folder_, "/", name, "\"");
    };
    const std::string key = write("key", server_->ClientKey());
    const std::string hosts = write("hosts", server_->KnownHosts());
    const std::string other_key = write("other-key", stranger.ClientKey());
    std::string impostor = server_->KnownHosts();
    impostor = impostor.substr(0, impostor.find(' ')) +
               stranger.KnownHosts().substr(stranger.KnownHosts().find(' '));
    const std::string other_hosts = write("other-hosts", impostor);
    const std::string domain = server_->UrlOf("").substr(std::string("ssh://root@").size());
    fleet_ = std::make_unique<MiniFleet>(FleetOptions{
        .poll_interval = "1h",
        .accounts = absl::StrCat(
            "[[git_provider]]\ndomain = \"", domain,
            "\"\naccounts = [\n{ username = \"good\", ssh_key_file = ", key,
            ", known_hosts_file = ", hosts, " },\n{ username = \"misled\", ssh_key_file = ", key,
            ", known_hosts_file = ", other_hosts,
            " },\n{ username = \"refused\", ssh_key_file = ", other_key,
            ", known_hosts_file = ", hosts, " },\n{ username = \"token\", token = \"x\" },\n]\n")});
    ASSERT_OK(fleet_->Start());
  }
  void TearDown() override {
    fleet_.reset();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  const std::string folder_ = ::testing::TempDir() + "/fairlead-ssh-source";
  std::unique_ptr<GitSshServer> server_;
  std::unique_ptr<MiniFleet> fleet_;
};

TEST_F(SshSourceTest, IsOpenedByTheKeyOfAnAccount) {
  const GitRepository infra(fleet_->directory() + "/infra");
  infra.Write("compose.yaml", "version: \"3.7\"\nservices:\n  one:\n    image: fl/app:3\n");
  infra.Commit("first");
  infra.Push();
  std::string stacks;
  for (const char* account : {"good", "misled", "refused", "token"}) {
    // A branch of its own: of one branch what one account may read is read once for all.
    MustRun({"git", "-C", infra.work(), "push", "-q", infra.url(),
             absl::StrCat("HEAD:refs/heads/for-", account)});
    absl::StrAppend(&stacks, "[[stack]]\nname = \"", account,
                    "\"\n[stack.config]\nserver = \"host-1\"\nauto_pull = false\nurl = \"",
                    server_->UrlOf(infra.directory() + "/origin.git"), "\"\nbranch = \"for-",
                    account, "\"\ngit_account = \"", account, "\"\n");
  }
  fleet_->PushFile("stacks.toml", stacks);

  EXPECT_OK(fleet_->WaitRunning("stack/good", "fl/app:3", 1, kLong));
  EXPECT_OK(fleet_->WaitStory("stack/misled", "known_hosts_file", kLong));
  EXPECT_OK(fleet_->WaitStory("stack/refused", "ssh_key_file", kLong));
  EXPECT_OK(fleet_->WaitStory("stack/token", "add ssh_key_file", kLong));
  EXPECT_THAT(base::ReadFile(fleet_->directory() + "/controller.log").value_or("(none)"),
              Not(HasSubstr("PRIVATE KEY")));
}

}  // namespace
}  // namespace fairlead::integration
