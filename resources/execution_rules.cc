#include "resources/execution_rules.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "resources/container_spec.h"
#include "resources/field_table.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Type = v1::Execution;

struct TypeRule {
  Type::TypeCase type;
  absl::string_view why;
  absl::string_view instead;
};

constexpr absl::string_view kKeysAreFiles =
    "agents make new keys in time by themselves, and what is given is a file of its host";
constexpr absl::string_view kReplaceKeys =
    "ask for it with fairlead agent rotate, or replace the files that --tls-cert and --tls-key "
    "name";

// Types that mean nothing here, whatever comes later.
constexpr std::array<TypeRule, 4> kTypes = {{
    {Type::kCommitSync,
     "git is the only source of what is declared, and Fairlead never writes to it",
     "write what the controller holds with fairlead export, and commit it"},
    {Type::kClearRepoCache,
     "the controller's mirrors hold nothing but what was fetched, and one that is damaged is made "
     "anew by itself",
     "fetch now with RunSync, or clone a repo anew with CloneRepo"},
    {Type::kRotateAllServerKeys, kKeysAreFiles, kReplaceKeys},
    {Type::kRotateCoreKeys, kKeysAreFiles, kReplaceKeys},
}};

struct ParameterRule {
  Type::TypeCase type;
  absl::string_view parameter;
  absl::string_view why;
  absl::string_view instead;
};

constexpr absl::string_view kWholeStack =
    "a hold is of a whole stack: a service stopped alone would be started again at once";
constexpr absl::string_view kOwnStack = "make the service a stack of its own";
constexpr absl::string_view kAsDeclared = "what is replaced is stopped as its declaration says";
constexpr absl::string_view kWholeCommit =
    "what a commit declares is in force as a whole, and the plan would do the rest a moment later";
constexpr absl::string_view kOwnSync =
    "leave it out; what is to come at a time of its own belongs to a resource_sync of its own "
    "(resource_path, match_tags)";
constexpr absl::string_view kGracePeriod = "set stop_grace_period of the services";

// Those of a type that is carried out otherwise.
constexpr std::array<ParameterRule, 13> kParameters = {{
    {Type::kDeployStack, "services",
     "what is declared of a stack is brought about as a whole, and the plan would do the rest a "
     "moment later",
     "leave services out: those that have not changed are not touched"},
    {Type::kStartStack, "services", kWholeStack, "leave services out: what runs is not touched"},
    {Type::kPauseStack, "services", kWholeStack, kOwnStack},
    {Type::kUnpauseStack, "services", kWholeStack, kOwnStack},
    {Type::kStopStack, "services", kWholeStack, kOwnStack},
    {Type::kDestroyStack, "services", kWholeStack, kOwnStack},
    {Type::kDeployStack, "stop_time", kAsDeclared, kGracePeriod},
    {Type::kDeployStackIfChanged, "stop_time", kAsDeclared, kGracePeriod},
    {Type::kDeploy, "stop_signal", kAsDeclared, "set termination_signal of the deployment"},
    {Type::kDeploy, "stop_time", kAsDeclared, "set termination_timeout of the deployment"},
    {Type::kRunSync, "resource_type", kWholeCommit, kOwnSync},
    {Type::kRunSync, "resources", kWholeCommit, kOwnSync},
    {Type::kGlobalAutoUpdate, "skip_auto_update",
     "no list of newer images is kept that could be looked at",
     "leave it out: what has auto_update = true is pulled, and replaced where the image is newer"},
}};

// The chosen type, and its parameters; null when there is none.
const FieldDescriptor* MemberOf(const v1::Execution& execution) {
  return Type::descriptor()->FindFieldByNumber(static_cast<int>(execution.type_case()));
}

bool IsSet(const Message& parameters, absl::string_view name) {
  const FieldDescriptor* const field =
      parameters.GetDescriptor()->FindFieldByName(std::string(name));
  if (field == nullptr) return false;
  const google::protobuf::Reflection& reflection = *parameters.GetReflection();
  return field->is_repeated() ? reflection.FieldSize(parameters, field) > 0
                              : reflection.HasField(parameters, field);
}

// As files write it.
std::string NameOf(const FieldDescriptor* member) {
  for (const Field& field : FieldsOf(Type::descriptor()).fields) {
    if (field.descriptor == member) return field.rule->type();
  }
  return member->name();
}

}  // namespace

std::optional<ExecutionRefusal> FindRefusal(const v1::Execution& execution) {
  const FieldDescriptor* const member = MemberOf(execution);
  if (member == nullptr) return std::nullopt;
  const std::string name = NameOf(member);
  const auto* const type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRule& rule) {
    return rule.type == execution.type_case();
  });
  if (type != kTypes.end()) {
    return ExecutionRefusal{absl::StrCat(name, " is not carried out: ", type->why),
                            std::string(type->instead)};
  }
  const Message& parameters = execution.GetReflection()->GetMessage(execution, member);
  for (const ParameterRule& rule : kParameters) {
    if (rule.type != execution.type_case() || !IsSet(parameters, rule.parameter)) continue;
    return ExecutionRefusal{
        absl::StrCat(rule.parameter, " of ", name, " is not carried out: ", rule.why),
        std::string(rule.instead)};
  }
  const std::string missing = NotYetPartsOf(execution);
  if (missing.empty()) return std::nullopt;
  const bool all = missing == name;
  return ExecutionRefusal{
      absl::StrCat(missing, all ? "" : " of ", all ? "" : name, " is not acted on yet"), ""};
}

}  // namespace fairlead::resources
