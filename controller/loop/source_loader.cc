#include "controller/loop/source_loader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/stack_files.h"
#include "resources/encrypted_name.h"
#include "resources/problem_codes.h"

namespace fairlead::loop {
namespace {

constexpr std::size_t kFileLimit = 11u << 20;

void FillFromSpec(const v1::ResourceSync& spec, sync::SourceSnapshot& snapshot) {
  snapshot.dialect = spec.dialect();
  snapshot.prune = spec.delete_() || spec.managed();
  snapshot.approval = spec.approval();
  snapshot.filters = {.match_tags = {spec.match_tags().begin(), spec.match_tags().end()},
                      .include_resources = spec.include_resources(),
                      .include_variables = spec.include_variables(),
                      .include_user_groups = spec.include_user_groups()};
}

// `path` is one of `folders` or below one; no folders mean the root.
bool IsWithin(absl::string_view path, const std::vector<std::string>& folders) {
  if (folders.empty()) return true;
  return std::any_of(folders.begin(), folders.end(), [path](const std::string& given) {
    const std::string folder = NormalPath(given);
    return folder.empty() || path == folder ||
           (absl::StartsWith(path, folder) && path.size() > folder.size() &&
            path[folder.size()] == '/');
  });
}

// One of the sorted `changes` is `path` or below it; "" is the root.
bool IsTouched(const std::vector<std::string>& changes, const std::string& path) {
  if (path.empty()) return !changes.empty();
  const auto at = std::lower_bound(changes.begin(), changes.end(), path);
  if (at != changes.end() && *at == path) return true;
  const std::string below = absl::StrCat(path, "/");
  const auto inner = std::lower_bound(at, changes.end(), below);
  return inner != changes.end() && absl::StartsWith(*inner, below);
}

// Symbolic links among them are only spoken of.
bool IsResourceFile(const git::FileEntry& entry) {
  return (absl::EndsWith(entry.path, ".toml") || resources::IsEncryptedName(entry.path)) &&
         !entry.is_submodule;
}

std::shared_ptr<const resources::ParsedFile> DescribeLink(const std::string& path) {
  auto file = std::make_shared<resources::ParsedFile>();
  file->path = path;
  v1::Problem& problem = file->problems.emplace_back();
  problem.set_file(path);
  problem.set_severity(v1::SEVERITY_NOTICE);
  problem.set_code(resources::kSymbolicLinkCode);
  problem.set_message("symbolic link; it is not followed");
  problem.set_suggestion("put a file in its place if it is to count");
  return file;
}

// As the files of the sync declare them, by name; of one that is declared twice the first.
std::map<std::string, const v1::Repo*> ReposOf(const sync::SourceSnapshot& snapshot) {
  std::map<std::string, const v1::Repo*> repos;
  for (const auto& file : snapshot.files) {
    for (const resources::Declaration& declaration : file->declarations) {
      if (declaration.id.kind != "repo" || declaration.spec == nullptr) continue;
      repos.emplace(declaration.id.name, &declaration.spec->repo());
    }
  }
  return repos;
}

bool HoldsResources(const resources::ParsedFile& file) { return !file.declarations.empty(); }

// A file of secrets that could not be decrypted.
bool IsClosed(const resources::ParsedFile& file) {
  return std::any_of(file.problems.begin(), file.problems.end(),
                     [](const v1::Problem& problem) {
                       return problem.code() == resources::kEncryptedFileCode;
                     }) &&
         std::all_of(file.variables.begin(), file.variables.end(),
                     [](const auto& variable) { return variable.second.value.empty(); });
}

// A resource of a file that cannot be read, with the mistake of the file.
resources::Declaration SpoiltWith(const resources::ParsedFile& file,
                                  const resources::ResourceId& id) {
  resources::Declaration declaration;
  declaration.id = id;
  for (const v1::Problem& problem : file.problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    declaration.position.file = problem.file();
    declaration.position.line = problem.line();
    declaration.position.column = problem.column();
    declaration.problems.push_back(problem);
    declaration.problems.back().set_resource(id.ToString());
    break;
  }
  return declaration;
}

}  // namespace

absl::StatusOr<SourceLoader::FilePointer> SourceLoader::Parse(const git::FileEntry& entry) {
  if (entry.is_symlink) {
    return std::make_shared<File>(File{entry.path, entry.blob_id, DescribeLink(entry.path)});
  }
  // A file beyond the limit is left to the reader, which says so at its place.
  absl::StatusOr<std::string> content = mirror_.ReadBlob(entry.blob_id, kFileLimit);
  if (absl::IsInvalidArgument(content.status())) content = std::string(kFileLimit, ' ');
  RETURN_IF_ERROR(content.status(), entry.path);
  auto file = std::make_shared<File>(File{entry.path, entry.blob_id, nullptr});
  if (resources::IsEncryptedName(entry.path)) {
    file->parsed = std::make_shared<const resources::ParsedFile>(decrypt_(entry.path, *content));
    return file;
  }
  file->parsed = std::make_shared<const resources::ParsedFile>(
      resources::ReadToml(entry.path, *content, tree_.dialect));
  const auto& declarations = file->parsed->declarations;
  file->has_stacks = std::any_of(
      declarations.begin(), declarations.end(),
      [](const resources::Declaration& of) { return HasStackFiles(of) || HasOtherRepo(of); });
  return file;
}

void SourceLoader::AddFile(FilePointer file, Tree& tree) {
  if (!HoldsResources(*file->parsed)) tree.empty.push_back(file);
  if (file->has_stacks) tree.with_stacks.push_back(file);
  tree.files.push_back(std::move(file));
}

absl::Status SourceLoader::ReadWhole(Tree& tree) {
  ASSIGN_OR_RETURN(const git::FileList list, mirror_.ListFiles(tree.commit, tree.paths));
  auto known = tree_.files.begin();
  for (const git::FileEntry& entry : list) {
    if (!IsResourceFile(entry)) continue;
    while (known != tree_.files.end() && (*known)->path < entry.path) ++known;
    const bool same = known != tree_.files.end() && (*known)->path == entry.path &&
                      (*known)->blob_id == entry.blob_id && !IsClosed(*(*known)->parsed);
    if (same) {
      AddFile(*known, tree);
    } else {
      ASSIGN_OR_RETURN(FilePointer file, Parse(entry));
      AddFile(std::move(file), tree);
    }
  }
  return absl::OkStatus();
}

// Null when the whole tree has to be read.
std::unique_ptr<SourceLoader::Changes> SourceLoader::FindChanges(const Tree& tree) {
  if (tree_.snapshot == nullptr || tree_.paths != tree.paths) return nullptr;
  // A file of secrets declares nothing, and so is among these.
  if (std::any_of(tree_.empty.begin(), tree_.empty.end(),
                  [](const FilePointer& file) { return IsClosed(*file->parsed); })) {
    return nullptr;
  }
  // A path that is not there any more is an error, which the listing words.
  for (const std::string& path : tree.paths) {
    if (!mirror_.TreeId(tree.commit, path).ok()) return nullptr;
  }
  absl::StatusOr<Changes> changes = mirror_.ChangedFiles(tree_.commit, tree.commit);
  // So many are found faster by listing all.
  if (!changes.ok() || changes->size() > tree_.files.size() / 8 + 16) return nullptr;
  return std::make_unique<Changes>(*std::move(changes));
}

absl::Status SourceLoader::Patch(const Changes& changes, Tree& tree) {
  std::vector<FilePointer> read;
  for (const std::string& path : changes) {
    const bool may_be = absl::EndsWith(path, ".toml") || resources::IsEncryptedName(path);
    if (!may_be || !IsWithin(path, tree.paths)) continue;
    const absl::StatusOr<git::FileList> now = mirror_.ListFiles(tree.commit, {path});
    if (absl::IsNotFound(now.status())) continue;
    RETURN_IF_ERROR(now.status());
    for (const git::FileEntry& entry : *now) {
      // A folder of that name: what is in it is a change of its own.
      if (entry.path != path || !IsResourceFile(entry)) continue;
      ASSIGN_OR_RETURN(FilePointer file, Parse(entry));
      read.push_back(std::move(file));
    }
  }
  const auto by_path = [](const FilePointer& a, const FilePointer& b) { return a->path < b->path; };
  const auto merge = [&](const std::vector<FilePointer>& before, std::vector<FilePointer>& after,
                         const auto& belongs) {
    // Few changes among many files: look these up rather than all of those.
    auto from = before.begin();
    for (const std::string& path : changes) {
      const auto at = std::lower_bound(
          from, before.end(), path,
          [](const FilePointer& file, const std::string& key) { return file->path < key; });
      after.insert(after.end(), from, at);
      from = at != before.end() && (*at)->path == path ? at + 1 : at;
    }
    after.insert(after.end(), from, before.end());
    const auto middle = static_cast<std::ptrdiff_t>(after.size());
    std::copy_if(read.begin(), read.end(), std::back_inserter(after), belongs);
    std::inplace_merge(after.begin(), after.begin() + middle, after.end(), by_path);
  };
  tree.files.reserve(tree_.files.size() + read.size());
  merge(tree_.files, tree.files, [](const FilePointer&) { return true; });
  merge(tree_.empty, tree.empty,
        [](const FilePointer& file) { return !HoldsResources(*file->parsed); });
  merge(tree_.with_stacks, tree.with_stacks,
        [](const FilePointer& file) { return file->has_stacks; });
  return absl::OkStatus();
}

SourceLoader::FilePointer SourceLoader::FileAt(const std::string& good_revision, const File& file) {
  if (good_revision.empty() || resources::IsEncryptedName(file.path)) return nullptr;
  const absl::StatusOr<git::FileList> before = mirror_.ListFiles(good_revision, {file.path});
  // After a force push the mirror may not have it any more: as on the first reading.
  if (!before.ok() || before->size() != 1 || before->front().path != file.path ||
      before->front().blob_id == file.blob_id || !IsResourceFile(before->front())) {
    return nullptr;
  }
  absl::StatusOr<FilePointer> then = Parse(before->front());
  return then.ok() && HoldsResources(*(*then)->parsed) ? *std::move(then) : nullptr;
}

// From what the last good revision held.
std::string SourceLoader::PruneBlocker(const Tree& tree, const std::string& good_revision) {
  if (tree.empty.size() == tree.files.size()) return "the source holds no resource";
  for (const FilePointer& file : tree.empty) {
    if (FileAt(good_revision, *file) != nullptr) {
      return absl::StrCat(file->path, " held resources at ", good_revision.substr(0, 7),
                          " and holds none now that can be read");
    }
  }
  return "";
}

std::vector<SourceLoader::ParsedFile> SourceLoader::CarryOver(const Tree& tree,
                                                              const std::string& good_revision) {
  std::vector<ParsedFile> files;
  files.reserve(tree.files.size());
  for (const FilePointer& file : tree.files) files.push_back(file->parsed);
  if (std::none_of(tree.empty.begin(), tree.empty.end(),
                   [](const FilePointer& file) { return file->parsed->spoilt; })) {
    return files;
  }
  // What has moved to another file is declared there.
  std::set<resources::ResourceId> declared;
  for (const ParsedFile& file : files) {
    for (const auto& declaration : file->declarations) declared.insert(declaration.id);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!files[i]->spoilt) continue;
    const FilePointer then = FileAt(good_revision, *tree.files[i]);
    if (then == nullptr) continue;
    auto carried = std::make_shared<resources::ParsedFile>(*files[i]);
    for (const resources::Declaration& before : then->parsed->declarations) {
      if (!declared.insert(before.id).second) continue;
      carried->declarations.push_back(SpoiltWith(*files[i], before.id));
    }
    files[i] = std::move(carried);
  }
  return files;
}

absl::StatusOr<std::shared_ptr<const sync::SourceSnapshot>> SourceLoader::Load(
    const v1::ResourceSync& spec, const std::string& revision, const std::string& good_revision) {
  ASSIGN_OR_RETURN(const git::Revision at, mirror_.ResolveRevision(revision));
  if (spec.dialect() != tree_.dialect) tree_ = Tree{.dialect = spec.dialect()};
  Tree tree{.commit = at.commit,
            .paths = {spec.resource_path().begin(), spec.resource_path().end()},
            .dialect = spec.dialect()};
  const std::unique_ptr<Changes> changes = FindChanges(tree);
  RETURN_IF_ERROR(changes == nullptr ? ReadWhole(tree) : Patch(*changes, tree));
  auto snapshot = std::make_shared<sync::SourceSnapshot>();
  snapshot->origin = absl::StrCat("resource_sync/", name_);
  snapshot->name = name_;
  snapshot->revision = at.commit;
  snapshot->subject = at.subject;
  FillFromSpec(spec, *snapshot);
  snapshot->files = CarryOver(tree, good_revision);
  RETURN_IF_ERROR(AddStackFiles(changes.get(), tree, *snapshot));
  AddOtherRepos(tree, *snapshot);
  snapshot->prune_blocker = PruneBlocker(tree, good_revision);
  tree.snapshot = snapshot;
  tree_ = std::move(tree);
  return snapshot;
}

absl::Status SourceLoader::AddStackFiles(const Changes* changes, Tree& tree,
                                         sync::SourceSnapshot& snapshot) {
  for (const FilePointer& file : tree.with_stacks) {
    const bool same_file =
        changes != nullptr && !std::binary_search(changes->begin(), changes->end(), file->path);
    for (const resources::Declaration& declaration : file->parsed->declarations) {
      if (!HasStackFiles(declaration)) continue;
      const StackContent* before = nullptr;
      if (const auto found = tree_.stacks.find(declaration.id); found != tree_.stacks.end()) {
        before = &found->second;
      }
      const StackPlace place = PlaceOf(declaration.spec->stack());
      const bool untouched =
          same_file && before != nullptr &&
          std::none_of(place.paths.begin(), place.paths.end(),
                       [changes](const std::string& path) { return IsTouched(*changes, path); });
      if (untouched) {
        tree.stacks[declaration.id] = *before;
        snapshot.stack_files[declaration.id] = before->files;
        continue;
      }
      const StackFileList found = FindFilesOf(declaration, place, tree.commit, snapshot);
      if (!found.is_usable) continue;
      StackContent content;
      content.key = found.key;
      if (before != nullptr && before->key == found.key) {
        content.files = before->files;
      } else {
        absl::StatusOr<sync::StackFiles> files =
            ReadStackFiles(mirror_, found.entries, found.prefix.size());
        if (absl::IsFailedPrecondition(files.status())) {
          snapshot.stack_problems[declaration.id].push_back(
              MissingFilesProblem(declaration, std::string(files.status().message())));
          continue;
        }
        RETURN_IF_ERROR(files.status());
        content.files = *std::move(files);
      }
      tree.stacks[declaration.id] = content;
      snapshot.stack_files[declaration.id] = content.files;
    }
  }
  return absl::OkStatus();
}

void SourceLoader::AddOtherRepos(const Tree& tree, sync::SourceSnapshot& snapshot) {
  questions_.clear();
  // All declarations are gone through for them: only when a stack is linked to one.
  std::optional<std::map<std::string, const v1::Repo*>> repos;
  for (const FilePointer& file : tree.with_stacks) {
    for (const resources::Declaration& declaration : file->parsed->declarations) {
      if (!HasOtherRepo(declaration)) continue;
      const v1::Stack& stack = declaration.spec->stack();
      const v1::Repo* linked = nullptr;
      if (!stack.linked_repo().empty()) {
        if (!repos) repos = ReposOf(snapshot);
        const auto found = repos->find(stack.linked_repo());
        linked = found == repos->end() ? nullptr : found->second;
        if (linked == nullptr) {
          snapshot.stack_problems[declaration.id].push_back(
              MissingRepoProblem(declaration, stack.linked_repo()));
          continue;
        }
      }
      const std::optional<RepoQuestion> question = RepoQuestionOf(stack, linked);
      if (!question) {
        snapshot.stack_problems[declaration.id].push_back(
            MissingFilesProblem(declaration, "its repo names no repository"));
        continue;
      }
      questions_.insert(*question);
      const RepoAnswer answer = ask_(*question);
      snapshot.other_sources[declaration.id] =
          answer.files == nullptr ? answer.problem
                                  : absl::StrCat("its files are those of ", Describe(*question),
                                                 ", now ", answer.commit.substr(0, 7));
      if (answer.files != nullptr) {
        snapshot.stack_files[declaration.id] = answer.files;
      } else {
        snapshot.stack_problems[declaration.id].push_back(
            MissingFilesProblem(declaration, answer.problem));
      }
    }
  }
}

SourceLoader::StackFileList SourceLoader::FindFilesOf(const resources::Declaration& declaration,
                                                      const StackPlace& place,
                                                      const std::string& commit,
                                                      sync::SourceSnapshot& snapshot) {
  StackFileList found;
  found.prefix = place.prefix;
  absl::StatusOr<git::FileList> list = mirror_.ListFiles(commit, place.paths);
  if (!list.ok()) {
    snapshot.stack_problems[declaration.id].push_back(
        MissingFilesProblem(declaration, std::string(list.status().message())));
    return found;
  }
  found.entries = *std::move(list);
  found.key = found.prefix;
  std::size_t total = 0;
  for (const git::FileEntry& entry : found.entries) {
    absl::StrAppend(&found.key, "\n", entry.path, " ", entry.blob_id);
    total += entry.size;
  }
  found.is_usable = total <= kStackLimit;
  if (!found.is_usable) {
    snapshot.stack_problems[declaration.id].push_back(
        TooManyBytesProblem(declaration, place, total));
  }
  return found;
}

std::string ClosedFiles(const sync::SourceSnapshot& snapshot) {
  std::string text;
  for (const auto& file : snapshot.files) {
    if (!IsClosed(*file)) continue;
    for (const v1::Problem& problem : file->problems) {
      absl::StrAppend(&text, problem.file(), " ", problem.message(), "\n");
    }
  }
  return text;
}

std::shared_ptr<const sync::SourceSnapshot> SnapshotOfFiles(
    const std::string& origin, const std::string& name, const v1::ResourceSync& spec,
    const std::vector<v1::SourceFile>& files, const sync::DesiredState& in_force) {
  auto snapshot = std::make_shared<sync::SourceSnapshot>();
  snapshot->origin = origin;
  snapshot->name = name;
  snapshot->revision = "working tree";
  FillFromSpec(spec, *snapshot);
  std::map<std::string, std::string> contents;
  for (const v1::SourceFile& file : files) contents[file.path()] = file.content();
  for (const auto& [path, content] : contents) {
    if (!absl::EndsWith(path, ".toml")) continue;
    snapshot->files.push_back(std::make_shared<const resources::ParsedFile>(
        resources::ReadToml(path, content, spec.dialect())));
  }
  for (const auto& source : in_force.read_from) {
    if (source->origin != origin) continue;
    std::copy_if(source->files.begin(), source->files.end(), std::back_inserter(snapshot->files),
                 [](const auto& file) { return resources::IsEncryptedName(file->path); });
  }
  std::sort(snapshot->files.begin(), snapshot->files.end(),
            [](const auto& a, const auto& b) { return a->path < b->path; });
  for (const auto& file : snapshot->files) {
    for (const resources::Declaration& declaration : file->declarations) {
      if (!HasStackFiles(declaration)) continue;
      const StackPlace place = PlaceOf(declaration.spec->stack());
      auto list = std::make_shared<std::vector<v1::StackFile>>();
      for (const auto& [path, content] : contents) {
        if (!Holds(place, path)) continue;
        list->emplace_back().set_path(path.substr(place.prefix.size()));
        list->back().set_content(content);
      }
      snapshot->stack_files[declaration.id] = std::move(list);
    }
  }
  return snapshot;
}

v1::SyncRecord RecordOf(const sync::SourceSnapshot& snapshot, const std::string& good_revision,
                        absl::Time now) {
  v1::SyncRecord record;
  record.set_name(snapshot.name);
  record.set_revision(snapshot.revision);
  record.set_good_revision(snapshot.prune_blocker.empty() ? snapshot.revision : good_revision);
  record.set_subject(snapshot.subject);
  *record.mutable_fetched_at() = base::ToProto(now);
  return record;
}

}  // namespace fairlead::loop
