#include "agent/image_pull.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "agent/registry_login.h"
#include "agent/transfer_progress.h"
#include "base/status.h"

namespace fairlead::agent {
absl::Status PullImage(ActionScope& scope, const std::string& image, const v1::Login& login) {
  TransferReport report(scope, "pulling", image);
  return scope.engine.PullImage(
      image,
      [&](const EngineClient::LayerNews& news) {
        report.Add({.part = news.layer,
                    .status = news.status,
                    .current = news.current,
                    .total = news.total});
      },
      scope.limits, login.domain().empty() ? "" : RegistryAuth(login));
}

absl::Status EnsureImage(ActionScope& scope, const v1::ApplyContainer& request) {
  const std::string& image = request.spec().image();
  const std::string context = absl::StrCat("image ", image);
  const absl::Status present = scope.engine.ImageId(image, scope.limits).status();
  if (!present.ok() && !absl::IsNotFound(present)) return base::Annotate(present, context);
  if (request.pull() == v1::PULL_POLICY_NEVER) {
    if (present.ok()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat(context, ": not on this host, and pull is \"never\""));
  }
  if (request.pull() == v1::PULL_POLICY_MISSING && present.ok()) return absl::OkStatus();
  const absl::Status pulled = PullImage(scope, image, request.login());
  if (pulled.ok() || !present.ok() || absl::IsCancelled(pulled) ||
      absl::IsDeadlineExceeded(pulled)) {
    return base::Annotate(pulled, absl::StrCat(context, ": pull failed"));
  }
  scope.Warn(
      absl::StrCat(context, ": pull failed, using the image that is present: ", pulled.message()));
  return absl::OkStatus();
}

}  // namespace fairlead::agent
