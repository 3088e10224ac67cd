#include "controller/access/call_audit.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

#include "base/log.h"

namespace fairlead::access {
namespace {

// Of one text of a record.
constexpr std::size_t kLongestText = std::size_t{64} << 10;
constexpr std::size_t kLongestReason = 2000;

std::string Shortened(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  return absl::StrCat(text.substr(0, most), "\n(", text.size() - most, " bytes more)");
}

v1::AuditRecord RecordOf(const std::string& method, const Admission& admission) {
  v1::AuditRecord record;
  record.set_caller(admission.caller.Text());
  record.set_address(admission.caller.address);
  record.set_method(method);
  record.set_resource(Shortened(admission.resource, kLongestReason));
  return record;
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) ||
         absl::IsResourceExhausted(status);
}

}  // namespace

bool CallAudit::TakeRefusal(uint64_t& left_out) {
  const bool may = refusals_.Take(clock_.Uptime());
  base::MutexLock lock(mutex_);
  if (!may) {
    ++left_out_;
    return false;
  }
  left_out = left_out_;
  left_out_ = 0;
  return true;
}

void CallAudit::Append(const std::vector<v1::AuditRecord>& records) {
  const absl::Status status = log_.Append(records);
  if (status.ok()) return;
  for (const v1::AuditRecord& record : records) {
    base::LogError("access", "not in the audit log yet: ", record.caller(), " from ",
                   record.address(), " ", record.method(), " ", record.resource(), ": ",
                   status.message());
  }
}

void CallAudit::NoteRefused(const std::string& method, const Admission& admission) {
  uint64_t left_out = 0;
  if (admission.is_told || !TakeRefusal(left_out)) return;
  v1::AuditRecord record = RecordOf(method, admission);
  record.set_outcome(v1::AUDIT_OUTCOME_REFUSED);
  record.set_reason(std::string(admission.status.message()));
  if (left_out > 0) {
    absl::StrAppend(record.mutable_reason(), " (", left_out, " refusals before it left out)");
  }
  Append({record});
}

void CallAudit::NoteEnded(const std::string& method, const Admission& admission,
                          const absl::Status& status, const std::string& why,
                          const std::vector<Change>& changes) {
  if (admission.rule == nullptr || !admission.rule->is_change) return;
  if (IsRefusal(status)) {
    Admission refused = admission;
    refused.status = status;
    NoteRefused(method, refused);
    return;
  }
  v1::AuditRecord record = RecordOf(method, admission);
  record.set_outcome(status.ok() ? v1::AUDIT_OUTCOME_DONE : v1::AUDIT_OUTCOME_FAILED);
  record.set_reason(Shortened(status.ok() ? why : std::string(status.message()), kLongestReason));
  if (!status.ok() || changes.empty()) {
    Append({record});
    return;
  }
  std::vector<v1::AuditRecord> records;
  for (const Change& change : changes) {
    v1::AuditRecord& each = records.emplace_back(record);
    if (!change.resource.empty()) each.set_resource(change.resource);
    each.set_before(Shortened(change.before, kLongestText));
    each.set_after(Shortened(change.after, kLongestText));
    each.set_diff(Shortened(change.diff, kLongestText));
    each.set_revision(change.revision);
  }
  Append(records);
}

}  // namespace fairlead::access
