// The command line: which commands there are, and the options that they take.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "cli/commands.h"
#include "cli/session.h"

namespace fairlead::cli {

inline constexpr char kCommandFooter[] = R"(

Options of every command, such as --controller: fairlead --help)";

using Command = std::function<absl::StatusOr<int>(Session&)>;

// The CLI11 application, the values it fills, and the command that was chosen.
class CommandLine {
 public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  CLI::App& app() { return app_; }
  const GlobalOptions& global() const { return global_; }
  const Command& chosen() const { return chosen_; }

 private:
  // `options` are filled by the parser, then given to `run`.
  template <typename Options>
  CLI::App* Add(const char* name, const char* description, const char* example,
                const std::shared_ptr<Options>& options,
                absl::StatusOr<int> (*run)(Session&, const Options&)) {
    return Add(app_, name, description, example, options, run);
  }
  template <typename Options>
  CLI::App* Add(CLI::App& parent, const char* name, const char* description, const char* example,
                const std::shared_ptr<Options>& options,
                absl::StatusOr<int> (*run)(Session&, const Options&)) {
    CLI::App* command = parent.add_subcommand(name, description);
    command->fallthrough();
    command->group(group_);
    command->footer(absl::StrCat("Examples:\n", example, kCommandFooter));
    command->callback([this, options, run] {
      chosen_ = [options, run](Session& session) { return run(session, *options); };
    });
    return command;
  }

  static void AddOutput(CLI::App* command, OutputFormat& output,
                        std::map<std::string, OutputFormat> formats) {
    std::vector<std::string> names;
    for (const auto& [name, format] : formats) {
      if (format == output) {
        names.insert(names.begin(), name + " (default)");
      } else {
        names.push_back(name);
      }
    }
    command->add_option("-o,--output", output, "Output: " + absl::StrJoin(names, ", "))
        ->transform(CLI::CheckedTransformer(std::move(formats)).description(""))
        ->type_name("FORMAT");
  }
  static void AddTableOrJson(CLI::App* command, OutputFormat& output) {
    AddOutput(command, output, {{"table", OutputFormat::kText}, {"json", OutputFormat::kJson}});
  }
  static void AddDialect(CLI::App* command, std::string& dialect) {
    command->add_option("--dialect", dialect, "How files are read: toml (default) or komodo")
        ->check(CLI::IsMember({"toml", "komodo"}).description(""))
        ->type_name("DIALECT");
  }
  static void AddResource(CLI::App* command, ResourceArguments& resource, bool required = true) {
    command->add_option("resource", resource.first, "KIND/NAME, KIND NAME, or a unique NAME")
        ->required(required);
    command->add_option("name", resource.second, "Name, after a KIND");
  }

  void AddGlobalOptions() {
    app_.add_option("--controller", global_.connection.controller, "Where the controller is")
        ->type_name("HOST:PORT");
    app_.add_option("--tls-cert", global_.connection.tls_cert, "Client certificate, PEM")
        ->type_name("FILE");
    app_.add_option("--tls-key", global_.connection.tls_key, "Its key, PEM")->type_name("FILE");
    app_.add_option("--tls-ca", global_.connection.tls_ca, "Authority of the controller, PEM")
        ->type_name("FILE");
    app_.add_option("--timeout", global_.timeout, "Longest wait for an answer (default 30s)")
        ->type_name("TIME");
  }
  void AddPlanningCommands();
  void AddResourceCommands();
  void AddExecutionCommands();
  void AddHistoryCommands();
  void AddRunCommands();
  void AddStreamCommands();
  // In access_command_line.cc.
  void AddAccessCommands();
  void AddUserCommands();
  void AddKeyCommands();
  void AddAuditCommands();
  void AddImportCommands();
  void AddSecretCommands();
  void AddAgentCommands();
  void AddOtherCommands();
  // Of a command and those below it.
  static void PolishHelp(CLI::App& app);

  CLI::App app_{"Keeps Docker hosts equal to what a git repository says.", "fairlead"};
  GlobalOptions global_;
  // Heading of the commands that are added next.
  std::string group_ = "Files";
  Command chosen_;
};

}  // namespace fairlead::cli
