#include "controller/store/store_lock.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace fairlead::store {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;

// As far as there are folders and links, without them.
std::string RealPath(const std::string& path) {
  std::error_code error;
  fs::path at = path;
  // What a link leads to may have to be made yet.
  for (int i = 0; i < kMostLinks && !fs::exists(at, error) && fs::is_symlink(at, error); ++i) {
    at = at.parent_path() / fs::read_symlink(at, error);
  }
  const fs::path real = fs::weakly_canonical(at, error);
  return real.empty() ? path : real.string();
}

std::string LockFileOf(const StoreAddress& address) {
  return absl::StrCat(RealPath(address.sqlite_path), ".lock");
}

}  // namespace

absl::StatusOr<base::FileLock> LockStore(const StoreAddress& address) {
  if (address.postgres.has_value()) return base::FileLock();
  absl::StatusOr<base::FileLock> lock = base::FileLock::Acquire(LockFileOf(address));
  if (absl::IsFailedPrecondition(lock.status())) {
    return base::Annotate(lock.status(), absl::StrCat(address.Name(), ": in use by another ",
                                                      "controller or command"));
  }
  RETURN_IF_ERROR(lock.status(), address.Name());
  return lock;
}

absl::StatusOr<base::FileLock> LockIdleStore(const StoreAddress& address) {
  if (address.postgres.has_value()) return base::FileLock();
  if (::access(LockFileOf(address).c_str(), F_OK) != 0) return base::FileLock();
  return LockStore(address);
}

}  // namespace fairlead::store
