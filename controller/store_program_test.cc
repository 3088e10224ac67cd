// The controller and its commands on both kinds of database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/match.h"

#include "base/file.h"
#include "controller/controller.h"
#include "controller/program.h"
#include "controller/store/testing/postgres_test.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Outcome RunCommand(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "fairlead-controller");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.exit_code =
      RunProgram(static_cast<int>(arguments.size()), argv.data(), base::Clock::Real());
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

class StoreProgramTest : public store::PostgresTest {
 protected:
  ControllerOptions Options(const std::string& store) {
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.data_dir = folder_.File("data");
    options.dev = true;
    options.store = store;
    options.program = "/bin/false";
    return options;
  }
  // The installation's id, made at the first start.
  std::string Installation() const {
    return cluster_->Sql(database_,
                         "SELECT convert_from(value, 'UTF8') FROM settings WHERE key = "
                         "'installation'");
  }

  store::TemporaryFolder folder_;
};

TEST_F(StoreProgramTest, ControllerKeepsItsIdentityInPostgres) {
  std::string first;
  for (int i = 0; i < 2; ++i) {
    const auto controller = Controller::Start(Options(cluster_->Socket(database_)));
    ASSERT_TRUE(controller.ok()) << controller.status();
    if (first.empty()) first = Installation();
    EXPECT_EQ(Installation(), first);
    EXPECT_EQ(first.size(), 16u);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.File("data/fairlead.db")));
}

TEST_F(StoreProgramTest, ControllerThatCannotOpenItsStoreSaysWhyWithoutThePassword) {
  const auto refused = Controller::Start(Options(cluster_->WithPassword(database_, "hush")));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied) << refused.status();
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr(database_), Not(HasSubstr("hush"))));
  const Outcome outcome =
      RunCommand({"--dev", "--data-dir", folder_.File("data"), "--store", "mysql://ann:hush@db/x"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("--store"), Not(HasSubstr("hush"))));
}

TEST_F(StoreProgramTest, CommandsMoveAStoreThroughBothDatabasesAndABackup) {
  const std::string data = folder_.File("data");
  {
    ASSERT_TRUE(Controller::Start(Options("")).ok());
  }
  const std::string sqlite = "sqlite:" + data + "/fairlead.db";
  const std::string postgres = cluster_->Socket(database_);
  Outcome outcome = RunCommand({"migrate-store", "--from", sqlite, "--to", postgres, "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("could copy 4 records"), Not(HasSubstr("word"))));
  outcome = RunCommand({"migrate-store", "--from", sqlite, "--to", postgres});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("copied and verified 4 records"));
  EXPECT_THAT(outcome.err, HasSubstr("password in the arguments"));
  outcome = RunCommand({"--store", postgres, "backup", "--to", folder_.File("backup")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  outcome = RunCommand(
      {"restore", "--from", folder_.File("backup"), "--store", "sqlite:" + folder_.File("new.db")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("restored and verified 4 records"));
  outcome = RunCommand({"--data-dir", data, "restore", "--from", folder_.File("backup")});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("never overwritten"));
  outcome = RunCommand({"migrate-store", "--from", sqlite, "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("has schema"));
}

TEST_F(StoreProgramTest, PasswordFileIsUsedAndNothingIsSaid) {
  ASSERT_TRUE(base::WriteFileAtomically(folder_.File("password"), "pass%word '1'\n").ok());
  const Outcome outcome =
      RunCommand({"--store", cluster_->WithPassword(database_, ""), "--store-password-file",
                  folder_.File("password"), "backup", "--to", folder_.File("backup")});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("there is no store in it"),
                                 Not(HasSubstr("password in the arguments"))));
}

}  // namespace
}  // namespace fairlead::controller
