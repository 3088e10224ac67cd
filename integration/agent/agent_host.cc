#include "integration/agent/agent_host.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

namespace fs = std::filesystem;

std::string DirectoryOfTest() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::string directory =
      absl::StrCat(FAIRLEAD_BINARY_DIR, "/itest/", test.test_suite_name(), ".", test.name());
  std::error_code error;
  fs::remove_all(directory, error);
  EXPECT_OK(base::MakeDirectories(directory));
  return directory;
}

std::string AllArguments() {
  std::string all;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    if (!std::isdigit(static_cast<unsigned char>(entry.path().filename().string()[0]))) continue;
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    std::replace(text.begin(), text.end(), '\0', ' ');
    absl::StrAppend(&all, text, "\n");
  }
  return all;
}

}  // namespace

AgentHost::AgentHost() : engine_(Engine::Shared(1)), directory_(DirectoryOfTest()) {
  engine_.Clear();
  Restart();
}

AgentHost::~AgentHost() { engine_.Clear(); }

void AgentHost::Restart() {
  runtime_.reset();
  EXPECT_OK(base::MakeDirectories(data()));
  records_ = std::make_unique<agent::ContainerRecords>(data() + "/containers");
  EXPECT_OK(records_->Load());
  runtime_ = std::make_unique<agent::DockerRuntime>(
      agent::DockerOptions{.engine = engine_.host(), .data_directory = data()}, *records_, secrets_,
      base::Clock::Real());
  runtime_->SetInstallation("itest", "k1", std::string(32, 'k'));
}

v1::ActionOutcome AgentHost::Run(v1::Action action) {
  return RunUntil(std::move(action), [] { return false; });
}

v1::ActionOutcome AgentHost::RunAndCancelAt(const v1::Action& action, const std::string& sign) {
  return RunUntil(action, [this, sign] { return absl::StrContains(Output(), sign); });
}

v1::ActionOutcome AgentHost::RunUntil(v1::Action action,
                                      const std::function<bool()>& is_cancelled) {
  if (action.id().empty()) action.set_id(absl::StrCat("action-", next_id_++));
  lines_.clear();
  progress_.clear();
  arguments_seen_.clear();
  agent::ActionContext context;
  // Called from the action's own thread, which is this one.
  context.is_cancelled = is_cancelled;
  context.log = [this](const v1::ActionLog& log) {
    if (log.dropped() > 0) lines_.push_back(absl::StrCat("-", log.dropped()));
    lines_.insert(lines_.end(), log.lines().begin(), log.lines().end());
    if (watches_arguments_) arguments_seen_ += AllArguments();
  };
  context.report = [this](const v1::ActionProgress& news) {
    progress_.push_back(absl::StrCat(news.phase(), " ", news.detail()));
  };
  v1::ActionOutcome outcome = runtime_->Run(action, context);
  if (outcome.status() != v1::ACTION_STATUS_SUCCEEDED) {
    // For the log of the test.
    GTEST_LOG_(INFO) << action.resource() << ": " << outcome.message();
  }
  return outcome;
}

std::string AgentHost::Output() const { return absl::StrJoin(lines_, "\n"); }

std::string AgentHost::Folder(const std::string& name) const {
  const std::string path = absl::StrCat(directory_, "/", name);
  EXPECT_OK(base::MakeDirectories(path, 0755));
  return path;
}

void AgentHost::WriteFile(const std::string& path, const std::string& text, unsigned mode) {
  EXPECT_OK(base::MakeDirectories(fs::path(path).parent_path().string(), 0755));
  EXPECT_OK(base::WriteFileAtomically(path, text, mode));
}

std::vector<std::string> AgentHost::PathsBelow(const std::string& folder) const {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    paths.push_back(at->path().string().substr(folder.size()));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace fairlead::integration
