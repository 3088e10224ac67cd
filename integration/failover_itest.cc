// Two controllers on one PostgreSQL database: whatever befalls the active one, the other acts.
#include <signal.h>

#include <array>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "boost/json.hpp"
#include "controller/store/testing/postgres_cluster.h"
#include "gtest/gtest.h"
#include "integration/testing/database_link.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

constexpr char kSecret[] = "open sesame";

// One office as the database recorded it. Microseconds of its clock; 0 where it is not known.
struct Office {
  int64_t term = 0;
  int64_t began = 0;
  int64_t expires = 0;
  int64_t stopped = 0;
};

class FailoverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    cluster_ = store::PostgresCluster::Shared(why);
    if (cluster_ == nullptr) GTEST_SKIP() << "SKIPPED: " << why;
    database_ = cluster_->NewDatabase();
    fleet_.repository().Commit("servers");
    fleet_.repository().Push();
    for (int i : {0, 1}) {
      links_[At(i)] = std::make_unique<DatabaseLink>(cluster_->folder(), cluster_->port());
      grpc_[At(i)] = absl::StrCat("127.0.0.1:", FreePort());
      ASSERT_OK(StartController(i));
      // The first to start is the active one, and has made the key of secrets.
      ASSERT_OK(AwaitActive(0));
      if (i == 0) {
        ASSERT_OK(CopyKey());
      }
    }
    ASSERT_OK(agent_.Start({ProgramPath("fairlead-agent"), "--dev", "--controller",
                            absl::StrCat(grpc_[0], ",", grpc_[1]), "--name", "host-1", "--data-dir",
                            fleet_.AgentData(1), "--docker-host", fleet_.engine().host()},
                           fleet_.directory() + "/agent-1.log"));
    for (int i : {0, 1}) ASSERT_OK(AwaitOnline(i));
    ASSERT_EQ(Active(), 0);
  }

  void TearDown() override {
    if (!HasFailure() || cluster_ == nullptr) return;
    for (int i : {0, 1}) std::cerr << "--- controller " << i << "\n" << TailOf(Log(i), 40) << "\n";
    std::cerr << "--- agent\n"
              << TailOf(agent_.log(), 40) << "\n--- terms\n"
              << Sql("SELECT * FROM controller_terms ORDER BY term") << "\n";
  }

  static std::size_t At(int i) { return static_cast<std::size_t>(i); }
  std::string Data(int i) const { return absl::StrCat(fleet_.directory(), "/controller-", i); }
  std::string Log(int i) const {
    return absl::StrCat(fleet_.directory(), "/controller-", i, ".log");
  }
  // What an operator does before the second one's first start.
  absl::Status CopyKey() const {
    const absl::StatusOr<std::string> key = base::ReadFile(Data(0) + "/secret.key");
    if (!key.ok()) return key.status();
    const absl::Status made = base::MakeDirectories(Data(1));
    return made.ok() ? base::WriteFileAtomically(Data(1) + "/secret.key", *key) : made;
  }
  std::string Sql(const std::string& sql) const { return cluster_->Sql(database_, sql); }

  absl::Status StartController(int i) {
    std::vector<std::string> argv = fleet_.ControllerArguments(Data(i), grpc_[At(i)]);
    argv.insert(argv.end(), {"--store", links_[At(i)]->Through(cluster_->Socket(database_))});
    const absl::Status started = controllers_[At(i)].Start(argv, Log(i));
    if (!started.ok()) return started;
    return WaitFor(absl::StrCat("controller ", i), [&] {
      const auto text = base::ReadFile(Data(i) + "/endpoints.json");
      std::error_code failed;
      const auto found = MiniFleet::AsObject(boost::json::parse(text.value_or("{}"), failed));
      const auto* const pid = found.if_contains("pid");
      if (pid == nullptr || pid->as_int64() != controllers_[At(i)].pid()) {
        return !controllers_[At(i)].Running();
      }
      http_[At(i)] = std::string(found.at("http").as_string());
      return true;
    });
  }

  // Through one of the two.
  CommandResult Cli(int i, const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv = {ProgramPath("fairlead")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunCommand(argv, {{"FAIRLEAD_CONTROLLER", grpc_[At(i)]}, {"NO_COLOR", "1"}});
  }
  // The same with standard input and the token of a session; what it prints.
  std::string CliAs(int i, const std::string& token, const std::vector<std::string>& arguments,
                    const std::string& input = "") const {
    std::vector<std::string> argv = {ProgramPath("fairlead")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = base::RunSubprocess({.argv = argv,
                                             .environment = {{"HOME", fleet_.directory()},
                                                             {"XDG_CONFIG_HOME", ""},
                                                             {"FAIRLEAD_TOKEN", token},
                                                             {"FAIRLEAD_CONTROLLER", grpc_[At(i)]}},
                                             .input = input,
                                             .timeout = absl::Seconds(60)});
    EXPECT_TRUE(result.ok() && result->exit_code == 0)
        << (result.ok() ? result->err : result.status().ToString());
    return result.ok() ? result->out : "";
  }
  // The token that the last login has left.
  std::string LastToken() const {
    const auto text = base::ReadFile(fleet_.directory() + "/.config/fairlead/sessions");
    EXPECT_OK(text.status());
    const std::vector<std::string> words =
        absl::StrSplit(text.value_or(""), absl::ByAnyChar(" \n"), absl::SkipEmpty());
    return words.empty() ? "" : words.back();
  }
  absl::Status AwaitOnline(int i) const {
    return WaitFor(absl::StrCat("host-1 online, seen through controller ", i),
                   [&] { return absl::StrContains(Cli(i, {"status"}).out, "online"); });
  }
  bool IsActive(int i) const {
    const auto answer = HttpGet(http_[At(i)], "/metrics");
    return answer.ok() && absl::StrContains(answer->body, "fairlead_controller_active 1\n");
  }
  // 0 or 1; -1 when neither says so.
  int Active() const {
    for (int i : {0, 1}) {
      if (IsActive(i)) return i;
    }
    return -1;
  }
  absl::Status AwaitActive(int i) const {
    return WaitFor(absl::StrCat("controller ", i, " to be the active one"),
                   [&] { return IsActive(i); });
  }

  std::vector<Office> Offices() const {
    std::vector<Office> offices;
    const std::string rows =
        Sql("SELECT term, began, expires, stopped FROM controller_terms ORDER BY term");
    for (absl::string_view row : absl::StrSplit(rows, '\n', absl::SkipEmpty())) {
      const std::vector<std::string> values = absl::StrSplit(row, '|');
      Office& office = offices.emplace_back();
      EXPECT_TRUE(values.size() == 4 && absl::SimpleAtoi(values[0], &office.term) &&
                  absl::SimpleAtoi(values[1], &office.began) &&
                  absl::SimpleAtoi(values[2], &office.expires) &&
                  absl::SimpleAtoi(values[3], &office.stopped))
          << row;
    }
    return offices;
  }
  void ExpectOfficesDoNotOverlap() const {
    const std::vector<Office> offices = Offices();
    for (std::size_t i = 1; i < offices.size(); ++i) {
      EXPECT_LE(offices[i - 1].expires, offices[i].began) << "term " << offices[i].term;
      EXPECT_LE(offices[i - 1].stopped, offices[i].began) << "term " << offices[i].term;
    }
  }

  // A commit that is deployed, through controller `i`.
  void ExpectDeploys(int i, const std::string& image) {
    fleet_.repository().Write("a.toml", ToToml({.name = "alpha", .image = image}));
    fleet_.repository().Commit(image);
    fleet_.repository().Push();
    EXPECT_OK(WaitFor("the sync", [&] { return Cli(i, {"sync", "main"}).exit_code == 0; }));
    EXPECT_OK(fleet_.WaitRunning("deployment/alpha", image));
  }
  int Webhook(int i, const std::string& body) const {
    const auto answer = HttpPost(http_[At(i)], "/webhook/github/main",
                                 {{"X-Hub-Signature-256", GitHubSignature(kSecret, body)}}, body);
    return answer.ok() ? answer->status : 0;
  }

  store::PostgresCluster* cluster_ = nullptr;
  std::string database_;
  MiniFleet fleet_{FleetOptions{.poll_interval = "1h", .webhook_secret = kSecret}};
  std::array<std::unique_ptr<DatabaseLink>, 2> links_;
  std::array<std::string, 2> grpc_;
  std::array<std::string, 2> http_;
  std::array<Process, 2> controllers_;
  Process agent_;
};

TEST_F(FailoverTest, AfterAKillTheOtherActsAndBothAddressesWork) {
  ExpectDeploys(1, "fl/app:1");
  const absl::Duration began = base::Clock::Real().Uptime();
  controllers_[0].Kill();
  ASSERT_OK(AwaitActive(1));
  ASSERT_OK(AwaitOnline(1));
  std::cout << "failover after kill -9: "
            << absl::FormatDuration(base::Clock::Real().Uptime() - began)
            << " until the other one acts and has its agent\n";
  ExpectDeploys(1, "fl/app:2");
  ASSERT_OK(StartController(0));
  ASSERT_OK(AwaitOnline(0));
  EXPECT_EQ(Active(), 1);
  ExpectDeploys(0, "fl/app:3");
  const std::string body = R"({"ref":"refs/heads/main","commits":[]})";
  EXPECT_EQ(Webhook(0, body), 202);
  EXPECT_EQ(Webhook(1, body), 202);
  EXPECT_EQ(Webhook(0, "{}x") / 100, 4);
  ExpectOfficesDoNotOverlap();
}

TEST_F(FailoverTest, ASessionGoesOnAtTheOther) {
  CliAs(0, "", {"user", "add", "ann"}, "correct horse battery\n");
  CliAs(0, "", {"login", "--user", "ann"}, "correct horse battery\n");
  const std::string token = LastToken();
  EXPECT_TRUE(absl::StrContains(CliAs(1, token, {"whoami"}), "user/ann"));
  controllers_[0].Kill();
  ASSERT_OK(AwaitActive(1));
  ASSERT_OK(AwaitOnline(1));
  EXPECT_TRUE(absl::StrContains(CliAs(1, token, {"whoami"}), "user/ann"));
  CliAs(1, token, {"logout"});
  ASSERT_OK(StartController(0));
  controllers_[1].Kill();
  ASSERT_OK(AwaitActive(0));
  ASSERT_OK(AwaitOnline(0));
  const CommandResult ended =
      RunCommand({ProgramPath("fairlead"), "whoami"},
                 {{"FAIRLEAD_CONTROLLER", grpc_[0]}, {"FAIRLEAD_TOKEN", token}});
  EXPECT_NE(ended.exit_code, 0);
  EXPECT_TRUE(absl::StrContains(ended.err, "the session is over")) << ended.err;
}

TEST_F(FailoverTest, ARestartOfTheDatabaseLosesNothing) {
  ExpectDeploys(0, "fl/app:1");
  cluster_->Crash();
  // What is asked meanwhile is refused or waits, but nobody falls over.
  Cli(0, {"status"});
  Cli(1, {"status"});
  ASSERT_TRUE(cluster_->Start());
  ASSERT_OK(WaitFor("one to be active", [&] { return Active() >= 0; }));
  for (int i : {0, 1}) {
    EXPECT_TRUE(controllers_[At(i)].Running());
    ASSERT_OK(AwaitOnline(i));
  }
  ExpectDeploys(1, "fl/app:2");
  ExpectOfficesDoNotOverlap();
}

TEST_F(FailoverTest, WhoWasStoppedLongerThanItsOfficeDoesNothingMoreInIt) {
  ExpectDeploys(0, "fl/app:1");
  const int64_t term = Offices().back().term;
  controllers_[0].Signal(SIGSTOP);
  ASSERT_OK(AwaitActive(1));
  ExpectDeploys(1, "fl/app:2");
  const std::string epoch = Sql("SELECT epoch FROM store_writer");
  controllers_[0].Signal(SIGCONT);
  // It is a standby, and passes on.
  ASSERT_OK(AwaitOnline(0));
  EXPECT_EQ(Active(), 1);
  // Whoever opens the store for writing raises the epoch.
  EXPECT_EQ(Sql("SELECT epoch FROM store_writer"), epoch);
  ExpectDeploys(0, "fl/app:3");
  ASSERT_OK(WaitFor("the end of its office in the record", [&] {
    for (const Office& office : Offices()) {
      if (office.term == term) return office.stopped > 0;
    }
    return false;
  }));
  ExpectOfficesDoNotOverlap();
}

TEST_F(FailoverTest, CutOffFromTheDatabaseItStopsBeforeTheLeaseMoves) {
  ExpectDeploys(0, "fl/app:1");
  const int64_t term = Offices().back().term;
  links_[0]->Cut();
  ASSERT_OK(AwaitActive(1));
  EXPECT_EQ(Active(), 1);
  ExpectDeploys(1, "fl/app:2");
  // It lives, and says what it knows.
  EXPECT_OK(WaitFor("controller 0 to say that it is not active", [&] {
    const CommandResult asked = Cli(0, {"status"});
    return asked.exit_code != 0 && absl::StrContains(asked.err, "standby");
  }));
  links_[0]->Mend();
  ASSERT_OK(AwaitOnline(0));
  ASSERT_OK(WaitFor("the end of its office in the record", [&] {
    for (const Office& office : Offices()) {
      if (office.term == term) return office.stopped > 0;
    }
    return false;
  }));
  ExpectOfficesDoNotOverlap();
  ExpectDeploys(0, "fl/app:3");
}

}  // namespace
}  // namespace fairlead::integration
