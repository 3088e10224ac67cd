#include "sync/git/fetcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"

#include "sync/git/mirror.h"
#include "sync/git/testing/git_origin.h"
#include "sync/git/testing/silent_server.h"

namespace fairlead::git {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Living children of this thread.
std::set<pid_t> Children() {
  std::ifstream file("/proc/thread-self/children");
  std::set<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.insert(pid);
  return children;
}

class FetcherTest : public ::testing::Test {
 protected:
  FetchRequest Request(const std::string& reference = "main") {
    return {.url = origin_.url(), .directory = directory_, .reference = reference};
  }
  std::string Resolve(const std::string& reference) {
    const auto mirror = Mirror::Open(directory_);
    const auto revision = (*mirror)->ResolveRevision(reference);
    return revision.ok() ? revision->commit : std::string(revision.status().message());
  }

  TemporaryFolder folder_;
  GitOrigin origin_{folder_.path() + "/origin"};
  const std::string directory_ = folder_.path() + "/mirror";
};

TEST_F(FetcherTest, FetchesAgainAndAgain) {
  Fetcher fetcher(FETCH_HELPER_PROGRAM);
  for (const absl::string_view content : {"1", "2", "3"}) {
    const std::string commit = origin_.CommitFile("a", content);
    FetchRequest request = Request();
    request.timeout = absl::InfiniteDuration();
    const absl::Status status = fetcher.Fetch(request, nullptr);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Resolve("main"), commit);
  }
}

TEST_F(FetcherTest, KeepsOneChildAndLeavesNone) {
  origin_.CommitFile("a", "1");
  {
    Fetcher fetcher(FETCH_HELPER_PROGRAM);
    const std::set<pid_t> first = Children();
    EXPECT_THAT(first, SizeIs(1));
    ASSERT_TRUE(fetcher.Fetch(Request(), nullptr).ok());
    EXPECT_THAT(Children(), SizeIs(1));
    EXPECT_NE(Children(), first);
  }
  EXPECT_THAT(Children(), IsEmpty());
}

TEST_F(FetcherTest, FailuresKeepTheirMeaning) {
  Fetcher fetcher(FETCH_HELPER_PROGRAM);
  const absl::Status empty = fetcher.Fetch(Request(), nullptr);
  EXPECT_EQ(empty.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("repository is empty"));
  FetchRequest request = Request();
  request.url = "https://u:hunter2@127.0.0.1:1/x.git";
  const absl::Status unreachable = fetcher.Fetch(request, nullptr);
  EXPECT_EQ(unreachable.code(), absl::StatusCode::kUnavailable) << unreachable;
  EXPECT_THAT(std::string(unreachable.message()), Not(HasSubstr("hunter2")));
}

TEST_F(FetcherTest, HangingFetchEndsAndTheNextWorks) {
  const std::string commit = origin_.CommitFile("a", "1");
  SilentServer server;
  Fetcher fetcher(FETCH_HELPER_PROGRAM);
  FetchRequest hanging = Request();
  hanging.url = absl::StrCat("http://127.0.0.1:", server.port(), "/x.git");
  hanging.timeout = absl::Milliseconds(200);
  EXPECT_EQ(fetcher.Fetch(hanging, nullptr).code(), absl::StatusCode::kDeadlineExceeded);
  hanging.timeout = absl::Minutes(1);
  int polls = 0;
  EXPECT_EQ(fetcher.Fetch(hanging, [&] { return ++polls > 1; }).code(),
            absl::StatusCode::kCancelled);
  EXPECT_THAT(Children(), SizeIs(1));
  const absl::Status status = fetcher.Fetch(Request(), nullptr);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), commit);
}

TEST_F(FetcherTest, KilledChildIsReplaced) {
  const std::string commit = origin_.CommitFile("a", "1");
  Fetcher fetcher(FETCH_HELPER_PROGRAM);
  const pid_t waiting = *Children().begin();
  ::kill(waiting, SIGKILL);
  siginfo_t ended;
  // Until it is certainly dead, but not reaped.
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(waiting), &ended, WEXITED | WNOWAIT), 0);
  const absl::Status status = fetcher.Fetch(Request(), nullptr);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), commit);
}

TEST_F(FetcherTest, FetchesRunInParallel) {
  origin_.CommitFile("a", "1");
  Fetcher fetcher(FETCH_HELPER_PROGRAM);
  std::vector<absl::Status> results(6);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      FetchRequest request = Request();
      request.directory = absl::StrCat(directory_, i);
      results[i] = fetcher.Fetch(request, nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
}

TEST_F(FetcherTest, MissingHelperIsSaid) {
  Fetcher fetcher("/no/such/program");
  const absl::Status status = fetcher.Fetch(Request(), nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/program"));
}

}  // namespace
}  // namespace fairlead::git
