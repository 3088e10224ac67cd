// fairlead import: what there is already, as files.
#include <filesystem>
#include <map>
#include <ostream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/import/compose_import.h"
#include "cli/import/docker_engine.h"
#include "cli/import/docker_import.h"
#include "resources/toml_writer.h"

namespace fairlead::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLimit = 10u << 20;
constexpr absl::Duration kEngineTime = absl::Seconds(30);
constexpr char kDefaultEngine[] = "unix:///var/run/docker.sock";

void PrintNotice(Session& session, absl::string_view text) {
  session.environment().err << "fairlead: " << Printable(text) << "\n";
}

// What compose itself reads in a folder.
absl::StatusOr<std::vector<fs::path>> DefaultFiles(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {"compose", "docker-compose"}) {
    std::vector<fs::path> found;
    for (const char* part : {"", ".override"}) {
      for (const char* ending : {".yaml", ".yml"}) {
        const fs::path path = folder / absl::StrCat(name, part, ending);
        if (!fs::is_regular_file(path, error)) continue;
        found.push_back(path);
        break;
      }
    }
    if (!found.empty()) return found;
  }
  return absl::NotFoundError(absl::StrCat("\"", folder.string(), "\" holds no compose file"));
}

// Compose files by their folder.
using Folders = std::map<fs::path, std::vector<fs::path>>;

absl::StatusOr<Folders> SortByFolder(const std::vector<std::string>& paths) {
  Folders folders;
  for (const std::string& text : paths) {
    std::error_code error;
    const fs::path path = fs::canonical(text, error);
    if (error) return absl::NotFoundError(absl::StrCat("\"", text, "\" is not there"));
    std::vector<fs::path> files = {path};
    if (fs::is_directory(path, error)) {
      ASSIGN_OR_RETURN(files, DefaultFiles(path));
    }
    std::vector<fs::path>& known = folders[files.front().parent_path()];
    known.insert(known.end(), files.begin(), files.end());
  }
  return folders;
}

absl::StatusOr<ComposeFolder> ReadFolder(const fs::path& path, const std::vector<fs::path>& files) {
  ComposeFolder folder{.name = path.filename().string(),
                       .is_file = [path](const std::string& name) {
                         std::error_code error;
                         return fs::is_regular_file(path / name, error);
                       }};
  for (const fs::path& file : files) {
    ASSIGN_OR_RETURN(std::string content, base::ReadFile(file.string(), kFileLimit));
    folder.files.push_back({file.filename().string(), std::move(content)});
  }
  absl::StatusOr<std::string> env = base::ReadFile((path / ".env").string(), kFileLimit);
  if (!env.ok() && !absl::IsNotFound(env.status())) return env.status();
  if (env.ok()) folder.env = *std::move(env);
  return folder;
}

// Where the folder lies below the root of the repository.
absl::StatusOr<std::string> RunDirectory(const fs::path& folder, const std::string& root) {
  std::error_code error;
  const fs::path top = fs::canonical(root, error);
  if (error) return absl::NotFoundError(absl::StrCat("--root \"", root, "\" is not there"));
  const std::string below = folder.lexically_relative(top).string();
  if (!absl::StartsWith(below, "..")) return below;
  return absl::InvalidArgumentError(absl::StrCat("\"", folder.string(),
                                                 "\" is not below the root of the repository, \"",
                                                 top.string(), "\"; set --root"));
}

std::string ComposeText(const ImportedStack& imported) {
  std::string text;
  for (const std::string& care : imported.cares) absl::StrAppend(&text, "# ", care, "\n");
  return absl::StrCat(text, resources::WriteTomlWithoutSecrets(imported.stack));
}

}  // namespace

absl::StatusOr<int> RunImportCompose(Session& session, const ImportComposeOptions& options) {
  ASSIGN_OR_RETURN(const Folders folders, SortByFolder(options.paths));
  if (!options.name.empty() && folders.size() > 1) {
    return absl::InvalidArgumentError("--name is for one stack; these are several");
  }
  std::string text;
  for (const auto& [path, files] : folders) {
    ComposeImportOptions how{.name = options.name, .server = options.server};
    if (options.as_files) {
      ASSIGN_OR_RETURN(how.run_directory, RunDirectory(path, options.root));
    }
    ASSIGN_OR_RETURN(const ComposeFolder folder, ReadFolder(path, files));
    ASSIGN_OR_RETURN(const ImportedStack imported, ImportCompose(folder, how));
    absl::StrAppend(&text, text.empty() ? "" : "\n", ComposeText(imported));
    if (imported.secrets.empty()) continue;
    PrintNotice(session, absl::StrCat("stack/", imported.stack.name(), " has ",
                                      absl::StrJoin(imported.secrets, ", "),
                                      " in clear; put secrets into a [[variable]]"));
  }
  session.Print(text);
  return kExitOk;
}

absl::StatusOr<int> RunImportDocker(Session& session, const ImportDockerOptions& options) {
  std::string host = options.docker_host;
  if (host.empty()) host = session.environment().variable("DOCKER_HOST").value_or("");
  if (host.empty()) host = kDefaultEngine;
  ASSIGN_OR_RETURN(const DockerSnapshot snapshot, ReadDocker(host, kEngineTime));
  const DockerImport imported = ImportDocker(
      snapshot, {.server = options.server, .secrets_as_variables = options.secrets_as_variables});
  session.Print(imported.toml);
  for (const std::string& notice : imported.notices) PrintNotice(session, notice);
  return kExitOk;
}

}  // namespace fairlead::cli
