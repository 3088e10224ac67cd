#include "controller/access/access.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace fairlead::access {
namespace {

absl::StatusOr<std::string> ResourceOfRun(store::Store& store, const std::string& id) {
  ASSIGN_OR_RETURN(const std::vector<v1::Run> runs, store.ListRuns({.id = id, .limit = 1}));
  if (runs.empty()) return absl::NotFoundError(absl::StrCat("no run ", id));
  return runs.front().resource();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Load(const store::StoreImage& image,
                                                     store::Store& store, base::Clock& clock,
                                                     const AccessOptions& options) {
  std::unique_ptr<Access> access(new Access());
  ASSIGN_OR_RETURN(access->directory_, Directory::Load(image, store));
  access->sessions_ = std::make_unique<Sessions>(image, store, clock.Now(), options.sessions);
  access->authenticator_ = std::make_unique<Authenticator>(
      *access->directory_, *access->sessions_, clock, AuthenticatorOptions{.dev = options.dev});
  access->gate_ = std::make_unique<Gate>(
      *access->authenticator_, *access->directory_, clock,
      [&store](const std::string& id) { return ResourceOfRun(store, id); }, options.rates);
  ASSIGN_OR_RETURN(access->log_,
                   AuditLog::Load(image.settings, store, clock, options.audit_retention));
  access->audit_ = std::make_unique<CallAudit>(*access->log_, clock);
  return access;
}

}  // namespace fairlead::access
