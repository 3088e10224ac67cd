#include "agent/git_error.h"

#include <initializer_list>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kErrorLines = 4;

bool HasAny(absl::string_view text, std::initializer_list<absl::string_view> signs) {
  for (const absl::string_view sign : signs) {
    if (absl::StrContains(text, sign)) return true;
  }
  return false;
}

// The lines that say something, without git's advice.
std::string LastWords(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(line);
    if (stripped.empty() || absl::StartsWith(stripped, "hint:") ||
        absl::StartsWith(stripped, "and the repository exists") ||
        absl::StartsWith(stripped, "Please make sure you have") ||
        absl::StartsWith(stripped, "warning: redirecting to")) {
      continue;
    }
    lines.emplace_back(stripped.substr(0, 500));
  }
  if (lines.size() > kErrorLines) lines.erase(lines.begin(), lines.end() - kErrorLines);
  return absl::StrJoin(lines, "; ");
}

// "Cloning into ..." and "fatal: clone of 'URL' into submodule path 'PATH' failed".
std::string SubmoduleIn(absl::string_view text) {
  const std::string sign = "into submodule path '";
  std::size_t at = text.find(sign);
  if (at == absl::string_view::npos) {
    const absl::string_view other = "in submodule path '";
    at = text.find(other);
    if (at == absl::string_view::npos) return "";
    at += other.size();
  } else {
    at += sign.size();
  }
  const absl::string_view rest = text.substr(at);
  return std::string(rest.substr(0, rest.find('\'')));
}

}  // namespace

absl::Status StatusOfGit(const GitFailure& failure) {
  const absl::string_view text = failure.text;
  std::string what = failure.url;
  if (const std::string submodule = SubmoduleIn(text); !submodule.empty()) {
    absl::StrAppend(&what, ": submodule ", submodule);
  }
  const std::string words = LastWords(text);
  const auto message = [&](absl::string_view meaning) {
    return absl::StrCat(what, ": ", meaning, words.empty() ? "" : " (git: ", words,
                        words.empty() ? "" : ")");
  };
  if (HasAny(text, {"No space left", "Disk quota exceeded"})) {
    return absl::ResourceExhaustedError(message("the disk of this host is full"));
  }
  if (HasAny(text, {"transport 'file' not allowed", "transport 'ext' not allowed"}) ||
      (absl::StrContains(text, "transport '") && absl::StrContains(text, "not allowed"))) {
    return absl::InvalidArgumentError(
        message("only http, https, ssh and git are spoken, and file where the url itself says so"));
  }
  if (HasAny(text, {"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"})) {
    return absl::FailedPreconditionError(
        message("the host key of the server is not the known one; put it into known_hosts"));
  }
  if (HasAny(text,
             {"unable to update url base from redirection", "The requested URL returned error: 301",
              "The requested URL returned error: 302", "The requested URL returned error: 308",
              "has moved"})) {
    return absl::FailedPreconditionError(message("the repository has moved; change its address"));
  }
  if (HasAny(text, {"Authentication failed", "could not read Username", "could not read Password",
                    "terminal prompts disabled", "Permission denied (publickey",
                    "The requested URL returned error: 401",
                    "The requested URL returned error: 403", "Permission denied, please try again",
                    "invalid credentials", "Load key", "HTTP Basic: Access denied"})) {
    return absl::FailedPreconditionError(
        message("the git server refuses the login; check account, token or key"));
  }
  if (HasAny(text,
             {"couldn't find remote ref", "Remote branch", "not our ref", "did not contain"})) {
    return absl::NotFoundError(message(failure.branch.empty()
                                           ? "the revision is not there"
                                           : absl::StrCat("there is no branch ", failure.branch)));
  }
  if (HasAny(text,
             {"epository not found", "does not appear to be a git repository",
              "The requested URL returned error: 404", "' not found", "does not exist",
              "project you were looking for could not be found", "No url found for submodule"})) {
    return absl::NotFoundError(
        message("there is no such repository, or this account may not see it"));
  }
  if (HasAny(text, {"Could not resolve host",
                    "Connection refused",
                    "onnection timed out",
                    "Failed to connect",
                    "early EOF",
                    "RPC failed",
                    "unexpected disconnect",
                    "The requested URL returned error: 5",
                    "The requested URL returned error: 429",
                    "Connection reset",
                    "Operation too slow",
                    "Could not resolve hostname",
                    "Connection closed",
                    "unable to access",
                    "Empty reply",
                    "hung up unexpectedly",
                    "Network is unreachable",
                    "No route to host",
                    "Couldn't connect",
                    "index-pack failed",
                    "timed out"})) {
    return absl::UnavailableError(message("the git server cannot be reached, or fails"));
  }
  return absl::FailedPreconditionError(message(absl::StrCat("git ended with ", failure.exit_code)));
}

bool IsDamagedRepository(absl::string_view git_error) {
  return HasAny(git_error, {"is corrupt", "is empty", "bad object", "missing blob", "missing tree",
                            "not a git repository", "unable to read tree", "unable to read sha1",
                            "did not send all necessary objects", "invalid sha1 pointer",
                            "bad signature", "index file smaller than expected", "inflate:",
                            "bad config line", "reference broken", "could not parse commit"});
}

}  // namespace fairlead::agent
