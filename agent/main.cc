// fairlead-agent: keeps one Docker host equal to what the controller wants.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "agent/agent.h"
#include "agent/allow_list.h"
#include "agent/connection.h"
#include "agent/container_records.h"
#include "agent/docker_reporter.h"
#include "agent/docker_runtime.h"
#include "agent/enrolment.h"
#include "agent/instance.h"
#include "agent/journal.h"
#include "agent/secret_texts.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "resources/spelling.h"

namespace fairlead::agent {
namespace {

struct Settings {
  std::string controller = "127.0.0.1:7400";
  std::string name;
  std::string data_dir = "/var/lib/fairlead-agent";
  std::string docker_host = "unix:///var/run/docker.sock";
  bool dev = false;
  // With which it asks for its first certificate.
  std::string join;
  AllowOptions allow;
  TlsFiles tls;
  base::LogLevel log_level = base::LogLevel::kInfo;
};

void DescribeOptions(CLI::App& app, Settings& settings) {
  app.set_version_flag("--version", std::string("fairlead-agent ") + FAIRLEAD_VERSION);
  app.set_config("--config", "", "Read options from this file, as name = value lines");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--controller", settings.controller,
                 "Controller address, host:port; of several controllers all, separated by commas")
      ->envname("FAIRLEAD_CONTROLLER")
      ->capture_default_str();
  app.add_option("--name", settings.name,
                 "Server that this agent speaks for; default: of its certificate, else the host's "
                 "name; needed with --dev");
  app.add_option("--join", settings.join,
                 "Join token of \"fairlead agent token\", or @FILE with it; for the first start")
      ->envname("FAIRLEAD_JOIN");
  app.add_option("--data-dir", settings.data_dir, "Where the agent keeps its journal and id")
      ->capture_default_str();
  app.add_option("--docker-host", settings.docker_host, "Docker Engine, unix:// or tcp://")
      ->envname("DOCKER_HOST")
      ->capture_default_str();
  app.add_flag("--dev", settings.dev, "No encryption; the controller must be on this machine");
  app.add_option("--tls-cert", settings.tls.certificate,
                 "A certificate of your own authority instead of joining, PEM");
  app.add_option("--tls-key", settings.tls.key, "Its key, PEM");
  app.add_option("--tls-ca", settings.tls.ca,
                 "Who may sign the controller's certificate, PEM; without it the machine's roots");
  app.add_option("--allow", settings.allow.words,
                 absl::StrCat("Only these kinds of action, whatever the controller says: ",
                              absl::StrJoin(AllowWords(), ", ")))
      ->delimiter(',');
  app.add_option("--allow-mount", settings.allow.paths,
                 "Only host paths below these may be mounted into containers, or hold stacks and "
                 "repositories")
      ->delimiter(',');
  app.add_option("--allow-host-commands", settings.allow.host_commands,
                 "Whether commands of resources, such as pre_deploy, may run on this host")
      ->capture_default_str();
  const std::map<std::string, base::LogLevel> levels = {{"debug", base::LogLevel::kDebug},
                                                        {"info", base::LogLevel::kInfo},
                                                        {"warning", base::LogLevel::kWarning},
                                                        {"error", base::LogLevel::kError}};
  app.add_option("--log-level", settings.log_level, "debug, info, warning or error")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
}

// In the file of --config.
std::string DescribeConfigError(const CLI::App& app, const CLI::ConfigError& error) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_configurable()) known.push_back(option->get_single_name());
  }
  return absl::StrCat(app.get_config_ptr()->as<std::string>(), ": ",
                      resources::DescribeOptionsFileError(error.what(), known));
}

absl::StatusOr<std::string> HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) {
    return absl::FailedPreconditionError("this host has no name: give --name");
  }
  return std::string(name.data());
}

// `text`, or the content of FILE for "@FILE": other users of the host see arguments.
absl::StatusOr<JoinToken> TokenOf(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "@")) return ParseJoinToken(text);
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(std::string(text), 1u << 12),
                   "--join");
  return ParseJoinToken(content);
}

// Whether a certificate that is there must make way for a new one.
bool IsOver(const JoinedIdentity& known, const std::string& controller, const base::Clock& clock) {
  if (clock.Now() >= known.not_after) return true;
  const absl::StatusOr<std::string> refusal = AskRefusal(known, controller, clock);
  // A controller that does not answer now may accept it later.
  if (!refusal.ok() || refusal->empty()) return false;
  base::LogWarning("agent", "the controller refuses this agent: ", *refusal,
                   "; joining again with the token");
  return true;
}

absl::Status UseKnown(const JoinedIdentity& known, const IdentityFiles& files, Settings& settings) {
  if (settings.name.empty()) settings.name = known.server;
  if (settings.name == known.server) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--name ", settings.name, ": this agent has joined as \"", known.server,
                   "\"; leave --name out, or remove ", files.identity, " and join anew"));
}

absl::Status JoinWithToken(const Settings& settings, const IdentityFiles& files,
                           const base::Clock& clock) {
  ASSIGN_OR_RETURN(const JoinToken token, TokenOf(settings.join));
  return Join(
      {.token = token, .controller = settings.controller, .server = settings.name, .files = files},
      clock);
}

// The certificate of this agent: the one that it has, else a new one for its token. Fills the name
// in.
absl::Status EnsureIdentity(Settings& settings, const base::Clock& clock) {
  const IdentityFiles files = IdentityFilesIn(settings.data_dir);
  const absl::StatusOr<JoinedIdentity> known = LoadIdentity(files);
  if (known.ok() && (settings.join.empty() || !IsOver(*known, settings.controller, clock))) {
    return UseKnown(*known, files, settings);
  }
  if (settings.join.empty()) {
    if (!absl::IsNotFound(known.status())) return known.status();
    return absl::InvalidArgumentError(
        "this agent has not joined yet: give --join TOKEN, which \"fairlead agent token\" prints; "
        "or --tls-cert and --tls-key of your own authority; or --dev for a controller on this "
        "machine");
  }
  if (settings.name.empty() && known.ok()) settings.name = known->server;
  if (settings.name.empty()) {
    ASSIGN_OR_RETURN(settings.name, HostName());
  }
  const absl::Status joined = JoinWithToken(settings, files, clock);
  if (!joined.ok()) {
    if (!known.ok() || clock.Now() >= known->not_after) return joined;
    // A token that was spent long ago must not keep the agent from healing what runs here.
    base::LogWarning("agent", joined.message(), "; the present certificate stays");
    return UseKnown(*known, files, settings);
  }
  base::LogInfo("agent", "joined as ", settings.name, "; the token is not needed any more");
  return absl::OkStatus();
}

absl::StatusOr<std::string> NameIn(const std::string& certificate) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(certificate, 1u << 20), "--tls-cert");
  absl::StatusOr<std::string> server = ServerOf(content);
  if (server.ok()) return server;
  return absl::InvalidArgumentError(absl::StrCat("--tls-cert ", certificate, ": ",
                                                 server.status().message(),
                                                 "; give --name to say which server this is"));
}

// How to reach the controller; refuses what would send secrets over a network in the clear.
absl::StatusOr<ConnectionOptions> ComputeConnectionOptions(Settings& settings,
                                                           const base::Clock& clock) {
  ConnectionOptions options;
  options.address = settings.controller;
  const bool own_certificate = !settings.tls.certificate.empty() || !settings.tls.key.empty();
  if (!settings.dev && !own_certificate) {
    RETURN_IF_ERROR(EnsureIdentity(settings, clock));
    options.joined = IdentityFilesIn(settings.data_dir);
    return options;
  }
  if (settings.dev) {
    if (settings.name.empty()) return absl::InvalidArgumentError("--dev needs --name");
    if (!IsLoopback(settings.controller)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--dev does not encrypt and is only for a controller on this machine, not ",
                       settings.controller, "; use --join"));
    }
    return options;
  }
  if (settings.tls.certificate.empty() || settings.tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key need each other: give both");
  }
  RETURN_IF_ERROR(CheckTlsFiles(settings.tls));
  if (settings.name.empty()) {
    ASSIGN_OR_RETURN(settings.name, NameIn(settings.tls.certificate));
  }
  options.tls = settings.tls;
  return options;
}

// Ends when SIGTERM or SIGINT comes; both are blocked in every thread.
void WaitForSignal(const sigset_t& signals) {
  int number = 0;
  while (::sigwait(&signals, &number) != 0) {
  }
  base::LogInfo("agent", "stopping on signal ", number);
}

absl::Status Run(Settings settings, const sigset_t& signals) {
  base::Clock& clock = base::Clock::Real();
  settings.allow.data_directory = settings.data_dir;
  ASSIGN_OR_RETURN(AllowList allowed, AllowList::Make(settings.allow));
  ASSIGN_OR_RETURN(const Instance instance, OpenInstance(settings.data_dir, base::Random::Real()));
  ASSIGN_OR_RETURN(ConnectionOptions connection_options, ComputeConnectionOptions(settings, clock));
  std::optional<IdentityKeeper> keeper;
  Connection* dialled = nullptr;
  if (connection_options.joined.has_value()) {
    keeper.emplace(IdentityKeeper::Options{.controller = settings.controller,
                                           .files = *connection_options.joined,
                                           .on_renewed = [&dialled] { dialled->Redial(); }},
                   clock);
    connection_options.on_lost = [&keeper] { keeper->Look(); };
  }
  ASSIGN_OR_RETURN(Journal journal, Journal::Open(instance.journal_path));
  ContainerRecords records(absl::StrCat(settings.data_dir, "/containers"));
  RETURN_IF_ERROR(records.Load());
  SecretTexts secrets(FileStorage(absl::StrCat(settings.data_dir, "/secrets")));
  RETURN_IF_ERROR(secrets.Load());
  const DockerOptions docker{.engine = settings.docker_host,
                             .data_directory = settings.data_dir,
                             .allowed = std::move(allowed)};
  DockerRuntime runtime(docker, records, secrets, clock);
  DockerReporter reporter(docker, records, secrets, clock, base::Random::Real());
  Connection connection(connection_options, clock, base::Random::Real());
  dialled = &connection;
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  Agent agent({.identity = {.server = settings.name,
                            .instance_id = instance.id,
                            .version = FAIRLEAD_VERSION,
                            .cpus = cpus},
               .autonomy_folder = absl::StrCat(settings.data_dir, "/applied"),
               .workers = std::max(4u, cpus)},
              std::move(journal), {runtime, reporter, connection, clock, base::Random::Real()});
  base::LogInfo("agent", "fairlead-agent ", FAIRLEAD_VERSION, " for ", settings.name,
                ", controller ", settings.controller, ", engine ", settings.docker_host);
  if (const std::string limits = docker.allowed.Text(); !limits.empty()) {
    base::LogInfo("agent", "this host allows ", limits);
  }
  if (keeper.has_value()) keeper->Start();
  agent.Start();
  WaitForSignal(signals);
  // It reaches into the connection.
  if (keeper.has_value()) keeper->Stop();
  // An action that hangs in the engine must not keep the process: the journal has it.
  if (!agent.Stop()) ::_exit(0);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  // Many threads that allocate little: with an arena for each the agent would be several times
  // its size.
  ::mallopt(M_ARENA_MAX, 2);
  ::signal(SIGPIPE, SIG_IGN);
  // A journal that reaches a file size limit is to fail with an error.
  ::signal(SIGXFSZ, SIG_IGN);
  Settings settings;
  CLI::App app{"Keeps the containers of this host equal to what the Fairlead controller wants."};
  try {
    DescribeOptions(app, settings);
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    std::cerr << "fairlead-agent: --config " << DescribeConfigError(app, error) << "\n";
    return 1;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  base::SetLogLevel(settings.log_level);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const absl::Status status = Run(settings, signals);
  if (status.ok()) return 0;
  base::LogError("agent", status.message());
  return 1;
}

}  // namespace
}  // namespace fairlead::agent

int main(int argc, char** argv) { return fairlead::agent::Main(argc, argv); }
