#include "agent/repo_runtime.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/host_command.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

bool Leaves(const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return path.find('\0') != std::string::npos ||
         std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// Absolute; InvalidArgument when it is not within `directory`, also through a link of the
// repository.
absl::StatusOr<std::string> EnvFileIn(const std::string& directory, const std::string& path) {
  const std::string file = (fs::path(directory) / path).lexically_normal().string();
  std::error_code error;
  const fs::path root = fs::weakly_canonical(directory, error);
  const fs::path real = fs::weakly_canonical(fs::path(file).parent_path(), error);
  const auto mismatch = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (path[0] == '/' || Leaves(path) || error || mismatch.first != root.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("env_file_path \"", path, "\" leaves the checkout"));
  }
  return file;
}

}  // namespace

absl::StatusOr<std::string> ComputeRepoDirectory(const std::string& repos,
                                                 const std::string& directory) {
  const std::string path = (fs::path(repos) / directory).lexically_normal().string();
  const std::string trimmed =
      path.size() > 1 && path.back() == '/' ? path.substr(0, path.size() - 1) : path;
  if (directory.empty() || Leaves(directory) || trimmed == "/" || trimmed == repos ||
      trimmed == repos + "/.") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", directory, "\" cannot be the folder of a checkout"));
  }
  return trimmed;
}

RepoRuntime::RepoRuntime(const std::string& data_directory, GitCheckouts& checkouts)
    : repos_((fs::absolute(data_directory) / "repos").lexically_normal().string()),
      checkouts_(checkouts) {}

absl::Status RepoRuntime::CheckOut(ActionScope& scope, const v1::CheckOutRepo& request) const {
  CheckoutPlace place{.owner = scope.action.resource(), .anew = request.anew()};
  ASSIGN_OR_RETURN(place.directory, ComputeRepoDirectory(repos_, request.directory()));
  const std::string env_file = request.env_file_path().empty() ? ".env" : request.env_file_path();
  if (!request.environment().empty()) {
    RETURN_IF_ERROR(EnvFileIn(place.directory, env_file).status());
    place.kept_file = fs::path(env_file).lexically_normal().string();
  }
  ASSIGN_OR_RETURN(const CheckedOut done, checkouts_.CheckOut(scope, request.source(), place));
  v1::CheckOutResult& result = *scope.outcome.mutable_check_out();
  result.set_commit(done.commit);
  result.set_subject(done.subject);
  result.set_cloned(done.cloned);
  result.set_changed(done.changed);
  result.set_directory(place.directory);
  if (!request.environment().empty()) {
    // The checkout may have brought a link.
    ASSIGN_OR_RETURN(const std::string file, EnvFileIn(place.directory, env_file));
    RETURN_IF_ERROR(base::MakeDirectories(fs::path(file).parent_path().string(), 0755));
    RETURN_IF_ERROR(base::WriteFileAtomically(file, request.environment(), 0600));
  }
  const HostCommandCall call{.what = done.cloned ? "on_clone" : "on_pull", .root = place.directory};
  RETURN_IF_ERROR(
      RunHostCommandOnce(scope, done.cloned ? request.on_clone() : request.on_pull(), call));
  return done.cloned ? GitCheckouts::MarkFinished(place, scope.action.id()) : absl::OkStatus();
}

}  // namespace fairlead::agent
