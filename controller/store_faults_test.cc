// A whole controller on a database that is damaged, away, or under a clock that is wrong
// (docs/store.md has the table).
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/testing/simulated_clock.h"
#include "controller/controller.h"
#include "controller/member.h"
#include "controller/store/testing/postgres_test.h"
#include "controller/store/testing/temporary_folder.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Seconds(60);

ControllerOptions OptionsIn(const std::string& data_dir) {
  ControllerOptions options;
  options.listen = "127.0.0.1:0";
  options.http_listen = "127.0.0.1:0";
  options.data_dir = data_dir;
  options.dev = true;
  // The tests ask without a pause.
  options.limits.calls_per_second = 1'000'000;
  options.program = "/bin/false";
  return options;
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// A port that nobody listens on.
int FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  EXPECT_TRUE(bound);
  ::close(fd);
  return ntohs(address.sin_port);
}

// The whole answer; empty when nobody listens.
std::string Get(const std::string& http_address, const std::string& path) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(http_address.substr(http_address.rfind(':') + 1), &port));
  const sockaddr_in address = Loopback(port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    std::array<char, 4096> buffer{};
    ssize_t count = 0;
    while ((count = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
      answer.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  ::close(fd);
  return answer;
}

// Asks until the answer holds `text`.
bool WaitForAnswer(const std::string& http_address, const std::string& path,
                   const std::string& text) {
  const absl::Time end = base::Clock::Real().Now() + kLimit;
  while (base::Clock::Real().Now() < end) {
    if (absl::StrContains(Get(http_address, path), text)) return true;
  }
  return false;
}

class DamagedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto controller = Controller::Start(OptionsIn(data_));
    ASSERT_TRUE(controller.ok()) << controller.status();
    (*controller)->Stop();
  }
  std::string Content() const { return base::ReadFile(database_).value_or(""); }
  // Nothing but the text of the file; what SQLite keeps beside it is gone.
  void Put(const std::string& content) {
    for (const char* end : {"-wal", "-shm"}) std::filesystem::remove(database_ + end);
    ASSERT_TRUE(base::WriteFileAtomically(database_, content).ok());
  }
  // The refusal names file and way out, and leaves the file for whoever can mend it.
  void ExpectRefusedAndKept(const std::string& content) {
    Put(content);
    const absl::Status status = Controller::Start(OptionsIn(data_)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(database_), HasSubstr("put the last backup in its place")));
    EXPECT_EQ(Content(), content);
  }

  store::TemporaryFolder folder_;
  const std::string data_ = folder_.File("data");
  const std::string database_ = data_ + "/fairlead.db";
};

TEST_F(DamagedFileTest, IsRefusedAtTheStartKeptAndReplacedByACopy) {
  const std::string good = Content();
  ASSERT_GT(good.size(), 16384u);
  ExpectRefusedAndKept(std::string(20'000, 'x'));
  ExpectRefusedAndKept(good.substr(0, good.size() / 2));
  std::string flipped = good;
  for (std::size_t at = 4096; at < flipped.size(); at += 4096) {
    flipped.replace(at, 64, std::string(64, '\xff'));
  }
  ExpectRefusedAndKept(flipped);
  Put(good);
  const auto controller = Controller::Start(OptionsIn(data_));
  EXPECT_TRUE(controller.ok()) << controller.status();
}

TEST(SharedFileTest, ASecondControllerIsRefusedWhileTheFirstOneUsesTheFile) {
  const store::TemporaryFolder folder;
  auto first = Controller::Start(OptionsIn(folder.File("one")));
  ASSERT_TRUE(first.ok()) << first.status();
  ControllerOptions options = OptionsIn(folder.File("two"));
  options.store = "sqlite:" + folder.File("two/../one/fairlead.db");
  const absl::Status refused = Controller::Start(options).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("--store"), HasSubstr("in use by another controller"),
                    HasSubstr(folder.File("one/fairlead.db.lock")),
                    HasSubstr(absl::StrCat("pid ", ::getpid()))));
  first->reset();
  const auto second = Controller::Start(options);
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST(WrongClockTest, ADayStopsNothingAndAnAuthorityThatIsOverIsNamed) {
  const store::TemporaryFolder folder;
  base::SimulatedClock clock;
  ControllerOptions options = OptionsIn(folder.File("data"));
  options.dev = false;
  options.clock = &clock;
  options.on_first_token = [](const std::string&) {};
  for (const absl::Duration jump : {absl::ZeroDuration(), absl::Hours(24), absl::Hours(-48)}) {
    clock.Advance(jump);
    const auto controller = Controller::Start(options);
    ASSERT_TRUE(controller.ok()) << jump << ": " << controller.status();
    (*controller)->Stop();
  }
  clock.Advance(absl::Hours(24 * 366 * 11));
  const absl::Status late = Controller::Start(options).status();
  EXPECT_THAT(std::string(late.message()),
              AllOf(HasSubstr("ca.crt has expired at"), HasSubstr("the clock of this machine")));
  clock.Advance(absl::Hours(-24 * 366 * 11));
  const auto controller = Controller::Start(options);
  EXPECT_TRUE(controller.ok()) << controller.status();
}

class DatabaseAwayTest : public store::PostgresTest {
 protected:
  void TearDown() override {
    // For the tests after this one.
    if (cluster_ != nullptr) {
      cluster_->Stop();
      ASSERT_TRUE(cluster_->Start()) << cluster_->LogTail();
    }
  }
  ControllerOptions Options() const {
    ControllerOptions options = OptionsIn(folder_.File("data"));
    options.store = cluster_->Socket(database_);
    return options;
  }

  static absl::StatusOr<std::unique_ptr<Member>> Start(const ControllerOptions& options) {
    return Member::Start(options, [] {});
  }

  store::TemporaryFolder folder_;
};

TEST_F(DatabaseAwayTest, AtTheStartItIsWaitedForAndReadyzSaysSo) {
  ControllerOptions options = Options();
  options.store_wait = absl::Minutes(10);
  options.http_listen = absl::StrCat("127.0.0.1:", FreePort());
  cluster_->Stop();
  auto started = std::async(std::launch::async, [&options] { return Start(options); });
  EXPECT_TRUE(WaitForAnswer(options.http_listen, "/readyz", "waits for the database"));
  EXPECT_THAT(Get(options.http_listen, "/readyz"), AllOf(HasSubstr("503"), HasSubstr(database_)));
  EXPECT_THAT(Get(options.http_listen, "/healthz"), HasSubstr("200"));
  ASSERT_TRUE(cluster_->Start());
  const auto member = started.get();
  ASSERT_TRUE(member.ok()) << member.status();
  EXPECT_TRUE(WaitForAnswer(options.http_listen, "/readyz", "200"));
}

TEST_F(DatabaseAwayTest, AtTheStartWaitingEndsWithItsTimeAndWhenItIsStopped) {
  cluster_->Stop();
  EXPECT_EQ(Start(Options()).status().code(), absl::StatusCode::kUnavailable);
  ControllerOptions options = Options();
  options.store_wait = absl::Seconds(1);
  EXPECT_EQ(Start(options).status().code(), absl::StatusCode::kUnavailable);
  std::atomic<bool> stopping = false;
  options.store_wait = absl::Hours(24);
  options.is_stopping = [&stopping] { return stopping.load(); };
  auto started = std::async(std::launch::async, [&options] { return Start(options); });
  stopping = true;
  EXPECT_EQ(started.get().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(DatabaseAwayTest, WhatWaitingDoesNotMendIsSaidAtOnce) {
  ControllerOptions options = Options();
  options.store_wait = absl::Hours(24);
  options.store = cluster_->WithPassword(database_, "hush");
  const absl::Status status = Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
}

TEST_F(DatabaseAwayTest, WhileItRunsReadsGoOnAndWritesWait) {
  const auto controller = Controller::Start(Options());
  ASSERT_TRUE(controller.ok()) << controller.status();
  const auto stub = v1::ResourceService::NewStub(
      grpc::CreateChannel((*controller)->grpc_address(), grpc::InsecureChannelCredentials()));
  const auto apply = [&stub](const std::string& name) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    v1::ApplyRequest request;
    request.add_files()->set_path("a.toml");
    request.mutable_files(0)->set_content(absl::StrCat("[[server]]\nname = \"", name, "\"\n"));
    v1::ApplyResponse response;
    return stub->Apply(&context, request, &response);
  };
  const auto names = [&stub] {
    grpc::ClientContext context;
    v1::ListResourcesResponse response;
    v1::ListResourcesRequest request;
    request.set_kind("server");
    const grpc::Status status = stub->ListResources(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::string all;
    for (const auto& each : response.resources()) {
      absl::StrAppend(&all, each.ShortDebugString(), " ");
    }
    return all;
  };
  // Shown with the next pass.
  const auto shows = [&names](const std::string& name) {
    const absl::Time end = base::Clock::Real().Now() + kLimit;
    while (base::Clock::Real().Now() < end) {
      if (absl::StrContains(names(), absl::StrCat("\"", name, "\""))) return true;
    }
    return false;
  };
  ASSERT_TRUE(apply("before").ok());
  ASSERT_TRUE(shows("before"));
  cluster_->Stop();
  auto later = std::async(std::launch::async, [&apply] { return apply("later"); });
  EXPECT_TRUE(WaitForAnswer((*controller)->http_address(), "/readyz", "the store refuses writes"));
  // What is not durable is not shown.
  EXPECT_THAT(names(), AllOf(HasSubstr("\"before\""), Not(HasSubstr("\"later\""))));
  ASSERT_TRUE(cluster_->Start());
  EXPECT_TRUE(WaitForAnswer((*controller)->http_address(), "/readyz", "200"));
  const grpc::Status done = later.get();
  EXPECT_TRUE(done.ok()) << done.error_message();
  EXPECT_TRUE(shows("later"));
}

}  // namespace
}  // namespace fairlead::controller
