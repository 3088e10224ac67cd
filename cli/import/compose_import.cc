#include "cli/import/compose_import.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "cli/import/container_import.h"
#include "resources/container_spec.h"
#include "resources/field_defaults.h"
#include "resources/interpolation.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"

namespace fairlead::cli {
namespace {

// The project that compose makes of a name.
std::string ComposeProject(absl::string_view name) {
  std::string project = absl::AsciiStrToLower(name);
  std::erase_if(project, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-';
  });
  return project.substr(std::min(project.find_first_not_of("_-"), project.size()));
}

absl::string_view WithoutQuotes(absl::string_view text) {
  for (const char* quote : {"\"", "'"}) {
    if (text.size() >= 2 && absl::StartsWith(text, quote) && absl::EndsWith(text, quote)) {
      return text.substr(1, text.size() - 2);
    }
  }
  return text;
}

// Values of a line that may be paths beside the compose file: "./x" anywhere, and what
// `env_file:` or `file:` name.
std::vector<std::string> MentionedPaths(absl::string_view line) {
  std::vector<std::string> paths;
  line = absl::StripAsciiWhitespace(line);
  for (const char* key : {"env_file:", "file:"}) {
    absl::string_view value = line;
    absl::ConsumePrefix(&value, "- ");
    if (!absl::ConsumePrefix(&value, key)) continue;
    value = WithoutQuotes(absl::StripAsciiWhitespace(value.substr(0, value.find(" #"))));
    if (!value.empty() && value.front() != '[') paths.emplace_back(absl::StripPrefix(value, "./"));
  }
  for (absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \"'[],"))) {
    if (!absl::ConsumePrefix(&word, "./")) continue;
    word = absl::StripSuffix(word.substr(0, word.find(':')), "/");
    if (!word.empty()) paths.emplace_back(word);
  }
  return paths;
}

// What the text of the compose files says of files beside them.
struct Mentions {
  std::set<std::string> files;
  // Folders, or what is not there.
  std::set<std::string> folders;
  bool builds = false;
};

Mentions FindMentions(const ComposeFolder& folder) {
  Mentions mentions;
  for (const ComposeFolder::File& file : folder.files) {
    for (absl::string_view line : absl::StrSplit(file.content, '\n')) {
      line = absl::StripAsciiWhitespace(line);
      if (absl::StartsWith(line, "#")) continue;
      if (absl::StartsWith(line, "build:")) mentions.builds = true;
      for (std::string& path : MentionedPaths(line)) {
        (folder.is_file(path) ? mentions.files : mentions.folders).insert(std::move(path));
      }
    }
  }
  return mentions;
}

void AddCares(const ComposeFolder& folder, const ComposeImportOptions& options,
              ImportedStack* result) {
  const Mentions mentions = FindMentions(folder);
  std::vector<std::string>& cares = result->cares;
  if (mentions.builds) {
    cares.emplace_back("not carried over: build, the image must be there or come from a registry");
  }
  std::set<std::string> left = mentions.folders;
  if (options.run_directory.empty()) {
    left.insert(mentions.files.begin(), mentions.files.end());
  } else {
    for (const std::string& path : mentions.files) {
      result->stack.mutable_stack()->add_config_files()->set_path(path);
    }
  }
  for (const std::string& path : left) cares.push_back(absl::StrCat("not carried over: ./", path));
  if (left.empty()) return;
  cares.emplace_back(options.run_directory.empty()
                         ? "such paths are looked for in the agent's folder of the stack: use "
                           "--files, absolute paths or volumes"
                         : "such paths are looked for in the agent's folder of the stack: list "
                           "files under config_files, use absolute paths or volumes for the rest");
}

void AddEnvironment(const std::string& env, ImportedStack* result) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(env, '\n')) {
    const auto pairs = resources::ParseKeyValues(line);
    if (pairs.ok() && pairs->empty()) continue;
    if (!pairs.ok()) {
      result->cares.push_back(absl::StrCat("not carried over: .env ", line));
      continue;
    }
    const auto& [key, value] = pairs->front();
    if (!value.empty() && LooksSecret(key)) result->secrets.push_back(key);
    absl::StrAppend(&text, line, "\n");
  }
  result->stack.mutable_stack()->set_environment(text);
}

// What compose calls the project, before it makes it fit.
std::string NameOf(const ComposeFolder& folder) {
  std::string name;
  // Of several files the last one counts.
  for (const ComposeFolder::File& file : folder.files) {
    const std::string said = TopLevelName(file.content);
    if (!said.empty()) name = said;
  }
  return name.empty() ? folder.name : name;
}

}  // namespace

std::string TopLevelName(absl::string_view content) {
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    if (!absl::ConsumePrefix(&line, "name:")) continue;
    line = WithoutQuotes(absl::StripAsciiWhitespace(line.substr(0, line.find(" #"))));
    return absl::StrContains(line, "$") ? "" : std::string(line);
  }
  return "";
}

absl::StatusOr<ImportedStack> ImportCompose(const ComposeFolder& folder,
                                            const ComposeImportOptions& options) {
  const bool is_inline = options.run_directory.empty();
  if (is_inline && folder.files.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", folder.files.size(), " files of \"", folder.name,
                     "\" cannot be written into one resource; use --files, which names them"));
  }
  ImportedStack result;
  result.stack = resources::DefaultResource(*resources::FindKind("stack"), v1::DIALECT_TOML);
  const std::string name = NameOf(folder);
  result.stack.set_name(options.name.empty() ? name : options.name);
  result.stack.set_adopt(true);
  v1::Stack& stack = *result.stack.mutable_stack();
  const std::string project = ComposeProject(name);
  if (resources::DockerNameOf(result.stack) != project) stack.set_project_name(project);
  stack.set_server_id(options.server);
  if (is_inline) {
    stack.set_file_contents(
        absl::StrCat(absl::StripTrailingAsciiWhitespace(folder.files.front().content), "\n"));
    AddEnvironment(folder.env, &result);
  } else {
    if (options.run_directory != ".") stack.set_run_directory(options.run_directory);
    for (const ComposeFolder::File& file : folder.files) stack.add_file_paths(file.name);
  }
  // Text that looks like [[NAME]] belongs to the file.
  if (!resources::PlaceholdersOf(result.stack).empty()) stack.set_skip_secret_interp(true);
  AddCares(folder, options, &result);
  return result;
}

}  // namespace fairlead::cli
