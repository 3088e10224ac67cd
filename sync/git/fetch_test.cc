#include "sync/git/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"

#include "base/subprocess.h"
#include "sync/git/mirror.h"
#include "sync/git/testing/git_origin.h"
#include "sync/git/testing/silent_server.h"
#include "sync/git/url.h"

namespace fairlead::git {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A variable of the environment for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

// git over http from a folder, until destroyed.
class GitHttpServer {
 public:
  GitHttpServer(const std::string& root, const std::string& login) {
    std::promise<std::string> port;
    auto told = port.get_future();
    thread_ = std::thread([this, root, login, port = std::move(port)]() mutable {
      // The server ends when its input ends, so the input is a pipe nobody writes to.
      const auto result = base::RunSubprocess(
          {.argv = {"sh", "-c", "sleep 60 | exec python3 \"$@\"", "sh",
                    absl::StrCat(FAIRLEAD_SOURCE_DIR, "/sync/git/testing/git_http_server.py"), root,
                    login},
           .on_line = [&](absl::string_view line) { port.set_value(std::string(line)); },
           .is_cancelled = [this] { return stopped_.load(); }});
      EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
    });
    port_ = told.get();
  }
  ~GitHttpServer() {
    stopped_ = true;
    thread_.join();
  }
  GitHttpServer(const GitHttpServer&) = delete;
  GitHttpServer& operator=(const GitHttpServer&) = delete;

  std::string Url(absl::string_view user, absl::string_view path) const {
    return absl::StrCat("http://", user, "127.0.0.1:", port_, path);
  }

 private:
  std::atomic<bool> stopped_ = false;
  std::string port_;
  std::thread thread_;
};

class FetchTest : public ::testing::Test {
 protected:
  FetchRequest Request(const std::string& reference = "main") {
    return {.url = origin_.url(),
            .directory = directory_,
            .reference = reference,
            .helper_program = FETCH_HELPER_PROGRAM};
  }
  absl::Status FetchFrom(const std::string& url, const std::string& reference = "main") {
    FetchRequest request = Request(reference);
    request.url = url;
    return Fetch(request, nullptr);
  }
  absl::Status FetchReference(const std::string& reference) {
    return Fetch(Request(reference), nullptr);
  }
  // The commit, or the error's text.
  std::string Resolve(const std::string& reference) {
    const auto mirror = Mirror::Open(directory_);
    if (!mirror.ok()) return mirror.status().ToString();
    const auto revision = (*mirror)->ResolveRevision(reference);
    return revision.ok() ? revision->commit : std::string(revision.status().message());
  }

  TemporaryFolder folder_;
  GitOrigin origin_{folder_.path() + "/origin"};
  const std::string directory_ = folder_.path() + "/mirror";
};

TEST_F(FetchTest, BringsNewCommits) {
  const std::string first = origin_.CommitFile("a", "1");
  ASSERT_TRUE(FetchReference("main").ok());
  EXPECT_EQ(Resolve("main"), first);
  const std::string second = origin_.CommitFile("a", "2");
  ASSERT_TRUE(FetchReference("main").ok());
  EXPECT_EQ(Resolve("main"), second);
  // Nothing new.
  ASSERT_TRUE(FetchReference("main").ok());
  EXPECT_EQ(Resolve("main"), second);
}

TEST_F(FetchTest, PlainPathWorks) {
  const std::string commit = origin_.CommitFile("a", "1");
  const absl::Status status = FetchFrom(origin_.path());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), commit);
}

TEST_F(FetchTest, ForcePushIsFollowed) {
  origin_.CommitFile("a", "1");
  origin_.CommitFile("a", "2");
  ASSERT_TRUE(FetchReference("main").ok());
  origin_.Git({"reset", "-q", "--hard", "HEAD~1"});
  const std::string rewritten = origin_.CommitFile("a", "3");
  ASSERT_TRUE(FetchReference("main").ok());
  EXPECT_EQ(Resolve("main"), rewritten);
}

TEST_F(FetchTest, BranchThatIsGoneIsNotFound) {
  origin_.CommitFile("a", "1");
  origin_.Git({"branch", "dev"});
  ASSERT_TRUE(FetchReference("dev").ok());
  origin_.Git({"branch", "-D", "dev"});
  const absl::Status status = FetchReference("dev");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), absl::StrCat("fetch ", origin_.url(),
                                           ": repository has no branch \"dev\"; it has: main"));
  EXPECT_THAT(Resolve("dev"), HasSubstr("no branch \"dev\""));
}

TEST_F(FetchTest, BranchMayTakeThePlaceOfAFolder) {
  origin_.CommitFile("a", "1");
  origin_.Git({"branch", "team"});
  ASSERT_TRUE(FetchReference("team").ok());
  origin_.Git({"branch", "-m", "team", "team/web"});
  const absl::Status status = FetchReference("team/web");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("team/web"), origin_.Git({"rev-parse", "main"}));
}

TEST_F(FetchTest, MovedTagIsFollowed) {
  origin_.CommitFile("a", "1");
  origin_.Git({"tag", "-a", "stable", "-m", "1"});
  ASSERT_TRUE(FetchReference("stable").ok());
  const std::string second = origin_.CommitFile("a", "2");
  origin_.Git({"tag", "-f", "-a", "stable", "-m", "2"});
  ASSERT_TRUE(FetchReference("stable").ok());
  EXPECT_EQ(Resolve("stable"), second);
}

TEST_F(FetchTest, PinnedCommitIsFound) {
  const std::string first = origin_.CommitFile("a", "1");
  origin_.CommitFile("a", "2");
  ASSERT_TRUE(FetchReference(first).ok());
  EXPECT_EQ(Resolve(first), first);
  // Needs no origin any more.
  EXPECT_TRUE(FetchFrom("file:///nowhere", first).ok());
  const absl::Status missing = FetchReference(std::string(40, 'a'));
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound) << missing;
}

TEST_F(FetchTest, EmptyRepositoryIsSaidToBeEmpty) {
  const absl::Status status = FetchReference("main");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("repository is empty"));
  const std::string commit = origin_.CommitFile("a", "1");
  ASSERT_TRUE(FetchReference("main").ok());
  EXPECT_EQ(Resolve("main"), commit);
}

TEST_F(FetchTest, FailuresAreClassified) {
  origin_.CommitFile("a", "1");
  struct Case {
    std::string url;
    absl::StatusCode code;
  };
  const std::vector<Case> cases = {
      {"file:///no/such/repository", absl::StatusCode::kNotFound},
      {folder_.path(), absl::StatusCode::kNotFound},
      // Port 1 is not listened on.
      {"http://127.0.0.1:1/x.git", absl::StatusCode::kUnavailable},
      {"git://127.0.0.1:1/x.git", absl::StatusCode::kUnavailable},
      {"gopher://h/x", absl::StatusCode::kInvalidArgument},
  };
  for (const Case& c : cases) {
    const absl::Status status = FetchFrom(c.url);
    EXPECT_EQ(status.code(), c.code) << c.url << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.url));
  }
}

TEST_F(FetchTest, SilentServerMeetsTheDeadline) {
  SilentServer server;
  for (const absl::string_view scheme : {"http", "git"}) {
    FetchRequest request = Request();
    request.url = absl::StrCat(scheme, "://u:hunter2@127.0.0.1:", server.port(), "/x.git");
    request.timeout = absl::Milliseconds(300);
    const absl::Status status = Fetch(request, nullptr);
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
    EXPECT_EQ(status.message(), absl::StrCat("fetch ", scheme, "://127.0.0.1:", server.port(),
                                             "/x.git: not finished after 300ms"));
  }
}

TEST_F(FetchTest, CancelEndsIt) {
  SilentServer server;
  FetchRequest request = Request();
  request.url = absl::StrCat("http://127.0.0.1:", server.port(), "/x.git");
  int polls = 0;
  const absl::Status status = Fetch(request, [&] { return ++polls > 1; });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
}

TEST_F(FetchTest, LeftoversOfAKilledFetchDoNotStopTheNext) {
  origin_.CommitFile("a", "1");
  ASSERT_TRUE(FetchReference("main").ok());
  const std::string second = origin_.CommitFile("a", "2");
  {
    std::ofstream lock(directory_ + "/refs/heads/main.lock");
  }
  EXPECT_EQ(FetchReference("main").code(), absl::StatusCode::kUnavailable);
  const absl::Status status = FetchReference("main");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), second);
}

TEST_F(FetchTest, SmallPacksAreJoined) {
  std::string last;
  for (int i = 0; i < 70; ++i) {
    last = origin_.CommitFile("a", std::to_string(i));
    ASSERT_TRUE(FetchReference("main").ok());
  }
  int packs = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory_ + "/objects/pack")) {
    if (file.path().extension() == ".pack") ++packs;
  }
  EXPECT_LT(packs, 10);
  EXPECT_EQ(Resolve("main"), last);
  const auto mirror = Mirror::Open(directory_);
  const std::string first = origin_.Git({"rev-list", "--max-parents=0", "HEAD"});
  const auto files = (*mirror)->ListFiles(first, {});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*(*mirror)->ReadBlob(files->front().blob_id, 10), "0");
}

TEST_F(FetchTest, DirectoryWithOtherFilesIsLeftAlone) {
  origin_.CommitFile("a", "1");
  FetchRequest request = Request();
  request.directory = origin_.path();
  EXPECT_EQ(Fetch(request, nullptr).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(origin_.path() + "/a"));
}

TEST_F(FetchTest, MissingHelperIsSaid) {
  FetchRequest request = Request();
  request.helper_program = "/no/such/program";
  EXPECT_THAT(std::string(Fetch(request, nullptr).message()), HasSubstr("/no/such/program"));
}

TEST_F(FetchTest, HttpWorks) {
  const std::string first = origin_.CommitFile("a", "1");
  GitHttpServer server(folder_.path(), "");
  const absl::Status status = FetchFrom(server.Url("", "/origin/.git"));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), first);
  const std::string second = origin_.CommitFile("a", "2");
  ASSERT_TRUE(FetchFrom(server.Url("", "/origin/.git")).ok());
  EXPECT_EQ(Resolve("main"), second);
  EXPECT_EQ(FetchFrom(server.Url("", "/absent")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FetchFrom(server.Url("", "/busy/x")).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FetchTest, HttpLoginComesFromAddressOrToken) {
  const std::string commit = origin_.CommitFile("a", "1");
  GitHttpServer server(folder_.path(), "ada:s3cret/word");
  ASSERT_TRUE(FetchFrom(server.Url("ada:s3cret%2Fword@", "/origin/.git")).ok());
  EXPECT_EQ(Resolve("main"), commit);
  Variable user("FAIRLEAD_GIT_USER", "ada");
  Variable token("FAIRLEAD_GIT_TOKEN", "s3cret/word");
  std::filesystem::remove_all(directory_);
  const std::string domain = DomainOf(server.Url("", ""));
  // A token without a server goes nowhere.
  EXPECT_EQ(FetchFrom(server.Url("", "/origin/.git")).code(), absl::StatusCode::kPermissionDenied);
  Variable domains("FAIRLEAD_GIT_DOMAINS", absl::StrCat("other.example.com,", domain));
  const absl::Status status = FetchFrom(server.Url("", "/origin/.git"));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Resolve("main"), commit);
}

TEST_F(FetchTest, RefusedLoginEndsAndShowsNoSecret) {
  origin_.CommitFile("a", "1");
  GitHttpServer server(folder_.path(), "ada:right");
  Variable token("FAIRLEAD_GIT_TOKEN", "wrong-token");
  Variable domains("FAIRLEAD_GIT_DOMAINS", DomainOf(server.Url("", "")));
  const absl::Status status = FetchFrom(server.Url("ada:wrong-word@", "/origin/.git"));
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("FAIRLEAD_GIT_TOKEN"), HasSubstr(server.Url("", "/origin/.git")),
                    Not(HasSubstr("wrong"))));
}

TEST(FetchHelperTest, KnowsItsCommandLine) {
  const char* helper[] = {"program", "--fetch-helper", "url", "directory", "main"};
  const char* other[] = {"program", "--config", "x"};
  EXPECT_TRUE(IsFetchHelper(5, helper));
  EXPECT_FALSE(IsFetchHelper(3, other));
  EXPECT_FALSE(IsFetchHelper(1, other));
}

}  // namespace
}  // namespace fairlead::git
