#include "sync/git/mirror.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "sync/git/branch_list.h"
#include "sync/git/libgit2.h"
#include "sync/git/mirror_directory.h"

namespace fairlead::git {
namespace {

using RawId = std::array<unsigned char, GIT_OID_RAWSZ>;

constexpr std::size_t kMinAbbreviation = 4;
// Entries of the size cache; above it the cache starts again.
constexpr std::size_t kMaxCachedSizes = 2'000'000;
// Deeper trees are refused: no checkout could hold them either.
constexpr std::size_t kMaxDepth = 512;

bool IsHexadecimal(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

// Length of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t SequenceLength(absl::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
  const bool too_large = lead == 0xF4 && byte(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

// Commit messages are shown on terminals and stored as protobuf strings.
std::string PrintableUtf8(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const bool is_control =
        (length == 1 && absl::ascii_iscntrl(static_cast<unsigned char>(text[0]))) ||
        (length == 2 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0);
    if (length == 0) {
      printable += "\xEF\xBF\xBD";
    } else if (is_control) {
      printable += ' ';
    } else {
      absl::StrAppend(&printable, text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return printable;
}

// "a/b" for "./a//b/"; "" for the root.
absl::StatusOr<std::string> NormalisePath(absl::string_view path) {
  std::string normal;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("path \"", path, "\" must stay inside the repository"));
    }
    absl::StrAppend(&normal, normal.empty() ? "" : "/", part);
  }
  return normal;
}

int ParseId(git_oid& id, absl::string_view text) {
  if (text.size() != GIT_OID_HEXSZ) return GIT_EINVALID;
  return git_oid_fromstrn(&id, text.data(), text.size());
}

int TooDeep() {
  git_error_set_str(GIT_ERROR_TREE, "folders are nested too deeply");
  return GIT_ERROR;
}

void SortUnique(std::vector<std::string>& paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
}

}  // namespace

struct Mirror::State {
  Repository repository;
  ObjectDatabase database;
  // Sizes by blob: reading them is most of the time of a listing, and few blobs are new.
  absl::flat_hash_map<RawId, uint64_t> sizes;

  // GIT_ENOTFOUND, or another code with LastError set.
  int FindCommit(absl::string_view hash, Commit& commit) const {
    git_oid id;
    if (const int code = ParseId(id, hash); code != 0) return code;
    return Fill(commit, git_commit_lookup, repository.get(), &id);
  }
  int FindRoot(absl::string_view hash, Tree& tree) const {
    Commit commit;
    if (const int code = FindCommit(hash, commit); code != 0) return code;
    return Fill(tree, git_commit_tree, commit.get());
  }
  int SizeOf(const git_oid& id, uint64_t& size) {
    RawId key;
    std::memcpy(key.data(), id.id, key.size());
    if (const auto found = sizes.find(key); found != sizes.end()) {
      size = found->second;
      return 0;
    }
    std::size_t length = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (const int code = git_odb_read_header(&length, &type, database.get(), &id); code != 0) {
      return code;
    }
    if (sizes.size() >= kMaxCachedSizes) sizes.clear();
    size = length;
    sizes.emplace(key, size);
    return 0;
  }
  int Append(const git_tree_entry* entry, std::string path, FileList& files) {
    const git_filemode_t mode = git_tree_entry_filemode(entry);
    FileEntry file{.path = std::move(path), .blob_id = ToHex(*git_tree_entry_id(entry))};
    file.is_symlink = mode == GIT_FILEMODE_LINK;
    file.is_submodule = mode == GIT_FILEMODE_COMMIT;
    if (!file.is_submodule) {
      if (const int code = SizeOf(*git_tree_entry_id(entry), file.size); code != 0) return code;
    }
    files.push_back(std::move(file));
    return 0;
  }
  // Leaves `tree` null for no entry.
  int ReadFolder(const git_tree_entry* entry, Tree& tree) const {
    if (entry == nullptr) return 0;
    return Fill(tree, git_tree_lookup, repository.get(), git_tree_entry_id(entry));
  }
  // Adds everything below `root`, whose own path is `prefix`.
  int Walk(Tree root, std::string prefix, FileList& files);
  // Adds the paths that differ. Equal folders are skipped unread, which libgit2's own diff does
  // several times slower.
  int Compare(Tree old_root, Tree new_root, std::vector<std::string>& paths);
};

int Mirror::State::Walk(Tree root, std::string prefix, FileList& files) {
  struct Folder {
    Tree tree;
    std::string path;
    std::size_t depth;
  };
  std::vector<Folder> open;
  open.push_back({std::move(root), std::move(prefix), 0});
  while (!open.empty()) {
    const Folder folder = std::move(open.back());
    open.pop_back();
    if (folder.depth > kMaxDepth) return TooDeep();
    const std::size_t count = git_tree_entrycount(folder.tree.get());
    for (std::size_t i = 0; i < count; ++i) {
      const git_tree_entry* entry = git_tree_entry_byindex(folder.tree.get(), i);
      std::string path =
          absl::StrCat(folder.path, folder.path.empty() ? "" : "/", git_tree_entry_name(entry));
      if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
        Tree child;
        if (const int code =
                Fill(child, git_tree_lookup, repository.get(), git_tree_entry_id(entry));
            code != 0) {
          return code;
        }
        open.push_back({std::move(child), std::move(path), folder.depth + 1});
      } else if (const int code = Append(entry, std::move(path), files); code != 0) {
        return code;
      }
    }
  }
  return 0;
}

int Mirror::State::Compare(Tree old_root, Tree new_root, std::vector<std::string>& paths) {
  // Both sides of one folder; a side that has no such folder is null.
  struct Folder {
    Tree before;
    Tree after;
    std::string path;
    std::size_t depth;
  };
  std::vector<Folder> open;
  open.push_back({std::move(old_root), std::move(new_root), "", 0});
  while (!open.empty()) {
    const Folder folder = std::move(open.back());
    open.pop_back();
    if (folder.depth > kMaxDepth) return TooDeep();
    const auto at = [](const Tree& tree, std::size_t i) {
      return tree == nullptr ? nullptr : git_tree_entry_byindex(tree.get(), i);
    };
    std::size_t i = 0;
    std::size_t j = 0;
    while (true) {
      const git_tree_entry* before = at(folder.before, i);
      const git_tree_entry* after = at(folder.after, j);
      if (before == nullptr && after == nullptr) break;
      // A file and a folder of one name are two names in git's order.
      const int order = before == nullptr  ? 1
                        : after == nullptr ? -1
                                           : git_tree_entry_cmp(before, after);
      if (order <= 0) ++i;
      if (order >= 0) ++j;
      if (order < 0) after = nullptr;
      if (order > 0) before = nullptr;
      if (order == 0 && git_oid_equal(git_tree_entry_id(before), git_tree_entry_id(after)) != 0 &&
          git_tree_entry_filemode(before) == git_tree_entry_filemode(after)) {
        continue;
      }
      const git_tree_entry* either = before != nullptr ? before : after;
      std::string path =
          absl::StrCat(folder.path, folder.path.empty() ? "" : "/", git_tree_entry_name(either));
      if (git_tree_entry_type(either) != GIT_OBJECT_TREE) {
        paths.push_back(std::move(path));
        continue;
      }
      Folder child{nullptr, nullptr, std::move(path), folder.depth + 1};
      if (const int code = ReadFolder(before, child.before); code != 0) return code;
      if (const int code = ReadFolder(after, child.after); code != 0) return code;
      open.push_back(std::move(child));
    }
  }
  return 0;
}

absl::StatusOr<std::unique_ptr<Mirror>> Mirror::Open(const std::string& directory) {
  RemoveLeftovers(directory);
  auto state = std::make_unique<State>();
  ASSIGN_OR_RETURN(state->repository, OpenOrCreateRepository(directory));
  std::unique_ptr<Mirror> mirror(new Mirror(directory, std::move(state)));
  RETURN_IF_ERROR(mirror->Reopen());
  return mirror;
}

Mirror::Mirror(std::string directory, std::unique_ptr<State> state)
    : directory_(std::move(directory)), state_(std::move(state)) {}

Mirror::~Mirror() = default;

absl::Status Mirror::Reopen() {
  // A fetch may have replaced packs, or the whole mirror.
  ASSIGN_OR_RETURN(state_->repository, OpenOrCreateRepository(directory_));
  if (Fill(state_->database, git_repository_odb, state_->repository.get()) != 0) {
    return Damaged("open objects");
  }
  return absl::OkStatus();
}

absl::Status Mirror::Damaged(absl::string_view what) {
  const std::string cause = LastError();
  MarkDamaged(directory_);
  return absl::UnavailableError(absl::StrCat("mirror ", directory_, " is damaged: ", what, ": ",
                                             cause, "; the next fetch builds it anew"));
}

absl::StatusOr<Revision> Mirror::ResolveRevision(const std::string& ref) {
  RETURN_IF_ERROR(Reopen());
  git_repository* repository = state_->repository.get();
  Object object;
  git_oid id;
  int code = GIT_ENOTFOUND;
  if (ParseId(id, ref) == 0) {
    code = Fill(object, git_object_lookup, repository, &id, GIT_OBJECT_ANY);
  }
  for (const absl::string_view prefix : {"refs/heads/", "refs/tags/", ""}) {
    if (code != GIT_ENOTFOUND) break;
    const std::string name = absl::StrCat(prefix, ref);
    if (!absl::StartsWith(name, "refs/") || name.find('\0') != std::string::npos ||
        git_reference_name_to_id(&id, repository, name.c_str()) != 0) {
      continue;
    }
    code = Fill(object, git_object_lookup, repository, &id, GIT_OBJECT_ANY);
    if (code != 0) return Damaged(absl::StrCat("read \"", ref, "\""));
  }
  if (code == GIT_ENOTFOUND && ref.size() >= kMinAbbreviation && ref.size() < GIT_OID_HEXSZ &&
      IsHexadecimal(ref) && git_oid_fromstrn(&id, ref.data(), ref.size()) == 0) {
    code = Fill(object, git_object_lookup_prefix, repository, &id, ref.size(), GIT_OBJECT_COMMIT);
  }
  if (code == GIT_EAMBIGUOUS) {
    return absl::InvalidArgumentError(
        absl::StrCat("commit \"", ref, "\" is ambiguous; give more digits"));
  }
  if (code == GIT_ENOTFOUND) {
    ASSIGN_OR_RETURN(const std::vector<std::string> branches, ListBranches(repository));
    return MissingReference(ref, branches);
  }
  if (code != 0) return Damaged(absl::StrCat("read \"", ref, "\""));

  Object peeled;
  if (Fill(peeled, git_object_peel, object.get(), GIT_OBJECT_COMMIT) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"", ref, "\" is not a commit"));
  }
  auto* commit = reinterpret_cast<git_commit*>(peeled.get());
  const char* subject = git_commit_summary(commit);
  return Revision{.commit = ToHex(*git_commit_id(commit)),
                  .subject = PrintableUtf8(subject == nullptr ? "" : subject),
                  .committed_at = absl::FromUnixSeconds(git_commit_time(commit))};
}

absl::StatusOr<FileList> Mirror::ListFiles(const std::string& commit,
                                           const std::vector<std::string>& paths) {
  Tree root;
  if (state_->FindRoot(commit, root) != 0) {
    return absl::NotFoundError(absl::StrCat("commit ", commit, ": ", LastError()));
  }
  std::vector<std::string> wanted;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(std::string normal, NormalisePath(path));
    wanted.push_back(std::move(normal));
  }
  const bool whole = wanted.empty() || std::find(wanted.begin(), wanted.end(), "") != wanted.end();
  FileList files;
  for (const std::string& path : wanted) {
    if (path.empty()) continue;
    TreeEntry entry;
    const int found = Fill(entry, git_tree_entry_bypath, root.get(), path.c_str());
    if (found == GIT_ENOTFOUND) {
      return absl::NotFoundError(
          absl::StrCat("path \"", path, "\" does not exist at ", commit.substr(0, 7)));
    }
    if (found != 0) return Damaged(absl::StrCat("find \"", path, "\""));
    if (whole) continue;
    if (git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE) {
      if (state_->Append(entry.get(), path, files) != 0) return Damaged(path);
      continue;
    }
    Tree tree;
    if (Fill(tree, git_tree_lookup, state_->repository.get(), git_tree_entry_id(entry.get())) !=
            0 ||
        state_->Walk(std::move(tree), path, files) != 0) {
      return Damaged(absl::StrCat("list \"", path, "\""));
    }
  }
  if (whole && state_->Walk(std::move(root), "", files) != 0) return Damaged("list files");
  const auto by_path = [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; };
  std::sort(files.begin(), files.end(), by_path);
  // Wanted paths may overlap.
  files.erase(std::unique(files.begin(), files.end(),
                          [](const FileEntry& a, const FileEntry& b) { return a.path == b.path; }),
              files.end());
  return files;
}

absl::StatusOr<std::string> Mirror::ReadBlob(const std::string& blob_id, std::size_t limit) {
  git_oid id;
  if (ParseId(id, blob_id) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"", blob_id, "\" is not the id of a blob"));
  }
  uint64_t size = 0;
  if (state_->SizeOf(id, size) != 0) return Damaged(absl::StrCat("read ", blob_id));
  if (size > limit) {
    return absl::InvalidArgumentError(
        absl::StrCat("file has ", size, " bytes; at most ", limit, " are read"));
  }
  DatabaseObject object;
  if (Fill(object, git_odb_read, state_->database.get(), &id) != 0) {
    return Damaged(absl::StrCat("read ", blob_id));
  }
  return std::string(static_cast<const char*>(git_odb_object_data(object.get())),
                     git_odb_object_size(object.get()));
}

absl::StatusOr<std::vector<std::string>> Mirror::ChangedFiles(const std::string& old_commit,
                                                              const std::string& new_commit) {
  Tree old_tree;
  Tree new_tree;
  for (auto& [commit, tree] : {std::pair<const std::string&, Tree&>{old_commit, old_tree},
                               std::pair<const std::string&, Tree&>{new_commit, new_tree}}) {
    if (state_->FindRoot(commit, tree) != 0) {
      return absl::NotFoundError(absl::StrCat("commit ", commit, ": ", LastError()));
    }
  }
  std::vector<std::string> paths;
  if (state_->Compare(std::move(old_tree), std::move(new_tree), paths) != 0) {
    return Damaged("compare commits");
  }
  SortUnique(paths);
  return paths;
}

absl::StatusOr<std::string> Mirror::TreeId(const std::string& commit, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string normal, NormalisePath(path));
  Tree root;
  if (state_->FindRoot(commit, root) != 0) {
    return absl::NotFoundError(absl::StrCat("commit ", commit, ": ", LastError()));
  }
  if (normal.empty()) return ToHex(*git_tree_id(root.get()));
  TreeEntry entry;
  const int found = Fill(entry, git_tree_entry_bypath, root.get(), normal.c_str());
  if (found == GIT_ENOTFOUND) {
    return absl::NotFoundError(
        absl::StrCat("path \"", normal, "\" does not exist at ", commit.substr(0, 7)));
  }
  if (found != 0) return Damaged(absl::StrCat("find \"", normal, "\""));
  return ToHex(*git_tree_entry_id(entry.get()));
}

}  // namespace fairlead::git
