#include "sync/git/packs.h"

#include <git2/sys/odb_backend.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::git {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kSmallPack = 1u << 20;

// Index files of the small packs.
std::vector<fs::path> FindSmallPacks(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    fs::path pack = it->path();
    if (pack.extension() != ".idx") continue;
    std::error_code missing;
    const std::uintmax_t size = fs::file_size(pack.replace_extension(".pack"), missing);
    if (!missing && size < kSmallPack) found.push_back(it->path());
  }
  return found;
}

int AddObject(const git_oid* id, void* payload) {
  return git_packbuilder_insert(static_cast<git_packbuilder*>(payload), id, nullptr);
}

// Adds every object of one pack.
int AddPack(const fs::path& index, git_packbuilder* builder) {
  ObjectDatabase single;
  if (const int code = Fill(single, git_odb_new); code != 0) return code;
  git_odb_backend* backend = nullptr;
  if (const int code = git_odb_backend_one_pack(&backend, index.c_str()); code != 0) return code;
  if (const int code = git_odb_add_backend(single.get(), backend, 1); code != 0) {
    backend->free(backend);
    return code;
  }
  return git_odb_foreach(single.get(), AddObject, builder);
}

}  // namespace

absl::Status JoinSmallPacks(git_repository* repository, const std::string& directory,
                            std::size_t limit) {
  const fs::path packs = fs::path(directory) / "objects" / "pack";
  const std::vector<fs::path> small = FindSmallPacks(packs);
  if (small.size() <= limit) return absl::OkStatus();
  const auto failure = [] {
    return absl::UnavailableError(absl::StrCat("join packs: ", LastError()));
  };
  PackBuilder builder;
  if (Fill(builder, git_packbuilder_new, repository) != 0) return failure();
  git_packbuilder_set_threads(builder.get(), 1);
  for (const fs::path& index : small) {
    if (AddPack(index, builder.get()) != 0) return failure();
  }
  if (git_packbuilder_write(builder.get(), packs.c_str(), 0, nullptr, nullptr) != 0) {
    return failure();
  }
  const std::string joined = absl::StrCat("pack-", ToHex(*git_packbuilder_hash(builder.get())));
  for (fs::path index : small) {
    if (index.stem() == joined) continue;
    std::error_code ignored;
    // The index first: a pack without one is not looked at.
    fs::remove(index, ignored);
    fs::remove(index.replace_extension(".pack"), ignored);
  }
  return absl::OkStatus();
}

}  // namespace fairlead::git
