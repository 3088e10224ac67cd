#include "resources/host_script.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::resources {

std::string ScriptOf(const v1::SystemCommand& command) {
  if (command.shell_mode()) return command.command();
  std::vector<std::string> parts;
  bool goes_on = false;
  for (absl::string_view line : absl::StrSplit(command.command(), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    line = absl::StripTrailingAsciiWhitespace(line.substr(0, line.find(" #")));
    const bool continues = absl::ConsumeSuffix(&line, "\\");
    line = absl::StripTrailingAsciiWhitespace(line);
    if (goes_on) {
      absl::StrAppend(&parts.back(), " ", line);
    } else {
      parts.emplace_back(line);
    }
    goes_on = continues;
  }
  return absl::StrJoin(parts, " && ");
}

}  // namespace fairlead::resources
