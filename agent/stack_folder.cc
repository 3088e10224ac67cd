#include "agent/stack_folder.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include <boost/json.hpp>
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/engine_json.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr char kManifest[] = "manifest.json";
constexpr char kRecord[] = "record";

absl::Status CheckRelative(const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  const bool leaves = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (path.empty() || path[0] == '/' || leaves || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", path, "\" leaves the folder of the stack"));
  }
  return absl::OkStatus();
}

// A container may have left a symbolic link where a file of the stack belongs.
absl::Status CheckInside(const std::string& root, const std::string& path) {
  std::error_code error;
  const fs::path real_root = fs::weakly_canonical(root, error);
  const fs::path real = fs::weakly_canonical(fs::path(path).parent_path(), error);
  const auto mismatch = std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
  if (error || mismatch.first != real_root.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", path, "\" leads out of the folder of the stack"));
  }
  return absl::OkStatus();
}

std::string Absolute(const std::string& root, const std::string& path) {
  return (fs::path(root) / path).lexically_normal().string();
}

json::array ToArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

absl::StatusOr<std::vector<std::string>> ComposeFiles(const v1::ApplyStack& request,
                                                      const std::string& root) {
  std::vector<std::string> files;
  std::error_code error;
  for (const std::string& path : request.compose_files()) {
    files.push_back(Absolute(root, path));
    if (!fs::exists(files.back(), error)) {
      return absl::NotFoundError(absl::StrCat("compose file ", path, " is not there"));
    }
  }
  if (!files.empty()) return files;
  for (const char* name :
       {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}) {
    const std::string path = Absolute(root, name);
    if (fs::exists(path, error)) return std::vector<std::string>{path};
  }
  return absl::NotFoundError("compose file compose.yaml is not there");
}

std::string OwnEnvFile(const v1::ApplyStack& request) {
  return request.env_file_path().empty() ? ".env" : request.env_file_path();
}

// The files that `request` brings; none leaves `root`. A directory of the host keeps its own.
absl::StatusOr<std::vector<std::string>> BroughtFiles(const v1::ApplyStack& request,
                                                      const std::string& root) {
  std::vector<std::string> files;
  if (request.host_directory().empty()) {
    for (const v1::StackFile& file : request.files()) {
      RETURN_IF_ERROR(CheckRelative(file.path()));
      files.push_back(Absolute(root, file.path()));
    }
  }
  if (!request.environment().empty()) {
    RETURN_IF_ERROR(CheckRelative(OwnEnvFile(request)));
    files.push_back(Absolute(root, OwnEnvFile(request)));
  }
  return files;
}

std::vector<std::string> EnvFiles(const v1::ApplyStack& request, const std::string& root) {
  std::vector<std::string> files;
  std::error_code error;
  const std::string path = Absolute(root, OwnEnvFile(request));
  // Compose reads the own one by itself only while no other is named.
  const bool to_be_named = request.env_files_size() > 0 && fs::exists(path, error);
  if (!request.environment().empty() || to_be_named) files.push_back(path);
  for (const std::string& file : request.env_files()) files.push_back(Absolute(root, file));
  return files;
}

}  // namespace

absl::Status CheckProjectName(const std::string& project) {
  const bool fits = std::all_of(project.begin(), project.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  if (project.empty() || !fits || project[0] == '-' || project[0] == '_') {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", project, "\" cannot be the name of a compose project"));
  }
  return absl::OkStatus();
}

StackFolder::StackFolder(const std::string& data_directory, const std::string& project)
    // Compose reads relative paths from the run directory.
    : directory_((fs::absolute(data_directory) / "stacks" / project).lexically_normal().string()) {}

std::string StackFolder::PathOf(const std::string& name) const {
  return absl::StrCat(directory_, "/", name);
}

absl::StatusOr<StackInput> StackFolder::Write(const v1::ApplyStack& request) const {
  const bool on_host = !request.host_directory().empty();
  const std::string root = on_host ? Absolute("/", request.host_directory()) : PathOf("files");
  std::error_code error;
  if (on_host && !fs::is_directory(root, error)) {
    return absl::NotFoundError(absl::StrCat("directory ", root, " is not on this host"));
  }
  Manifest next;
  ASSIGN_OR_RETURN(next.files, BroughtFiles(request, root));
  RETURN_IF_ERROR(base::MakeDirectories(directory_));
  RETURN_IF_ERROR(base::MakeDirectories(root, 0755));
  const absl::StatusOr<Manifest> last = ReadManifest();
  // Until all is written both generations are known, so that a crash leaves nothing behind.
  Manifest both = next;
  if (last.ok()) both.files.insert(both.files.end(), last->files.begin(), last->files.end());
  if (last.ok()) both.input = last->input;
  RETURN_IF_ERROR(WriteManifest(both));
  RETURN_IF_ERROR(WriteFiles(request, root));
  if (last.ok()) {
    const std::set<std::string> kept(next.files.begin(), next.files.end());
    std::vector<std::string> stale = last->files;
    std::erase_if(stale, [&](const std::string& path) { return kept.contains(path); });
    RETURN_IF_ERROR(RemoveFiles(stale));
  }
  ASSIGN_OR_RETURN(next.input.compose_files, ComposeFiles(request, root));
  next.input.env_files = EnvFiles(request, root);
  next.input.run_directory = root;
  RETURN_IF_ERROR(WriteManifest(next));
  return next.input;
}

absl::StatusOr<StackInput> StackFolder::Read() const {
  ASSIGN_OR_RETURN(Manifest manifest, ReadManifest());
  if (manifest.input.compose_files.empty()) return absl::NotFoundError("no stack was written");
  return manifest.input;
}

absl::StatusOr<std::vector<std::string>> StackFolder::WrittenFiles() const {
  ASSIGN_OR_RETURN(Manifest manifest, ReadManifest());
  std::sort(manifest.files.begin(), manifest.files.end());
  return manifest.files;
}

absl::StatusOr<v1::Project> StackFolder::ReadRecord() const {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(PathOf(kRecord)));
  v1::Project project;
  if (!project.ParseFromString(content)) {
    return absl::DataLossError(absl::StrCat(PathOf(kRecord), " is not a record"));
  }
  return project;
}

absl::Status StackFolder::WriteRecord(const v1::Project& project) const {
  return base::WriteFileAtomically(PathOf(kRecord), project.SerializeAsString());
}

absl::Status StackFolder::Clear() const {
  const absl::StatusOr<Manifest> manifest = ReadManifest();
  if (manifest.ok()) RETURN_IF_ERROR(RemoveFiles(manifest->files));
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, error)) {
    if (!entry.is_directory(error) && entry.path().filename() != kRecord) {
      fs::remove(entry.path(), error);
    }
  }
  fs::remove(PathOf("files"), error);
  fs::remove(PathOf(kRecord), error);
  // What containers wrote below files/ stays, as volumes do.
  fs::remove(directory_, error);
  return absl::OkStatus();
}

absl::StatusOr<StackFolder::Manifest> StackFolder::ReadManifest() const {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(PathOf(kManifest)));
  boost::system::error_code error;
  const json::value value = json::parse(content, error);
  if (error || !value.is_object()) {
    return absl::DataLossError(absl::StrCat(PathOf(kManifest), " is not a manifest"));
  }
  const json::object& object = value.as_object();
  return Manifest{.files = TextsAt(object, {"files"}),
                  .input = {.run_directory = TextAt(object, {"run_directory"}),
                            .compose_files = TextsAt(object, {"compose_files"}),
                            .env_files = TextsAt(object, {"env_files"})}};
}

absl::Status StackFolder::WriteManifest(const Manifest& manifest) const {
  const json::object object = {{"files", ToArray(manifest.files)},
                               {"run_directory", manifest.input.run_directory},
                               {"compose_files", ToArray(manifest.input.compose_files)},
                               {"env_files", ToArray(manifest.input.env_files)}};
  return base::WriteFileAtomically(PathOf(kManifest), std::string(json::serialize(object)));
}

absl::Status StackFolder::WriteFiles(const v1::ApplyStack& request, const std::string& root) const {
  if (request.host_directory().empty()) {
    for (const v1::StackFile& file : request.files()) {
      const unsigned mode = absl::StartsWith(file.content(), "#!") ? 0755 : 0644;
      RETURN_IF_ERROR(WriteFile(root, Absolute(root, file.path()), file.content(), mode));
    }
  }
  if (request.environment().empty()) return absl::OkStatus();
  return WriteFile(root, Absolute(root, OwnEnvFile(request)), request.environment(), 0600);
}

absl::Status StackFolder::WriteFile(const std::string& root, const std::string& path,
                                    const std::string& content, unsigned mode) const {
  RETURN_IF_ERROR(CheckInside(root, path));
  const absl::StatusOr<std::string> present = base::ReadFile(path);
  // A container that mounts the file keeps seeing it only while it is the same inode.
  if (present.ok() && *present == content) return absl::OkStatus();
  RETURN_IF_ERROR(base::MakeDirectories(fs::path(path).parent_path().string(), 0755));
  return base::WriteFileAtomically(path, content, mode);
}

absl::Status StackFolder::RemoveFiles(const std::vector<std::string>& paths) const {
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::remove(path, error) && error) {
      return absl::UnavailableError(absl::StrCat("remove ", path, ": ", error.message()));
    }
    // Folders that are empty now; one that is not stays and ends the climb.
    fs::path folder = fs::path(path).parent_path();
    while (absl::StartsWith(folder.string(), absl::StrCat(PathOf("files"), "/")) &&
           fs::remove(folder, error)) {
      folder = folder.parent_path();
    }
  }
  return absl::OkStatus();
}

std::vector<v1::Project> ReadProjects(const std::string& data_directory) {
  std::vector<v1::Project> projects;
  std::set<std::string> names;
  std::error_code error;
  const std::string stacks = absl::StrCat(data_directory, "/stacks");
  for (const fs::directory_entry& entry : fs::directory_iterator(stacks, error)) {
    names.insert(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    absl::StatusOr<v1::Project> project = StackFolder(data_directory, name).ReadRecord();
    if (project.ok()) {
      projects.push_back(*std::move(project));
    } else if (!absl::IsNotFound(project.status())) {
      base::LogWarning("compose", project.status().message());
    }
  }
  return projects;
}

}  // namespace fairlead::agent
