#include "sync/desired_resource.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

#include "resources/container_spec.h"
#include "resources/kind_table.h"
#include "resources/procedure_rules.h"
#include "resources/reference.h"
#include "resources/stack_rules.h"
#include "resources/start_first.h"
#include "resources/user_name.h"

namespace fairlead::sync {
namespace {

using google::protobuf::util::MessageDifferencer;

bool IsError(const v1::Problem& problem) { return problem.severity() == v1::SEVERITY_ERROR; }

bool HasError(const std::vector<v1::Problem>& problems) {
  for (const v1::Problem& problem : problems) {
    if (IsError(problem)) return true;
  }
  return false;
}

void ResolveReferences(const DesiredScope& scope, DesiredResource& resource) {
  // Where nothing is done with the resource, a name too few breaks nothing; a permission on what is
  // not there allows nothing.
  const bool acts = resources::FindKind(resource.id.kind)->not_acted_on.empty() &&
                    resource.id.kind != "user_group" && resource.id.kind != "user";
  for (const resources::Reference& reference : resource.references) {
    const std::optional<resources::ResourceId> id = resources::Resolve(reference, scope.has);
    if (reference.field == "after") {
      if (id.has_value()) {
        resource.after.push_back(*id);
        continue;
      }
      resource.missing_after.push_back(reference.text);
      resource.problems.push_back(MakeProblem(
          resource.id, resource.position, v1::SEVERITY_WARNING, "unresolved-after",
          absl::StrCat("after names \"", reference.text, "\", which is declared nowhere")));
    } else if (!id.has_value()) {
      resource.problems.push_back(
          MakeProblem(resource.id, resource.position,
                      acts ? v1::SEVERITY_ERROR : v1::SEVERITY_WARNING, "unresolved-reference",
                      absl::StrCat(reference.field, " names ", reference.kinds.front(), " \"",
                                   reference.text, "\", which is declared nowhere")));
    }
  }
}

// What only a complete, interpolated resource shows.
void CheckResolved(const v1::Resource& resolved, DesiredResource& resource) {
  const resources::Kind* kind = resources::KindOf(resolved);
  const bool acts = kind != nullptr && kind->deploys && resolved.deploy() &&
                    !resolved.template_() && resource.not_yet.empty();
  if (!acts) return;
  if (resource.server.empty()) {
    resource.problems.push_back(MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR,
                                            "no-server", "no server", "add server = \"NAME\""));
  }
  if (resolved.state() == v1::WANTED_STATE_ABSENT) return;
  if (const auto fault = resources::FindNameFault(resolved)) {
    resource.problems.push_back(MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR,
                                            "bad-name", fault->message, fault->suggestion));
  } else if (resolved.has_stack()) {
    for (const resources::StackFault& wrong : resources::FindStackFaults(resolved.stack())) {
      resource.problems.push_back(MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR,
                                              "invalid-value", wrong.message, wrong.suggestion));
    }
  } else if (resolved.has_deployment()) {
    const auto spec = resources::ContainerSpecOf(resolved);
    if (!spec.ok()) {
      resource.problems.push_back(MakeProblem(
          resource.id, resource.position, v1::SEVERITY_ERROR, "invalid-value",
          resources::RedactText(std::string(spec.status().message()), resource.secrets)));
    } else if (const auto clash = resources::FindStartFirstFault(resolved)) {
      resource.problems.push_back(MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR,
                                              "start-first",
                                              resources::RedactText(*clash, resource.secrets)));
    }
  }
}

void FillIn(const v1::Resource& spec, const DesiredScope& scope, DesiredResource& resource) {
  resource.server = resources::ServerOf(spec);
  resource.docker_name = resources::DockerNameOf(spec);
  // A run fails where it reaches what is missing; the rest of a procedure works.
  if (!spec.has_procedure()) resource.not_yet = resources::NotYetReason(spec);
  resource.placeholders = resources::PlaceholdersOf(spec);
  resource.references = resources::ReferencesOf(spec);
  ResolveReferences(scope, resource);
  resource.resolved = resource.spec;
  if (!resource.placeholders.empty()) {
    resources::Interpolated filled =
        resources::Interpolate(spec, *scope.variables, resource.dialect);
    for (v1::Problem& problem : filled.problems) {
      if (problem.file().empty()) {
        problem.set_file(resource.position.file);
        problem.set_line(resource.position.line);
        problem.set_column(resource.position.column);
      }
      if (problem.resource().empty()) problem.set_resource(resource.id.ToString());
      resource.problems.push_back(std::move(problem));
    }
    resource.secrets = std::move(filled.secrets);
    resource.resolved = std::make_shared<const v1::Resource>(std::move(filled.resource));
  }
  CheckResolved(*resource.resolved, resource);
  if (spec.has_procedure()) {
    for (const resources::ProcedureFault& fault :
         resources::FindProcedureFaults(spec.procedure())) {
      resource.problems.push_back(MakeProblem(resource.id, resource.position, fault.severity,
                                              fault.code, fault.message, fault.suggestion));
    }
  }
  const absl::Status name =
      spec.has_user() ? resources::CheckUserName(resource.id.name) : absl::OkStatus();
  if (!name.ok()) {
    resource.problems.push_back(MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR,
                                            "bad-value", name.message(),
                                            "people log in by this name: choose another"));
  }
  if (resource.not_yet.empty()) resource.ports = resources::HostPortsOf(*resource.resolved);
}

bool HasSameProblems(const std::vector<v1::Problem>& a, const std::vector<v1::Problem>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!MessageDifferencer::Equals(a[i], b[i])) return false;
  }
  return true;
}

bool HasSameFiles(const StackFiles& a, const StackFiles& b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr || a->size() != b->size()) return false;
  for (size_t i = 0; i < a->size(); ++i) {
    if ((*a)[i].path() != (*b)[i].path() || (*a)[i].content() != (*b)[i].content()) return false;
  }
  return true;
}

bool HasSameSpec(const std::shared_ptr<const v1::Resource>& a,
                 const std::shared_ptr<const v1::Resource>& b) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && MessageDifferencer::Equals(*a, *b);
}

}  // namespace

v1::Problem MakeProblem(const resources::ResourceId& id, const resources::SourcePosition& position,
                        v1::Severity severity, absl::string_view code, absl::string_view message,
                        absl::string_view suggestion) {
  v1::Problem problem;
  problem.set_file(position.file);
  problem.set_line(position.line);
  problem.set_column(position.column);
  problem.set_severity(severity);
  problem.set_code(std::string(code));
  problem.set_resource(id.ToString());
  problem.set_message(std::string(message));
  problem.set_suggestion(std::string(suggestion));
  return problem;
}

std::string PlaceText(const resources::SourcePosition& position) {
  return absl::StrCat(position.file, ":", position.line, ":", position.column);
}

DesiredResource ResolveDeclaration(const Candidate& candidate, const DesiredScope& scope) {
  const SourceSnapshot& source = *candidate.source;
  const resources::Declaration& declaration = *candidate.declaration;
  DesiredResource resource;
  resource.id = declaration.id;
  resource.origin = source.origin;
  resource.sync = source.name;
  resource.revision = source.revision;
  resource.position = declaration.position;
  resource.dialect = source.dialect;
  resource.spec = declaration.spec;
  resource.problems = declaration.problems;
  if (const auto it = source.stack_files.find(resource.id); it != source.stack_files.end()) {
    resource.files = it->second;
  }
  if (const auto it = source.stack_problems.find(resource.id); it != source.stack_problems.end()) {
    resource.problems.insert(resource.problems.end(), it->second.begin(), it->second.end());
  }
  if (resource.spec != nullptr) FillIn(*resource.spec, scope, resource);
  resource.invalid = resource.spec == nullptr || HasError(resource.problems);
  if (resource.invalid) {
    resource.resolved = nullptr;
  } else {
    static const std::vector<v1::StackFile>* const kNoFiles = new std::vector<v1::StackFile>();
    resource.spec_hash =
        scope.hasher->Hash(*resource.resolved, resource.files ? *resource.files : *kNoFiles);
  }
  return resource;
}

void AddForeignProblems(const std::vector<v1::Problem>& problems, DesiredResource& resource) {
  resource.entangled = true;
  resource.problems.insert(resource.problems.end(), problems.begin(), problems.end());
  if (!HasError(problems)) return;
  resource.invalid = true;
  resource.resolved = nullptr;
  resource.spec_hash.clear();
}

bool IsIncluded(const SourceSnapshot& source, const resources::Declaration& declaration) {
  const std::string& included_by = resources::FindKind(declaration.id.kind)->included_by;
  if (included_by == "include_variables") return source.filters.include_variables;
  if (included_by == "include_user_groups") return source.filters.include_user_groups;
  if (!source.filters.include_resources) return false;
  // The tags of a spoilt declaration are not known: it keeps what it has.
  if (source.filters.match_tags.empty() || declaration.spec == nullptr) return true;
  const auto& tags = declaration.spec->tags();
  return std::all_of(source.filters.match_tags.begin(), source.filters.match_tags.end(),
                     [&tags](const std::string& tag) {
                       return std::find(tags.begin(), tags.end(), tag) != tags.end();
                     });
}

bool IsSame(const DesiredResource& a, const DesiredResource& b) {
  return a.id == b.id && a.origin == b.origin && a.sync == b.sync &&
         a.position.file == b.position.file && a.position.line == b.position.line &&
         a.position.column == b.position.column && a.dialect == b.dialect &&
         a.spec_hash == b.spec_hash && a.invalid == b.invalid && a.secrets == b.secrets &&
         a.after == b.after && a.missing_after == b.missing_after &&
         a.docker_name == b.docker_name && a.server == b.server && a.ports == b.ports &&
         a.not_yet == b.not_yet && a.image_build == b.image_build && a.waits_for == b.waits_for &&
         a.waits_for_ever == b.waits_for_ever && a.placeholders == b.placeholders &&
         a.entangled == b.entangled && HasSameProblems(a.problems, b.problems) &&
         HasSameFiles(a.files, b.files) && HasSameSpec(a.spec, b.spec) &&
         HasSameSpec(a.resolved, b.resolved);
}

}  // namespace fairlead::sync
