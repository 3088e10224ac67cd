#include "cli/import/docker_import.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "cli/import/inspect_json.h"
#include "resources/container_spec.h"
#include "resources/field_defaults.h"
#include "resources/kind_table.h"
#include "resources/toml_writer.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

constexpr char kInstallation[] = "dev.fairlead.installation";
constexpr char kProject[] = "com.docker.compose.project";
constexpr char kOneOff[] = "com.docker.compose.oneoff";
constexpr char kWorkingDirectory[] = "com.docker.compose.project.working_dir";
constexpr char kConfigFiles[] = "com.docker.compose.project.config_files";
constexpr char kEnvironmentFile[] = "com.docker.compose.project.environment_file";
constexpr char kSwarmService[] = "com.docker.swarm.service.name";

std::string LabelOf(const json::value& container, absl::string_view label) {
  const json::object labels = ObjectAt(container, "/Config/Labels");
  const json::value* value = labels.if_contains(json::string_view(label.data(), label.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
}

std::string NameOf(const json::value& container) {
  return std::string(absl::StripPrefix(TextAt(container, "/Name"), "/"));
}

bool Runs(const json::value& container) {
  const json::value* running = At(container, "/State/Running");
  return running != nullptr && !IsNothing(running);
}

std::vector<std::string> PathsOf(const std::string& label, const std::string& directory) {
  std::vector<std::string> paths;
  for (absl::string_view path : absl::StrSplit(label, ',', absl::SkipWhitespace())) {
    path = absl::StripAsciiWhitespace(path);
    absl::ConsumePrefix(&path, absl::StrCat(directory, "/"));
    paths.emplace_back(path);
  }
  return paths;
}

// One compose project. `container` is any of it.
v1::Resource StackOf(const std::string& project, const json::value& container,
                     const std::string& server) {
  v1::Resource resource =
      resources::DefaultResource(*resources::FindKind("stack"), v1::DIALECT_TOML);
  resource.set_name(project);
  resource.set_adopt(true);
  v1::Stack& stack = *resource.mutable_stack();
  if (resources::DockerNameOf(resource) != project) stack.set_project_name(project);
  stack.set_server_id(server);
  stack.set_files_on_host(true);
  const std::string directory = LabelOf(container, kWorkingDirectory);
  stack.set_run_directory(directory);
  for (std::string& path : PathsOf(LabelOf(container, kConfigFiles), directory)) {
    stack.add_file_paths(std::move(path));
  }
  const std::vector<std::string> env_files =
      PathsOf(LabelOf(container, kEnvironmentFile), directory);
  // Compose reads .env by itself only while no other file is named.
  if (env_files.empty() || env_files == std::vector<std::string>{".env"}) return resource;
  stack.set_env_file_path(env_files.front());
  for (const std::string& path : env_files) {
    v1::AdditionalEnvFile& file = *stack.add_additional_env_files();
    file.set_path(path);
    file.set_track(true);
  }
  return resource;
}

class Import {
 public:
  Import(const DockerSnapshot& snapshot, const DockerImportOptions& options) : options_(options) {
    for (const json::value& image : snapshot.images) images_[TextAt(image, "/Id")] = &image;
    for (const json::value& container : snapshot.containers) Sort(container);
  }

  DockerImport Run() && {
    for (const auto& [project, containers] : projects_) AddProject(project, containers);
    for (const json::value* container : standalone_) AddContainer(*container);
    return std::move(result_);
  }

 private:
  void Notice(absl::string_view what, absl::string_view why) {
    result_.notices.push_back(absl::StrCat(what, why));
  }

  // Where it belongs, or why it is left out.
  void Sort(const json::value& container) {
    const std::string what = absl::StrCat("container ", NameOf(container), " is left out: ");
    const std::string project = LabelOf(container, kProject);
    if (!LabelOf(container, kSwarmService).empty()) {
      Notice(what, "it belongs to a swarm service");
    } else if (absl::EqualsIgnoreCase(LabelOf(container, kOneOff), "true")) {
      Notice(what, "it is a one-off of \"compose run\"");
    } else if (!project.empty()) {
      projects_[project].push_back(&container);
    } else if (!LabelOf(container, kInstallation).empty()) {
      Notice(what, "Fairlead made it");
    } else if (!Runs(container)) {
      Notice(what, "it does not run");
    } else {
      standalone_.push_back(&container);
    }
  }

  void AddProject(const std::string& project, const std::vector<const json::value*>& containers) {
    const std::string what = absl::StrCat("compose project ", project, " is left out: ");
    const json::value* described = nullptr;
    std::set<std::string> directories;
    bool runs = false;
    for (const json::value* container : containers) {
      runs = runs || Runs(*container);
      const std::string directory = LabelOf(*container, kWorkingDirectory);
      if (!LabelOf(*container, kInstallation).empty()) return Notice(what, "Fairlead made it");
      if (directory.empty()) continue;
      directories.insert(directory);
      if (described == nullptr) described = container;
    }
    if (!runs) return Notice(what, "nothing of it runs");
    if (described == nullptr) {
      return Notice(what, "its containers do not say where its files are");
    }
    if (directories.size() > 1) {
      return Notice(what, absl::StrCat("its containers were made from several folders, ",
                                       absl::StrJoin(directories, ", ")));
    }
    Add(StackOf(project, *described, options_.server), "");
  }

  void AddContainer(const json::value& container) {
    const auto image = images_.find(TextAt(container, "/Image"));
    const ImportedContainer imported = ImportContainer(
        container, image == images_.end() ? json::value() : *image->second, options_);
    std::string remarks;
    for (const std::string& care : imported.cares) absl::StrAppend(&remarks, "# ", care, "\n");
    for (const std::string& path : imported.uncarried) {
      absl::StrAppend(&remarks, "# not carried over: ", path, "\n");
    }
    if (!imported.uncarried.empty()) {
      absl::StrAppend(&remarks,
                      "# so without adopt = true: what is not carried over would be lost with the "
                      "next recreate\n");
    }
    for (const v1::Resource& variable : imported.variables) Add(variable, "");
    Add(imported.deployment, remarks);
    if (imported.secrets.empty()) return;
    Notice(absl::StrCat("deployment/", imported.deployment.name(), " has ",
                        absl::StrJoin(imported.secrets, ", "), " in clear"),
           "; --secrets-as-variables leaves secrets out");
  }

  void Add(const v1::Resource& resource, const std::string& remarks) {
    absl::StrAppend(&result_.toml, result_.toml.empty() ? "" : "\n", remarks,
                    resources::WriteTomlWithoutSecrets(resource));
  }

  const DockerImportOptions& options_;
  std::map<std::string, const json::value*> images_;
  std::map<std::string, std::vector<const json::value*>> projects_;
  std::vector<const json::value*> standalone_;
  DockerImport result_;
};

}  // namespace

DockerImport ImportDocker(const DockerSnapshot& snapshot, const DockerImportOptions& options) {
  return Import(snapshot, options).Run();
}

}  // namespace fairlead::cli
