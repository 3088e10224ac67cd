// Apart from url.cc, so that the fetch helper links no protobuf.
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "sync/git/url.h"

namespace fairlead::git {

absl::StatusOr<std::string> UrlOf(const RepositoryFields& fields) {
  if (!fields.url.empty()) return fields.url;
  absl::string_view repo = fields.repo;
  while (absl::ConsumePrefix(&repo, "/")) {
  }
  while (absl::ConsumeSuffix(&repo, "/")) {
  }
  absl::ConsumeSuffix(&repo, ".git");
  if (repo.empty()) {
    return absl::NotFoundError("names no repository: set url, or git_provider and repo");
  }
  const absl::string_view provider =
      fields.git_provider.empty() ? absl::string_view("github.com") : fields.git_provider;
  return absl::StrCat(fields.git_https ? "https://" : "http://", provider, "/", repo, ".git");
}

}  // namespace fairlead::git
