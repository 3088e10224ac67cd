// fairlead plan: what would happen, and why.
#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/render/plan_text.h"
#include "cli/source_files.h"

namespace fairlead::cli {

absl::StatusOr<int> RunPlan(Session& session, const PlanOptions& options) {
  if (!options.directory.empty() && !options.revision.empty()) {
    return absl::InvalidArgumentError(
        "--dir and --revision exclude each other: one is a working tree, the other a commit");
  }
  v1::PlanRequest request;
  request.set_sync(options.sync);
  request.set_revision(options.revision);
  if (!options.directory.empty()) {
    ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
    ASSIGN_OR_RETURN(std::vector<v1::SourceFile> files,
                     ReadWorkingTree(options.directory, dialect));
    request.set_use_files(true);
    for (v1::SourceFile& file : files) *request.add_files() = std::move(file);
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::PlanResponse response, controller->Plan(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    const bool in_effect = options.directory.empty() && options.revision.empty();
    session.Print(RenderPlan(response.plan(), {.runnable = in_effect}, session.text_options()));
  }
  if (HasErrors(response.plan())) return kExitError;
  return HasChanges(response.plan()) ? kExitChanges : kExitOk;
}

}  // namespace fairlead::cli
