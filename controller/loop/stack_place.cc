#include "controller/loop/stack_place.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::loop {
namespace {

std::vector<std::string> NamedFiles(const v1::Stack& stack) {
  std::vector<std::string> names(stack.file_paths().begin(), stack.file_paths().end());
  if (names.empty()) names.emplace_back("compose.yaml");
  for (const auto& file : stack.additional_env_files()) names.push_back(file.path());
  for (const auto& file : stack.config_files()) names.push_back(file.path());
  return names;
}

bool NamesRepo(const v1::Stack& stack) {
  return !stack.repo().empty() || !stack.linked_repo().empty() || !stack.url().empty();
}

v1::Problem StackProblem(const resources::Declaration& declaration, const std::string& message,
                         const std::string& suggestion) {
  v1::Problem problem;
  problem.set_file(declaration.position.file);
  problem.set_line(declaration.position.line);
  problem.set_column(declaration.position.column);
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_code("stack-files");
  problem.set_resource(declaration.id.ToString());
  problem.set_message(message);
  problem.set_suggestion(suggestion);
  return problem;
}

}  // namespace

std::string NormalPath(absl::string_view path) {
  std::string normal = std::filesystem::path(std::string(path)).lexically_normal().generic_string();
  if (absl::EndsWith(normal, "/")) normal.pop_back();
  if (normal == "." || absl::StartsWith(normal, "..") || absl::StartsWith(normal, "/")) return "";
  return normal;
}

StackPlace PlaceOf(const v1::Stack& stack) {
  const std::string directory = NormalPath(stack.run_directory());
  if (!directory.empty()) return {absl::StrCat(directory, "/"), {directory}};
  StackPlace place;
  for (const std::string& name : NamedFiles(stack)) {
    const std::string path = NormalPath(name);
    // What leaves the repository is looked for as written, and not found.
    place.paths.push_back(path.empty() ? name : path);
  }
  return place;
}

bool Holds(const StackPlace& place, absl::string_view path) {
  if (!place.prefix.empty()) return absl::StartsWith(path, place.prefix);
  return std::find(place.paths.begin(), place.paths.end(), path) != place.paths.end();
}

bool HasStackFiles(const resources::Declaration& declaration) {
  if (declaration.spec == nullptr || !declaration.spec->has_stack()) return false;
  const v1::Stack& stack = declaration.spec->stack();
  return !NamesRepo(stack) && !stack.files_on_host() && stack.file_contents().empty();
}

bool HasOtherRepo(const resources::Declaration& declaration) {
  if (declaration.spec == nullptr || !declaration.spec->has_stack()) return false;
  const v1::Stack& stack = declaration.spec->stack();
  return NamesRepo(stack) && !stack.files_on_host();
}

v1::Problem MissingFilesProblem(const resources::Declaration& declaration, const std::string& why) {
  return StackProblem(
      declaration, why,
      "commit the compose file, or set run_directory and file_paths to where it is");
}

v1::Problem MissingRepoProblem(const resources::Declaration& declaration, const std::string& repo) {
  return StackProblem(declaration,
                      absl::StrCat("linked_repo \"", repo, "\" is not declared by the same sync"),
                      "declare [[repo]] beside the stack, or give the stack url or repo itself");
}

v1::Problem TooManyBytesProblem(const resources::Declaration& declaration, const StackPlace& place,
                                std::size_t bytes) {
  return StackProblem(
      declaration,
      absl::StrCat("run directory \"", absl::StripSuffix(place.prefix, "/"), "\" holds ",
                   bytes >> 20, " MiB; at most ", kStackLimit >> 20, " are sent to a host"),
      "keep large files out of the stack's folder, or use files_on_host");
}

}  // namespace fairlead::loop
