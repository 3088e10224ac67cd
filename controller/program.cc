#include "controller/program.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <climits>
#include <iostream>
#include <string>

#include "absl/strings/ascii.h"

#include "base/file.h"
#include "base/log.h"
#include "controller/controller.h"
#include "sync/git/fetch.h"

namespace fairlead::controller {
namespace {

std::string OwnProgram() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "fairlead-controller";
}

void AddOptions(CLI::App& app, ControllerOptions& options, std::string& webhook_secret_file,
                std::string& log_level) {
  app.set_version_flag("--version", "fairlead-controller " FAIRLEAD_VERSION);
  app.set_config("--config", "", "Read options from a TOML file; the command line wins");
  app.add_option("--listen", options.listen, "gRPC address for agents and people")
      ->capture_default_str();
  app.add_option("--http-listen", options.http_listen, "Webhooks, /metrics, /healthz, /readyz")
      ->capture_default_str();
  app.add_option("--data-dir", options.data_dir, "Database and git mirrors")->capture_default_str();
  app.add_option("--bootstrap", options.bootstrap, "TOML file to begin with: a [[resource_sync]]");
  app.add_flag("--dev", options.dev, "Loopback only, no TLS, no login");
  app.add_option("--tls-cert", options.tls_cert, "Server certificate, PEM");
  app.add_option("--tls-key", options.tls_key, "Its key, PEM");
  app.add_option("--tls-ca", options.tls_ca, "Authority of client certificates, PEM");
  app.add_option("--webhook-secret-file", webhook_secret_file,
                 "Secret of webhooks whose sync has none of its own");
  app.add_option("--accounts", options.accounts,
                 "TOML file of accounts at git servers and image registries, mode 0600");
  app.add_option("--log-level", log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.footer(
      "Example: fairlead-controller --dev --data-dir ./data --bootstrap sync.toml\n"
      "Exit codes: 0 stopped by a signal, 1 could not start.");
}

base::LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "warning") return base::LogLevel::kWarning;
  if (name == "error") return base::LogLevel::kError;
  return base::LogLevel::kInfo;
}

}  // namespace

int RunProgram(int argc, char** argv, base::Clock& clock) {
  if (git::IsFetchHelper(argc, argv)) return git::RunFetchHelper(argc, argv);
  // Many short-lived threads' arenas would keep memory that nobody uses.
  ::mallopt(M_ARENA_MAX, 4);
  // Signals are waited for below; every thread inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  ControllerOptions options;
  options.program = OwnProgram();
  options.clock = &clock;
  std::string webhook_secret_file;
  std::string log_level = "info";
  CLI::App app("Keeps fleets of Docker hosts equal to what git says.", "fairlead-controller");
  AddOptions(app, options, webhook_secret_file, log_level);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  base::SetLogLevel(LevelOf(log_level));
  if (!webhook_secret_file.empty()) {
    const auto secret = base::ReadFile(webhook_secret_file);
    if (!secret.ok()) {
      std::cerr << "fairlead-controller: --webhook-secret-file: " << secret.status().message()
                << "\n";
      return 1;
    }
    options.webhook_secret = std::string(absl::StripAsciiWhitespace(*secret));
  }
  const auto controller = Controller::Start(options);
  if (!controller.ok()) {
    std::cerr << "fairlead-controller: " << controller.status().message() << "\n";
    return 1;
  }
  base::LogInfo("controller", "fairlead-controller ", FAIRLEAD_VERSION, " ready: gRPC on ",
                (*controller)->grpc_address(), ", HTTP on ", (*controller)->http_address());
  int received = 0;
  sigwait(&signals, &received);
  base::LogInfo("controller", "stopping");
  (*controller)->Stop();
  return 0;
}

}  // namespace fairlead::controller
