#include "cli/config.h"

#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace fairlead::cli {
namespace {

const std::set<std::string>& KnownKeys() {
  static const auto* const keys =
      new std::set<std::string>{"controller", "tls_cert", "tls_key", "tls_ca"};
  return *keys;
}

// Empty when the user has no home.
std::string ConfigFolder(const Environment& environment) {
  if (const auto folder = environment.variable("XDG_CONFIG_HOME"); folder && !folder->empty()) {
    return absl::StrCat(*folder, "/fairlead");
  }
  if (const auto home = environment.variable("HOME"); home && !home->empty()) {
    return absl::StrCat(*home, "/.config/fairlead");
  }
  return "";
}

std::string ConfigPath(const Environment& environment) {
  const std::string folder = ConfigFolder(environment);
  return folder.empty() ? "" : folder + "/config.toml";
}

std::string SessionPath(const Environment& environment) {
  const std::string folder = ConfigFolder(environment);
  return folder.empty() ? "" : folder + "/sessions";
}

// Tokens by controller: lines "ADDRESS TOKEN".
std::map<std::string, std::string> ParseSessions(absl::string_view content) {
  std::map<std::string, std::string> sessions;
  for (const absl::string_view line : absl::StrSplit(content, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() == 2) sessions[words[0]] = words[1];
  }
  return sessions;
}

// The value between quotes at the start of `text`; what follows may only be a comment.
absl::StatusOr<std::string> ParseQuoted(absl::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError("expected key = \"value\"");
  if (text.size() < 2 || (text[0] != '"' && text[0] != '\'')) return wrong;
  const std::size_t end = text.find(text[0], 1);
  if (end == absl::string_view::npos) return wrong;
  const absl::string_view rest = absl::StripAsciiWhitespace(text.substr(end + 1));
  if (!rest.empty() && rest[0] != '#') return wrong;
  const absl::string_view value = text.substr(1, end - 1);
  if (text[0] == '"' && value.find('\\') != absl::string_view::npos) {
    return absl::InvalidArgumentError("backslashes need single quotes: key = 'value'");
  }
  return std::string(value);
}

void FillFrom(const std::map<std::string, std::string>& values, const char* key,
              std::string& value) {
  const auto found = values.find(key);
  if (value.empty() && found != values.end()) value = found->second;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseConfig(absl::string_view path,
                                                               absl::string_view content) {
  std::map<std::string, std::string> values;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const std::string place = absl::StrCat(path, ":", number);
    const std::size_t equals = line.find('=');
    if (equals == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat(place, ": expected key = \"value\""));
    }
    const std::string key(absl::StripAsciiWhitespace(line.substr(0, equals)));
    if (!KnownKeys().contains(key)) {
      return absl::InvalidArgumentError(absl::StrCat(
          place, ": unknown key \"", key, "\"; known are ", absl::StrJoin(KnownKeys(), ", ")));
    }
    ASSIGN_OR_RETURN(values[key], ParseQuoted(absl::StripAsciiWhitespace(line.substr(equals + 1))),
                     place);
  }
  return values;
}

absl::Status CompleteConnectionOptions(const Environment& environment, ConnectionOptions& options) {
  if (options.controller.empty()) {
    options.controller = environment.variable("FAIRLEAD_CONTROLLER").value_or("");
  }
  if (const std::string path = ConfigPath(environment); !path.empty()) {
    const absl::StatusOr<std::string> content = base::ReadFile(path, 1u << 20);
    if (content.ok()) {
      ASSIGN_OR_RETURN(const auto values, ParseConfig(path, *content));
      FillFrom(values, "controller", options.controller);
      FillFrom(values, "tls_cert", options.tls_cert);
      FillFrom(values, "tls_key", options.tls_key);
      FillFrom(values, "tls_ca", options.tls_ca);
    } else if (!absl::IsNotFound(content.status())) {
      return content.status();
    }
  }
  if (options.controller.empty()) options.controller = kDefaultController;
  options.token = environment.variable("FAIRLEAD_TOKEN").value_or("");
  if (options.token.empty()) {
    const absl::StatusOr<std::string> content = base::ReadFile(SessionPath(environment), 1u << 20);
    if (content.ok()) options.token = ParseSessions(*content)[options.controller];
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key need each other: give both");
  }
  return absl::OkStatus();
}

absl::Status SaveSession(const Environment& environment, const std::string& controller,
                         const std::string& token) {
  const std::string folder = ConfigFolder(environment);
  if (folder.empty()) {
    return absl::FailedPreconditionError(
        "neither HOME nor XDG_CONFIG_HOME says where to keep the session");
  }
  const std::string path = SessionPath(environment);
  const absl::StatusOr<std::string> content = base::ReadFile(path, 1u << 20);
  if (!content.ok() && !absl::IsNotFound(content.status())) return content.status();
  std::map<std::string, std::string> sessions = ParseSessions(content.value_or(""));
  sessions[controller] = token;
  std::string text;
  for (const auto& [address, kept] : sessions) {
    if (!kept.empty()) absl::StrAppend(&text, address, " ", kept, "\n");
  }
  RETURN_IF_ERROR(base::MakeDirectories(folder));
  return base::WriteFileAtomically(path, text, 0600);
}

}  // namespace fairlead::cli
