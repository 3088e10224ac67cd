#include "controller/actions/build_heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "resources/spec_hash.h"
#include "resources/toml_reader.h"
#include "sync/git/testing/git_origin.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::shared_ptr<const sync::DesiredState> Declared(const std::string& toml) {
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "bootstrap";
  source->name = "bootstrap";
  source->files.push_back(std::make_shared<const resources::ParsedFile>(
      resources::ReadToml("all.toml", toml, v1::DIALECT_TOML)));
  const resources::SpecHasher hasher("k1", std::string(32, 'k'));
  return sync::BuildDesiredState({source}, hasher, {}, nullptr);
}

std::string BuildOf(const std::string& name, const std::string& config) {
  return absl::StrCat("[[build]]\nname = \"", name, "\"\n[build.config]\nbuilder = \"local\"\n",
                      config);
}

constexpr char kBuilder[] =
    "[[builder]]\nname = \"local\"\nconfig = { type = \"Server\", params = { server = \"edge\" } "
    "}\n[[server]]\nname = \"edge\"\n";

TEST(HeadInterestTest, IsOfTheBranchesOfBuildsThatAskForIt) {
  const auto interests = ComputeHeadInterests(*Declared(absl::StrCat(
      kBuilder, BuildOf("a", "repo = \"team/a\"\nbranch = \"next\"\npoll_interval = \"5m\"\n"),
      BuildOf("linked", "linked_repo = \"source\"\npoll_interval = \"1h\"\n"),
      BuildOf("never", "repo = \"team/never\"\n"),
      BuildOf("off", "repo = \"team/off\"\npoll_interval = \"0s\"\n"),
      BuildOf("pinned", "repo = \"team/b\"\ncommit = \"4f2a91c\"\npoll_interval = \"5m\"\n"),
      BuildOf("inline", "dockerfile = \"FROM a\"\npoll_interval = \"5m\"\n"),
      BuildOf("wrong", "repo = \"team/c\"\npoll_interval = \"5m\"\nenviroment = \"A=1\"\n"),
      "[[repo]]\nname = \"source\"\n[repo.config]\nurl = \"https://git.example.com/s.git\"\n"
      "git_account = \"ci\"\n")));
  ASSERT_EQ(interests.size(), 2u);
  const loop::RepoInterest& own = interests.at("build/a");
  EXPECT_EQ(own.poll_interval, absl::Minutes(5));
  EXPECT_EQ(own.questions.begin()->url, "https://github.com/team/a.git");
  EXPECT_EQ(own.questions.begin()->reference, "next");
  EXPECT_TRUE(own.questions.begin()->head_only);
  const loop::RepoQuestion& linked = *interests.at("build/linked").questions.begin();
  EXPECT_EQ(linked.url, "https://git.example.com/s.git");
  EXPECT_EQ(linked.account, "ci");
}

// A repository, and what is told of it.
class BuildHeadsTest : public ::testing::Test {
 protected:
  BuildHeadsTest() : origin_(folder_.path() + "/origin") { Restart(); }

  // As with a new controller on the same data.
  void Restart() {
    heads_.reset();
    heads_ = std::make_unique<BuildHeads>(
        loop::RepoMirrorOptions{.directory = folder_.path() + "/builds",
                                .helper_program = FETCH_HELPER_PROGRAM},
        base::Clock::Real(), base::Random::Real(),
        [this](const std::string& build, const loop::RepoAnswer& answer) {
          base::MutexLock lock(mutex_);
          told_.emplace_back(build, answer.problem.empty() ? answer.commit : answer.problem);
          changed_.SignalAll();
        });
  }
  void Follow() {
    heads_->Follow(*Declared(
        absl::StrCat(kBuilder, BuildOf("api", absl::StrCat("url = \"", origin_.url(),
                                                           "\"\npoll_interval = \"50ms\"\n")))));
  }
  std::vector<std::pair<std::string, std::string>> WaitTold(std::size_t count) {
    base::MutexLock lock(mutex_);
    while (told_.size() < count && changed_.WaitFor(mutex_, absl::Seconds(60))) {
    }
    return told_;
  }

  git::TemporaryFolder folder_;
  git::GitOrigin origin_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::pair<std::string, std::string>> told_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<BuildHeads> heads_;
};

TEST_F(BuildHeadsTest, TellsTheCommitAndEachNewOneOnce) {
  const std::string first = origin_.CommitFile("Dockerfile", "FROM a");
  Follow();
  WaitTold(1);
  const std::string second = origin_.CommitFile("Dockerfile", "FROM b");
  EXPECT_THAT(WaitTold(2), ElementsAre(Pair("build/api", first), Pair("build/api", second)));
}

TEST_F(BuildHeadsTest, ACommitFromBeforeARestartIsNotTakenForTheHeadOfNow) {
  origin_.CommitFile("Dockerfile", "FROM a");
  Follow();
  WaitTold(1);
  heads_.reset();
  std::filesystem::remove_all(origin_.path());
  Restart();
  Follow();
  EXPECT_THAT(WaitTold(2)[1].second, HasSubstr("repository "));
}

TEST_F(BuildHeadsTest, WithoutABuildThatAsksNothingIsThere) {
  heads_->Follow(*Declared(kBuilder));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/builds"));
  origin_.CommitFile("Dockerfile", "FROM a");
  Follow();
  WaitTold(1);
  heads_->Follow(*Declared(kBuilder));
  heads_->Shutdown();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/builds"));
}

}  // namespace
}  // namespace fairlead::actions
