#include "sync/git/fetch.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

#include "base/status.h"
#include "base/subprocess.h"
#include "sync/git/fetch_protocol.h"
#include "sync/git/mirror_directory.h"
#include "sync/git/url.h"

namespace fairlead::git {
namespace {

// Nothing a server says may carry a credential into a log.
std::string Redact(absl::string_view text, const SplitUrl& split) {
  std::string redacted = RedactUrls(text);
  std::vector<std::string> secrets;
  // The user of an ssh address stays in it and is no secret.
  if (!split.user_info.empty() &&
      !absl::StrContains(split.url, absl::StrCat("//", split.user_info, "@"))) {
    const std::size_t colon = split.user_info.find(':');
    secrets.push_back(split.user_info.substr(colon == std::string::npos ? 0 : colon + 1));
    secrets.push_back(DecodePercent(secrets.back()));
  }
  if (const char* token = std::getenv("FAIRLEAD_GIT_TOKEN")) secrets.emplace_back(token);
  for (const std::string& secret : secrets) {
    // Shorter ones are user names such as "git".
    if (secret.size() > 3) absl::StrReplaceAll({{secret, "***"}}, &redacted);
  }
  return redacted;
}

}  // namespace

absl::Status StatusOfExit(int exit_code, absl::string_view output, const SplitUrl& url) {
  if (exit_code == 0) return absl::OkStatus();
  const std::string line =
      Redact(absl::StripAsciiWhitespace(output.substr(0, output.find('\n'))), url);
  const int code = exit_code - kExitCodeBase;
  if (code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated) && !line.empty()) {
    return absl::Status(static_cast<absl::StatusCode>(code), line);
  }
  return absl::UnavailableError(
      absl::StrCat("fetch ", url.url, ": helper ended with code ", exit_code, ": ", line));
}

absl::Status StatusOfEnd(const absl::Status& status, const SplitUrl& url, absl::Duration timeout) {
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(
        absl::StrCat("fetch ", url.url, ": not finished after ", absl::FormatDuration(timeout)));
  }
  if (absl::IsCancelled(status)) {
    return absl::CancelledError(absl::StrCat("fetch ", url.url, ": cancelled"));
  }
  return base::Annotate(status, absl::StrCat("fetch ", url.url));
}

absl::Status Fetch(const FetchRequest& request, const std::function<bool()>& is_cancelled) {
  const SplitUrl url = SplitCredentials(request.url);
  const auto result =
      base::RunSubprocess({.argv = {request.helper_program, kFetchHelperFlag, url.url,
                                    request.directory, request.reference},
                           .environment = {{kUserInfoVariable, url.user_info},
                                           {kSshKeyVariable, request.ssh_key},
                                           {kKnownHostsVariable, request.known_hosts}},
                           .timeout = request.timeout,
                           .output_limit = 64u << 10,
                           .is_cancelled = is_cancelled});
  const absl::Status status =
      result.ok()
          ? StatusOfExit(result->exit_code, result->out.empty() ? result->err : result->out, url)
          : StatusOfEnd(result.status(), url, request.timeout);
  // A child that was killed leaves its locks, and they would stop the next one.
  if (!status.ok()) RemoveLeftovers(request.directory);
  return status;
}

bool IsFetchHelper(int argc, const char* const* argv) {
  return argc > 1 && absl::string_view(argv[1]) == kFetchHelperFlag;
}

}  // namespace fairlead::git
