// fairlead version, completion, and what the completion scripts ask for.
#include <google/protobuf/struct.pb.h>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "resources/kind_table.h"
#include "resources/resource_id.h"

namespace fairlead::cli {
namespace {

// Without a controller in time there is nothing to complete, and nothing to say.
absl::Status PrintNames(Session& session, const std::string& kind_text) {
  const resources::Kind* kind = resources::FindKind(kind_text);
  if (kind == nullptr) return absl::NotFoundError("no such kind");
  v1::ListResourcesRequest request;
  request.set_kind(kind->name);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListResourcesResponse list, controller->ListResources(request));
  for (const v1::ResourceView& view : list.resources()) {
    const auto id = resources::ResourceId::Parse(view.status().resource());
    if (id) session.Print(absl::StrCat(Printable(id->name), "\n"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ControllerVersion(Session& session) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, controller->GetStatus({}));
  return status.controller_version();
}

}  // namespace

absl::StatusOr<int> RunVersion(Session& session, const VersionOptions& options) {
  const absl::StatusOr<std::string> controller = ControllerVersion(session);
  if (options.output == OutputFormat::kJson) {
    google::protobuf::Struct versions;
    auto& fields = *versions.mutable_fields();
    fields["client"].set_string_value(FAIRLEAD_VERSION);
    fields["controller"].set_string_value(controller.ok() ? *controller : "");
    if (!controller.ok()) {
      fields["error"].set_string_value(std::string(controller.status().message()));
    }
    RETURN_IF_ERROR(session.PrintJson(versions));
  } else if (controller.ok()) {
    session.Print(
        absl::StrCat("fairlead ", FAIRLEAD_VERSION, "\ncontroller ", Printable(*controller), "\n"));
  } else {
    session.Print(absl::StrCat("fairlead ", FAIRLEAD_VERSION, "\n",
                               Printable(controller.status().message()), "\n"));
  }
  return kExitOk;
}

absl::StatusOr<int> RunCompletion(Session& session, const CompletionOptions& options) {
  session.Print(CompletionScript(options.shell));
  return kExitOk;
}

absl::StatusOr<int> RunComplete(Session& session, const CompleteOptions& options) {
  if (options.what == "kinds") {
    for (const resources::Kind& kind : resources::Kinds()) {
      session.Print(absl::StrCat(kind.name, "\n"));
    }
  } else if (options.what == "names") {
    PrintNames(session, options.kind).IgnoreError();
  }
  return kExitOk;
}

}  // namespace fairlead::cli
