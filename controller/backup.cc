#include "controller/backup.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/store/store_transfer.h"

namespace fairlead::controller {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCopiesKept = 14;
constexpr char kPrefix[] = "fairlead-";
constexpr char kSuffix[] = ".backup";

// Names sort as times do.
void RemoveOld(const std::string& directory) {
  std::error_code error;
  std::vector<fs::path> copies;
  for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (absl::StartsWith(name, kPrefix) && absl::EndsWith(name, kSuffix)) {
      copies.push_back(at->path());
    }
  }
  std::sort(copies.begin(), copies.end());
  for (std::size_t i = 0; i + kCopiesKept < copies.size(); ++i) {
    if (fs::remove(copies[i], error)) continue;
    base::LogWarning("backup", "an old copy stays: ", copies[i].string(), ": ", error.message());
  }
}

}  // namespace

absl::StatusOr<std::string> BackUp(const store::StoreAddress& from, const std::string& directory,
                                   absl::Time now) {
  RETURN_IF_ERROR(base::MakeDirectories(directory), "backup");
  const std::string path =
      absl::StrCat(directory, "/", kPrefix,
                   absl::FormatTime("%Y%m%dT%H%M%E3SZ", now, absl::UTCTimeZone()), kSuffix);
  RETURN_IF_ERROR(store::BackUpStore(from, path).status(), "backup");
  RemoveOld(directory);
  return path;
}

}  // namespace fairlead::controller
