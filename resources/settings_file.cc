#include "resources/settings_file.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

namespace fs = std::filesystem;

absl::Status Parse(const std::string& path, const std::string& content,
                   google::protobuf::Message* settings) {
  std::string errors;
  for (const v1::Problem& problem : ReadTomlSettings(path, content, settings)) {
    if (problem.severity() == v1::SEVERITY_ERROR) absl::StrAppend(&errors, FormatProblem(problem));
  }
  return errors.empty() ? absl::OkStatus() : absl::InvalidArgumentError(errors);
}

}  // namespace

absl::Status ReadSettingsFile(const std::string& path, absl::string_view says,
                              google::protobuf::Message* settings) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kLargestFile));
  RETURN_IF_ERROR(Parse(path, content, settings));
  std::error_code failed;
  const fs::perms mode = fs::status(path, failed).permissions();
  if ((mode & (fs::perms::group_write | fs::perms::others_write)) == fs::perms::none) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(path, ": others may write this file, which says ",
                                                  says, "; run: chmod go-w ", path));
}

absl::Status ReadPrivateSettingsFile(const std::string& path, google::protobuf::Message* settings) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadPrivateFile(path, kLargestFile));
  return Parse(path, content, settings);
}

std::string PathBeside(const std::string& folder, const std::string& path) {
  return path.empty() ? path : (fs::path(folder) / path).lexically_normal().string();
}

}  // namespace fairlead::resources
