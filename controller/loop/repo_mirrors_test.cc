#include "controller/loop/repo_mirrors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "absl/strings/str_cat.h"

#include "sync/git/testing/git_origin.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string TextOf(const RepoAnswer& answer) {
  std::string text;
  if (answer.files != nullptr) {
    for (const v1::StackFile& file : *answer.files) {
      absl::StrAppend(&text, file.path(), "=", file.content(), ";");
    }
  }
  return text;
}

// A repository of stacks, and the changes that a sync "main" is told of.
class RepoMirrorsTest : public ::testing::Test {
 protected:
  RepoMirrorsTest() : origin_(folder_.path() + "/origin") { Restart(); }
  ~RepoMirrorsTest() override { mirrors_.reset(); }

  // As with a new controller on the same data.
  void Restart() {
    mirrors_.reset();
    mirrors_ = std::make_unique<RepoMirrors>(
        RepoMirrorOptions{.directory = folder_.path() + "/repositories",
                          .helper_program = FETCH_HELPER_PROGRAM},
        base::Clock::Real(), base::Random::Real(), [this](const std::string& sync) {
          base::MutexLock lock(mutex_);
          told_.push_back(sync);
          changed_.SignalAll();
        });
  }
  RepoQuestion Question(const std::string& directory = "", const std::string& branch = "main") {
    v1::Stack stack;
    stack.set_url(origin_.url());
    stack.set_branch(branch);
    stack.set_run_directory(directory);
    return *RepoQuestionOf(stack, nullptr);
  }
  void Want(const std::vector<RepoQuestion>& questions) {
    mirrors_->SetInterest("main", {.questions = {questions.begin(), questions.end()},
                                   .poll_interval = absl::InfiniteDuration()});
  }
  // Until the sync has been told so many times.
  std::vector<std::string> WaitTold(size_t count) {
    base::MutexLock lock(mutex_);
    while (told_.size() < count && changed_.WaitFor(mutex_, absl::Seconds(60))) {
    }
    return told_;
  }

  git::TemporaryFolder folder_;
  git::GitOrigin origin_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> told_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RepoMirrors> mirrors_;
};

TEST_F(RepoMirrorsTest, ReadsWhatBelongsToEachStackAndSaysWhenItChanges) {
  origin_.Write("readme", "r");
  origin_.Write("web/compose.yaml", "1");
  const std::string first = origin_.CommitFile("api/compose.yaml", "1");
  EXPECT_THAT(mirrors_->Ask(Question("web")).problem, HasSubstr("is being fetched"));

  Want({Question("web"), Question("api"), Question()});

  EXPECT_THAT(WaitTold(1), ElementsAre("main"));
  const RepoAnswer web = mirrors_->Ask(Question("web"));
  EXPECT_EQ(web.commit, first);
  EXPECT_EQ(TextOf(web), "compose.yaml=1;");
  EXPECT_EQ(TextOf(mirrors_->Ask(Question())), "api/compose.yaml=1;readme=r;web/compose.yaml=1;");
  const RepoAnswer api = mirrors_->Ask(Question("api"));

  const std::string second = origin_.CommitFile("web/compose.yaml", "2");
  EXPECT_TRUE(mirrors_->Trigger(origin_.url()));
  WaitTold(2);
  EXPECT_EQ(TextOf(mirrors_->Ask(Question("web"))), "compose.yaml=2;");
  EXPECT_EQ(mirrors_->Ask(Question("api")).files, api.files) << "its files are the same";
  EXPECT_EQ(mirrors_->Ask(Question("api")).commit, second);
}

TEST_F(RepoMirrorsTest, AfterARestartItKnowsWhatItHadFetchedWithoutTheRemote) {
  origin_.CommitFile("compose.yaml", "1");
  Want({Question()});
  WaitTold(1);
  std::filesystem::remove_all(origin_.path());

  Restart();

  EXPECT_EQ(TextOf(mirrors_->Ask(Question())), "compose.yaml=1;");
  Want({Question()});
  mirrors_->Trigger(origin_.url());
  mirrors_->Shutdown();
  EXPECT_EQ(TextOf(mirrors_->Ask(Question())), "compose.yaml=1;") << "a remote that is away";
}

TEST_F(RepoMirrorsTest, AMissingBranchOrFolderIsSaidAndHoldsUpNoOther) {
  origin_.CommitFile("web/compose.yaml", "1");

  Want({Question("web"), Question("web", "nosuch"), Question("gone")});

  WaitTold(1);
  EXPECT_EQ(TextOf(mirrors_->Ask(Question("web"))), "compose.yaml=1;");
  EXPECT_THAT(mirrors_->Ask(Question("web", "nosuch")).problem,
              HasSubstr(absl::StrCat("repository ", origin_.url(), " at nosuch: ")));
  EXPECT_THAT(mirrors_->Ask(Question("gone")).problem, HasSubstr("gone"));
}

TEST_F(RepoMirrorsTest, WhatNobodyWantsIsNotKept) {
  origin_.CommitFile("compose.yaml", "1");
  Want({Question()});
  WaitTold(1);
  const std::string folder = folder_.path() + "/repositories";
  ASSERT_FALSE(std::filesystem::is_empty(folder));

  Want({});

  EXPECT_FALSE(mirrors_->Trigger(origin_.url()));
  mirrors_->Shutdown();
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST(RepoQuestionTest, CredentialsAreInNoMessage) {
  v1::Stack stack;
  stack.set_url("https://anna:secret@git.example.org/a/b.git");
  stack.set_commit("abc");
  const RepoQuestion question = *RepoQuestionOf(stack, nullptr);
  EXPECT_EQ(Describe(question), "https://git.example.org/a/b.git at abc");
  EXPECT_THAT(question.url, HasSubstr("secret"));
}

TEST(RepoQuestionTest, FilesOnTheHostComeFirst) {
  v1::Stack stack;
  stack.set_repo("a/b");
  EXPECT_EQ(RepoQuestionOf(stack, nullptr)->url, "http://github.com/a/b.git");
  stack.set_git_https(true);
  EXPECT_EQ(RepoQuestionOf(stack, nullptr)->url, "https://github.com/a/b.git");
  stack.set_files_on_host(true);
  EXPECT_FALSE(RepoQuestionOf(stack, nullptr).has_value());
}

}  // namespace
}  // namespace fairlead::loop
