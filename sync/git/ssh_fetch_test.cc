// Fetching over ssh from a real server: Debian's dropbear, with a home directory of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/subprocess.h"
#include "sync/git/fetch.h"
#include "sync/git/fetcher.h"
#include "sync/git/mirror.h"
#include "sync/git/testing/git_origin.h"
#include "sync/git/testing/silent_server.h"

namespace fairlead::git {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string Run(std::vector<std::string> argv) {
  const auto result = base::RunSubprocess({.argv = argv});
  EXPECT_TRUE(result.ok()) << argv[0] << ": " << result.status();
  if (!result.ok()) return "";
  EXPECT_EQ(result->exit_code, 0) << argv[0] << ": " << result->err;
  return result->out;
}

// A key pair below `path`; returns the line of the public half.
std::string MakeKey(const std::string& path) {
  Run({"dropbearkey", "-t", "ecdsa", "-f", path + ".dropbear"});
  Run({"dropbearconvert", "dropbear", "openssh", path + ".dropbear", path});
  for (const absl::string_view line :
       absl::StrSplit(Run({"dropbearkey", "-y", "-f", path + ".dropbear"}), '\n')) {
    if (absl::StartsWith(line, "ecdsa-")) return std::string(line);
  }
  ADD_FAILURE() << "no public key in the output of dropbearkey";
  return "";
}

// $1: home folder, $2: the user's own, $3: port, $4: host key.
constexpr char kServe[] =
    "mount --bind \"$1\" \"$2\"\n"
    "exec dropbear -F -E -s -p \"127.0.0.1:$3\" -r \"$4\" -P \"$1/pid\"";

// Serves this machine's files by ssh on loopback, until destroyed. The home directory of the user
// who runs the test is `home` within it, so that the real one is neither read nor written.
class SshServer {
 public:
  SshServer(const std::string& home, const std::string& host_key) {
    {
      // Free a moment ago.
      const SilentServer reserved;
      port_ = reserved.port();
    }
    std::promise<void> listening;
    auto is_listening = listening.get_future();
    thread_ = std::thread([this, home, host_key, listening = std::move(listening)]() mutable {
      const auto result = base::RunSubprocess(
          {.argv = {"unshare", "--mount", "sh", "-ec", kServe, "sh", home,
                    ::getpwuid(::geteuid())->pw_dir, absl::StrCat(port_), host_key},
           .on_line =
               [&](absl::string_view line) {
                 if (absl::StrContains(line, "Not backgrounding")) listening.set_value();
               },
           .is_cancelled = [this] { return stopped_.load(); }});
      EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled)
          << (result.ok() ? result->err : "");
    });
    is_listening.wait();
  }
  ~SshServer() {
    stopped_ = true;
    thread_.join();
  }
  SshServer(const SshServer&) = delete;
  SshServer& operator=(const SshServer&) = delete;
  int port() const { return port_; }

 private:
  std::atomic<bool> stopped_ = false;
  int port_ = 0;
  std::thread thread_;
};

class SshFetchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the server's own home directory needs root";
    fs::create_directories(home_ + "/.ssh");
    fs::permissions(home_ + "/.ssh", fs::perms::owner_all);
    std::ofstream(home_ + "/.ssh/authorized_keys") << MakeKey(folder_.path() + "/key") << "\n";
    const std::vector<std::string> host_key =
        absl::StrSplit(MakeKey(folder_.path() + "/host"), ' ');
    server_ = std::make_unique<SshServer>(home_, folder_.path() + "/host.dropbear");
    known_hosts_ = absl::StrCat("[127.0.0.1]:", server_->port(), " ", host_key.at(0), " ",
                                host_key.at(1), "\n");
    std::ofstream(client_home_ + "/.ssh/known_hosts") << known_hosts_;
    commit_ = origin_.CommitFile("a.toml", "1");
  }

  FetchRequest Request() const {
    const std::string user = ::getpwuid(::geteuid())->pw_name;
    return {.url = absl::StrCat("ssh://", user, "@127.0.0.1:", server_->port(), origin_.path()),
            .directory = directory_,
            .reference = "main",
            .helper_program = FETCH_HELPER_PROGRAM};
  }
  // With what an account has, and a home directory without anything.
  absl::Status FetchWith(const std::string& key_file, const std::string& known_hosts) const {
    const std::string old_home = ::getenv("HOME") == nullptr ? "" : ::getenv("HOME");
    ::setenv("HOME", folder_.path().c_str(), 1);
    std::ostringstream key;
    key << std::ifstream(key_file).rdbuf();
    FetchRequest request = Request();
    request.ssh_key = key.str();
    request.known_hosts = known_hosts;
    Fetcher fetcher(FETCH_HELPER_PROGRAM);
    absl::Status status = fetcher.Fetch(request, nullptr);
    if (status.ok()) status = Fetch(request, nullptr);
    ::setenv("HOME", old_home.c_str(), 1);
    return status;
  }
  absl::Status FetchAs(const std::string& home, const std::string& key) {
    // Only this test's process and its children see these.
    const std::string old_home = ::getenv("HOME") == nullptr ? "" : ::getenv("HOME");
    ::setenv("HOME", home.c_str(), 1);
    ::setenv("FAIRLEAD_SSH_KEY", key.c_str(), 1);
    const absl::Status status = Fetch(Request(), nullptr);
    ::setenv("HOME", old_home.c_str(), 1);
    ::unsetenv("FAIRLEAD_SSH_KEY");
    return status;
  }
  std::string Key() const { return folder_.path() + "/key"; }

  TemporaryFolder folder_;
  // Of the server, and of who fetches.
  const std::string home_ = folder_.path() + "/home";
  const std::string client_home_ = [this] {
    fs::create_directories(folder_.path() + "/client/.ssh");
    return folder_.path() + "/client";
  }();
  const std::string directory_ = folder_.path() + "/mirror";
  GitOrigin origin_{folder_.path() + "/origin"};
  std::string commit_;
  std::string known_hosts_;
  std::unique_ptr<SshServer> server_;
};

TEST_F(SshFetchTest, BringsCommitsWithAKeyFromAKnownHost) {
  ASSERT_TRUE(FetchAs(client_home_, Key()).ok()) << FetchAs(client_home_, Key());
  const std::string second = origin_.CommitFile("a.toml", "2");
  ASSERT_TRUE(FetchAs(client_home_, Key()).ok());
  const auto mirror = Mirror::Open(directory_);
  ASSERT_TRUE(mirror.ok()) << mirror.status();
  const auto revision = (*mirror)->ResolveRevision("main");
  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_EQ(revision->commit, second);
}

TEST_F(SshFetchTest, AKeyThatIsNotAcceptedSaysWhereToPutOne) {
  MakeKey(folder_.path() + "/other");
  const absl::Status status = FetchAs(client_home_, folder_.path() + "/other");
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("FAIRLEAD_SSH_KEY"));
}

TEST_F(SshFetchTest, AHostThatIsNotKnownIsRefusedAndSaysHowToTrustIt) {
  fs::create_directories(folder_.path() + "/stranger/.ssh");
  const absl::Status status = FetchAs(folder_.path() + "/stranger", Key());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(absl::StrCat(::getpwuid(::geteuid())->pw_name, "@127.0.0.1")),
                    HasSubstr("known_hosts")));
}

TEST_F(SshFetchTest, TheKeyAndTheKnownHostsOfAnAccountOpenTheServer) {
  ASSERT_TRUE(FetchWith(Key(), known_hosts_).ok()) << FetchWith(Key(), known_hosts_);
  const auto mirror = Mirror::Open(directory_);
  ASSERT_TRUE(mirror.ok()) << mirror.status();
  EXPECT_EQ((*mirror)->ResolveRevision("main")->commit, commit_);
}

TEST_F(SshFetchTest, AnAccountWithTheWrongKeyOrHostIsRefusedAndItsKeyIsTold) {
  const absl::Status stranger = FetchWith(
      Key(),
      absl::StrCat("elsewhere.example.com ", known_hosts_.substr(known_hosts_.find(' ') + 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(stranger)) << stranger;
  EXPECT_THAT(std::string(stranger.message()), HasSubstr("known_hosts_file"));
  const std::string other_host =
      absl::StrCat("[127.0.0.1]:", server_->port(), " ",
                   absl::StripAsciiWhitespace(MakeKey(folder_.path() + "/impostor")), "\n");
  const absl::Status impostor = FetchWith(Key(), other_host);
  EXPECT_TRUE(absl::IsFailedPrecondition(impostor)) << impostor;
  MakeKey(folder_.path() + "/other");
  const absl::Status refused = FetchWith(folder_.path() + "/other", known_hosts_);
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("ssh_key_file"));
}

}  // namespace
}  // namespace fairlead::git
