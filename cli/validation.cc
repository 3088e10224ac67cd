#include "cli/validation.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "resources/container_spec.h"
#include "resources/host_ports.h"
#include "resources/interpolation.h"
#include "resources/kind_table.h"
#include "resources/procedure_rules.h"
#include "resources/reference.h"
#include "resources/stack_rules.h"
#include "resources/start_first.h"
#include "resources/toml_reader.h"

namespace fairlead::cli {
namespace {

using resources::Declaration;
using resources::ResourceId;

std::string PlaceOf(const Declaration& declaration) {
  return absl::StrCat(declaration.position.file, ":", declaration.position.line);
}

bool BecomesContainers(const v1::Resource& resource) {
  const resources::Kind* kind = resources::KindOf(resource);
  return kind != nullptr && kind->deploys && resource.deploy() && !resource.template_() &&
         resource.state() != v1::WANTED_STATE_ABSENT;
}

// Runs the checks of one set of files. Confined to one call of Validate.
class Validator {
 public:
  Validator(const SourceTree& tree, const ValidationRules& rules) : tree_(tree), rules_(rules) {}

  Validation Run() {
    problems_ = tree_.problems;
    for (const v1::SourceFile& file : tree_.files) {
      files_.push_back(resources::ReadToml(file.path(), file.content(), rules_.dialect));
    }
    CollectDeclarations();
    CheckReferences();
    CheckCycles();
    CheckProcedures();
    for (const auto& [id, declaration] : declarations_) {
      if (declaration->spec != nullptr) CheckContainer(*declaration);
    }
    CheckPorts();
    return Summarise();
  }

 private:
  // What was found out about a declaration that becomes a container.
  struct Publisher {
    const Declaration* declaration = nullptr;
    std::string server;
    std::vector<resources::HostPort> ports;
  };

  void CollectDeclarations();
  void CheckReferences();
  void CheckCycles();
  void CheckProcedures();
  void CheckContainer(const Declaration& declaration);
  void CheckName(const Declaration& declaration, const std::string& server,
                 const std::string& name);
  void CheckPorts();
  Validation Summarise();
  void AddSourceLines();

  void Add(const Declaration& declaration, v1::Severity severity, const char* code,
           const std::string& message, const std::string& suggestion) {
    v1::Problem& problem = problems_.emplace_back();
    problem.set_file(declaration.position.file);
    problem.set_line(declaration.position.line);
    problem.set_column(declaration.position.column);
    problem.set_severity(severity);
    problem.set_code(code);
    problem.set_resource(declaration.id.ToString());
    problem.set_message(message);
    problem.set_suggestion(suggestion);
    needs_line_.push_back(problems_.size() - 1);
  }
  void AddError(const Declaration& declaration, const char* code, const std::string& message,
                const std::string& suggestion) {
    Add(declaration, v1::SEVERITY_ERROR, code, message, suggestion);
  }

  const SourceTree& tree_;
  const ValidationRules& rules_;
  std::vector<resources::ParsedFile> files_;
  // Each resource at its first place.
  std::map<ResourceId, const Declaration*> declarations_;
  resources::Variables variables_;
  resources::AfterGraph after_;
  // By server, kind and Docker-side name.
  absl::flat_hash_map<std::string, const Declaration*> names_;
  std::vector<Publisher> publishers_;
  std::vector<v1::Problem> problems_;
  // By file, what the reader has not described.
  std::map<std::string, std::size_t> hidden_;
  // Places in problems_: those found here lie at headers of tables, whose line is shown. The
  // reader adds lines itself, and leaves them out where they may hold a secret.
  std::vector<std::size_t> needs_line_;
};

void Validator::CollectDeclarations() {
  for (const resources::ParsedFile& file : files_) {
    problems_.insert(problems_.end(), file.problems.begin(), file.problems.end());
    if (file.hidden_problems > 0) hidden_[file.path] = file.hidden_problems;
    for (const Declaration& declaration : file.declarations) {
      problems_.insert(problems_.end(), declaration.problems.begin(), declaration.problems.end());
      const auto [first, is_new] = declarations_.try_emplace(declaration.id, &declaration);
      if (!is_new) {
        AddError(declaration, "duplicate",
                 absl::StrCat(declaration.id.ToString(), " is declared already at ",
                              PlaceOf(*first->second)),
                 "remove one of them, or give it another name");
      } else if (declaration.spec != nullptr && declaration.spec->has_variable()) {
        variables_[declaration.id.name] = {declaration.spec->variable().value(),
                                           declaration.spec->variable().is_secret()};
      }
    }
  }
}

// What a reference means may be declared elsewhere.
void Validator::CheckReferences() {
  const auto exists = [this](const ResourceId& id) { return declarations_.contains(id); };
  for (const auto& [id, declaration] : declarations_) {
    if (declaration->spec == nullptr) continue;
    for (const resources::Reference& reference : resources::ReferencesOf(*declaration->spec)) {
      const std::optional<ResourceId> target = resources::Resolve(reference, exists);
      if (target && reference.field == "after") after_[id].push_back(*target);
      if (target) continue;
      Add(*declaration, rules_.strict ? v1::SEVERITY_ERROR : v1::SEVERITY_WARNING,
          "unresolved-reference",
          absl::StrCat(reference.field, " names \"", reference.text,
                       "\", which these files do not declare"),
          absl::StrCat("declare it",
                       rules_.strict ? ", or check it together with the files that do ("
                                     : ", or ignore this if another sync does (",
                       absl::StrJoin(reference.kinds, ", "), ")"));
    }
  }
}

void Validator::CheckCycles() {
  for (const std::vector<ResourceId>& cycle : resources::FindCycles(after_)) {
    if (cycle.empty()) continue;
    const std::string path = absl::StrJoin(
        cycle, " -> ", [](std::string* out, const ResourceId& id) { *out += id.ToString(); });
    AddError(*declarations_.at(cycle.front()), "cycle", absl::StrCat("waits for itself: ", path),
             "take one of them out of \"after\"");
  }
}

void Validator::CheckProcedures() {
  std::vector<std::string> names;
  for (const auto& [id, declaration] : declarations_) {
    if (id.kind == "procedure") names.push_back(id.name);
  }
  resources::AfterGraph runs;
  for (const auto& [id, declaration] : declarations_) {
    if (declaration->spec == nullptr || !declaration->spec->has_procedure()) continue;
    runs[id] = resources::ProceduresRunBy(declaration->spec->procedure(), names);
  }
  for (const auto& [id, unused] : runs) {
    const Declaration& declaration = *declarations_.at(id);
    for (const resources::ProcedureFault& fault :
         resources::FindProcedureFaults(declaration.spec->procedure())) {
      Add(declaration, fault.severity, fault.code.c_str(), fault.message, fault.suggestion);
    }
  }
  for (const std::vector<ResourceId>& cycle : resources::FindCycles(runs)) {
    if (cycle.empty()) continue;
    AddError(*declarations_.at(cycle.front()), "cycle",
             absl::StrCat("runs itself: ", resources::DescribeCycle(cycle)),
             "take one of the RunProcedure executions out");
  }
}

// What only a complete resource shows; what variables of elsewhere may change is left alone.
void Validator::CheckContainer(const Declaration& declaration) {
  if (!BecomesContainers(*declaration.spec)) return;
  const std::string server = resources::ServerOf(*declaration.spec);
  if (server.empty()) {
    AddError(declaration, "no-server", "no server", "add server = \"NAME\"");
  }
  resources::Interpolated filled;
  const v1::Resource* resource = declaration.spec.get();
  if (!resources::PlaceholdersOf(*resource).empty()) {
    filled = resources::Interpolate(*resource, variables_, rules_.dialect);
    for (const v1::Problem& problem : filled.problems) {
      Add(declaration, v1::SEVERITY_WARNING, "unresolved-placeholder", problem.message(),
          problem.suggestion());
    }
    resource = &filled.resource;
  }
  if (const auto fault = resources::FindNameFault(*resource)) {
    AddError(declaration, "bad-name", fault->message, fault->suggestion);
    return;
  }
  if (!server.empty()) CheckName(declaration, server, resources::DockerNameOf(*resource));
  if (resource->has_stack() && filled.problems.empty()) {
    for (const resources::StackFault& fault : resources::FindStackFaults(resource->stack())) {
      AddError(declaration, "invalid-value", fault.message, fault.suggestion);
    }
  }
  if (!filled.problems.empty() || !resource->has_deployment() ||
      !resources::NotYetReason(*resource).empty()) {
    return;
  }
  const auto spec = resources::ContainerSpecOf(*resource);
  if (!spec.ok()) {
    AddError(declaration, "invalid-value",
             resources::RedactText(std::string(spec.status().message()), filled.secrets), "");
    return;
  }
  if (const auto clash = resources::FindStartFirstFault(*resource)) {
    AddError(declaration, "start-first", resources::RedactText(*clash, filled.secrets), "");
  }
  if (!server.empty()) {
    publishers_.push_back({&declaration, server, resources::HostPortsOf(*resource)});
  }
}

// Two resources must not become the same container or project of one host.
void Validator::CheckName(const Declaration& declaration, const std::string& server,
                          const std::string& name) {
  const auto [first, is_new] =
      names_.try_emplace(absl::StrCat(server, "\n", declaration.id.kind, "\n", name), &declaration);
  if (is_new) return;
  AddError(
      declaration, "name-conflict",
      absl::StrCat(declaration.id.ToString(), " becomes \"", name, "\" on ", server, ", as does ",
                   first->second->id.ToString(), " at ", PlaceOf(*first->second)),
      "give one of them another name");
}

void Validator::CheckPorts() {
  std::vector<resources::PortHolder> holders;
  holders.reserve(publishers_.size());
  for (const Publisher& publisher : publishers_) {
    holders.push_back({publisher.server, &publisher.ports});
  }
  for (const resources::PortConflict& conflict : resources::FindPortConflicts(holders)) {
    const Publisher& second = publishers_[conflict.second];
    const Declaration& first = *publishers_[conflict.first].declaration;
    AddError(*second.declaration, "port-conflict",
             absl::StrCat(second.declaration->id.ToString(), " publishes port ",
                          conflict.port.ToString(), " on ", second.server, ", as does ",
                          first.id.ToString(), " at ", PlaceOf(first)),
             "change one of the ports, or bind them to different addresses");
  }
}

// Places in needs_line_ hold only while the problems have not been sorted.
void Validator::AddSourceLines() {
  std::map<absl::string_view, absl::string_view> contents;
  for (const v1::SourceFile& file : tree_.files) contents[file.path()] = file.content();
  std::sort(needs_line_.begin(), needs_line_.end(), [this](std::size_t a, std::size_t b) {
    return std::make_tuple(absl::string_view(problems_[a].file()), problems_[a].line()) <
           std::make_tuple(absl::string_view(problems_[b].file()), problems_[b].line());
  });
  absl::string_view file;
  absl::string_view rest;
  uint32_t line = 0;
  for (const std::size_t i : needs_line_) {
    v1::Problem& problem = problems_[i];
    if (problem.file() != file) {
      file = problem.file();
      rest = contents[file];
      line = 1;
    }
    for (; line < problem.line(); ++line) {
      rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
    }
    const absl::string_view text = rest.substr(0, rest.find_first_of("\r\n"));
    problem.set_source_line(std::string(text));
  }
}

Validation Validator::Summarise() {
  AddSourceLines();
  const auto place = [](const v1::Problem& problem) {
    return std::make_tuple(absl::string_view(problem.file()), problem.line(), problem.column(),
                           absl::string_view(problem.code()), absl::string_view(problem.message()));
  };
  std::sort(problems_.begin(), problems_.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  Validation validation;
  validation.files = tree_.files.size();
  validation.resources = declarations_.size();
  for (std::size_t i = 0; i < problems_.size();) {
    std::size_t end = i;
    const auto hidden_by_reader = hidden_.find(problems_[i].file());
    std::size_t hidden = hidden_by_reader == hidden_.end() ? 0 : hidden_by_reader->second;
    std::size_t hidden_errors = hidden;
    for (; end < problems_.size() && problems_[end].file() == problems_[i].file(); ++end) {
      const bool error = problems_[end].severity() == v1::SEVERITY_ERROR;
      if (error) ++validation.errors;
      if (problems_[end].severity() == v1::SEVERITY_WARNING) ++validation.warnings;
      if (end - i < kMostListed) continue;
      ++hidden;
      if (error) ++hidden_errors;
    }
    const std::size_t listed = std::min(end, i + kMostListed);
    for (std::size_t at = i; at < listed; ++at) {
      validation.problems.push_back(std::move(problems_[at]));
    }
    if (hidden > 0) {
      v1::Problem& more = validation.problems.emplace_back();
      more.set_file(validation.problems[validation.problems.size() - 2].file());
      more.set_severity(hidden_errors > 0 ? v1::SEVERITY_ERROR : v1::SEVERITY_WARNING);
      more.set_code("too-many-problems");
      more.set_message(absl::StrCat("and ", hidden, " more in this file"));
      more.set_suggestion("mend the first ones and validate again");
    }
    i = end;
  }
  return validation;
}

}  // namespace

Validation Validate(const SourceTree& tree, const ValidationRules& rules) {
  return Validator(tree, rules).Run();
}

}  // namespace fairlead::cli
