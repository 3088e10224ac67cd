#include "cli/render/problem_report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

#include "cli/render/text.h"
#include "resources/problem_codes.h"
#include "resources/problem_text.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

json::string Text(absl::string_view text) { return json::string(text.data(), text.size()); }

void AppendPretty(const json::value& value, const std::string& indent, std::string* out) {
  const std::string inner = absl::StrCat(indent, " ");
  absl::string_view separator = "\n";
  if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
    *out += '{';
    for (const auto& member : *object) {
      absl::StrAppend(out, separator, inner, json::serialize(json::string(member.key())), ": ");
      AppendPretty(member.value(), inner, out);
      separator = ",\n";
    }
    absl::StrAppend(out, "\n", indent, "}");
  } else if (const json::array* array = value.if_array(); array != nullptr && !array->empty()) {
    *out += '[';
    for (const json::value& item : *array) {
      absl::StrAppend(out, separator, inner);
      AppendPretty(item, inner, out);
      separator = ",\n";
    }
    absl::StrAppend(out, "\n", indent, "]");
  } else {
    *out += json::serialize(value);
  }
}

std::string Pretty(const json::value& value) {
  std::string out;
  AppendPretty(value, "", &out);
  out += '\n';
  return out;
}

// Relative to `folder` when it lies below.
std::string PathBelow(const std::string& path, const std::string& folder) {
  const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
  if (!normal.is_absolute()) return normal.string();
  const std::string relative = normal.lexically_relative(folder).string();
  return relative.empty() || absl::StartsWith(relative, "..") ? normal.string() : relative;
}

// A path as a reference that may stand in a URI.
std::string UriOf(const std::string& path) {
  std::string out = absl::StartsWith(path, "/") ? "file://" : "";
  for (const char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("/-._~", c)) {
      out += c;
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

// In characters from 1; a line that is not shown leaves only the count of bytes.
std::size_t ColumnInCharacters(const v1::Problem& problem) {
  const absl::string_view line = problem.source_line();
  const std::size_t bytes = problem.column() - 1;
  return bytes > line.size() ? problem.column() : DisplayWidth(line.substr(0, bytes)) + 1;
}

const char* SarifLevel(v1::Severity severity) {
  if (severity == v1::SEVERITY_WARNING) return "warning";
  return severity == v1::SEVERITY_NOTICE ? "note" : "error";
}

std::string MessageWithSuggestion(const v1::Problem& problem) {
  return absl::StrCat(problem.message(),
                      problem.suggestion().empty() ? "" : "\nSuggestion: ", problem.suggestion());
}

json::object SarifResult(const v1::Problem& problem, const std::string& folder) {
  json::object place = {{"artifactLocation", {{"uri", UriOf(PathBelow(problem.file(), folder))}}}};
  if (problem.line() > 0) {
    json::object region = {{"startLine", problem.line()}};
    if (problem.column() > 0) region["startColumn"] = ColumnInCharacters(problem);
    place["region"] = std::move(region);
  }
  json::object location = {{"physicalLocation", std::move(place)}};
  if (!problem.resource().empty()) {
    location["logicalLocations"] =
        json::array{{{"fullyQualifiedName", problem.resource()}, {"kind", "resource"}}};
  }
  return {{"ruleId", problem.code()},
          {"ruleIndex", resources::IndexOfProblemCode(problem.code())},
          {"level", SarifLevel(problem.severity())},
          {"message", {{"text", MessageWithSuggestion(problem)}}},
          {"locations", json::array{std::move(location)}}};
}

// Texts of workflow commands end at a line break; properties also at ',' and ':'.
std::string EscapeMessage(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}

std::string EscapeProperty(absl::string_view text) {
  return absl::StrReplaceAll(EscapeMessage(text), {{":", "%3A"}, {",", "%2C"}});
}

absl::string_view GithubCommand(v1::Severity severity) {
  if (severity == v1::SEVERITY_WARNING) return "warning";
  return severity == v1::SEVERITY_NOTICE ? "notice" : "error";
}

std::string CountLine(const Validation& validation) {
  return absl::StrCat(Count(validation.files, "file", "files"), ", ",
                      Count(validation.resources, "resource", "resources"), ": ",
                      Count(validation.errors, "error", "errors"), ", ",
                      Count(validation.warnings, "warning", "warnings"), "\n");
}

}  // namespace

std::string RenderProblems(const Validation& validation) {
  std::string out;
  for (const v1::Problem& problem : validation.problems) out += resources::FormatProblem(problem);
  return out + CountLine(validation);
}

std::string ProblemsAsJson(const Validation& validation) {
  json::array problems;
  for (const v1::Problem& problem : validation.problems) {
    problems.push_back(json::object{{"file", problem.file()},
                                    {"line", problem.line()},
                                    {"column", problem.column()},
                                    {"severity", v1::Severity_Name(problem.severity())},
                                    {"code", problem.code()},
                                    {"resource", problem.resource()},
                                    {"message", problem.message()},
                                    {"suggestion", problem.suggestion()}});
  }
  return Pretty(json::object{{"files", validation.files},
                             {"resources", validation.resources},
                             {"problems", std::move(problems)}});
}

std::string ProblemsAsSarif(const Validation& validation, const std::string& folder) {
  json::array rules;
  for (const resources::ProblemCode& code : resources::ProblemCodes()) {
    rules.push_back(json::object{{"id", Text(code.code)},
                                 {"shortDescription", {{"text", Text(code.meaning)}}}});
  }
  json::array results;
  for (const v1::Problem& problem : validation.problems) {
    results.push_back(SarifResult(problem, folder));
  }
  json::object driver = {
      {"name", "fairlead"}, {"version", FAIRLEAD_VERSION}, {"rules", std::move(rules)}};
  json::object run = {{"tool", {{"driver", std::move(driver)}}},
                      {"columnKind", "unicodeCodePoints"},
                      {"results", std::move(results)}};
  return Pretty(json::object{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                             {"version", "2.1.0"},
                             {"runs", json::array{std::move(run)}}});
}

std::string ProblemsForGithub(const Validation& validation, const std::string& folder) {
  std::string out;
  for (const v1::Problem& problem : validation.problems) {
    absl::StrAppend(&out, "::", GithubCommand(problem.severity()),
                    " file=", EscapeProperty(PathBelow(problem.file(), folder)));
    if (problem.line() > 0) absl::StrAppend(&out, ",line=", problem.line());
    if (problem.column() > 0) absl::StrAppend(&out, ",col=", ColumnInCharacters(problem));
    absl::StrAppend(&out, ",title=", EscapeProperty(problem.code()),
                    "::", EscapeMessage(MessageWithSuggestion(problem)), "\n");
  }
  return out + CountLine(validation);
}

}  // namespace fairlead::cli
