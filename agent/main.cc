// fairlead-agent: keeps one Docker host equal to what the controller wants.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/agent.h"
#include "agent/connection.h"
#include "agent/container_records.h"
#include "agent/docker_reporter.h"
#include "agent/docker_runtime.h"
#include "agent/instance.h"
#include "agent/journal.h"
#include "agent/secret_texts.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

struct Settings {
  std::string controller = "127.0.0.1:7400";
  std::string name;
  std::string data_dir = "/var/lib/fairlead-agent";
  std::string docker_host = "unix:///var/run/docker.sock";
  bool dev = false;
  TlsFiles tls;
  base::LogLevel log_level = base::LogLevel::kInfo;
};

void DescribeOptions(CLI::App& app, Settings& settings) {
  app.set_version_flag("--version", std::string("fairlead-agent ") + FAIRLEAD_VERSION);
  app.set_config("--config", "", "Read options from this file, as name = value lines");
  app.add_option("--controller", settings.controller, "Controller address, host:port")
      ->envname("FAIRLEAD_CONTROLLER")
      ->capture_default_str();
  app.add_option("--name", settings.name, "Server that this agent speaks for")->required();
  app.add_option("--data-dir", settings.data_dir, "Where the agent keeps its journal and id")
      ->capture_default_str();
  app.add_option("--docker-host", settings.docker_host, "Docker Engine, unix:// or tcp://")
      ->envname("DOCKER_HOST")
      ->capture_default_str();
  app.add_flag("--dev", settings.dev, "No encryption; the controller must be on this machine");
  app.add_option("--tls-cert", settings.tls.certificate, "This agent's certificate, PEM");
  app.add_option("--tls-key", settings.tls.key, "Its key, PEM");
  app.add_option("--tls-ca", settings.tls.ca,
                 "Who may sign the controller's certificate, PEM; without it the machine's roots");
  const std::map<std::string, base::LogLevel> levels = {{"debug", base::LogLevel::kDebug},
                                                        {"info", base::LogLevel::kInfo},
                                                        {"warning", base::LogLevel::kWarning},
                                                        {"error", base::LogLevel::kError}};
  app.add_option("--log-level", settings.log_level, "debug, info, warning or error")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
}

// How to reach the controller; refuses what would send secrets over a network in the clear.
absl::StatusOr<ConnectionOptions> ComputeConnectionOptions(const Settings& settings) {
  ConnectionOptions options;
  options.address = settings.controller;
  if (settings.dev) {
    if (!IsLoopback(settings.controller)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--dev does not encrypt and is only for a controller on this machine, not ",
                       settings.controller, "; use --tls-cert, --tls-key and --tls-ca"));
    }
    return options;
  }
  if (settings.tls.certificate.empty() || settings.tls.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key are needed, or --dev for a controller on this machine");
  }
  RETURN_IF_ERROR(CheckTlsFiles(settings.tls));
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

absl::Status Run(const Settings& settings, const sigset_t& signals) {
  ASSIGN_OR_RETURN(const ConnectionOptions connection_options, ComputeConnectionOptions(settings));
  ASSIGN_OR_RETURN(const Instance instance, OpenInstance(settings.data_dir, base::Random::Real()));
  ASSIGN_OR_RETURN(Journal journal, Journal::Open(instance.journal_path));
  ContainerRecords records(absl::StrCat(settings.data_dir, "/containers"));
  RETURN_IF_ERROR(records.Load());
  SecretTexts secrets(FileStorage(absl::StrCat(settings.data_dir, "/secrets")));
  RETURN_IF_ERROR(secrets.Load());
  base::Clock& clock = base::Clock::Real();
  const DockerOptions docker{.engine = settings.docker_host, .data_directory = settings.data_dir};
  DockerRuntime runtime(docker, records, secrets, clock);
  DockerReporter reporter(docker, records, secrets, clock, base::Random::Real());
  Connection connection(connection_options, clock, base::Random::Real());
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
  agent.Start();
  WaitForSignal(signals);
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
