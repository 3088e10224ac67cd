// Running commands of the client in a test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cli/app.h"
#include "cli/testing/fake_controller.h"

namespace fairlead::cli {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// Output that another thread may look at meanwhile. Thread-safe.
class WatchedBuffer final : public std::streambuf {
 public:
  std::string text() const {
    base::MutexLock lock(mutex_);
    return text_;
  }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    base::MutexLock lock(mutex_);
    text_.append(data, static_cast<std::size_t>(size));
    return size;
  }
  int_type overflow(int_type c) override {
    base::MutexLock lock(mutex_);
    if (c != traits_type::eof()) text_ += traits_type::to_char_type(c);
    return traits_type::not_eof(c);
  }

 private:
  mutable base::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

// Runs commands against a fake controller, with a folder of its own as home.
class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fairlead-cli-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    variables_["HOME"] = folder_;
    variables_["FAIRLEAD_CONTROLLER"] = controller_.address();
  }
  ~CommandTest() override { std::filesystem::remove_all(folder_); }

  Outcome RunCommand(const std::vector<std::string>& arguments) {
    std::istringstream in(input_);
    shown_ = std::make_shared<WatchedBuffer>();
    std::ostream out(shown_.get());
    std::ostringstream err;
    Environment environment{
        .in = in,
        .out = out,
        .err = err,
        .clock = base::Clock::Real(),
        .variable = [this](const std::string& key) -> std::optional<std::string> {
          const auto found = variables_.find(key);
          return found == variables_.end() ? std::nullopt : std::make_optional(found->second);
        },
        .out_is_terminal = terminal_,
        .screen = [this] { return screen_; }};
    Outcome outcome;
    outcome.code = cli::Run(arguments, environment);
    outcome.out = shown_->text();
    outcome.err = err.str();
    return outcome;
  }

  // Path of a file made in the folder.
  std::string Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
    return path.string();
  }

  FakeController controller_;
  std::string folder_;
  std::map<std::string, std::string> variables_;
  std::string input_;
  bool terminal_ = false;
  ScreenSize screen_;
  // What the command has printed so far.
  std::shared_ptr<WatchedBuffer> shown_ = std::make_shared<WatchedBuffer>();
};

}  // namespace fairlead::cli
