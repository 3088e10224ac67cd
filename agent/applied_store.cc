#include "agent/applied_store.h"

#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

constexpr char kStateFile[] = "state";
constexpr char kBodyEnding[] = ".body";

}  // namespace

AppliedStore::AppliedStore(std::string folder) : folder_(std::move(folder)) {}

// Names of resources may be longer than those of files, and hold any character.
std::string AppliedStore::PathOf(const std::string& resource) const {
  std::array<unsigned char, 16> hash{};
  crypto_generichash(hash.data(), hash.size(),
                     reinterpret_cast<const unsigned char*>(resource.data()), resource.size(),
                     nullptr, 0);
  const absl::string_view bytes(reinterpret_cast<const char*>(hash.data()), hash.size());
  return absl::StrCat(folder_, "/", absl::BytesToHexString(bytes), kBodyEnding);
}

absl::StatusOr<AppliedBodies> AppliedStore::LoadBodies() const {
  AppliedBodies bodies;
  if (folder_.empty()) return bodies;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != kBodyEnding) continue;
    ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(entry.path().string()));
    v1::AppliedBody body;
    if (!body.ParseFromString(bytes) || body.action().resource().empty()) {
      base::LogWarning("agent", entry.path().string(), " cannot be read and does not count");
      continue;
    }
    bodies[body.action().resource()] = std::move(body);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return base::ErrnoStatus(error.value(), folder_);
  }
  return bodies;
}

absl::Status AppliedStore::PutBody(const std::string& resource, const v1::AppliedBody& body) const {
  if (folder_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(base::MakeDirectories(folder_));
  return base::WriteFileAtomically(PathOf(resource), body.SerializeAsString());
}

absl::Status AppliedStore::RemoveBody(const std::string& resource) const {
  if (folder_.empty()) return absl::OkStatus();
  const std::string path = PathOf(resource);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return base::ErrnoStatus(errno, absl::StrCat("remove ", path));
}

absl::StatusOr<v1::AutonomyState> AppliedStore::LoadState() const {
  if (folder_.empty()) return absl::NotFoundError("nothing is kept");
  ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(absl::StrCat(folder_, "/", kStateFile)));
  v1::AutonomyState state;
  if (!state.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat(folder_, "/", kStateFile, " cannot be read"));
  }
  return state;
}

absl::Status AppliedStore::PutState(const v1::AutonomyState& state) const {
  if (folder_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(base::MakeDirectories(folder_));
  return base::WriteFileAtomically(absl::StrCat(folder_, "/", kStateFile),
                                   state.SerializeAsString());
}

}  // namespace fairlead::agent
