#include "controller/loop/source_loader.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::loop {
namespace {

constexpr std::size_t kFileLimit = 11u << 20;
constexpr std::size_t kStackLimit = 16u << 20;

// `directory`/`path` without dot parts; empty when it leaves the root.
std::string JoinPath(const std::string& directory, const std::string& path) {
  const std::string joined =
      (std::filesystem::path(directory) / path).lexically_normal().generic_string();
  if (joined == "." || absl::StartsWith(joined, "..") || absl::StartsWith(joined, "/")) return "";
  return joined;
}

// The stack's files are in the sync's own repository: no other source is named.
bool UsesOwnRepository(const v1::Stack& stack) {
  return stack.repo().empty() && stack.linked_repo().empty() && !stack.files_on_host() &&
         stack.file_contents().empty();
}

std::vector<std::string> NamedFiles(const v1::Stack& stack) {
  std::vector<std::string> names(stack.file_paths().begin(), stack.file_paths().end());
  if (names.empty()) names.emplace_back("compose.yaml");
  for (const auto& file : stack.additional_env_files()) names.push_back(file.path());
  for (const auto& file : stack.config_files()) names.push_back(file.path());
  return names;
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

void FillFromSpec(const v1::ResourceSync& spec, sync::SourceSnapshot& snapshot) {
  snapshot.dialect = spec.dialect();
  snapshot.prune = spec.delete_() || spec.managed();
  snapshot.match_tags.assign(spec.match_tags().begin(), spec.match_tags().end());
  snapshot.include_resources = spec.include_resources();
  snapshot.include_variables = spec.include_variables();
}

// Why nothing may be pruned, from what the last good revision held.
std::string PruneBlocker(const sync::SourceSnapshot& snapshot, const v1::SyncRecord* last) {
  const auto& files = snapshot.files;
  const auto is_empty = [](const auto& file) { return file->declarations.empty(); };
  if (std::all_of(files.begin(), files.end(), is_empty)) return "the source holds no resource";
  if (last == nullptr) return "";
  for (const std::string& path : last->files()) {
    // In order of path, as the mirror lists them.
    const auto now =
        std::lower_bound(files.begin(), files.end(), path,
                         [](const auto& file, const std::string& key) { return file->path < key; });
    if (now != files.end() && (*now)->path == path && is_empty(*now)) {
      return absl::StrCat(path, " held resources at ", last->revision().substr(0, 7),
                          " and holds none now that can be read");
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::shared_ptr<const sync::SourceSnapshot>> SourceLoader::Load(
    const v1::ResourceSync& spec, const std::string& revision, const v1::SyncRecord* last) {
  ASSIGN_OR_RETURN(const git::Revision at, mirror_.ResolveRevision(revision));
  const std::vector<std::string> paths(spec.resource_path().begin(), spec.resource_path().end());
  ASSIGN_OR_RETURN(const git::FileList list, mirror_.ListFiles(at.commit, paths));
  if (spec.dialect() != dialect_) {
    parsed_.clear();
    dialect_ = spec.dialect();
  }
  auto snapshot = std::make_shared<sync::SourceSnapshot>();
  snapshot->origin = absl::StrCat("resource_sync/", name_);
  snapshot->name = name_;
  snapshot->revision = at.commit;
  snapshot->subject = at.subject;
  FillFromSpec(spec, *snapshot);
  std::map<FileKey, std::shared_ptr<const resources::ParsedFile>> used;
  for (const git::FileEntry& entry : list) {
    if (!absl::EndsWith(entry.path, ".toml") || entry.is_symlink || entry.is_submodule) continue;
    FileKey key{entry.path, entry.blob_id};
    const auto known = parsed_.find(key);
    std::shared_ptr<const resources::ParsedFile> file;
    if (known != parsed_.end()) {
      file = known->second;
    } else {
      // A file beyond the limit is left to the reader, which says so at its place.
      absl::StatusOr<std::string> content = mirror_.ReadBlob(entry.blob_id, kFileLimit);
      if (absl::IsInvalidArgument(content.status())) content = std::string(kFileLimit, ' ');
      RETURN_IF_ERROR(content.status(), entry.path);
      file = std::make_shared<const resources::ParsedFile>(
          resources::ReadToml(entry.path, *content, spec.dialect()));
    }
    used.emplace_hint(used.end(), std::move(key), file);
    snapshot->files.push_back(std::move(file));
  }
  parsed_ = std::move(used);
  RETURN_IF_ERROR(LoadStackFiles(at, *snapshot));
  snapshot->prune_blocker = PruneBlocker(*snapshot, last);
  return snapshot;
}

absl::Status SourceLoader::LoadStackFiles(const git::Revision& revision,
                                          sync::SourceSnapshot& snapshot) {
  std::map<std::string, sync::StackFiles> used;
  for (const auto& file : snapshot.files) {
    for (const resources::Declaration& declaration : file->declarations) {
      if (declaration.spec == nullptr || !declaration.spec->has_stack() ||
          !UsesOwnRepository(declaration.spec->stack())) {
        continue;
      }
      const v1::Stack& stack = declaration.spec->stack();
      const std::string directory = JoinPath("", stack.run_directory());
      std::vector<std::string> paths;
      if (directory.empty()) {
        for (const std::string& name : NamedFiles(stack)) paths.push_back(JoinPath("", name));
      } else {
        paths.push_back(directory);
      }
      const std::string prefix = directory.empty() ? "" : absl::StrCat(directory, "/");
      absl::StatusOr<git::FileList> list = mirror_.ListFiles(revision.commit, paths);
      if (!list.ok()) {
        snapshot.stack_problems[declaration.id].push_back(StackProblem(
            declaration, std::string(list.status().message()),
            "commit the compose file, or set run_directory and file_paths to where it is"));
        continue;
      }
      std::string key = prefix;
      std::size_t total = 0;
      for (const git::FileEntry& entry : *list) {
        absl::StrAppend(&key, "\n", entry.path, " ", entry.blob_id);
        total += entry.size;
      }
      if (total > kStackLimit) {
        snapshot.stack_problems[declaration.id].push_back(
            StackProblem(declaration,
                         absl::StrCat("run directory \"", directory, "\" holds ", total >> 20,
                                      " MiB; at most ", kStackLimit >> 20, " are sent to a host"),
                         "keep large files out of the stack's folder, or use files_on_host"));
        continue;
      }
      const auto known = stack_files_.find(key);
      if (known != stack_files_.end()) {
        used[key] = known->second;
        snapshot.stack_files[declaration.id] = known->second;
        continue;
      }
      auto files = std::make_shared<std::vector<v1::StackFile>>();
      for (const git::FileEntry& entry : *list) {
        if (entry.is_symlink || entry.is_submodule) continue;
        ASSIGN_OR_RETURN(std::string content, mirror_.ReadBlob(entry.blob_id, kStackLimit),
                         entry.path);
        v1::StackFile& out = files->emplace_back();
        out.set_path(entry.path.substr(prefix.size()));
        out.set_content(std::move(content));
      }
      used[key] = files;
      snapshot.stack_files[declaration.id] = std::move(files);
    }
  }
  stack_files_ = std::move(used);
  return absl::OkStatus();
}

std::shared_ptr<const sync::SourceSnapshot> SnapshotOfFiles(
    const std::string& origin, const std::string& name, const v1::ResourceSync& spec,
    const std::vector<v1::SourceFile>& files) {
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
  for (const auto& file : snapshot->files) {
    for (const resources::Declaration& declaration : file->declarations) {
      if (declaration.spec == nullptr || !declaration.spec->has_stack() ||
          !UsesOwnRepository(declaration.spec->stack())) {
        continue;
      }
      const std::string directory = JoinPath("", declaration.spec->stack().run_directory());
      const std::string prefix = directory.empty() ? "" : absl::StrCat(directory, "/");
      const std::vector<std::string> named = NamedFiles(declaration.spec->stack());
      auto list = std::make_shared<std::vector<v1::StackFile>>();
      for (const auto& [path, content] : contents) {
        if (!absl::StartsWith(path, prefix)) continue;
        const std::string inner = path.substr(prefix.size());
        if (prefix.empty() && std::find(named.begin(), named.end(), inner) == named.end()) continue;
        list->emplace_back().set_path(inner);
        list->back().set_content(content);
      }
      snapshot->stack_files[declaration.id] = std::move(list);
    }
  }
  return snapshot;
}

v1::SyncRecord RecordOf(const sync::SourceSnapshot& snapshot, absl::Time now) {
  v1::SyncRecord record;
  record.set_name(snapshot.name);
  record.set_revision(snapshot.revision);
  record.set_subject(snapshot.subject);
  *record.mutable_fetched_at() = base::ToProto(now);
  for (const auto& file : snapshot.files) {
    if (!file->declarations.empty()) record.add_files(file->path);
  }
  return record;
}

}  // namespace fairlead::loop
