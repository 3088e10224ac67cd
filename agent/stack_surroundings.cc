// Beside the surroundings, what an update of a stack takes into account of the contents of files.
#include "agent/stack_surroundings.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/stack_update.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

// Files above this size that are mounted from the stack's folder do not count by content.
constexpr std::size_t kLargestContent = 16u << 20;
// Files of a build context on the host beyond these do not count.
constexpr std::size_t kMostContextFiles = 20000;

std::vector<std::string> ProfilesIn(const std::string& environment) {
  for (const absl::string_view line : absl::StrSplit(environment, '\n')) {
    if (absl::StartsWith(line, "COMPOSE_PROFILES=")) {
      return absl::StrSplit(line.substr(line.find('=') + 1), ',', absl::SkipEmpty());
    }
  }
  return {};
}

// Takes --profile out of `arguments`: it belongs before the command.
std::vector<std::string> TakeProfiles(std::vector<std::string>& arguments) {
  std::vector<std::string> profiles;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (argument == "--profile" && i + 1 < arguments.size()) {
      profiles.push_back(arguments[++i]);
    } else if (absl::ConsumePrefix(&argument, "--profile=")) {
      profiles.emplace_back(argument);
    } else {
      rest.push_back(arguments[i]);
    }
  }
  arguments = std::move(rest);
  return profiles;
}

std::string PathIn(const std::string& directory, const std::string& path) {
  return (fs::path(directory) / path).lexically_normal().string();
}

}  // namespace

absl::StatusOr<StackSurroundings> SurroundingsOf(const v1::ApplyStack& stack,
                                                 const StackFolder& folder, LoginFolder& logins) {
  RETURN_IF_ERROR(logins.Write(stack.logins()));
  StackSurroundings surroundings;
  surroundings.up_arguments = {stack.extra_args().begin(), stack.extra_args().end()};
  ComposeSurroundings& calls = surroundings.calls;
  calls.docker_config = logins.variable();
  // Named ones take the place of COMPOSE_PROFILES, which version 1 does not read of a file.
  calls.profiles = ProfilesIn(stack.environment());
  const std::vector<std::string> named = TakeProfiles(surroundings.up_arguments);
  calls.profiles.insert(calls.profiles.end(), named.begin(), named.end());
  calls.wrapper = stack.wrapper();
  calls.wrap = {stack.wrap().begin(), stack.wrap().end()};
  calls.script = folder.PathOf("compose-call.sh");
  if (!calls.wrapper.empty() && calls.script.find_first_of(" \t\n'\"\\$`") != std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("compose_cmd_wrapper needs a data directory of the agent without spaces and "
                     "quotes, not ",
                     calls.script));
  }
  return surroundings;
}

absl::Status StackUpdate::Surround() {
  ASSIGN_OR_RETURN(StackSurroundings surroundings,
                   SurroundingsOf(request_, *source_, login_folder_));
  extra_args_ = std::move(surroundings.up_arguments);
  profiles_ = surroundings.calls.profiles;
  compose_ = compose_.With(std::move(surroundings.calls));
  return absl::OkStatus();
}

std::vector<WatchedPath> StackUpdate::WatchedPaths() const {
  std::vector<WatchedPath> paths;
  for (const v1::ApplyStack::WatchedFile& file : request_.watched_files()) {
    paths.push_back({.path = PathIn(run_directory_, file.path()),
                     .services = {file.services().begin(), file.services().end()},
                     .effect = file.effect()});
  }
  return paths;
}

void StackUpdate::WarnOfUnknownServices() {
  for (const v1::ApplyStack::WatchedFile& file : request_.watched_files()) {
    for (const std::string& service : file.services()) {
      if (!IsGone(service)) continue;
      scope_.Warn(absl::StrCat("config_files: ", file.path(), " names service ", service,
                               ", which the compose files do not have"));
    }
  }
}

std::string StackUpdate::Written(absl::string_view path) const {
  const bool is_inside = absl::ConsumePrefix(&path, run_directory_);
  return absl::StrCat(is_inside ? input_.run_directory : "", path);
}

std::string StackUpdate::OfProject(absl::string_view path) const {
  const bool is_inside = absl::ConsumePrefix(&path, input_.run_directory);
  return absl::StrCat(is_inside ? run_directory_ : "", path);
}

std::string StackUpdate::HashOfFile(const std::string& path) const {
  const absl::StatusOr<std::string> content = base::ReadFile(path, kLargestContent);
  return content.ok() ? scope_.hasher->HashText(*content) : std::string();
}

std::string StackUpdate::ContentOf(const std::string& path,
                                   const std::set<std::string>& but) const {
  std::error_code error;
  if (!absl::StartsWith(path, absl::StrCat(run_directory_, "/"))) return "";
  if (fs::is_regular_file(Written(path), error)) return HashOfFile(Written(path));
  // Of a folder only what the stack itself brings: the rest is what containers write.
  std::string text;
  const absl::StatusOr<std::vector<std::string>> files = source_->WrittenFiles();
  if (!files.ok()) return text;
  for (const std::string& written : *files) {
    const std::string file = OfProject(written);
    if (absl::StartsWith(file, absl::StrCat(path, "/")) && !but.contains(file)) {
      absl::StrAppend(&text, file, "=", HashOfFile(written), ";");
    }
  }
  return text;
}

std::string StackUpdate::ContextOf(const std::string& path) const {
  std::set<std::string> files;
  std::error_code error;
  const std::string folder = Written(absl::StripSuffix(path, "/"));
  if (request_.host_directory().empty()) {
    const absl::StatusOr<std::vector<std::string>> written = source_->WrittenFiles();
    if (written.ok()) files.insert(written->begin(), written->end());
  } else {
    for (auto at = fs::recursive_directory_iterator(folder, error);
         !error && at != fs::recursive_directory_iterator() && files.size() < kMostContextFiles;
         at.increment(error)) {
      std::error_code ignored;
      if (at->path().filename() == ".git") {
        at.disable_recursion_pending();
      } else if (at->is_regular_file(ignored)) {
        files.insert(at->path().string());
      }
    }
  }
  // What says how to run it is no part of an image.
  for (const std::string& file : input_.compose_files) files.erase(file);
  for (const std::string& file : input_.env_files) files.erase(file);
  std::string text;
  for (const std::string& file : files) {
    if (!absl::StartsWith(file, absl::StrCat(folder, "/"))) continue;
    absl::StrAppend(&text, OfProject(file), "=", HashOfFile(file), ";");
  }
  return text.empty() ? text : scope_.hasher->HashText(text);
}

}  // namespace fairlead::agent
