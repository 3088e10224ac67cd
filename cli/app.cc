#include "cli/app.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/secret_commands.h"
#include "resources/spelling.h"

namespace fairlead::cli {
namespace {

constexpr char kFooter[] = R"(Examples:
  fairlead validate .                   check files, without a controller
  fairlead fmt .                        bring them to canonical form
  fairlead plan                         what would happen, and why
  fairlead sync main --wait             make it so, and watch
  fairlead describe deployment/web      the story of one resource

Exit codes: 0 all is well; 1 an error; 2 the plan has changes; 3 not converged.
The controller is found by --controller, FAIRLEAD_CONTROLLER,
~/.config/fairlead/config.toml (controller = "host:port"), else 127.0.0.1:7400.)";

constexpr char kWhyHelp[] = "Kept with the request, for those who ask later";

}  // namespace

CommandLine::CommandLine() {
  app_.footer(kFooter);
  app_.set_version_flag("--version", std::string("fairlead ") + FAIRLEAD_VERSION,
                        "Show the version of this program");
  app_.require_subcommand(1);
  // Global options may stand after the command too.
  app_.fallthrough();
  AddGlobalOptions();
  AddPlanningCommands();
  AddResourceCommands();
  AddExecutionCommands();
  AddHistoryCommands();
  AddRunCommands();
  AddStreamCommands();
  AddAccessCommands();
  AddImportCommands();
  AddSecretCommands();
  AddAgentCommands();
  AddOtherCommands();
  PolishHelp(app_);
}

void CommandLine::AddPlanningCommands() {
  const auto validate = std::make_shared<ValidateOptions>();
  CLI::App* command = Add("validate", "Check files, without a controller",
                          "  fairlead validate .\n"
                          "  fairlead validate --dialect komodo stacks/\n"
                          "  fairlead validate --strict -o sarif . > fairlead.sarif",
                          validate, &RunValidate);
  command->add_option("path", validate->paths, "Files or folders")->required();
  AddDialect(command, validate->dialect);
  command->add_flag("--strict", validate->strict,
                    "A name that the files do not declare is an error");
  AddOutput(command, validate->output,
            {{"text", OutputFormat::kText},
             {"json", OutputFormat::kJson},
             {"sarif", OutputFormat::kSarif},
             {"github", OutputFormat::kGithub}});

  const auto format = std::make_shared<FormatOptions>();
  command = Add("fmt", "Bring files to canonical order and spelling",
                "  fairlead fmt .\n  fairlead fmt --check stacks/\n"
                "  fairlead fmt - < old.toml > new.toml",
                format, &RunFormat);
  command->add_option("path", format->paths, "Files or folders, or - for standard input")
      ->required();
  command->add_flag("--check", format->check, "Only list files that would change; then exit 1");
  AddDialect(command, format->dialect);

  const auto schema = std::make_shared<SchemaOptions>();
  command = Add("schema", "Print a JSON Schema of resource files, for editors",
                "  fairlead schema > fairlead.schema.json", schema, &RunSchema);
  AddDialect(command, schema->dialect);

  group_ = "Plans and syncs";
  const auto plan = std::make_shared<PlanOptions>();
  command = Add("plan", "Show what would happen, and why; changes nothing",
                "  fairlead plan\n  fairlead plan --dir . main\n"
                "  fairlead plan --revision 4f2a91c -o json",
                plan, &RunPlan);
  command->add_option("sync", plan->sync, "Only this sync");
  command->add_option("--dir", plan->directory, "Plan a working tree instead of a commit")
      ->type_name("DIR");
  command->add_option("--revision", plan->revision, "Plan any commit, branch or tag")
      ->type_name("REVISION");
  AddDialect(command, plan->dialect);
  AddTableOrJson(command, plan->output);

  const auto sync = std::make_shared<SyncOptions>();
  command = Add("sync", "Fetch and reconcile now",
                "  fairlead sync main --wait\n  fairlead sync main --plan 8c1d03", sync, &RunSync);
  command->add_option("sync", sync->sync, "Only this sync");
  command->add_option("--plan", sync->plan_id, "Run exactly this plan, or refuse")->type_name("ID");
  command->add_flag("--wait", sync->wait, "Wait until converged, and show progress");
  command->add_option("--allow-delete", sync->allow_delete, "Let it remove so many resources")
      ->type_name("N");
  command->add_option("--timeout", sync->timeout, "Longest --wait (default 10m)")
      ->type_name("TIME");
  AddTableOrJson(command, sync->output);

  const auto wait = std::make_shared<WaitOptions>();
  command = Add("wait", "Wait until what git says is true",
                "  fairlead wait --for converged --timeout 5m main", wait, &RunWait);
  command->add_option("sync", wait->sync, "Only this sync");
  command->add_option("--for", wait->condition, "What to wait for: converged (default)")
      ->type_name("STATE");
  command->add_option("--timeout", wait->timeout, "Longest wait (default 5m)")->type_name("TIME");

  const auto status = std::make_shared<StatusOptions>();
  command = Add("status", "Show syncs, servers and what is not well",
                "  fairlead status\n  fairlead status -o json", status, &RunStatus);
  command->add_option("sync", status->sync, "Only this sync");
  AddTableOrJson(command, status->output);
}

void CommandLine::AddResourceCommands() {
  group_ = "Resources";
  const auto get = std::make_shared<GetOptions>();
  CLI::App* command = Add("get", "List resources, or print one",
                          "  fairlead get all\n  fairlead get stacks\n  fairlead get schedules\n"
                          "  fairlead get deployment web -o toml",
                          get, &RunGet);
  command->add_option("kind", get->kind, "Kind, KIND/NAME, schedules, or all")->required();
  command->add_option("name", get->name, "Only this one");
  AddOutput(command, get->output,
            {{"table", OutputFormat::kText},
             {"json", OutputFormat::kJson},
             {"toml", OutputFormat::kToml}});

  const auto exported = std::make_shared<ExportOptions>();
  command = Add("export", "Write what the controller holds as TOML, without secrets",
                "  fairlead export -o exported/\n  fairlead export stacks deployment/web\n"
                "  fairlead export --origin api",
                exported, &RunExport);
  command->add_option("resource", exported->resources, "KIND or KIND/NAME; none is all");
  command->add_option("--origin", exported->origin, "Only of this sync, bootstrap or api")
      ->type_name("ORIGIN");
  command->add_option("-o,--output", exported->output, "Folder, or - for standard output")
      ->type_name("DIR");
  AddDialect(command, exported->dialect);

  const auto describe = std::make_shared<DescribeOptions>();
  command = Add("describe", "Tell the story of one resource",
                "  fairlead describe deployment/web\n  fairlead describe stack metrics", describe,
                &RunDescribe);
  AddResource(command, describe->resource);
  AddOutput(command, describe->output,
            {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});

  const auto apply = std::make_shared<ApplyOptions>();
  command = Add("apply", "Declare resources by hand, outside git",
                "  fairlead apply -f bootstrap.toml\n  cat a.toml | fairlead apply -f -", apply,
                &RunApply);
  command->add_option("-f,--filename", apply->files, "File, folder, or - for standard input")
      ->required()
      ->type_name("PATH");
  AddDialect(command, apply->dialect);
  AddTableOrJson(command, apply->output);
}

void CommandLine::AddExecutionCommands() {
  group_ = "Actions";
  using Verb = ExecuteOptions::Verb;
  struct Row {
    const char* name;
    const char* description;
    const char* example;
    Verb verb;
  };
  for (const Row& row : {
           Row{"start", "End a stop hold and any backoff, and start",
               "  fairlead start deployment/web", Verb::kStart},
           Row{"stop", "Stop, and keep stopped until released",
               "  fairlead stop deployment/web --for 2h --why \"disk swap\"", Verb::kStop},
           Row{"restart", "Restart the containers", "  fairlead restart stack/web", Verb::kRestart},
           Row{"release", "End a stop hold", "  fairlead release deployment/web", Verb::kRelease},
           Row{"retry", "Try again what failed, was cancelled or put aside",
               "  fairlead retry deployment/web", Verb::kRetry},
           Row{"cancel", "End the action or the run under way; it is not tried again by itself",
               "  fairlead cancel deployment/web --why \"wrong window\"\n"
               "  fairlead cancel run/4k2m9x7q1a",
               Verb::kCancel},
       }) {
    const auto options = std::make_shared<ExecuteOptions>();
    options->verb = row.verb;
    CLI::App* command = Add(row.name, row.description, row.example, options, &RunExecute);
    AddResource(command, options->resource);
    command->add_option("--why", options->why, kWhyHelp);
    if (row.verb == Verb::kStop) {
      command->add_option("--for", options->span, "How long, such as 2h; else until released")
          ->type_name("TIME");
    }
    AddTableOrJson(command, options->output);
  }
}

void CommandLine::AddHistoryCommands() {
  group_ = "Actions";
  const auto rollback = std::make_shared<RollbackOptions>();
  CLI::App* command = Add("rollback", "Go back to an earlier spec, until git changes or a retry",
                          "  fairlead rollback deployment/web\n"
                          "  fairlead rollback deployment/web --to 4f2a91c --why \"slow queries\"",
                          rollback, &RunRollback);
  AddResource(command, rollback->resource);
  command
      ->add_option("--to", rollback->revision,
                   "A commit, or a spec of its history (default: the last other healthy one)")
      ->type_name("REVISION");
  command->add_option("--why", rollback->why, kWhyHelp);
  AddTableOrJson(command, rollback->output);

  const auto approve = std::make_shared<ApproveOptions>();
  command = Add("approve", "Let a plan start whose sync asks for approval",
                "  fairlead plan\n  fairlead approve 8c1d03f2ab91", approve, &RunApprove);
  command->add_option("plan", approve->plan_id, "Id that `fairlead plan` shows")->required();
  command->add_option("--why", approve->why, kWhyHelp);
  AddTableOrJson(command, approve->output);

  group_ = "Resources";
  const auto history = std::make_shared<HistoryOptions>();
  command = Add("history", "Specs of a resource that were applied, and what became of them",
                "  fairlead history deployment/web", history, &RunHistory);
  AddResource(command, history->resource);
  AddTableOrJson(command, history->output);
}

void CommandLine::AddRunCommands() {
  group_ = "Actions";
  const auto run = std::make_shared<RunOptions>();
  CLI::App* command = Add("run", "Run a procedure, build or repo, or fetch and apply a sync",
                          "  fairlead run procedure/nightly --wait\n"
                          "  fairlead run repo/site --why \"before the holidays\"",
                          run, &RunRun);
  AddResource(command, run->resource);
  command->add_flag("-w,--wait", run->wait, "Print its log until it ends; exit 1 when it fails");
  command->add_flag("--force", run->force, "Build although nothing has changed; clone anew");
  command->add_option("--why", run->why, kWhyHelp);
  AddTableOrJson(command, run->output);

  const auto build = std::make_shared<BuildOptions>();
  command = Add("build", "Build an image now",
                "  fairlead build api --wait\n  fairlead build api --force", build, &RunBuild);
  command->add_option("name", build->name, "Of the build")->required();
  command->add_flag("-w,--wait", build->run.wait,
                    "Print its log until it ends; exit 1 when it fails");
  command->add_flag("--force", build->run.force, "Although nothing has changed");
  command->add_option("--why", build->run.why, kWhyHelp);
  AddTableOrJson(command, build->run.output);

  group_ = "What happens";
  const auto runs = std::make_shared<RunsOptions>();
  command =
      Add("runs", "List runs of procedures, builds, repos and syncs, newest first",
          "  fairlead runs\n  fairlead runs procedure/nightly\n  fairlead runs -w", runs, &RunRuns);
  AddResource(command, runs->resource, false);
  command->add_flag("-w,--watch", runs->watch, "Stay and print what changes");
  command->add_option("--tail", runs->tail, "Newest runs to print (default 50)")->type_name("N");
  AddTableOrJson(command, runs->output);
}

void CommandLine::AddStreamCommands() {
  group_ = "What happens";
  const auto logs = std::make_shared<LogsOptions>();
  CLI::App* command = Add("logs", "Print the logs of a resource's containers, or of a run",
                          "  fairlead logs deployment/web -f --tail 20\n"
                          "  fairlead logs run/4k2m9x7q1a -f",
                          logs, &RunLogs);
  AddResource(command, logs->resource);
  command->add_flag("-f,--follow", logs->follow, "Stay and print what comes");
  command->add_option("--tail", logs->tail, "Lines from the end (default 100); -1 is all")
      ->type_name("N");
  command->add_flag("-t,--timestamps", logs->timestamps, "Print when each line was written");

  const auto events = std::make_shared<EventsOptions>();
  command =
      Add("events", "Print what happened",
          "  fairlead events -w\n  fairlead events deployment/web -o json", events, &RunEvents);
  AddResource(command, events->resource, false);
  command->add_flag("-w,--watch", events->watch, "Stay and print what comes");
  command->add_option("--tail", events->tail, "Past events to print first (default 100)")
      ->type_name("N");
  AddTableOrJson(command, events->output);
}

void CommandLine::AddImportCommands() {
  CLI::App* import = app_.add_subcommand("import", "Write what there is already as TOML");
  import->group("Files");
  group_ = "Sources";
  import->fallthrough();
  import->require_subcommand(1);
  import->footer(
      "Examples:\n  fairlead import compose stacks/* --server edge-1\n"
      "  fairlead import docker --server edge-1 > edge-1.toml");

  const auto compose = std::make_shared<ImportComposeOptions>();
  CLI::App* command =
      Add(*import, "compose", "Compose files as stacks",
          "  fairlead import compose stacks/* --server edge-1\n"
          "  fairlead import compose --files stacks/shop/compose.yaml --server edge-1",
          compose, &RunImportCompose);
  command->add_option("path", compose->paths, "Compose files, or folders with one")->required();
  command->add_option("--name", compose->name, "Of the stack (default: of the project)")
      ->type_name("NAME");
  command->add_option("--server", compose->server, "Server that runs it")->type_name("NAME");
  command->add_flag("--files", compose->as_files, "Name the files instead of their content");
  command->add_option("--root", compose->root, "Root of the repository, for --files (default .)")
      ->type_name("DIR");

  const auto docker = std::make_shared<ImportDockerOptions>();
  command = Add(*import, "docker", "What runs on this host, ready to be adopted",
                "  fairlead import docker --server edge-1 > edge-1.toml\n"
                "  fairlead import docker --server edge-1 --secrets-as-variables",
                docker, &RunImportDocker);
  command->add_option("--server", docker->server, "Name of this host in the files")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--docker-host", docker->docker_host,
                   "Engine (default DOCKER_HOST, else unix:///var/run/docker.sock)")
      ->type_name("URL");
  command->add_flag("--secrets-as-variables", docker->secrets_as_variables,
                    "Leave secrets out: [[NAME]] and a variable without value");
}

void CommandLine::AddSecretCommands() {
  CLI::App* secret = app_.add_subcommand("secret", "Values of secret variables, kept out of git");
  secret->group("Resources");
  group_ = "Secrets";
  secret->fallthrough();
  secret->require_subcommand(1);
  secret->footer(
      "Examples:\n  fairlead secret set DB_PASSWORD < db_password.txt\n  fairlead secret list");
  const auto add = [&](const char* name, const char* description, const char* example, auto run,
                       bool takes_name) {
    const auto options = std::make_shared<SecretOptions>();
    CLI::App* command = Add(*secret, name, description, example, options, run);
    if (takes_name) {
      command->add_option("name", options->name, "Of the variable, as in [[NAME]]")->required();
    }
    AddTableOrJson(command, options->output);
  };
  add("set", "Set the value, which standard input holds",
      "  fairlead secret set DB_PASSWORD < db_password.txt", &RunSecretSet, true);
  add("list", "Which are set, and what they go into; never their values", "  fairlead secret list",
      &RunSecretList, false);
  add("remove", "Forget the value", "  fairlead secret remove DB_PASSWORD", &RunSecretRemove, true);
  add("rotate", "Encrypt them all with a new key", "  fairlead secret rotate", &RunSecretRotate,
      false);
}

void CommandLine::AddAgentCommands() {
  group_ = "Agents";
  CLI::App& agent = *app_.add_subcommand("agent", "Let agents join, and manage their certificates");
  agent.group(group_);
  agent.fallthrough();
  agent.require_subcommand(1);
  agent.footer(absl::StrCat("Examples:\n  fairlead agent token --server web-1\n",
                            "  fairlead agent list", kCommandFooter));

  const auto token = std::make_shared<AgentTokenOptions>();
  CLI::App* command = Add(agent, "token", "Print a token with which an agent can join",
                          "  fairlead agent token --server web-1\n"
                          "  fairlead agent token --tag edge --multi-use --expires 1d",
                          token, &RunAgentToken);
  command->add_option("--server", token->server, "Only this server may join")->type_name("NAME");
  command->add_option("--tag", token->tag, "Only servers that are declared with this tag")
      ->type_name("TAG");
  command->add_flag("--multi-use", token->multi_use, "For more than one agent");
  command->add_option("--expires", token->expires, "How long it is good (default 1h)")
      ->type_name("TIME");
  AddOutput(command, token->output, {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});

  const auto list = std::make_shared<AgentListOptions>();
  command = Add(agent, "list", "List agents and their certificates",
                "  fairlead agent list\n  fairlead agent list -o json", list, &RunAgentList);
  AddTableOrJson(command, list->output);

  const auto revoke = std::make_shared<AgentRevokeOptions>();
  command = Add(agent, "revoke", "Refuse the agent of a server from now on",
                "  fairlead agent revoke web-1 --why \"disk was stolen\"", revoke, &RunAgentRevoke);
  command->add_option("server", revoke->server, "Server")->required();
  command->add_option("--why", revoke->why, kWhyHelp)->type_name("TEXT");
  AddOutput(command, revoke->output,
            {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});

  const auto rotate = std::make_shared<AgentRotateOptions>();
  command =
      Add(agent, "rotate", "Have an agent make a new key and certificate now",
          "  fairlead agent rotate web-1\n  fairlead agent rotate --all", rotate, &RunAgentRotate);
  command->add_option("server", rotate->server, "Server");
  command->add_flag("--all", rotate->all, "All agents");
  AddOutput(command, rotate->output,
            {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});
}

void CommandLine::AddOtherCommands() {
  group_ = "Others";
  const auto version = std::make_shared<VersionOptions>();
  CLI::App* command = Add("version", "Print the versions of client and controller",
                          "  fairlead version\n  fairlead version -o json", version, &RunVersion);
  AddOutput(command, version->output,
            {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});

  const auto completion = std::make_shared<CompletionOptions>();
  command = Add("completion", "Print a completion script",
                "  source <(fairlead completion bash)\n"
                "  fairlead completion fish > ~/.config/fish/completions/fairlead.fish",
                completion, &RunCompletion);
  command->add_option("shell", completion->shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));

  const auto complete = std::make_shared<CompleteOptions>();
  command = Add("__complete", "For the completion scripts", "", complete, &RunComplete);
  command->add_option("what", complete->what, "kinds or names")->required();
  command->add_option("kind", complete->kind, "Kind of the names");
  // No group: not in the help.
  command->group("");
}

// The name of an argument says what it is; its type, always a text, says nothing.
void CommandLine::PolishHelp(CLI::App& app) {
  app.get_help_ptr()->description("Show this help");
  for (CLI::Option* option : app.get_options()) {
    if (option->get_positional() && option->get_type_name() == "TEXT") option->type_name("");
  }
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    PolishHelp(*command);
  }
}

namespace {

std::vector<std::string> VisibleNames(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

// CLI11 says only that an argument was not expected.
std::string ParseErrorText(CLI::App& app, const CLI::ParseError& error,
                           const std::vector<std::string>& arguments) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  if (commands.empty()) {
    const auto word = std::find_if(arguments.begin(), arguments.end(),
                                   [](const std::string& a) { return !absl::StartsWith(a, "-"); });
    if (word != arguments.end()) {
      const std::string hint = resources::DidYouMean(*word, VisibleNames(app));
      return absl::StrCat("\"", *word, "\" is not a command", hint.empty() ? "." : "; ", hint,
                          " See: fairlead --help");
    }
  }
  const std::string command =
      commands.empty() ? "" : absl::StrCat(" ", commands.front()->get_name());
  return absl::StrCat(error.what(), ". See: fairlead", command, " --help");
}

}  // namespace

std::vector<std::string> CommandNames() {
  CommandLine line;
  return VisibleNames(line.app());
}

int Run(const std::vector<std::string>& arguments, Environment& environment) {
  CommandLine line;
  if (arguments.empty()) {
    environment.err << line.app().help();
    return kExitError;
  }
  try {
    // CLI11 takes them from the back.
    line.app().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return line.app().exit(error, environment.out, environment.err);
    }
    environment.err << "fairlead: " << ParseErrorText(line.app(), error, arguments) << "\n";
    return kExitError;
  }
  Session session(environment, line.global());
  const absl::StatusOr<int> code = line.chosen()(session);
  if (code.ok()) return *code;
  environment.err << "fairlead: " << PrintableLines(code.status().message(), "") << "\n";
  return kExitError;
}

}  // namespace fairlead::cli
