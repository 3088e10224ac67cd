#include "controller/access/rules.h"

#include "absl/strings/str_cat.h"

namespace fairlead::access {
namespace {

std::string TextOf(const google::protobuf::Message& request, const std::string& field) {
  if (field.empty()) return "";
  const auto* const descriptor = request.GetDescriptor()->FindFieldByName(field);
  if (descriptor == nullptr ||
      descriptor->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_STRING ||
      descriptor->is_repeated()) {
    return "";
  }
  return request.GetReflection()->GetString(request, descriptor);
}

}  // namespace

std::vector<Rule> RuleTable() {
  const Right read(v1::PERMISSION_LEVEL_READ);
  const Right execute(v1::PERMISSION_LEVEL_EXECUTE);
  const Right write(v1::PERMISSION_LEVEL_WRITE);
  const Right logs(v1::PERMISSION_LEVEL_READ, v1::SPECIFIC_PERMISSION_LOGS);
  const std::string resources = "fairlead.v1.ResourceService.";
  const std::string syncs = "fairlead.v1.SyncService.";
  const std::string executions = "fairlead.v1.ExecutionService.";
  const std::string access = "fairlead.v1.AccessService.";
  const std::string oidc = "fairlead.v1.OidcService.";
  const std::string secrets = "fairlead.v1.SecretService.";
  const std::string enrolment = "fairlead.v1.EnrolmentService.";
  const std::string agents = "fairlead.v1.AgentAdminService.";
  return {
      {resources + "ListResources", Target::kList, read},
      {resources + "GetResource", Target::kKindAndName, read},
      {resources + "Apply", Target::kInside, write, true},
      {resources + "ListHistory", Target::kResource, read, false, "resource"},
      {resources + "Logs", Target::kResource, logs, false, "resource"},

      {syncs + "GetStatus", Target::kList, read, false, "sync", "resource_sync"},
      {syncs + "Plan", Target::kList, read, false, "sync", "resource_sync"},
      {syncs + "Sync", Target::kNamed, execute, true, "sync", "resource_sync"},
      {syncs + "Approve", Target::kInside, execute, true},

      {executions + "Stop", Target::kResource, execute, true, "resource"},
      {executions + "Start", Target::kResource, execute, true, "resource"},
      {executions + "Restart", Target::kResource, execute, true, "resource"},
      {executions + "Release", Target::kResource, execute, true, "resource"},
      {executions + "Retry", Target::kResource, execute, true, "resource"},
      {executions + "Cancel", Target::kResource, execute, true, "resource"},
      {executions + "Rollback", Target::kResource, execute, true, "resource"},
      {executions + "Run", Target::kResource, execute, true, "resource"},
      {executions + "ListRuns", Target::kList, read, false, "resource"},
      {executions + "WatchRuns", Target::kList, read, false, "resource"},
      {executions + "RunLog", Target::kRun, logs, false, "id"},
      {executions + "CancelRun", Target::kRun, execute, true, "id"},
      {executions + "ListSchedules", Target::kList, read, false, "resource"},

      {"fairlead.v1.EventService.Watch", Target::kList, read, false, "resource"},

      {access + "Login", Target::kOpen, {}, true},
      {oidc + "Begin", Target::kOpen, {}},
      {oidc + "Finish", Target::kOpen, {}, true},
      {access + "Logout", Target::kSelf, {}},
      {access + "WhoAmI", Target::kSelf, {}},
      {access + "ListUsers", Target::kSystem, read},
      {access + "AddUser", Target::kSystem, write, true},
      {access + "ChangeUser", Target::kSystem, write, true},
      {access + "SetPassword", Target::kSelf, {}, true},
      {access + "ListKeys", Target::kSelf, {}},
      {access + "CreateKey", Target::kSelf, {}, true},
      {access + "RevokeKey", Target::kSelf, {}, true},
      {access + "ListAudit", Target::kSystem, read},
      {access + "VerifyAudit", Target::kSystem, read},

      {secrets + "SetSecret", Target::kNamed, write, true, "name", "variable"},
      {secrets + "ListSecrets", Target::kList, read},
      {secrets + "RemoveSecret", Target::kNamed, write, true, "name", "variable"},
      {secrets + "RotateSecretKey", Target::kSystem, write, true},

      // By the token, or by the certificate that is to be renewed.
      {enrolment + "Enrol", Target::kAgent, {}},
      {enrolment + "Renew", Target::kAgent, {}},
      {enrolment + "Examine", Target::kAgent, {}},
      {agents + "CreateToken", Target::kSystem, write, true},
      {agents + "ListAgents", Target::kSystem, read},
      {agents + "RevokeAgent", Target::kNamed, write, true, "server", "server"},
      {agents + "RotateAgents", Target::kNamed, write, true, "server", "server"},

      {"fairlead.v1.AgentService.Connect", Target::kAgent, {}},

      // Beyond loopback. Webhooks prove themselves by their signature; /healthz and /readyz say
      // nothing of what is declared.
      {"http.Metrics", Target::kSystem, read},
  };
}

Rules::Rules(const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) rules_[rule.method] = rule;
}

const Rules& Rules::All() {
  static const auto* const rules = new Rules(RuleTable());
  return *rules;
}

const Rule* Rules::Find(absl::string_view method) const {
  const auto found = rules_.find(method);
  return found == rules_.end() ? nullptr : &found->second;
}

Asked AskedOf(const Rule& rule, const google::protobuf::Message& request) {
  switch (rule.target) {
    case Target::kResource:
      return {TextOf(request, rule.field), ""};
    case Target::kKindAndName:
      return {absl::StrCat(TextOf(request, "kind"), "/", TextOf(request, "name")), ""};
    case Target::kNamed: {
      const std::string name = TextOf(request, rule.field);
      if (name.empty()) return {"", rule.kind};
      return {absl::StrCat(rule.kind, "/", name), ""};
    }
    case Target::kList: {
      const std::string text = TextOf(request, rule.field);
      if (text.empty() || rule.kind.empty()) return {text, ""};
      return {absl::StrCat(rule.kind, "/", text), ""};
    }
    case Target::kRun: {
      const std::string id = TextOf(request, rule.field);
      return {id.empty() ? "" : absl::StrCat("run/", id), ""};
    }
    case Target::kOpen:
    case Target::kSelf:
    case Target::kInside:
    case Target::kSystem:
    case Target::kAgent:
      break;
  }
  return {};
}

}  // namespace fairlead::access
