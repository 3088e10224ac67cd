#include "integration/chaos/fleet.h"

#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "integration/chaos/invariants.h"
#include "integration/chaos/jumping_clock.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::chaos {

using integration::CommandResult;
using integration::Engine;
using integration::MustRun;
using integration::ProgramPath;
using integration::RunCommand;

namespace {

// Of controllers from 1.
std::string PortOf(int controller) { return absl::StrCat(":", 7390 + 10 * controller); }
std::string HttpPortOf(int controller) { return absl::StrCat(":", 7391 + 10 * controller); }

constexpr int kDiskKib = 4096;

std::string Emptied(const std::string& directory) {
  std::error_code ignored;
  // A killed run leaves its engines and its small disks.
  for (int server = 1; server <= kServers; ++server) {
    RunCommand({FAIRLEAD_SOURCE_DIR "/tools/private_engine", "remove",
                absl::StrCat(directory, "/engine-", server)});
    umount2(absl::StrCat(directory, "/agent-", server).c_str(), MNT_DETACH);
  }
  std::filesystem::remove_all(directory, ignored);
  EXPECT_OK(base::MakeDirectories(directory, 0755));
  return directory;
}

}  // namespace

Fleet::Fleet(const std::string& directory, const std::string& network, int controllers)
    : directory_(Emptied(directory)),
      links_(network, kServers),
      authority_(directory_),
      repository_(directory_),
      controller_count_(controllers) {
  if (controllers > 1) database_ = std::make_unique<Database>(controllers);
}

Fleet::~Fleet() {
  EndQuestions();
  for (const auto& controller : controllers_) controller->Kill();
  // One after the other takes seconds each.
  std::vector<std::thread> ends;
  for (auto& host : hosts_) ends.emplace_back([&host] { host.reset(); });
  for (std::thread& end : ends) end.join();
}

void Fleet::MakeHost(int server) {
  auto& host = hosts_.at(static_cast<std::size_t>(server - 1));
  host = std::make_unique<Host>();
  host->server = server;
  host->engine = Engine::Live(absl::StrCat(directory_, "/engine-", server));
  MakeBystanders(server);
  host->events = std::make_unique<Service>(
      "events",
      std::vector<std::string>{"docker", "-H", host->engine->host(), "events", "--since", "1h",
                               "--filter", "event=create", "--filter", "event=destroy", "--filter",
                               "event=restart", "--filter", "event=health_status", "--format",
                               "{{json .}}"},
      absl::StrCat(directory_, "/events-", server, ".log"));
  host->disk.emplace(absl::StrCat(directory_, "/agent-", server), kDiskKib);
  const std::string name = absl::StrCat("host-", server);
  host->agent = std::make_unique<Service>(
      absl::StrCat("agent-", server),
      links_.AtServer(server,
                      authority_.WithTls(
                          {ProgramPath("fairlead-agent"), "--controller",
                           ControllersAt(Links::HubAddress(server)), "--name", name, "--data-dir",
                           host->disk->folder(), "--docker-host", host->engine->host()},
                          name)),
      absl::StrCat(directory_, "/agent-", server, ".log"));
}

void Fleet::MakeBystanders(int server) const {
  const auto& host = hosts_.at(static_cast<std::size_t>(server - 1));
  // Without health checks, whose log is a part of inspect.
  host->engine->Docker({"run", "-d", "--name", "bystander", "--restart", "always",
                        "--no-healthcheck", "--label", "owner=somebody", "fl/app:1"});
  const std::string file = absl::StrCat(directory_, "/bystand-", server, ".yaml");
  EXPECT_OK(base::WriteFileAtomically(
      file,
      "version: \"3.7\"\nservices:\n  one:\n    image: fl/app:1\n    healthcheck:\n"
      "      disable: true\n  two:\n    image: fl/app:2\n    healthcheck:\n      disable: true\n"));
  MustRun({"docker-compose", "-H", host->engine->host(), "-p", "bystand", "-f", file, "up", "-d"});
  // A dockerd that reads a container from its disk shows some fields otherwise than the one that
  // made it: null becomes [].
  EXPECT_TRUE(host->engine->KillDaemon());
  MustRun(host->engine->AgainCommand());
}

void Fleet::MakeControllers() {
  std::string names = "DNS:localhost,IP:127.0.0.1";
  for (int server = 1; server <= kServers; ++server) {
    absl::StrAppend(&names, ",IP:", Links::HubAddress(server));
    authority_.Issue(absl::StrCat("host-", server),
                     absl::StrCat("URI:fairlead://server/host-", server));
  }
  authority_.Issue("controller", names);
  authority_.Issue("person", "URI:fairlead://person/anna");
  EXPECT_OK(base::WriteFileAtomically(
      directory_ + "/bootstrap.toml",
      absl::StrCat("[[resource_sync]]\nname = \"main\"\n[resource_sync.config]\nurl = \"",
                   repository_.url(),
                   "\"\nbranch = \"main\"\ndelete = true\npoll_interval = \"1s\"\n"
                   "fetch_timeout = \"3s\"\n")));
  EXPECT_OK(SetClockOffset(directory_ + "/clock", clock_offset_));
  for (int number = 1; number <= controller_count_; ++number) {
    controllers_.push_back(MakeController(number));
  }
}

std::unique_ptr<Service> Fleet::MakeController(int number) const {
  const std::string name = absl::StrCat("controller", number == 1 ? "" : "-2");
  std::vector<std::string> argv = {ProgramPath("chaos_controller"),
                                   "--listen",
                                   absl::StrCat("0.0.0.0", PortOf(number)),
                                   "--http-listen",
                                   absl::StrCat("127.0.0.1", HttpPortOf(number)),
                                   "--data-dir",
                                   absl::StrCat(directory_, "/", name),
                                   "--bootstrap",
                                   directory_ + "/bootstrap.toml"};
  if (database_ != nullptr) {
    argv.insert(argv.end(), {"--store", database_->Address(number), "--advertise",
                             absl::StrCat("127.0.0.1", PortOf(number)), "--lease-duration", "2"});
  }
  return std::make_unique<Service>(
      name, links_.AtHub(authority_.WithTls(argv, "controller")),
      absl::StrCat(directory_, "/", name, ".log"),
      std::map<std::string, std::string>{{kClockFileVariable, directory_ + "/clock"}});
}

std::string Fleet::ControllersAt(const std::string& host) const {
  std::vector<std::string> addresses;
  for (int number = 1; number <= controller_count_; ++number) {
    addresses.push_back(host + PortOf(number));
  }
  return absl::StrJoin(addresses, ",");
}

absl::Status Fleet::StartControllers() {
  RETURN_IF_ERROR(controllers_.front()->Start());
  if (database_ == nullptr) return absl::OkStatus();
  const std::string first = directory_ + "/controller";
  // Of what is copied the last that is made.
  RETURN_IF_ERROR(integration::WaitFor("keys and tables of the first controller", [&] {
    return access((first + "/secret.key").c_str(), F_OK) == 0 && database_->HasTables();
  }));
  database_->Watch();
  const std::string second = first + "-2";
  RETURN_IF_ERROR(base::MakeDirectories(second + "/tls"));
  for (const char* file : {"/tls/ca.crt", "/tls/ca.key", "/secret.key"}) {
    ASSIGN_OR_RETURN(const std::string content, base::ReadFile(first + file));
    RETURN_IF_ERROR(base::WriteFileAtomically(second + file, content, 0600));
  }
  return controllers_.back()->Start();
}

absl::StatusOr<std::string> Fleet::Start(const World& first) {
  if (database_ != nullptr && !database_->trouble().empty()) {
    return absl::FailedPreconditionError(database_->trouble());
  }
  MakeControllers();
  std::vector<std::thread> hosts;
  for (int server = 1; server <= kServers; ++server) {
    hosts.emplace_back([this, server] { MakeHost(server); });
  }
  for (std::thread& one : hosts) one.join();
  WriteFiles(first);
  std::string commit = repository_.Commit("first");
  repository_.Push();
  RETURN_IF_ERROR(StartControllers());
  for (const auto& host : hosts_) {
    RETURN_IF_ERROR(host->events->Start());
    RETURN_IF_ERROR(host->agent->Start());
  }
  return commit;
}

void Fleet::WriteFiles(const World& world) const {
  for (const auto& [name, content] : Render(world)) {
    // A file that is emptied holds up pruning, on purpose; one that is gone does not.
    if (content.empty()) {
      unlink(absl::StrCat(repository_.work(), "/", name).c_str());
    } else {
      repository_.Write(name, content);
    }
  }
}

std::string Fleet::Push(const World& world, const std::string& subject) {
  WriteFiles(world);
  std::string commit = repository_.Commit(subject);
  repository_.Push();
  Ask({"sync", "main"});
  return commit;
}

std::vector<std::string> Fleet::CliArguments(const std::vector<std::string>& arguments,
                                             int controller) const {
  std::vector<std::string> argv =
      authority_.WithTls({ProgramPath("fairlead"), "--timeout", "5s", "--controller",
                          absl::StrCat("127.0.0.1", PortOf(controller))},
                         "person");
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return links_.AtHub(argv);
}

CommandResult Fleet::Cli(const std::vector<std::string>& arguments) const {
  CommandResult result;
  for (int number = 1; number <= controller_count_; ++number) {
    result = RunCommand(CliArguments(arguments, number), {{"NO_COLOR", "1"}});
    if (result.exit_code == 0) break;
  }
  return result;
}

void Fleet::Ask(const std::vector<std::string>& arguments) {
  questions_.push_back(std::make_unique<integration::Process>());
  // A standby passes it on.
  const int asked = controllers_.front()->is_wanted() ? 1 : controller_count_;
  EXPECT_OK(questions_.back()->Start(CliArguments(arguments, asked), directory_ + "/cli.log"));
}

void Fleet::EndQuestions() { questions_.clear(); }

std::vector<SeenContainer> Fleet::Containers(int server) const {
  const std::string& host = hosts_.at(static_cast<std::size_t>(server - 1))->engine->host();
  const CommandResult ids = RunCommand({"docker", "-H", host, "ps", "-aq", "--no-trunc"});
  if (ids.exit_code != 0 || ids.out.empty()) return {};
  std::vector<std::string> argv = {"docker", "-H", host, "inspect", "--type", "container"};
  for (absl::string_view id : absl::StrSplit(ids.out, '\n', absl::SkipEmpty())) {
    argv.emplace_back(id);
  }
  return ParseInspect(server, RunCommand(argv).out);
}

Observation Fleet::Observe() const {
  Observation seen;
  const CommandResult listed = Cli({"get", "all", "-o", "json"});
  if (listed.exit_code != 0) {
    seen.trouble = absl::StrCat("the controller does not answer: ", listed.err);
    return seen;
  }
  ParseResources(listed.out, seen);
  for (const std::string& secret : CheckSecrets("get all", listed.out)) seen.trouble = secret;
  for (int server = 1; server <= kServers; ++server) {
    std::vector<SeenContainer> containers = Containers(server);
    // The bystanders are always there.
    if (containers.empty()) {
      seen.trouble = absl::StrCat("the engine of host-", server, " does not answer");
    }
    std::move(containers.begin(), containers.end(), std::back_inserter(seen.containers));
  }
  return seen;
}

std::vector<EngineEvent> Fleet::Events() const {
  std::vector<EngineEvent> events;
  for (int server = 1; server <= kServers; ++server) {
    const auto text = base::ReadFile(absl::StrCat(directory_, "/events-", server, ".log"));
    // A reader that was started again repeats what the engine still remembers.
    std::set<std::string> known;
    for (absl::string_view line : absl::StrSplit(text.value_or(""), '\n', absl::SkipEmpty())) {
      if (!known.emplace(line).second) continue;
      if (auto event = ParseEvent(server, line)) events.push_back(*std::move(event));
    }
  }
  return events;
}

std::vector<std::string> Fleet::SecretsInLogs() {
  std::vector<std::string> logs = {directory_ + "/cli.log"};
  for (const auto& controller : controllers_) logs.push_back(controller->log());
  for (const auto& host : hosts_) logs.push_back(host->agent->log());
  std::vector<std::string> secrets;
  for (const std::string& log : logs) {
    const std::string text = base::ReadFile(log).value_or("");
    std::size_t& searched = searched_[log];
    for (std::string& one : CheckSecrets(log, text.substr(std::min(searched, text.size())))) {
      secrets.push_back(std::move(one));
    }
    searched = text.size();
  }
  return secrets;
}

std::vector<std::string> Fleet::Supervise() {
  std::vector<std::string> ended;
  for (const auto& controller : controllers_) ended.push_back(controller->Supervise());
  for (const auto& host : hosts_) {
    ended.push_back(host->agent->Supervise());
    // The reader ends whenever dockerd does.
    host->events->Supervise();
  }
  std::erase(ended, "");
  return ended;
}

void Fleet::MoveClock(absl::Duration jump) {
  clock_offset_ += jump;
  EXPECT_OK(SetClockOffset(directory_ + "/clock", clock_offset_));
}

}  // namespace fairlead::chaos
