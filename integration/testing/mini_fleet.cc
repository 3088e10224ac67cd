#include "integration/testing/mini_fleet.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {

namespace json = boost::json;

namespace {

std::string FreshDirectory() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = absl::StrCat(test->test_suite_name(), ".", test->name());
  for (char& c : name) {
    c = c == '/' ? '-' : c;
  }
  const std::string directory = absl::StrCat(FAIRLEAD_BINARY_DIR, "/itest/", name);
  // A killed run with a small disk leaves its mount.
  for (const char* disk : {"/controller", "/agent-1", "/agent-2"}) {
    umount2(absl::StrCat(directory, disk).c_str(), MNT_DETACH);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  EXPECT_TRUE(base::MakeDirectories(directory, 0755).ok());
  return directory;
}

json::object Find(const json::object& parent, absl::string_view list, absl::string_view key,
                  absl::string_view wanted) {
  const json::value* found = parent.if_contains(json::string_view(list.data(), list.size()));
  if (found == nullptr || !found->is_array()) {
    return {};
  }
  for (const json::value& item : found->get_array()) {
    const json::object object = MiniFleet::AsObject(item);
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    if (value != nullptr && value->is_string() &&
        absl::string_view(value->get_string().data(), value->get_string().size()) == wanted) {
      return object;
    }
  }
  return {};
}

// The path of a socket may not be as long as that of the test's folder.
std::string SocketAddress() { return absl::StrCat("unix:/tmp/fairlead-itest-", getpid()); }

std::string Text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
}

}  // namespace

json::object MiniFleet::AsObject(const json::value& value) {
  return value.is_object() ? value.get_object() : json::object();
}

MiniFleet::MiniFleet(FleetOptions options)
    : options_(std::move(options)),
      directory_(FreshDirectory()),
      repository_(std::make_unique<GitRepository>(directory_)) {
  std::string servers;
  for (int server = 1; server <= options_.servers; ++server) {
    if (options_.docker_host.empty()) engine(server).Clear();
    agents_.push_back(std::make_unique<Process>());
    absl::StrAppend(&servers, "[[server]]\nname = \"host-", server, "\"\n");
  }
  const std::string data = controller_data();
  EXPECT_TRUE(base::MakeDirectories(data).ok());
  if (options_.controller_disk_kib > 0) {
    controller_disk_ = std::make_unique<SmallDisk>(data, options_.controller_disk_kib);
  }
  if (options_.last_agent_disk_kib > 0) {
    last_agent_disk_ =
        std::make_unique<SmallDisk>(AgentData(options_.servers), options_.last_agent_disk_kib);
  }
  EXPECT_TRUE(base::WriteFileAtomically(
                  absl::StrCat(directory_, "/bootstrap.toml"),
                  absl::StrCat("[[resource_sync]]\nname = \"main\"\n[resource_sync.config]\n",
                               "url = \"", options_.url.empty() ? repository_->url() : options_.url,
                               "\"\nbranch = \"main\"\ndelete = true\npoll_interval = \"",
                               options_.poll_interval, "\"\nfetch_timeout = \"3s\"\n",
                               options_.sync_config, options_.more_bootstrap))
                  .ok());
  EXPECT_TRUE(base::WriteFileAtomically(absl::StrCat(directory_, "/secret"),
                                        absl::StrCat(options_.webhook_secret, "\n"))
                  .ok());
  if (!options_.accounts.empty()) {
    EXPECT_TRUE(base::WriteFileAtomically(absl::StrCat(directory_, "/accounts.toml"),
                                          options_.accounts, 0600)
                    .ok());
  }
  repository_->Write("servers.toml", servers);
}

MiniFleet::~MiniFleet() {
  if (testing::Test::HasFailure()) {
    PrintLogs();
  }
  for (const auto& agent : agents_) {
    agent->Kill();
  }
  controller_.Kill();
  unlink(SocketAddress().substr(5).c_str());
}

std::vector<std::string> MiniFleet::ControllerArguments(const std::string& data_dir,
                                                        const std::string& listen) const {
  std::vector<std::string> arguments = {ProgramPath("fairlead-controller"),
                                        "--dev",
                                        "--listen",
                                        listen,
                                        "--http-listen",
                                        "127.0.0.1:0",
                                        "--data-dir",
                                        data_dir,
                                        "--bootstrap",
                                        absl::StrCat(directory_, "/bootstrap.toml"),
                                        "--webhook-secret-file",
                                        absl::StrCat(directory_, "/secret")};
  if (!options_.accounts.empty()) {
    arguments.insert(arguments.end(), {"--accounts", absl::StrCat(directory_, "/accounts.toml")});
  }
  if (!options_.age_key.empty()) {
    arguments.insert(arguments.end(), {"--age-key", options_.age_key});
  }
  return arguments;
}

absl::Status MiniFleet::StartController() {
  // After a crash it must come back at the address its agents know.
  const std::string first = options_.agents_beside_containers ? SocketAddress() : "127.0.0.1:0";
  const std::string listen = grpc_.empty() ? first : grpc_;
  RETURN_IF_ERROR(controller_.Start(ControllerArguments(controller_data(), listen),
                                    absl::StrCat(directory_, "/controller.log")));
  const std::string file = absl::StrCat(controller_data(), "/endpoints.json");
  RETURN_IF_ERROR(WaitFor("the controller's endpoints", [&] {
    if (!controller_.Running()) {
      return true;
    }
    std::error_code failed;
    const auto text = base::ReadFile(file);
    const json::object found = text.ok() ? AsObject(json::parse(*text, failed)) : json::object();
    const json::value* pid = found.if_contains("pid");
    if (pid == nullptr || pid->to_number<pid_t>(failed) != controller_.pid()) {
      return false;
    }
    grpc_ = Text(found, "grpc");
    http_ = Text(found, "http");
    return true;
  }));
  if (!controller_.Running()) {
    return absl::UnavailableError(absl::StrCat(
        "the controller ended with ", controller_.exit_code(), ": ", TailOf(controller_.log(), 5)));
  }
  return absl::OkStatus();
}

absl::Status MiniFleet::StartAgent(int server) {
  std::vector<std::string> argv = {ProgramPath("fairlead-agent"),
                                   "--dev",
                                   "--controller",
                                   grpc_,
                                   "--name",
                                   absl::StrCat("host-", server),
                                   "--data-dir",
                                   AgentData(server),
                                   "--docker-host",
                                   DockerHost(server)};
  if (options_.agents_beside_containers) argv = engine(server).InNetwork(argv);
  return agent(server).Start(argv, absl::StrCat(directory_, "/agent-", server, ".log"),
                             options_.agent_environment);
}

absl::Status MiniFleet::Start() {
  if (options_.url.empty()) {
    repository_->Commit("servers");
    repository_->Push();
  }
  RETURN_IF_ERROR(StartController());
  for (int server = 1; server <= options_.servers; ++server) {
    RETURN_IF_ERROR(StartAgent(server));
  }
  for (int server = 1; server <= options_.servers; ++server) {
    RETURN_IF_ERROR(
        WaitFor(absl::StrCat("server host-", server, " online"), [&] { return IsOnline(server); }));
  }
  return absl::OkStatus();
}

std::string MiniFleet::DockerHost(int server) const {
  return options_.docker_host.empty() ? engine(server).host() : options_.docker_host;
}

std::string MiniFleet::AgentData(int server) const {
  return absl::StrCat(directory_, "/agent-", server);
}

bool MiniFleet::IsOnline(int server) const {
  return Text(Find(Status(), "servers", "name", absl::StrCat("host-", server)), "state") ==
         "online";
}

std::string MiniFleet::Push(absl::string_view subject) {
  std::string commit = repository_->Commit(subject);
  repository_->Push();
  Cli({"sync", "main"});
  return commit;
}

std::string MiniFleet::PushFile(absl::string_view path, absl::string_view text) {
  repository_->Write(path, text);
  return Push(path);
}

std::string MiniFleet::PushRemoval(absl::string_view path) {
  repository_->Remove(path);
  return Push(absl::StrCat("without ", path));
}

CommandResult MiniFleet::Cli(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), ProgramPath("fairlead"));
  return RunCommand(arguments, {{"FAIRLEAD_CONTROLLER", grpc_}, {"NO_COLOR", "1"}});
}

json::value MiniFleet::CliJson(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"-o", "json"});
  std::error_code failed;
  json::value parsed = json::parse(Cli(std::move(arguments)).out, failed);
  return failed ? json::value() : parsed;
}

json::object MiniFleet::Resource(const std::string& kind, const std::string& name) const {
  const json::object described = AsObject(CliJson({"describe", kind, name}));
  const json::value* view = described.if_contains("resource");
  const json::object resource = view == nullptr ? json::object() : AsObject(*view);
  const json::value* status = resource.if_contains("status");
  return status == nullptr ? json::object() : AsObject(*status);
}

std::string MiniFleet::Condition(const std::string& kind_and_name) const {
  const std::size_t slash = kind_and_name.find('/');
  const json::object status =
      Resource(kind_and_name.substr(0, slash), kind_and_name.substr(slash + 1));
  return std::string(absl::StripPrefix(Text(status, "condition"), "CONDITION_"));
}

std::string MiniFleet::Story(const std::string& kind_and_name) const {
  const std::size_t slash = kind_and_name.find('/');
  return json::serialize(Resource(kind_and_name.substr(0, slash), kind_and_name.substr(slash + 1)));
}

std::string MiniFleet::SyncStory(const std::string& name) const {
  return json::serialize(Find(Status(), "syncs", "name", name));
}

absl::Status MiniFleet::WaitConverged(absl::string_view commit, absl::Duration patience) const {
  json::object last;
  const absl::Status waited = WaitFor(
      absl::StrCat("converged at ", commit),
      [&] {
        last = Status();
        const json::value* converged = last.if_contains("converged");
        const std::string revision = Text(Find(last, "syncs", "name", "main"), "revision");
        return converged != nullptr && converged->is_bool() && converged->get_bool() &&
               !revision.empty() && absl::StartsWith(commit, revision);
      },
      patience);
  return base::Annotate(waited, waited.ok() ? "" : json::serialize(last));
}

absl::Status MiniFleet::WaitCondition(const std::string& kind_and_name,
                                      const std::string& condition, absl::Duration patience) const {
  const absl::Status waited = WaitFor(
      absl::StrCat(kind_and_name, " to be ", condition),
      [&] { return Condition(kind_and_name) == condition; }, patience);
  return base::Annotate(waited, waited.ok() ? "" : Story(kind_and_name));
}

absl::Status MiniFleet::WaitStory(const std::string& kind_and_name, const std::string& text,
                                  absl::Duration patience) const {
  std::string story;
  const absl::Status waited = WaitFor(
      absl::StrCat("\"", text, "\" in the story of ", kind_and_name),
      [&] {
        story =
            absl::StrContains(kind_and_name, '/') ? Story(kind_and_name) : SyncStory(kind_and_name);
        return absl::StrContains(story, text);
      },
      patience);
  return base::Annotate(waited, waited.ok() ? "" : story);
}

absl::Status MiniFleet::WaitRunning(const std::string& resource, absl::string_view image,
                                    int server, absl::Duration patience) const {
  std::string seen;
  const absl::Status waited = WaitFor(
      absl::StrCat("exactly one running container of ", resource, " with ", image),
      [&] {
        const auto containers = engine(server).Containers(resource);
        seen.clear();
        for (const EngineContainer& one : containers) {
          absl::StrAppend(&seen, one.name, " ", one.state, " ", one.image, "; ");
        }
        return containers.size() == 1 && containers[0].state == "running" &&
               containers[0].image == image;
      },
      patience);
  return base::Annotate(waited, waited.ok() ? "" : absl::StrCat("there are: ", seen));
}

void MiniFleet::PrintLogs() const {
  std::cerr << "--- controller.log\n" << TailOf(directory_ + "/controller.log", 60) << "\n";
  for (int server = 1; server <= options_.servers; ++server) {
    std::cerr << "--- agent-" << server << ".log\n"
              << TailOf(absl::StrCat(directory_, "/agent-", server, ".log"), 60) << "\n--- docker\n"
              << RunCommand({"docker", "-H", DockerHost(server), "ps", "-a"}).out << "\n";
  }
  std::cerr << "--- status\n"
            << Cli({"status"}).out << "--- events\n"
            << Cli({"events"}).out << "\n";
}

std::string ProgramPath(absl::string_view name) {
  const char* folder = getenv("FAIRLEAD_BIN");
  return absl::StrCat(folder != nullptr ? folder : FAIRLEAD_BINARY_DIR "/bin", "/", name);
}

std::string ToToml(const DeploymentText& deployment) {
  return absl::StrCat(
      "[[deployment]]\nname = \"", deployment.name, "\"\n",
      deployment.after.empty() ? "" : absl::StrCat("after = [", deployment.after, "]\n"),
      deployment.head, "[deployment.config]\nserver = \"host-", deployment.server,
      "\"\nimage = { type = \"Image\", params = { image = \"", deployment.image,
      "\" } }\nhealth_timeout = \"4s\"\nmin_ready = \"", deployment.min_ready,
      "\"\ntermination_timeout = 2\n", deployment.config);
}

}  // namespace fairlead::integration
