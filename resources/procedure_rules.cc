#include "resources/procedure_rules.h"

#include <google/protobuf/message.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/execution_rules.h"
#include "resources/name_pattern.h"

namespace fairlead::resources {
namespace {

// Calls `visit` with each execution that a run comes to.
void VisitExecutions(const v1::Procedure& procedure,
                     const std::function<void(const v1::Stage&, const v1::Execution&)>& visit) {
  for (const v1::Stage& stage : procedure.stages()) {
    if (!stage.enabled()) continue;
    for (const v1::StageExecution& execution : stage.executions()) {
      if (execution.enabled()) visit(stage, execution.execution());
    }
  }
}

// The parameters of a batch; null of anything else.
const v1::BatchParams* BatchOf(const v1::Execution& execution) {
  const google::protobuf::Reflection* reflection = execution.GetReflection();
  const google::protobuf::FieldDescriptor* member = reflection->GetOneofFieldDescriptor(
      execution, v1::Execution::descriptor()->FindOneofByName("type"));
  if (member == nullptr || member->message_type() != v1::BatchParams::descriptor()) return nullptr;
  return static_cast<const v1::BatchParams*>(&reflection->GetMessage(execution, member));
}

}  // namespace

std::vector<ProcedureFault> FindProcedureFaults(const v1::Procedure& procedure) {
  std::vector<ProcedureFault> faults;
  VisitExecutions(procedure, [&faults](const v1::Stage& stage, const v1::Execution& execution) {
    if (const std::optional<ExecutionRefusal> refusal = FindRefusal(execution)) {
      faults.push_back({.severity = v1::SEVERITY_WARNING,
                        .code = "execution-not-acted-on",
                        .message = absl::StrCat("stage \"", stage.name(), "\": ", refusal->message,
                                                "; a run that reaches it fails"),
                        .suggestion = refusal->instead.empty() ? "disable it with enabled = false"
                                                               : refusal->instead});
    }
    const v1::BatchParams* const batch = BatchOf(execution);
    if (batch == nullptr) return;
    const auto pattern = NamePattern::Parse(batch->pattern());
    if (pattern.ok()) return;
    faults.push_back({.code = "bad-value",
                      .message = absl::StrCat("stage \"", stage.name(),
                                              "\": pattern: ", pattern.status().message()),
                      .suggestion = "write names, wildcards, or a regex between backslashes"});
  });
  return faults;
}

std::vector<ResourceId> ProceduresRunBy(const v1::Procedure& procedure,
                                        const std::vector<std::string>& names) {
  std::vector<ResourceId> run;
  VisitExecutions(procedure, [&](const v1::Stage&, const v1::Execution& execution) {
    if (execution.has_run_procedure()) {
      run.push_back({"procedure", execution.run_procedure().procedure()});
    } else if (execution.has_batch_run_procedure()) {
      const auto pattern = NamePattern::Parse(execution.batch_run_procedure().pattern());
      if (!pattern.ok()) return;
      for (const std::string& name : names) {
        if (pattern->Matches(name)) run.push_back({"procedure", name});
      }
    }
  });
  return run;
}

std::string DescribeCycle(const std::vector<ResourceId>& cycle) {
  return absl::StrJoin(cycle, " -> ", [](std::string* out, const ResourceId& id) {
    absl::StrAppend(out, id.ToString());
  });
}

}  // namespace fairlead::resources
