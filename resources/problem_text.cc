#include "resources/problem_text.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {
namespace {

absl::string_view SeverityText(v1::Severity severity) {
  switch (severity) {
    case v1::SEVERITY_WARNING:
      return "warning";
    case v1::SEVERITY_NOTICE:
      return "notice";
    default:
      return "error";
  }
}

// Spaces as wide as the first `bytes` of the line; tabs stay, so that the caret lines up.
std::string Indent(absl::string_view line, std::size_t bytes) {
  std::string out;
  for (const char c : line.substr(0, bytes)) {
    if ((static_cast<unsigned char>(c) & 0xC0u) == 0x80u) continue;
    out += c == '\t' ? '\t' : ' ';
  }
  return out;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

// No text of a file may steer the terminal.
std::string Escaped(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsControl(c)) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

// The same for a source line, which keeps its width for the caret.
std::string ShownLine(absl::string_view line) {
  std::string out(line);
  for (char& c : out) {
    if (IsControl(c) && c != '\t') c = '?';
  }
  return out;
}

}  // namespace

std::string FormatProblem(const v1::Problem& problem) {
  std::string out = Escaped(problem.file().empty() ? problem.resource() : problem.file());
  if (problem.line() > 0) absl::StrAppend(&out, ":", problem.line());
  if (problem.line() > 0 && problem.column() > 0) absl::StrAppend(&out, ":", problem.column());
  absl::StrAppend(&out, out.empty() ? "" : ": ", SeverityText(problem.severity()), ": ",
                  Escaped(problem.message()));
  if (!problem.code().empty()) absl::StrAppend(&out, " [", problem.code(), "]");
  absl::StrAppend(&out, "\n");
  if (!problem.source_line().empty()) {
    absl::StrAppend(&out, "  ", ShownLine(problem.source_line()), "\n");
    if (problem.column() > 0) {
      absl::StrAppend(&out, "  ", Indent(problem.source_line(), problem.column() - 1), "^\n");
    }
  }
  if (!problem.suggestion().empty()) {
    absl::StrAppend(&out, "  suggestion: ", Escaped(problem.suggestion()), "\n");
  }
  return out;
}

}  // namespace fairlead::resources
