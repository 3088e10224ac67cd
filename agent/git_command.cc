#include "agent/git_command.h"

#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "agent/git_error.h"
#include "agent/host_command.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

// Answers only for the server of the source: a submodule or a redirection may lead elsewhere. The
// question reads "Password for 'https://user@host:port': ".
constexpr char kAskPass[] = R"(#!/bin/sh
address=${1#*\'}
address=${address%%\'*}
authority=${address#*://}
authority=${authority%%/*}
authority=${authority##*@}
[ -n "$FAIRLEAD_GIT_AUTHORITY" ] && [ "$authority" = "$FAIRLEAD_GIT_AUTHORITY" ] || exit 1
case "$1" in
  Username*) printf '%s\n' "$FAIRLEAD_GIT_USERNAME" ;;
  Password*) printf '%s\n' "$FAIRLEAD_GIT_PASSWORD" ;;
  *) exit 1 ;;
esac
)";

// For servers that look at the token alone.
constexpr char kAnyUser[] = "git";

// Of the environment's configuration: it goes before that of repositories.
std::map<std::string, std::string> Settings(bool file_allowed) {
  return {{"core.hooksPath", "/dev/null"},
          {"core.fsmonitor", "false"},
          {"credential.helper", ""},
          {"safe.directory", "*"},
          {"advice.detachedHead", "false"},
          {"gc.auto", "0"},
          {"maintenance.auto", "false"},
          {"submodule.recurse", "false"},
          {"fetch.recurseSubmodules", "false"},
          {"protocol.allow", "never"},
          {"protocol.http.allow", "always"},
          {"protocol.https.allow", "always"},
          {"protocol.ssh.allow", "always"},
          {"protocol.git.allow", "always"},
          {"protocol.file.allow", file_allowed ? "always" : "never"},
          // A server that sends nothing for so long is given up.
          {"http.lowSpeedLimit", "1"},
          {"http.lowSpeedTime", "60"}};
}

void AddSettings(bool file_allowed, std::map<std::string, std::string>& environment) {
  int count = 0;
  for (const auto& [key, value] : Settings(file_allowed)) {
    environment[absl::StrCat("GIT_CONFIG_KEY_", count)] = key;
    environment[absl::StrCat("GIT_CONFIG_VALUE_", count)] = value;
    ++count;
  }
  environment["GIT_CONFIG_COUNT"] = absl::StrCat(count);
}

// For the shell that git gives GIT_SSH_COMMAND to.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

bool HasControl(const std::string& text) {
  for (const char c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) return true;
  }
  return false;
}

int FromHex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && FromHex(text[i + 1]) >= 0 &&
        FromHex(text[i + 2]) >= 0) {
      plain.push_back(static_cast<char>(FromHex(text[i + 1]) * 16 + FromHex(text[i + 2])));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

}  // namespace

absl::StatusOr<GitUrl> ParseGitUrl(const std::string& url) {
  if (url.empty()) return absl::InvalidArgumentError("the repository has no url");
  if (url[0] == '-' || HasControl(url)) {
    return absl::InvalidArgumentError("the url of the repository is no address");
  }
  GitUrl parsed{.text = url};
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos) {
    parsed.is_file = url[0] == '/';
    const bool is_scp = url.find(':') != std::string::npos && !absl::StrContains(url, "::");
    if (!parsed.is_file && !is_scp) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", url, "\" is no address of a repository; give https://... or ", "git@host:path"));
    }
    return parsed;
  }
  const std::string scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  parsed.is_file = scheme == "file";
  if (parsed.is_file) return parsed;
  if (scheme != "http" && scheme != "https" && scheme != "ssh" && scheme != "git") {
    return absl::InvalidArgumentError(absl::StrCat("a repository cannot be read by ", scheme,
                                                   "://; give http, https, ssh, git or ", "file"));
  }
  const std::string rest = url.substr(scheme_end + 3);
  const std::size_t path = rest.find('/');
  std::string authority = rest.substr(0, path);
  const std::string tail = path == std::string::npos ? "" : rest.substr(path);
  if (const std::size_t at = authority.rfind('@'); at != std::string::npos) {
    const std::string user = authority.substr(0, at);
    authority = authority.substr(at + 1);
    const std::size_t colon = user.find(':');
    parsed.username = Unescaped(user.substr(0, colon));
    if (colon != std::string::npos) parsed.password = Unescaped(user.substr(colon + 1));
  }
  const bool keeps_user = scheme == "ssh" && !parsed.username.empty();
  parsed.text = absl::StrCat(scheme, "://", keeps_user ? parsed.username : "",
                             keeps_user ? "@" : "", authority, tail);
  if (scheme == "http" || scheme == "https") parsed.authority = authority;
  return parsed;
}

absl::StatusOr<GitCommand> GitCommand::Make(ActionScope& scope, const v1::GitSource& source,
                                            const std::string& data_directory) {
  ASSIGN_OR_RETURN(GitUrl url, ParseGitUrl(source.url()));
  ASSIGN_OR_RETURN(PrivateFolder folder, PrivateFolder::Make(data_directory));
  if (!url.password.empty()) scope.secrets.Add({url.password});
  GitCommand git(scope, std::move(url), source.branch(), std::move(folder));
  RETURN_IF_ERROR(git.Prepare(source));
  return git;
}

absl::Status GitCommand::Prepare(const v1::GitSource& source) {
  ASSIGN_OR_RETURN(const std::string ask_pass, folder_.Write("askpass", kAskPass, 0700));
  environment_ = {{"GIT_ASKPASS", ask_pass},
                  {"SSH_ASKPASS", ask_pass},
                  {"GIT_TERMINAL_PROMPT", "0"},
                  {"GIT_CONFIG_NOSYSTEM", "1"},
                  {"GIT_CONFIG_GLOBAL", "/dev/null"},
                  {"GIT_ATTR_NOSYSTEM", "1"},
                  {"GIT_OPTIONAL_LOCKS", "0"},
                  {"GIT_LFS_SKIP_SMUDGE", "1"},
                  {"HOME", folder_.path()},
                  {"XDG_CONFIG_HOME", folder_.path()},
                  {"LC_ALL", "C"},
                  {"LANGUAGE", "C"}};
  const bool has_login = !source.login().secret().empty() || !source.login().username().empty();
  const std::string username = has_login ? source.login().username() : url_.username;
  const std::string password = has_login ? source.login().secret() : url_.password;
  if (!password.empty() || !username.empty()) {
    environment_["FAIRLEAD_GIT_AUTHORITY"] = url_.authority;
    environment_["FAIRLEAD_GIT_USERNAME"] = username.empty() ? kAnyUser : username;
    environment_["FAIRLEAD_GIT_PASSWORD"] = password;
  } else {
    environment_["FAIRLEAD_GIT_AUTHORITY"] = "";
  }
  std::string ssh =
      "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 "
      "-o ServerAliveCountMax=4 -o StrictHostKeyChecking=yes";
  if (!source.ssh_key().empty()) {
    std::string key = absl::StrReplaceAll(source.ssh_key(), {{"\r\n", "\n"}});
    if (!absl::EndsWith(key, "\n")) key.push_back('\n');
    ASSIGN_OR_RETURN(const std::string file, folder_.Write("key", key));
    absl::StrAppend(&ssh, " -F /dev/null -o IdentityAgent=none -o IdentitiesOnly=yes -i ",
                    Quoted(file));
  }
  if (!source.known_hosts().empty()) {
    ASSIGN_OR_RETURN(const std::string file,
                     folder_.Write("known_hosts", absl::StrCat(source.known_hosts(), "\n")));
    absl::StrAppend(&ssh, " -o UserKnownHostsFile=", Quoted(file),
                    " -o GlobalKnownHostsFile=/dev/null");
  }
  environment_["GIT_SSH_COMMAND"] = ssh;
  return absl::OkStatus();
}

absl::StatusOr<base::SubprocessResult> GitCommand::Try(const Call& call) const {
  base::SubprocessOptions options;
  options.argv = {"git"};
  options.argv.insert(options.argv.end(), call.arguments.begin(), call.arguments.end());
  options.working_directory = call.directory.empty() ? folder_.path() : call.directory;
  options.environment = environment_;
  AddSettings(url_.is_file || call.is_local, options.environment);
  // Where a repository is damaged, one that the folder lies in must not be taken for it.
  options.environment["GIT_CEILING_DIRECTORIES"] =
      std::filesystem::path(options.working_directory).parent_path().string();
  for (const auto& [key, value] : call.environment) options.environment[key] = value;
  options.input = call.input;
  // Names of all files of a repository.
  options.output_limit = 64u << 20;
  absl::StatusOr<base::SubprocessResult> result =
      RunTool(scope_, std::move(options), call.is_shown ? ToolLines::kShown : ToolLines::kHidden);
  if (absl::IsNotFound(result.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(url_.text, ": there is no git on this host; install the package git (",
                     result.status().message(), ")"));
  }
  if (!result.ok()) return base::Annotate(result.status(), url_.text);
  return result;
}

absl::StatusOr<std::string> GitCommand::Run(const Call& call) const {
  ASSIGN_OR_RETURN(base::SubprocessResult result, Try(call));
  if (result.exit_code != 0) return StatusOf(result);
  return std::string(absl::StripSuffix(result.out, "\n"));
}

absl::Status GitCommand::StatusOf(const base::SubprocessResult& result) const {
  return StatusOfGit({.url = url_.text,
                      .branch = branch_,
                      .exit_code = result.exit_code,
                      .text = result.err.empty() ? result.out : result.err});
}

}  // namespace fairlead::agent
