#include "controller/program.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <climits>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/controller.h"
#include "controller/grpc_port.h"
#include "controller/member.h"
#include "controller/store/store_transfer.h"
#include "resources/spelling.h"
#include "sync/git/fetch.h"

namespace fairlead::controller {
namespace {

std::string OwnProgram() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "fairlead-controller";
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

void AddLimits(CLI::App& app, Limits& limits) {
  const auto add = [&app](const char* name, uint32_t& value, uint32_t most, const char* help) {
    app.add_option(name, value, help)->check(CLI::Range(uint32_t{1}, most))->capture_default_str();
  };
  add("--max-connections", limits.connections, 1'000'000, "Connections of the gRPC port");
  add("--max-connections-per-address", limits.connections_per_address, 1'000'000,
      "Of these from one address");
  add("--http-max-connections", limits.http_connections, 100'000, "Connections of the HTTP port");
  add("--http-max-connections-per-address", limits.http_connections_per_address, 100'000,
      "Of these from one address");
  add("--grpc-streams", limits.streams, 10'000, "Calls at a time on one gRPC connection");
  add("--max-request-mib", limits.request_mib, 1024, "Of one message of gRPC, in MiB");
  add("--calls-per-second", limits.calls_per_second, 1'000'000,
      "Of one identity, or of one address where none is proven; ten times as many after a pause");
}

void AddOptions(CLI::App& app, ControllerOptions& options, std::string& webhook_secret_file,
                std::string& log_level, int& audit_days, double& lease_seconds, int& store_wait) {
  app.set_version_flag("--version", "fairlead-controller " FAIRLEAD_VERSION);
  app.set_config("--config", "", "Read options from a TOML file; the command line wins");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--listen", options.listen, "gRPC address for agents and people")
      ->capture_default_str();
  app.add_option("--http-listen", options.http_listen, "Webhooks, /metrics, /healthz, /readyz")
      ->capture_default_str();
  app.add_option("--data-dir", options.data_dir, "Database and git mirrors")->capture_default_str();
  app.add_option("--store", options.store,
                 "sqlite:PATH or postgresql://USER@HOST:PORT/DATABASE; default: fairlead.db in "
                 "--data-dir");
  app.add_option("--store-password-file", options.store_password_file,
                 "File with the password of the PostgreSQL database");
  app.add_option("--advertise", options.advertise,
                 "With PostgreSQL: host:port where agents and the other controllers on the same "
                 "database reach this one; default: this machine's name and the port of --listen");
  app.add_option("--lease-duration", lease_seconds,
                 "With PostgreSQL: seconds without renewal after which another controller becomes "
                 "the active one")
      ->check(CLI::Range(1.0, 300.0))
      ->capture_default_str();
  app.add_option("--store-wait", store_wait,
                 "Seconds to wait for a PostgreSQL database that is away at the start")
      ->check(CLI::Range(0, 31536000))
      ->capture_default_str();
  app.add_option("--bootstrap", options.bootstrap,
                 "TOML file read at each start: a [[resource_sync]]");
  app.add_flag("--dev", options.dev, "Loopback only, no TLS, no login");
  app.add_flag("--require-login", options.require_login,
               "With --dev: people and programs log in all the same");
  app.add_option("--audit-days", audit_days, "Days that records of the audit log are kept")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
  AddLimits(app, options.limits);
  app.add_flag("--open-metrics", options.open_metrics,
               "Also beyond loopback /metrics asks nobody who they are");
  app.add_option("--tls-cert", options.tls_cert,
                 "Server certificate, PEM; without it one is made in --data-dir");
  app.add_option("--tls-key", options.tls_key, "Its key, PEM");
  app.add_option("--tls-ca", options.tls_ca,
                 "Your authority, PEM: client certificates of it count too");
  app.add_option("--tls-name", options.tls_names,
                 "Another name or address of this machine for the certificate that is made");
  app.add_option("--webhook-secret-file", webhook_secret_file,
                 "Secret of webhooks whose sync has none of its own");
  app.add_option("--accounts", options.accounts,
                 "TOML file of accounts at git servers and image registries, mode 0600");
  app.add_option("--secrets", options.secrets,
                 "TOML file of others that keep secrets: commands, folders, Vault");
  app.add_option("--age-key", options.age_key,
                 "File of age identities that decrypts *.sops.json, *.sops.env, *.json.age and "
                 "*.env.age of syncs");
  app.add_option("--oidc", options.oidc,
                 "TOML file of an OpenID provider: people may log in by it");
  app.add_option("--secret-key-file", options.secret_key_file,
                 "Keys that secrets are encrypted with; default: secret.key in --data-dir, or the "
                 "systemd credential fairlead-secret-key");
  app.add_option("--log-level", log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.footer(
      "Examples:\n"
      "  fairlead-controller --dev --data-dir ./data --bootstrap sync.toml\n"
      "  fairlead-controller --listen 0.0.0.0:7400 --tls-name fairlead.example.com\n"
      "Exit codes: 0 stopped by a signal, 1 could not start.");
}

// What is asked of the store instead of running.
struct StoreCommands {
  CLI::App* backup = nullptr;
  CLI::App* restore = nullptr;
  CLI::App* migrate = nullptr;
  std::string file;
  std::string from;
  std::string from_password_file;
  std::string to;
  std::string to_password_file;
  bool dry_run = false;
};

void AddStoreCommands(CLI::App& app, StoreCommands& commands) {
  app.require_subcommand(0, 1);
  app.fallthrough();
  commands.backup = app.add_subcommand("backup", "Write all records of --store to a file");
  commands.backup->add_option("--to", commands.file, "File to make")->required();
  commands.restore =
      app.add_subcommand("restore", "Put the records of a backup into --store, which is empty");
  commands.restore->add_option("--from", commands.file, "File made by backup")->required();
  commands.migrate =
      app.add_subcommand("migrate-store", "Copy all records from one database to an empty one");
  commands.migrate->add_option("--from", commands.from, "sqlite:PATH or postgresql://...")
      ->required();
  commands.migrate->add_option("--to", commands.to,
                               "The same; without it and with --dry-run: what an upgrade does");
  commands.migrate->add_option("--from-password-file", commands.from_password_file);
  commands.migrate->add_option("--to-password-file", commands.to_password_file);
  commands.migrate->add_flag("--dry-run", commands.dry_run, "Do it all, but keep nothing");
  for (CLI::App* command : {commands.backup, commands.restore, commands.migrate}) {
    command->fallthrough();
  }
}

absl::StatusOr<std::string> MigrateStore(const StoreCommands& commands, absl::Time now) {
  ASSIGN_OR_RETURN(const store::StoreAddress from,
                   store::ParseStoreAddress(commands.from, commands.from_password_file), "--from");
  if (commands.to.empty()) {
    if (commands.dry_run) return store::RehearseMigrations(from, now);
    return absl::InvalidArgumentError("--to: name the database to copy to, or add --dry-run");
  }
  ASSIGN_OR_RETURN(const store::StoreAddress to,
                   store::ParseStoreAddress(commands.to, commands.to_password_file), "--to");
  ASSIGN_OR_RETURN(
      const store::TransferReport report,
      store::MoveStore(from, to,
                       commands.dry_run ? store::TransferMode::kRehearse : store::TransferMode::kDo,
                       now));
  return absl::StrCat(commands.dry_run ? "could copy " : "copied and verified ", report.Text(),
                      " from ", from.Name(), " to ", to.Name(), "\n");
}

absl::StatusOr<std::string> RunStoreCommand(const StoreCommands& commands,
                                            const ControllerOptions& options, absl::Time now) {
  if (commands.migrate->parsed()) return MigrateStore(commands, now);
  ASSIGN_OR_RETURN(const store::StoreAddress address,
                   store::ParseStoreAddress(StoreOf(options), options.store_password_file),
                   "--store");
  if (commands.backup->parsed()) {
    ASSIGN_OR_RETURN(const store::TransferReport report,
                     store::BackUpStore(address, commands.file));
    return absl::StrCat("wrote and verified ", report.Text(), " to ", commands.file, "\n");
  }
  ASSIGN_OR_RETURN(const store::TransferReport report,
                   store::RestoreStore(commands.file, address, now));
  return absl::StrCat("restored and verified ", report.Text(), " to ", address.Name(), "\n");
}

int PrintResult(const absl::StatusOr<std::string>& result) {
  if (!result.ok()) {
    std::cerr << "fairlead-controller: " << result.status().message() << "\n";
    return 1;
  }
  std::cout << *result;
  return 0;
}

// Other users of the machine see arguments.
void WarnOfPasswordInArguments(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    // Also "--store=ADDRESS".
    argument.remove_prefix(std::min(argument.find("postgres"), argument.size()));
    const auto address = store::ParseStoreAddress(argument, "");
    if (!address.ok() || !address->postgres.has_value()) continue;
    if (address->postgres->parameters.contains("password")) {
      base::LogWarning("store", "the password in the arguments is seen by all users of this ",
                       "machine; use PGPASSFILE, --store-password-file or the file of --config");
    }
  }
}

base::LogLevel LevelOf(const std::string& name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "warning") return base::LogLevel::kWarning;
  if (name == "error") return base::LogLevel::kError;
  return base::LogLevel::kInfo;
}

// Of a Controller or a Member.
template <typename Running>
absl::Status RunUntilSignal(const absl::StatusOr<std::unique_ptr<Running>>& running,
                            const sigset_t& signals) {
  RETURN_IF_ERROR(running.status());
  base::LogInfo("controller", "fairlead-controller ", FAIRLEAD_VERSION, " ready: gRPC on ",
                (*running)->grpc_address(), ", HTTP on ", (*running)->http_address());
  int received = 0;
  sigwait(&signals, &received);
  base::LogInfo("controller", "stopping");
  (*running)->Stop();
  return absl::OkStatus();
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
  int audit_days = 365;
  double lease_seconds = 3;
  int store_wait = 60;
  AddOptions(app, options, webhook_secret_file, log_level, audit_days, lease_seconds, store_wait);
  StoreCommands commands;
  AddStoreCommands(app, commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    std::cerr << "fairlead-controller: --config " << DescribeConfigError(app, error) << "\n";
    return 1;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  RaiseDescriptorLimit();
  BoundGrpcLog();
  options.audit_retention = absl::Hours(24) * audit_days;
  options.lease_duration = absl::Seconds(lease_seconds);
  options.store_wait = absl::Seconds(store_wait);
  options.is_stopping = [] {
    sigset_t pending;
    return ::sigpending(&pending) == 0 &&
           (::sigismember(&pending, SIGTERM) == 1 || ::sigismember(&pending, SIGINT) == 1);
  };
  base::SetLogLevel(LevelOf(log_level));
  WarnOfPasswordInArguments(argc, argv);
  if (!app.get_subcommands().empty()) {
    return PrintResult(RunStoreCommand(commands, options, clock.Now()));
  }
  if (!webhook_secret_file.empty()) {
    const auto secret = base::ReadFile(webhook_secret_file);
    if (!secret.ok()) {
      std::cerr << "fairlead-controller: --webhook-secret-file: " << secret.status().message()
                << "\n";
      return 1;
    }
    options.webhook_secret = std::string(absl::StripAsciiWhitespace(*secret));
  }
  const absl::StatusOr<bool> shared = IsShared(options);
  absl::Status ran = shared.status();
  if (ran.ok()) {
    ran = *shared ? RunUntilSignal(Member::Start(options, [] { ::_exit(1); }), signals)
                  : RunUntilSignal(Controller::Start(options), signals);
  }
  if (ran.ok() || absl::IsCancelled(ran)) return 0;
  std::cerr << "fairlead-controller: " << ran.message() << "\n";
  return 1;
}

}  // namespace fairlead::controller
