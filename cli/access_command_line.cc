// The part of the command line for people, programs and the audit log.
#include <memory>

#include "cli/access_commands.h"
#include "cli/command_line.h"

namespace fairlead::cli {
namespace {

CLI::App* AddParent(CLI::App& app, const char* name, const char* description, const char* group,
                    const char* examples) {
  CLI::App* parent = app.add_subcommand(name, description);
  parent->group(group);
  parent->fallthrough();
  parent->footer(examples);
  return parent;
}

}  // namespace

void CommandLine::AddAccessCommands() {
  const char* const heading = "People and programs";
  group_ = heading;
  const auto login = std::make_shared<LoginOptions>();
  CLI::App* command = Add("login", "Prove who you are, for some hours",
                          "  fairlead login --user ann\n"
                          "  fairlead login --user ann --token fla_...   the first admin\n"
                          "  fairlead login --user ann < password.txt\n"
                          "  fairlead login --oidc                         by your provider",
                          login, &RunLogin);
  command->add_option("--user", login->user, "Name; asked for when it is not given");
  command
      ->add_option("--token", login->first_token,
                   "Token that the controller printed at its first start: makes the first admin")
      ->type_name("TOKEN");
  CLI::Option* const oidc =
      command->add_flag("--oidc", login->oidc, "By the OpenID provider of the controller");
  oidc->excludes("--user")->excludes("--token");
  command
      ->add_flag("--no-browser", login->no_browser,
                 "With --oidc: the browser is on another machine; paste its address")
      ->needs(oidc);
  command
      ->add_option("--port", login->port,
                   "With --oidc: come back to http://127.0.0.1:PORT/callback (default: any port)")
      ->check(CLI::Range(1, 65535).description(""))
      ->type_name("PORT")
      ->needs(oidc);
  Add("logout", "End the session of the last login", "  fairlead logout",
      std::make_shared<LogoutOptions>(), &RunLogout);
  const auto who = std::make_shared<WhoAmIOptions>();
  command = Add("whoami", "Show as whom the controller knows you",
                "  fairlead whoami\n  FAIRLEAD_TOKEN=flk_... fairlead whoami", who, &RunWhoAmI);
  AddTableOrJson(command, who->output);
  AddUserCommands();
  group_ = heading;
  AddKeyCommands();
  AddAuditCommands();
}

void CommandLine::AddUserCommands() {
  CLI::App* const parent =
      AddParent(app_, "user", "List, add and change users", group_.c_str(),
                "Examples:\n  fairlead user add ann --group operators\n  fairlead user list\n"
                "  fairlead user disable ann");
  parent->require_subcommand(1);
  group_ = "Users";
  const auto list = std::make_shared<UserListOptions>();
  AddTableOrJson(Add(*parent, "list", "List users", "  fairlead user list", list, &RunUserList),
                 list->output);

  const auto added = std::make_shared<UserAddOptions>();
  CLI::App* command = Add(*parent, "add", "Add a user; reads the password from standard input",
                          "  fairlead user add ann --group operators\n"
                          "  fairlead user add ann --admin < password.txt",
                          added, &RunUserAdd);
  command->add_option("name", added->name, "Of the user")->required();
  command->add_flag("--admin", added->admin, "May do everything");
  command->add_option("--group", added->groups, "A user_group it belongs to")->type_name("NAME");
  command->add_flag("--no-password", added->no_password, "Comes with a certificate or keys only");

  struct Row {
    const char* name;
    const char* description;
    const char* example;
    bool disable;
  };
  for (const Row& row :
       {Row{"disable", "Keep a user and the user's keys out", "  fairlead user disable ann", true},
        Row{"enable", "Let a user in again", "  fairlead user enable ann", false}}) {
    const auto options = std::make_shared<UserChangeOptions>();
    options->disable = row.disable;
    options->enable = !row.disable;
    Add(*parent, row.name, row.description, row.example, options, &RunUserChange)
        ->add_option("name", options->name, "Of the user")
        ->required();
  }

  const auto changed = std::make_shared<UserChangeOptions>();
  command = Add(*parent, "change", "Change what a user is",
                "  fairlead user change ann --add-group operators\n"
                "  fairlead user change ann --no-admin",
                changed, &RunUserChange);
  command->add_option("name", changed->name, "Of the user")->required();
  command->add_flag_callback(
      "--admin", [changed] { changed->admin = UserChangeOptions::Admin::kMake; },
      "May do everything");
  command->add_flag_callback(
      "--no-admin", [changed] { changed->admin = UserChangeOptions::Admin::kUnmake; },
      "May do what groups allow");
  command->add_option("--add-group", changed->add_groups, "Add to a user_group")->type_name("NAME");
  command->add_option("--remove-group", changed->remove_groups, "Take out of a user_group")
      ->type_name("NAME");

  const auto password = std::make_shared<UserPasswordOptions>();
  command = Add(*parent, "password", "Change a password; reads it from standard input",
                "  fairlead user password\n  fairlead user password ann < password.txt", password,
                &RunUserPassword);
  command->add_option("name", password->name, "Of the user (default: your own)");
}

void CommandLine::AddKeyCommands() {
  CLI::App* const parent =
      AddParent(app_, "key", "List, make and revoke API keys", group_.c_str(),
                "Examples:\n  fairlead key create ci --expires 90d --permission "
                "'stack:web-*:execute'\n  fairlead key list\n  fairlead key revoke ci");
  parent->require_subcommand(1);
  const std::string heading = group_;
  group_ = "Keys";
  const auto created = std::make_shared<KeyCreateOptions>();
  CLI::App* command = Add(*parent, "create", "Make a key, and print it once",
                          "  fairlead key create ci --expires 90d --cidr 10.0.0.0/8 \\\n"
                          "    --permission 'stack:web-*:execute+logs'\n"
                          "  fairlead key create dashboard --permission 'all:*:read'",
                          created, &RunKeyCreate);
  command->add_option("name", created->name, "What it is for")->required();
  command->add_option("--user", created->user, "Whose (default: your own)")->type_name("NAME");
  command->add_option("--expires", created->expires, "Until then, such as 90d (default: never)")
      ->type_name("TIME");
  command->add_option("--cidr", created->cidrs, "Network that it may come from")
      ->type_name("ADDRESS/BITS");
  command
      ->add_option("--permission", created->permissions,
                   "No more than this: KIND:NAME:LEVEL with wildcards, \"+logs\" and so on")
      ->type_name("PERMISSION");
  AddTableOrJson(command, created->output);

  const auto list = std::make_shared<KeyListOptions>();
  AddTableOrJson(Add(*parent, "list", "List keys", "  fairlead key list", list, &RunKeyList),
                 list->output);
  const auto revoked = std::make_shared<KeyRevokeOptions>();
  Add(*parent, "revoke", "End a key now", "  fairlead key revoke ci", revoked, &RunKeyRevoke)
      ->add_option("key", revoked->key, "Its name, id or prefix")
      ->required();
  group_ = heading;
}

void CommandLine::AddAuditCommands() {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* const command =
      Add("audit", "Show who changed what, and what was refused",
          "  fairlead audit\n  fairlead audit --since 2d -o json\n"
          "  fairlead audit --all -o csv > audit.csv\n  fairlead audit verify",
          options, &RunAudit);
  command->add_option("--since", options->since, "How far back, such as 2d")->type_name("TIME");
  command->add_flag("--all", options->all, "Everything that is kept");
  command->add_option("--tail", options->tail, "Newest records to print (default 50)")
      ->type_name("N");
  command
      ->add_option("-o,--output", options->output,
                   "Output: table (default), csv, json (a line each)")
      ->transform(CLI::CheckedTransformer(
                      std::map<std::string, AuditFormat>{{"table", AuditFormat::kTable},
                                                         {"json", AuditFormat::kJsonLines},
                                                         {"csv", AuditFormat::kCsv}})
                      .description(""))
      ->type_name("FORMAT");
  command->require_subcommand(0, 1);
  group_ = "Audit log";
  const auto verify = std::make_shared<AuditVerifyOptions>();
  CLI::App* const below = Add(*command, "verify", "Check that no record was changed or removed",
                              "  fairlead audit verify", verify, &RunAuditVerify);
  AddOutput(below, verify->output, {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}});
  // The parent's callback comes after that of the command below.
  command->callback([this, options, verify, below] {
    if (below->parsed()) {
      chosen_ = [verify](Session& session) { return RunAuditVerify(session, *verify); };
    } else {
      chosen_ = [options](Session& session) { return RunAudit(session, *options); };
    }
  });
}

}  // namespace fairlead::cli
