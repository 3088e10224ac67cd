// Apart from url.cc, so that the fetch helper links no protobuf.
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "sync/git/url.h"

namespace fairlead::git {

absl::StatusOr<std::string> UrlOf(const v1::ResourceSync& sync) {
  if (!sync.url().empty()) return sync.url();
  absl::string_view repo = sync.repo();
  while (absl::ConsumePrefix(&repo, "/")) {
  }
  while (absl::ConsumeSuffix(&repo, "/")) {
  }
  absl::ConsumeSuffix(&repo, ".git");
  if (repo.empty()) {
    return absl::NotFoundError("names no repository: set url, or git_provider and repo");
  }
  const absl::string_view provider =
      sync.git_provider().empty() ? absl::string_view("github.com") : sync.git_provider();
  return absl::StrCat(sync.git_https() ? "https://" : "http://", provider, "/", repo, ".git");
}

}  // namespace fairlead::git
