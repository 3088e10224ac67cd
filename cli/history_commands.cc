// fairlead history, rollback and approve.
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cli/commands.h"
#include "cli/render/history_text.h"
#include "cli/resource_lookup.h"

namespace fairlead::cli {

absl::StatusOr<int> RunHistory(Session& session, const HistoryOptions& options) {
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  v1::ListHistoryRequest request;
  request.set_resource(id.ToString());
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListHistoryResponse response, controller->ListHistory(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(RenderHistory(response, session.text_options()));
  }
  return kExitOk;
}

absl::StatusOr<int> RunRollback(Session& session, const RollbackOptions& options) {
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  v1::RollbackRequest request;
  request.set_resource(id.ToString());
  request.set_revision(options.revision);
  request.set_why(options.why);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ExecutionResponse response, controller->Rollback(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(Printable(response.message()), "\n"));
  }
  return kExitOk;
}

absl::StatusOr<int> RunApprove(Session& session, const ApproveOptions& options) {
  v1::ApproveRequest request;
  request.set_plan_id(options.plan_id);
  request.set_why(options.why);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ApproveResponse response, controller->Approve(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  for (const std::string& resource : response.resources()) {
    session.Print(absl::StrCat("approved ", Printable(resource), "\n"));
  }
  return kExitOk;
}

}  // namespace fairlead::cli
