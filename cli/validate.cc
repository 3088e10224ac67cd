// fairlead validate: what can be said of files without a controller.
#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/source_files.h"
#include "resources/container_spec.h"
#include "resources/kind_table.h"
#include "resources/problem_text.h"
#include "resources/reference.h"
#include "resources/toml_reader.h"

namespace fairlead::cli {
namespace {

using resources::Declaration;
using resources::ResourceId;

struct Validation {
  std::vector<resources::ParsedFile> files;
  // Each resource at its first place.
  std::map<ResourceId, const Declaration*> declarations;
  std::vector<v1::Problem> problems;
};

v1::Problem ProblemAt(const Declaration& declaration, v1::Severity severity, const char* code,
                      std::string message) {
  v1::Problem problem;
  problem.set_file(declaration.position.file);
  problem.set_line(declaration.position.line);
  problem.set_column(declaration.position.column);
  problem.set_severity(severity);
  problem.set_code(code);
  problem.set_resource(declaration.id.ToString());
  problem.set_message(std::move(message));
  return problem;
}

std::string PlaceOfDeclaration(const Declaration& declaration) {
  return absl::StrCat(declaration.position.file, ":", declaration.position.line);
}

void CollectDeclarations(Validation& validation) {
  for (const resources::ParsedFile& file : validation.files) {
    validation.problems.insert(validation.problems.end(), file.problems.begin(),
                               file.problems.end());
    for (const Declaration& declaration : file.declarations) {
      validation.problems.insert(validation.problems.end(), declaration.problems.begin(),
                                 declaration.problems.end());
      const auto [first, is_new] =
          validation.declarations.try_emplace(declaration.id, &declaration);
      if (is_new) continue;
      validation.problems.push_back(
          ProblemAt(declaration, v1::SEVERITY_ERROR, "duplicate",
                    absl::StrCat(declaration.id.ToString(), " is declared already at ",
                                 PlaceOfDeclaration(*first->second))));
    }
  }
}

// Two resources must not become the same container or project of one host.
void CheckDockerNames(Validation& validation) {
  std::map<std::string, const Declaration*> owners;
  for (const auto& [id, declaration] : validation.declarations) {
    if (declaration->spec == nullptr) continue;
    const std::string name = resources::DockerNameOf(*declaration->spec);
    const std::string server = resources::ServerOf(*declaration->spec);
    if (name.empty() || server.empty()) continue;
    const auto [first, is_new] =
        owners.try_emplace(absl::StrCat(server, "\n", id.kind, "\n", name), declaration);
    if (is_new) continue;
    validation.problems.push_back(ProblemAt(
        *declaration, v1::SEVERITY_ERROR, "name-collision",
        absl::StrCat(id.ToString(), " becomes \"", name, "\" on ", server, ", as does ",
                     first->second->id.ToString(), " at ", PlaceOfDeclaration(*first->second))));
  }
}

// What a reference means may be declared elsewhere: a warning, and the edge of `after` if there
// is one.
resources::AfterGraph CheckReferences(Validation& validation) {
  const auto exists = [&validation](const ResourceId& id) {
    return validation.declarations.contains(id);
  };
  resources::AfterGraph graph;
  for (const auto& [id, declaration] : validation.declarations) {
    if (declaration->spec == nullptr) continue;
    for (const resources::Reference& reference : resources::ReferencesOf(*declaration->spec)) {
      const std::optional<ResourceId> target = resources::Resolve(reference, exists);
      if (target && reference.field == "after") graph[id].push_back(*target);
      if (target) continue;
      v1::Problem problem = ProblemAt(*declaration, v1::SEVERITY_WARNING, "unresolved-reference",
                                      absl::StrCat(reference.field, " names \"", reference.text,
                                                   "\", which these files do ", "not declare"));
      problem.set_suggestion(absl::StrCat("declare it, or ignore this if another sync does (",
                                          absl::StrJoin(reference.kinds, ", "), ")"));
      validation.problems.push_back(std::move(problem));
    }
  }
  return graph;
}

void CheckCycles(Validation& validation, const resources::AfterGraph& graph) {
  for (const std::vector<ResourceId>& cycle : resources::FindCycles(graph)) {
    if (cycle.empty()) continue;
    const std::string path = absl::StrJoin(
        cycle, " -> ", [](std::string* out, const ResourceId& id) { *out += id.ToString(); });
    validation.problems.push_back(ProblemAt(*validation.declarations.at(cycle.front()),
                                            v1::SEVERITY_ERROR, "cycle",
                                            absl::StrCat("waits for itself: ", path)));
  }
}

bool ByPlace(const v1::Problem& a, const v1::Problem& b) {
  return std::make_tuple(a.file(), a.line(), a.column(), a.code(), a.message()) <
         std::make_tuple(b.file(), b.line(), b.column(), b.code(), b.message());
}

// The caret print needs the source line; what is found here has none yet.
void AddSourceLines(const std::vector<v1::SourceFile>& files, std::vector<v1::Problem>& problems) {
  std::map<std::string, const std::string*> contents;
  for (const v1::SourceFile& file : files) contents[file.path()] = &file.content();
  for (v1::Problem& problem : problems) {
    const auto found = contents.find(problem.file());
    if (!problem.source_line().empty() || problem.line() == 0 || found == contents.end()) continue;
    const std::string& content = *found->second;
    std::size_t start = 0;
    for (uint32_t line = 1; line < problem.line() && start != std::string::npos; ++line) {
      const std::size_t end = content.find('\n', start);
      start = end == std::string::npos ? end : end + 1;
    }
    if (start == std::string::npos) continue;
    problem.set_source_line(content.substr(start, content.find('\n', start) - start));
  }
}

int CountOf(const std::vector<v1::Problem>& problems, v1::Severity severity) {
  return static_cast<int>(std::count_if(problems.begin(), problems.end(),
                                        [&](const auto& p) { return p.severity() == severity; }));
}

}  // namespace

absl::StatusOr<int> RunValidate(Session& session, const ValidateOptions& options) {
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  ASSIGN_OR_RETURN(const std::vector<v1::SourceFile> files, ReadSourceFiles(options.paths));
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat("no .toml file at ", absl::StrJoin(options.paths, ", "),
                                            ". Name a file or a folder that has one."));
  }
  Validation validation;
  for (const v1::SourceFile& file : files) {
    validation.files.push_back(resources::ReadToml(file.path(), file.content(), dialect));
  }
  CollectDeclarations(validation);
  CheckDockerNames(validation);
  CheckCycles(validation, CheckReferences(validation));
  std::sort(validation.problems.begin(), validation.problems.end(), ByPlace);
  AddSourceLines(files, validation.problems);
  const int errors = CountOf(validation.problems, v1::SEVERITY_ERROR);

  if (options.output == OutputFormat::kJson) {
    v1::PlanSync result;
    result.set_files(static_cast<uint32_t>(files.size()));
    result.set_resources(static_cast<uint32_t>(validation.declarations.size()));
    for (const v1::Problem& problem : validation.problems) *result.add_problems() = problem;
    RETURN_IF_ERROR(session.PrintJson(result));
  } else {
    for (const v1::Problem& problem : validation.problems) {
      session.Print(resources::FormatProblem(problem));
    }
    const auto warnings = static_cast<uint64_t>(CountOf(validation.problems, v1::SEVERITY_WARNING));
    session.Print(absl::StrCat(Count(files.size(), "file", "files"), ", ",
                               Count(validation.declarations.size(), "resource", "resources"), ": ",
                               Count(static_cast<uint64_t>(errors), "error", "errors"), ", ",
                               Count(warnings, "warning", "warnings"), "\n"));
  }
  return errors > 0 ? kExitError : kExitOk;
}

}  // namespace fairlead::cli
