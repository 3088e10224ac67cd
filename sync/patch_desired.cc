#include "sync/patch_desired.h"

#include <algorithm>
#include <set>
#include <utility>

#include "sync/desired_resource.h"

namespace fairlead::sync {
namespace {

using resources::Declaration;
using resources::ParsedFile;
using resources::ResourceId;

// More are not worth it: the whole build costs about as much.
constexpr size_t kMostChanges = 500;

bool IsFlawless(const ParsedFile& file) {
  // Variables reach further than their own file.
  return !file.spoilt && !file.has_unknown_table && file.problems.empty() && file.variables.empty();
}

// All but the files and the revision.
bool HasSameTerms(const SourceSnapshot& a, const SourceSnapshot& b) {
  return a.origin == b.origin && a.name == b.name && a.dialect == b.dialect && a.prune == b.prune &&
         a.approval == b.approval && a.prune_blocker == b.prune_blocker && a.filters == b.filters;
}

// One call of PatchDesiredState. Every method returns false when the whole has to be built.
class Patcher {
 public:
  Patcher(const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
          const resources::SpecHasher& hasher, const DesiredState& previous)
      : sources_(sources), previous_(previous) {
    scope_.has = [&previous](const ResourceId& id) { return previous.resources.contains(id); };
    scope_.variables = &previous.variables;
    scope_.hasher = &hasher;
  }

  bool Run() {
    if (sources_.size() != previous_.read_from.size()) return false;
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i] == previous_.read_from[i]) continue;
      if (!CompareSource(i)) return false;
    }
    return std::all_of(changed_.begin(), changed_.end(),
                       [this](const Candidate& candidate) { return Resolve(candidate); });
  }

  std::shared_ptr<const DesiredState> Apply(const DesiredOptions& options) && {
    auto state = std::make_shared<DesiredState>(previous_);
    state->read_from = sources_;
    for (const auto& source : sources_) {
      SourceSummary& summary = state->sources[source->origin];
      summary.revision = source->revision;
      summary.subject = source->subject;
    }
    std::vector<ResourceId>& patched = state->patched.emplace();
    for (auto& resource : resolved_) {
      patched.push_back(resource->id);
      state->resources[patched.back()] = std::move(resource);
    }
    std::sort(patched.begin(), patched.end());
    state->generation = previous_.generation + 1;
    state->complete = options.unread_origins.empty();
    return state;
  }

 private:
  bool CompareSource(size_t index) {
    const SourceSnapshot& before = *previous_.read_from[index];
    const SourceSnapshot& after = *sources_[index];
    if (!HasSameTerms(before, after) || before.files.size() != after.files.size()) return false;
    for (size_t i = 0; i < after.files.size(); ++i) {
      if (before.files[i] == after.files[i]) continue;
      if (!CompareFile(*before.files[i], *after.files[i], index)) return false;
    }
    return CompareStacks(before, after, index);
  }

  bool CompareFile(const ParsedFile& before, const ParsedFile& after, size_t index) {
    if (before.path != after.path || !IsFlawless(before) || !IsFlawless(after) ||
        before.declarations.size() != after.declarations.size()) {
      return false;
    }
    for (size_t i = 0; i < after.declarations.size(); ++i) {
      const Declaration& declaration = after.declarations[i];
      if (declaration.id != before.declarations[i].id) return false;
      if (!Add({sources_[index].get(), index, &declaration})) return false;
    }
    return true;
  }

  // Files of stacks may change while their declarations stay.
  bool CompareStacks(const SourceSnapshot& before, const SourceSnapshot& after, size_t index) {
    if (!before.stack_problems.empty() || !after.stack_problems.empty() ||
        before.stack_files.size() != after.stack_files.size()) {
      return false;
    }
    auto old = before.stack_files.begin();
    for (const auto& [id, files] : after.stack_files) {
      if (old->first != id) return false;
      if ((old++)->second == files || added_.contains(id)) continue;
      const Declaration* declaration = FindDeclaration(after, id);
      if (declaration == nullptr || !Add({sources_[index].get(), index, declaration})) return false;
    }
    return true;
  }

  const Declaration* FindDeclaration(const SourceSnapshot& source, const ResourceId& id) const {
    const auto before = previous_.resources.find(id);
    if (before == previous_.resources.end()) return nullptr;
    const std::string& path = before->second->position.file;
    const auto file = std::lower_bound(
        source.files.begin(), source.files.end(), path,
        [](const auto& one, const std::string& wanted) { return one->path < wanted; });
    if (file == source.files.end() || (*file)->path != path) return nullptr;
    for (const Declaration& declaration : (*file)->declarations) {
      if (declaration.id == id) return &declaration;
    }
    return nullptr;
  }

  bool Add(const Candidate& candidate) {
    if (changed_.size() >= kMostChanges) return false;
    const Declaration& declaration = *candidate.declaration;
    // Variables and procedures reach further than their own resource. A second declaration of one
    // id is entangled.
    if (declaration.spec == nullptr || !declaration.problems.empty() ||
        declaration.spec->has_variable() || declaration.spec->has_procedure() ||
        !IsIncluded(*candidate.source, declaration)) {
      return false;
    }
    const auto before = previous_.resources.find(declaration.id);
    if (before == previous_.resources.end() || before->second->entangled ||
        !before->second->problems.empty() || before->second->origin != candidate.source->origin ||
        before->second->position.file != declaration.position.file) {
      return false;
    }
    added_.insert(declaration.id);
    changed_.push_back(candidate);
    return true;
  }

  bool Resolve(const Candidate& candidate) {
    const auto& before = previous_.resources.find(candidate.declaration->id)->second;
    auto resource = std::make_shared<const DesiredResource>(ResolveDeclaration(candidate, scope_));
    if (!resource->problems.empty() || resource->docker_name != before->docker_name ||
        resource->server != before->server || resource->ports != before->ports ||
        resource->after != before->after) {
      return false;
    }
    if (!IsSame(*resource, *before)) resolved_.push_back(std::move(resource));
    return true;
  }

  const std::vector<std::shared_ptr<const SourceSnapshot>>& sources_;
  const DesiredState& previous_;
  DesiredScope scope_;
  std::vector<Candidate> changed_;
  std::set<ResourceId> added_;
  std::vector<std::shared_ptr<const DesiredResource>> resolved_;
};

}  // namespace

std::shared_ptr<const DesiredState> PatchDesiredState(
    const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
    const resources::SpecHasher& hasher, const DesiredOptions& options,
    const DesiredState& previous) {
  Patcher patcher(sources, hasher, previous);
  if (!patcher.Run()) return nullptr;
  return std::move(patcher).Apply(options);
}

}  // namespace fairlead::sync
