// Repositories that stacks are read from, beside that of their sync, and those of builds.
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "controller/loop/stack_place.h"
#include "fairlead/v1/build.pb.h"
#include "fairlead/v1/repo.pb.h"
#include "fairlead/v1/stack.pb.h"

namespace fairlead::loop {

// What one stack or build takes from a repository.
struct RepoQuestion {
  std::string url;
  // Branch, tag or commit.
  std::string reference;
  // The files that belong to it. In the root of a repository that is all of them.
  StackPlace place;
  // git_account of the one that names the repository; empty: none.
  std::string account;
  // No files: the commit alone.
  bool head_only = false;

  auto operator<=>(const RepoQuestion&) const = default;
};

// The question of a stack with a repository of its own: `url`, else git_provider and repo; `repo`,
// when it is not null, is its linked_repo and comes first. Nothing when the stack names none.
std::optional<RepoQuestion> RepoQuestionOf(const v1::Stack& stack, const v1::Repo* repo);

// The address of the repository that a build or repo names. NotFound: it names none.
absl::StatusOr<std::string> RepositoryUrlOf(const v1::Build& build);
absl::StatusOr<std::string> RepositoryUrlOf(const v1::Repo& repo);

// "owner/name at main", for messages; without what the url says of the user.
std::string Describe(const RepoQuestion& question);

}  // namespace fairlead::loop
