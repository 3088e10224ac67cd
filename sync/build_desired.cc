#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "sync/desired.h"
#include "sync/desired_conflicts.h"
#include "sync/desired_resource.h"
#include "sync/patch_desired.h"

namespace fairlead::sync {
namespace {

using resources::Declaration;
using resources::ResourceId;

// Builds one DesiredState. Confined to one call of BuildDesiredState.
class Builder {
 public:
  Builder(const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
          const resources::SpecHasher& hasher, const DesiredOptions& options,
          const DesiredState* previous)
      : sources_(sources), options_(options), previous_(previous) {
    scope_.hasher = &hasher;
    scope_.variables = &state_->variables;
    scope_.has = [this](const ResourceId& id) { return FindEntry(id) != nullptr; };
  }

  std::shared_ptr<const DesiredState> Build();

 private:
  // Declarations of one resource that remain after the question of the owner is settled.
  struct Entry {
    Candidate candidate;
    // More declarations of the same resource in the same origin.
    std::vector<Candidate> duplicates;
    // The same resource in other origins.
    std::vector<Candidate> losers;
    // Of the previous state; may be null.
    const std::shared_ptr<const DesiredResource>* before = nullptr;
  };
  // A variable in a file of secrets. The candidate stands for it, at the place of the file.
  struct Encrypted {
    Candidate candidate;
    const resources::VariableValue* value = nullptr;
  };

  void Collect();
  Entry SettleOwner(size_t begin, size_t end) const;
  void FindPrevious();
  void FillVariables();
  void FillEncrypted();
  void SettleEncrypted(const ResourceId& id, const std::vector<Encrypted>& all);
  // Null when it is not declared.
  Entry* FindEntry(const ResourceId& id);
  bool IsShareable(const Entry& entry) const;
  void ResolveAll();
  void AddDuplicates(size_t index, ForeignProblems& problems);
  void Disentangle();
  void Summarise();
  v1::Problem LoserProblem(const Entry& entry, const Candidate& loser) const;

  const std::vector<std::shared_ptr<const SourceSnapshot>>& sources_;
  const DesiredOptions& options_;
  const DesiredState* const previous_;
  std::shared_ptr<DesiredState> state_ = std::make_shared<DesiredState>();
  DesiredScope scope_;
  std::vector<Candidate> candidates_;
  // Sorted by id, as is resources_.
  std::vector<Entry> entries_;
  // Variables of files of secrets, as if declared there; those that only such files have, in
  // several origins, are no resources but entries too.
  std::deque<Declaration> encrypted_;
  std::vector<Entry> undeclared_;
  DesiredList resources_;
  // Against the previous state.
  absl::flat_hash_set<std::string> changed_names_;
  absl::flat_hash_set<std::string> changed_variables_;
  bool graph_changed_ = false;
};

void Builder::Collect() {
  for (size_t i = 0; i < sources_.size(); ++i) {
    for (const auto& file : sources_[i]->files) {
      for (const Declaration& declaration : file->declarations) {
        if (IsIncluded(*sources_[i], declaration)) {
          candidates_.push_back({sources_[i].get(), i, &declaration});
        }
      }
    }
  }
  const auto less = [](const Candidate& a, const Candidate& b) {
    return a.declaration->id < b.declaration->id;
  };
  // Stable: of equals the first in order of source, file and line comes first.
  if (!std::is_sorted(candidates_.begin(), candidates_.end(), less)) {
    std::stable_sort(candidates_.begin(), candidates_.end(), less);
  }
  entries_.reserve(candidates_.size());
  for (size_t begin = 0; begin < candidates_.size();) {
    size_t end = begin + 1;
    while (end < candidates_.size() &&
           candidates_[end].declaration->id == candidates_[begin].declaration->id) {
      ++end;
    }
    entries_.push_back(SettleOwner(begin, end));
    begin = end;
  }
}

Builder::Entry Builder::SettleOwner(size_t begin, size_t end) const {
  Entry entry;
  entry.candidate = candidates_[begin];
  if (end - begin == 1) return entry;
  const std::string owner =
      options_.owner ? options_.owner(entry.candidate.declaration->id) : std::string();
  for (size_t i = begin; i < end; ++i) {
    if (candidates_[i].source->origin == owner) {
      entry.candidate = candidates_[i];
      break;
    }
  }
  for (size_t i = begin; i < end; ++i) {
    if (candidates_[i].declaration == entry.candidate.declaration) continue;
    const bool same = candidates_[i].source->origin == entry.candidate.source->origin;
    (same ? entry.duplicates : entry.losers).push_back(candidates_[i]);
  }
  return entry;
}

// Pairs entries with the previous state and finds names that came or went.
void Builder::FindPrevious() {
  if (previous_ == nullptr) {
    graph_changed_ = true;
    return;
  }
  auto before = previous_->resources.begin();
  const auto end = previous_->resources.end();
  const auto gone = [this](const DesiredResource& resource) {
    changed_names_.insert(resource.id.name);
    if (!resource.after.empty()) graph_changed_ = true;
  };
  for (Entry& entry : entries_) {
    const ResourceId& id = entry.candidate.declaration->id;
    while (before != end && before->first < id) gone(*(before++)->second);
    if (before != end && before->first == id) {
      entry.before = &before->second;
      if (before->second->entangled) graph_changed_ = true;
      ++before;
    } else {
      changed_names_.insert(id.name);
    }
  }
  for (; before != end; ++before) gone(*before->second);
}

resources::VariableValue DeclaredValue(const v1::Variable& variable) {
  if (variable.from().empty()) return {variable.value(), variable.is_secret(), ""};
  return {"", true, absl::StrCat(variable.from(), " was not read yet")};
}

// Why a file of the source whose names are not known cannot be decrypted; empty: there is none.
std::string SealedReason(const SourceSnapshot& source) {
  for (const auto& file : source.files) {
    if (!file->sealed.empty()) return file->sealed;
  }
  return "";
}

// Values of files of secrets go before those that the same origin declares.
void Builder::FillEncrypted() {
  std::map<ResourceId, std::vector<Encrypted>> found;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i]->filters.include_variables) continue;
    for (const auto& file : sources_[i]->files) {
      for (const auto& [name, value] : file->variables) {
        Declaration& declaration = encrypted_.emplace_back();
        declaration.id = {"variable", name};
        declaration.position = {file->path, 1, 1};
        found[declaration.id].push_back({{sources_[i].get(), i, &declaration}, &value});
      }
    }
  }
  for (const auto& [id, all] : found) SettleEncrypted(id, all);
}

// As with two declarations: the owner keeps it. That is who declares it, else the first.
void Builder::SettleEncrypted(const ResourceId& id, const std::vector<Encrypted>& all) {
  Entry undeclared;
  undeclared.candidate = all.front().candidate;
  Entry* const declared = FindEntry(id);
  Entry& entry = declared == nullptr ? undeclared : *declared;
  const Declaration* kept = nullptr;
  for (const Encrypted& each : all) {
    const auto& [source, index, declaration] = each.candidate;
    if (source->origin != entry.candidate.source->origin) {
      entry.losers.push_back(each.candidate);
    } else if (kept == nullptr) {
      kept = declaration;
      state_->variables[id.name] = *each.value;
      state_->secret_files[id.name] = absl::StrCat(kept->position.file, " of ", source->origin);
    } else {
      state_->variables[id.name] = {
          "", true,
          absl::StrCat("it is in two files of secrets, ", source->origin, " ", kept->position.file,
                       " and ", source->origin, " ", declaration->position.file,
                       "; keep it in one")};
    }
  }
  if (!undeclared.losers.empty()) undeclared_.push_back(std::move(undeclared));
}

void Builder::FillVariables() {
  for (const Entry& entry : entries_) {
    const Declaration& declaration = *entry.candidate.declaration;
    if (declaration.id.kind != "variable" || declaration.spec == nullptr) continue;
    if (!entry.duplicates.empty()) continue;
    resources::VariableValue value = DeclaredValue(declaration.spec->variable());
    if (value.is_secret && value.value.empty() && value.why_none.empty()) {
      value.why_none = SealedReason(*entry.candidate.source);
    }
    state_->variables[declaration.id.name] = std::move(value);
  }
  FillEncrypted();
  if (options_.secrets != nullptr) {
    for (const auto& [name, value] : *options_.secrets) state_->variables[name] = value;
  }
  if (previous_ == nullptr) return;
  for (const auto& [name, value] : state_->variables) {
    const auto it = previous_->variables.find(name);
    if (it == previous_->variables.end() || !(it->second == value)) changed_variables_.insert(name);
  }
  for (const auto& [name, value] : previous_->variables) {
    if (!state_->variables.contains(name)) changed_variables_.insert(name);
  }
}

// The text of `reference` may be kind/name or name; both count as naming `name`.
bool NamesAny(const resources::Reference& reference,
              const absl::flat_hash_set<std::string>& names) {
  if (names.contains(reference.text)) return true;
  const size_t slash = reference.text.find('/');
  return slash != std::string::npos && names.contains(reference.text.substr(slash + 1));
}

template <typename Id, typename Value>
const Value* FindOrNull(const std::map<Id, Value>& map, const Id& id) {
  if (map.empty()) return nullptr;
  const auto it = map.find(id);
  return it == map.end() ? nullptr : &it->second;
}

bool Builder::IsShareable(const Entry& entry) const {
  if (entry.before == nullptr || !entry.duplicates.empty()) return false;
  const DesiredResource& before = **entry.before;
  const SourceSnapshot& source = *entry.candidate.source;
  // Equal pointers: the very same declaration, of a file that was not read again.
  if (before.spec == nullptr || before.spec != entry.candidate.declaration->spec) return false;
  if (before.entangled || before.origin != source.origin || before.sync != source.name ||
      before.dialect != source.dialect) {
    return false;
  }
  const StackFiles* files = FindOrNull(source.stack_files, before.id);
  if ((files == nullptr ? nullptr : *files) != before.files) return false;
  if (FindOrNull(source.stack_problems, before.id) != nullptr) return false;
  if (!changed_variables_.empty()) {
    for (const std::string& name : before.placeholders) {
      if (changed_variables_.contains(name)) return false;
    }
  }
  if (!changed_names_.empty()) {
    for (const resources::Reference& reference : before.references) {
      if (NamesAny(reference, changed_names_)) return false;
    }
  }
  // A problem of the stack's files may have gone: then the problems outnumber the declaration's.
  return before.problems.empty() || before.id.kind != "stack";
}

Builder::Entry* Builder::FindEntry(const ResourceId& id) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), id,
                                   [](const Entry& entry, const ResourceId& wanted) {
                                     return entry.candidate.declaration->id < wanted;
                                   });
  return it != entries_.end() && it->candidate.declaration->id == id ? &*it : nullptr;
}

void Builder::ResolveAll() {
  resources_.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    if (IsShareable(entry)) {
      resources_.push_back(*entry.before);
      continue;
    }
    auto resource =
        std::make_shared<const DesiredResource>(ResolveDeclaration(entry.candidate, scope_));
    if (entry.before == nullptr ? !resource->after.empty()
                                : resource->after != (*entry.before)->after) {
      graph_changed_ = true;
    }
    if (entry.before != nullptr && IsSame(*resource, **entry.before)) {
      resources_.push_back(*entry.before);
    } else {
      resources_.push_back(std::move(resource));
    }
  }
}

void Builder::AddDuplicates(size_t index, ForeignProblems& problems) {
  const Entry& entry = entries_[index];
  std::vector<Candidate> places = entry.duplicates;
  places.push_back(entry.candidate);
  std::stable_sort(places.begin(), places.end(), [](const Candidate& a, const Candidate& b) {
    const auto& left = a.declaration->position;
    const auto& right = b.declaration->position;
    return std::tie(left.file, left.line) < std::tie(right.file, right.line);
  });
  for (size_t i = 0; i < places.size(); ++i) {
    const Candidate& other = places[i == 0 ? 1 : 0];
    const Declaration& declaration = *places[i].declaration;
    problems[index].push_back(MakeProblem(
        declaration.id, declaration.position, v1::SEVERITY_ERROR, "duplicate",
        absl::StrCat("declared twice: also at ", PlaceText(other.declaration->position)),
        "remove one of them"));
  }
}

// Adds the problems that resources cause each other.
void Builder::Disentangle() {
  ForeignProblems problems;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].duplicates.empty()) AddDuplicates(i, problems);
    for (const Candidate& loser : entries_[i].losers) {
      problems[i].push_back(
          MakeProblem(loser.declaration->id, entries_[i].candidate.declaration->position,
                      v1::SEVERITY_WARNING, "two-origins",
                      absl::StrCat(loser.source->origin, " declares it too, at ",
                                   PlaceText(loser.declaration->position), "; ",
                                   entries_[i].candidate.source->origin, " keeps it")));
    }
  }
  FindNameConflicts(resources_, problems);
  FindPortConflicts(resources_, problems);
  if (graph_changed_) FindAfterCycles(resources_, problems);
  FindProcedureCycles(resources_, problems);
  for (const auto& [index, foreign] : problems) {
    auto resource = std::make_shared<DesiredResource>(*resources_[index]);
    AddForeignProblems(foreign, *resource);
    const auto* before = entries_[index].before;
    if (before != nullptr && IsSame(*resource, **before)) {
      resources_[index] = *before;
    } else {
      resources_[index] = std::move(resource);
    }
  }
}

v1::Problem Builder::LoserProblem(const Entry& entry, const Candidate& loser) const {
  return MakeProblem(loser.declaration->id, loser.declaration->position, v1::SEVERITY_ERROR,
                     "two-origins",
                     absl::StrCat(entry.candidate.source->origin, " declares it already, at ",
                                  PlaceText(entry.candidate.declaration->position)),
                     "declare it in one of them only");
}

bool IsBefore(const v1::Problem& a, const v1::Problem& b) {
  const auto key = [](const v1::Problem& p) {
    return std::make_tuple(absl::string_view(p.file()), p.line(), p.column(),
                           absl::string_view(p.code()), absl::string_view(p.message()));
  };
  return key(a) < key(b);
}

std::string PruneBlocker(const SourceSnapshot& source, const SourceSummary& summary) {
  if (!source.prune_blocker.empty()) return source.prune_blocker;
  for (const auto& file : source.files) {
    if (file->spoilt) return absl::StrCat(file->path, " cannot be read");
    if (file->has_unknown_table) return absl::StrCat(file->path, " holds an unknown table");
  }
  for (const v1::Problem& problem : summary.problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    return absl::StrCat("it has errors: ", problem.file(), ":", problem.line(), ":",
                        problem.column(), " ", problem.message());
  }
  return "";
}

void Builder::Summarise() {
  absl::flat_hash_map<const SourceSnapshot*, SourceSummary*> summaries;
  for (const auto& source : sources_) {
    SourceSummary& summary = state_->sources[source->origin];
    summary.origin = source->origin;
    summary.name = source->name;
    summary.revision = source->revision;
    summary.subject = source->subject;
    summary.files = static_cast<uint32_t>(source->files.size());
    summary.prune = source->prune;
    summary.approval = source->approval;
    for (const auto& file : source->files) {
      summary.problems.insert(summary.problems.end(), file->problems.begin(), file->problems.end());
    }
    summaries[source.get()] = &summary;
  }
  const auto add_losers = [&](const Entry& entry) {
    for (const Candidate& loser : entry.losers) {
      summaries[loser.source]->problems.push_back(LoserProblem(entry, loser));
    }
  };
  for (size_t i = 0; i < entries_.size(); ++i) {
    SourceSummary& summary = *summaries[entries_[i].candidate.source];
    ++summary.resources;
    const auto& problems = resources_[i]->problems;
    if (!problems.empty()) {
      summary.problems.insert(summary.problems.end(), problems.begin(), problems.end());
    }
    add_losers(entries_[i]);
  }
  for (const Entry& entry : undeclared_) add_losers(entry);
  for (const auto& source : sources_) {
    SourceSummary& summary = state_->sources[source->origin];
    std::stable_sort(summary.problems.begin(), summary.problems.end(), IsBefore);
    summary.prune_blocker = PruneBlocker(*source, summary);
  }
}

std::shared_ptr<const DesiredState> Builder::Build() {
  Collect();
  FindPrevious();
  FillVariables();
  ResolveAll();
  Disentangle();
  Summarise();
  for (const auto& resource : resources_) {
    state_->resources.emplace_hint(state_->resources.end(), resource->id, resource);
  }
  state_->dependents = graph_changed_ || previous_->dependents == nullptr
                           ? ComputeDependents(resources_)
                           : previous_->dependents;
  state_->generation = previous_ == nullptr ? 1 : previous_->generation + 1;
  state_->complete = options_.unread_origins.empty();
  state_->read_from = sources_;
  state_->secrets = options_.secrets;
  return std::move(state_);
}

}  // namespace

std::shared_ptr<const DesiredState> BuildDesiredState(
    const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
    const resources::SpecHasher& hasher, const DesiredOptions& options,
    const DesiredState* previous) {
  if (previous != nullptr && previous->secrets == options.secrets) {
    auto patched = PatchDesiredState(sources, hasher, options, *previous);
    if (patched != nullptr) return patched;
  }
  return Builder(sources, hasher, options, previous).Build();
}

std::vector<ResourceId> ComputeDesiredChange(const DesiredState* before,
                                             const DesiredState& after) {
  if (before != nullptr && after.patched.has_value() &&
      after.generation == before->generation + 1) {
    return *after.patched;
  }
  std::vector<ResourceId> changed;
  static const DesiredState* const kNothing = new DesiredState();
  const auto& old = before == nullptr ? kNothing->resources : before->resources;
  auto a = old.begin();
  auto b = after.resources.begin();
  while (a != old.end() || b != after.resources.end()) {
    if (b == after.resources.end() || (a != old.end() && a->first < b->first)) {
      changed.push_back((a++)->first);
    } else if (a == old.end() || b->first < a->first) {
      changed.push_back((b++)->first);
    } else {
      if (a->second != b->second) changed.push_back(b->first);
      ++a;
      ++b;
    }
  }
  return changed;
}

std::map<std::string, std::string> SourcesOfSecrets(const DesiredState& state) {
  std::map<std::string, std::string> sources;
  for (auto at = state.resources.lower_bound({"variable", ""});
       at != state.resources.end() && at->first.kind == "variable"; ++at) {
    if (at->second->spec == nullptr) continue;
    const std::string& from = at->second->spec->variable().from();
    if (!from.empty()) sources[at->first.name] = from;
  }
  return sources;
}

}  // namespace fairlead::sync
