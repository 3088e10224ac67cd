#include "controller/loop/repo_source.h"

#include "absl/strings/str_cat.h"

#include "sync/git/url.h"

namespace fairlead::loop {
std::optional<RepoQuestion> RepoQuestionOf(const v1::Stack& stack, const v1::Repo* repo) {
  if (stack.files_on_host()) return std::nullopt;
  RepoQuestion question;
  const absl::StatusOr<std::string> url =
      git::UrlOf(repo != nullptr ? git::FieldsOf(*repo) : git::FieldsOf(stack));
  if (!url.ok()) return std::nullopt;
  question.url = *url;
  question.account = repo != nullptr ? repo->git_account() : stack.git_account();
  question.reference = repo != nullptr ? git::ReferenceOf(*repo) : git::ReferenceOf(stack);
  question.place = PlaceOf(stack);
  if (question.place.prefix.empty()) question.place.paths.clear();
  return question;
}

absl::StatusOr<std::string> RepositoryUrlOf(const v1::Build& build) {
  return git::UrlOf(git::FieldsOf(build));
}

absl::StatusOr<std::string> RepositoryUrlOf(const v1::Repo& repo) {
  return git::UrlOf(git::FieldsOf(repo));
}

std::string Describe(const RepoQuestion& question) {
  return absl::StrCat(git::SplitCredentials(question.url).url, " at ", question.reference);
}

}  // namespace fairlead::loop
