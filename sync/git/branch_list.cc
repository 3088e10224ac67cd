#include "sync/git/branch_list.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace fairlead::git {
namespace {

constexpr std::size_t kMaxNamed = 8;

int AddName(const char* name, void* payload) {
  absl::string_view text(name);
  if (absl::ConsumePrefix(&text, "refs/heads/")) {
    static_cast<std::vector<std::string>*>(payload)->emplace_back(text);
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListBranches(git_repository* repository) {
  std::vector<std::string> names;
  if (git_reference_foreach_name(repository, AddName, &names) != 0) {
    return absl::UnavailableError(absl::StrCat("list branches: ", LastError()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status MissingReference(absl::string_view reference,
                              const std::vector<std::string>& branches) {
  if (branches.empty()) {
    return absl::NotFoundError(
        absl::StrCat("repository is empty: it has no branch \"", reference, "\""));
  }
  const std::size_t named = std::min(branches.size(), kMaxNamed);
  const std::vector<std::string> first(branches.begin(),
                                       branches.begin() + static_cast<std::ptrdiff_t>(named));
  return absl::NotFoundError(absl::StrCat(
      "repository has no branch \"", reference, "\"; it has: ", absl::StrJoin(first, ", "),
      branches.size() > named ? absl::StrCat(" and ", branches.size() - named, " more") : ""));
}

}  // namespace fairlead::git
