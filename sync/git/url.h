// Addresses of git repositories.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::git {

// The fields by which resources name a repository.
struct RepositoryFields {
  std::string url;
  std::string git_provider;
  bool git_https = true;
  std::string repo;
  std::string git_account;
};
// Of a message that has them.
template <typename Spec>
RepositoryFields FieldsOf(const Spec& spec) {
  return {spec.url(), spec.git_provider(), spec.git_https(), spec.repo(), spec.git_account()};
}

// The branch, tag or commit that it follows.
template <typename Spec>
std::string ReferenceOf(const Spec& spec) {
  return spec.commit().empty() ? spec.branch() : spec.commit();
}

// The address that is meant: `url`, else http(s)://git_provider/repo.git. NotFound when no
// repository is named.
absl::StatusOr<std::string> UrlOf(const RepositoryFields& fields);

// An address and what it says of the user, apart.
struct SplitUrl {
  // Fit for messages, logs and process lists. The user name of an ssh address stays.
  std::string url;
  // "user:password" or "token" as written, still percent-encoded; empty when there is none.
  std::string user_info;
};

// Works for http, https, ssh and git addresses; paths and host:path forms have no secret and come
// back as they are.
SplitUrl SplitCredentials(absl::string_view url);

// "git.example.com" or, where the address has a port, "git.example.com:3000", in lower case; empty
// for a path.
std::string DomainOf(absl::string_view url);

// An http or https address that logs in with these, in place of what it says of the user; others
// come back as they are.
std::string WithLogin(absl::string_view url, absl::string_view user, absl::string_view secret);

// `text` with the user part of every scheme://user@ in it replaced by ***.
std::string RedactUrls(absl::string_view text);

// %XX decoded; a broken escape stays as it is.
std::string DecodePercent(absl::string_view text);

}  // namespace fairlead::git
