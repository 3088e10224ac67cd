#include "controller/access/audit_log.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/secret.h"

namespace fairlead::access {
namespace {

constexpr std::ptrdiff_t kMostLate = 1000;
constexpr char kHead[] = "audit-head";
constexpr char kAnchor[] = "audit-anchor";
constexpr absl::Duration kBetweenTrims = absl::Hours(1);
constexpr absl::Duration kBetweenFlushes = absl::Seconds(5);
constexpr uint32_t kPage = 1000;

absl::StatusOr<AuditPlace> PlaceIn(const std::map<std::string, std::string>& settings,
                                   const char* key) {
  const auto found = settings.find(key);
  return AuditPlace::Parse(found == settings.end() ? "" : found->second);
}

absl::Status Broken(uint64_t id, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("audit record ", id, " ", why));
}

}  // namespace

std::string AuditPlace::Text() const {
  return id == 0 ? "" : absl::StrCat(id, " ", absl::BytesToHexString(hash));
}

absl::StatusOr<AuditPlace> AuditPlace::Parse(const std::string& text) {
  if (text.empty()) return AuditPlace();
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  AuditPlace place;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &place.id) || parts[1].size() != 64) {
    return absl::DataLossError(absl::StrCat("\"", absl::CEscape(text), "\" is no audit record"));
  }
  place.hash = absl::HexStringToBytes(parts[1]);
  return place;
}

std::string HashOf(const v1::AuditRecord& record) {
  v1::AuditRecord hashed = record;
  hashed.clear_hash();
  // Without maps the same record always gives the same bytes.
  return Sha256(hashed.SerializeAsString());
}

absl::Status AuditChain::Add(const v1::AuditRecord& record) {
  const uint64_t expected = at_.id + 1;
  if (record.id() != expected) {
    return Broken(expected, absl::StrCat("is missing: ", record.id(), " stands in its place"));
  }
  if (HashOf(record) != record.hash()) return Broken(expected, "was changed");
  if (record.previous_hash() != at_.hash) {
    return Broken(expected, "does not follow the one before: that one, or this one, was replaced");
  }
  at_ = {expected, record.hash()};
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Load(
    const std::map<std::string, std::string>& settings, store::Store& store, base::Clock& clock,
    absl::Duration retention) {
  ASSIGN_OR_RETURN(AuditPlace head, PlaceIn(settings, kHead), "setting audit-head");
  ASSIGN_OR_RETURN(AuditPlace anchor, PlaceIn(settings, kAnchor), "setting audit-anchor");
  std::unique_ptr<AuditLog> log(new AuditLog(store, clock, retention));
  base::MutexLock lock(log->mutex_);
  log->head_ = std::move(head);
  log->anchor_ = std::move(anchor);
  return log;
}

absl::Status AuditLog::TrimLocked(absl::Time now, store::StoreBatch& batch) {
  if (now < next_trim_) return absl::OkStatus();
  uint64_t after = anchor_.id;
  AuditPlace last = anchor_;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<v1::AuditRecord> page,
                     store_.ListAudit({.after_id = after, .limit = kPage}));
    for (const v1::AuditRecord& record : page) {
      if (base::FromProto(record.at()) + retention_ >= now) break;
      last = {record.id(), record.hash()};
    }
    if (page.size() < kPage || last.id != page.back().id()) break;
    after = last.id;
  }
  if (last == anchor_) return absl::OkStatus();
  batch.trim_audit_through = last.id;
  batch.put_settings[kAnchor] = last.Text();
  return absl::OkStatus();
}

absl::Status AuditLog::AppendLocked(const std::vector<v1::AuditRecord>& records, absl::Time now) {
  store::StoreBatch batch;
  RETURN_IF_ERROR(TrimLocked(now, batch), "remove old audit records");
  AuditPlace head = head_;
  for (v1::AuditRecord record : records) {
    record.set_id(head.id + 1);
    record.set_previous_hash(head.hash);
    record.set_hash(HashOf(record));
    head = {record.id(), record.hash()};
    batch.append_audit.push_back(std::move(record));
  }
  batch.put_settings[kHead] = head.Text();
  RETURN_IF_ERROR(store_.Apply(batch), "append to the audit log");
  head_ = head;
  next_trim_ = std::max(next_trim_, now + kBetweenTrims);
  if (batch.trim_audit_through > 0) {
    ASSIGN_OR_RETURN(anchor_, AuditPlace::Parse(batch.put_settings[kAnchor]));
  }
  return absl::OkStatus();
}

absl::Status AuditLog::CatchUpLocked() {
  ASSIGN_OR_RETURN(const std::vector<v1::AuditRecord> newest,
                   store_.ListAudit({.limit = 1, .newest = true}));
  if (!newest.empty()) head_ = {newest.front().id(), newest.front().hash()};
  return absl::OkStatus();
}

absl::Status AuditLog::StoreLocked(std::vector<v1::AuditRecord> all, absl::Time now) {
  absl::Status status = AppendLocked(all, now);
  if (absl::IsAlreadyExists(status)) {
    // An append that was answered by an error has come about after all: the connection broke off.
    status = CatchUpLocked();
    if (status.ok()) status = AppendLocked(all, now);
  }
  if (status.ok()) {
    late_.clear();
  } else if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
             absl::IsResourceExhausted(status)) {
    if (std::ssize(all) > kMostLate) all.erase(all.begin(), all.end() - kMostLate);
    late_ = std::move(all);
  }
  flush_at_ = absl::ToInt64Nanoseconds(late_.empty() ? absl::InfiniteDuration()
                                                     : clock_.Uptime() + kBetweenFlushes);
  return status;
}

absl::Status AuditLog::Append(const std::vector<v1::AuditRecord>& records) {
  if (records.empty()) return absl::OkStatus();
  const absl::Time now = clock_.Now();
  base::MutexLock lock(mutex_);
  std::vector<v1::AuditRecord> all = late_;
  for (const v1::AuditRecord& record : records) {
    *all.emplace_back(record).mutable_at() = base::ToProto(now);
  }
  return StoreLocked(std::move(all), now);
}

bool AuditLog::IsFlushDue() const {
  return absl::ToInt64Nanoseconds(clock_.Uptime()) >= flush_at_.load();
}

absl::Status AuditLog::Flush() {
  const absl::Time now = clock_.Now();
  base::MutexLock lock(mutex_);
  return late_.empty() ? absl::OkStatus() : StoreLocked(late_, now);
}

absl::StatusOr<AuditReport> AuditLog::Verify() {
  AuditPlace anchor;
  AuditPlace head;
  {
    base::MutexLock lock(mutex_);
    anchor = anchor_;
    head = head_;
  }
  AuditReport report;
  report.first_id = anchor.id + 1;
  AuditChain chain(anchor);
  uint32_t page_size = kPage;
  while (report.chain.ok() && chain.at().id < head.id) {
    const absl::StatusOr<std::vector<v1::AuditRecord>> page =
        store_.ListAudit({.after_id = chain.at().id, .limit = page_size, .check_times = true});
    if (absl::IsDataLoss(page.status())) {
      // One by one up to it: an earlier record of the page may have been changed, too.
      if (page_size == 1) report.chain = page.status();
      page_size = 1;
      continue;
    }
    RETURN_IF_ERROR(page.status());
    for (const v1::AuditRecord& record : *page) {
      report.chain = chain.Add(record);
      if (!report.chain.ok()) break;
      ++report.records;
      // Those that came since are of the next time.
      if (chain.at().id == head.id) break;
    }
    if (page->empty()) {
      report.chain = Broken(chain.at().id + 1, "and all after it are missing");
    }
  }
  report.head = chain.at();
  if (report.chain.ok() && chain.at() != head) {
    report.chain = Broken(head.id, "is not the one that was written last");
  }
  return report;
}

}  // namespace fairlead::access
