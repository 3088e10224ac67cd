#include "cli/config.h"

#include <set>

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

std::string ConfigPath(const Environment& environment) {
  if (const auto folder = environment.variable("XDG_CONFIG_HOME"); folder && !folder->empty()) {
    return absl::StrCat(*folder, "/fairlead/config.toml");
  }
  if (const auto home = environment.variable("HOME"); home && !home->empty()) {
    return absl::StrCat(*home, "/.config/fairlead/config.toml");
  }
  return "";
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
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key need each other: give both");
  }
  return absl::OkStatus();
}

}  // namespace fairlead::cli
