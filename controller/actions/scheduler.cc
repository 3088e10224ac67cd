#include "controller/actions/scheduler.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "resources/kind_table.h"
#include "resources/schedule/time_zone_name.h"

namespace fairlead::actions {
namespace {

// Later than that, the controller was away.
constexpr absl::Duration kLate = absl::Minutes(1);
// A clock that was so far ahead was wrong: what was noted by it does not count.
constexpr absl::Duration kClockWasWrong = absl::Hours(25);
constexpr std::size_t kTimesShown = 3;

// The fields of a kind that has a schedule.
struct ScheduleFields {
  std::string text;
  std::string zone;
  v1::ScheduleFormat format = v1::SCHEDULE_FORMAT_ENGLISH;
  bool enabled = false;
  bool catch_up = false;
};

std::optional<ScheduleFields> FieldsOfSchedule(const v1::Resource& resource) {
  const resources::Kind* const kind = resources::KindOf(resource);
  if (kind == nullptr || !kind->not_acted_on.empty()) return std::nullopt;
  const google::protobuf::Message& spec = resources::SpecOf(resource);
  const auto* reflection = spec.GetReflection();
  const auto find = [&](const char* name) { return spec.GetDescriptor()->FindFieldByName(name); };
  const auto* text = find("schedule");
  const auto* catch_up = find("catch_up");
  if (text == nullptr || catch_up == nullptr) return std::nullopt;
  ScheduleFields fields;
  fields.text = reflection->GetString(spec, text);
  if (fields.text.empty()) return std::nullopt;
  fields.zone = reflection->GetString(spec, find("schedule_timezone"));
  fields.format =
      static_cast<v1::ScheduleFormat>(reflection->GetEnumValue(spec, find("schedule_format")));
  fields.enabled = reflection->GetBool(spec, find("schedule_enabled"));
  fields.catch_up = reflection->GetBool(spec, catch_up);
  return fields;
}

}  // namespace

Scheduler::Scheduler(const store::StoreImage& image, absl::TimeZone local) : local_(local) {
  for (const v1::ScheduleRecord& record : image.schedules) records_[record.resource()] = record;
}

std::optional<Scheduler::Entry> Scheduler::MakeEntry(const sync::DesiredResource& desired) const {
  if (desired.spec == nullptr) return std::nullopt;
  const std::optional<ScheduleFields> fields = FieldsOfSchedule(*desired.spec);
  if (!fields.has_value()) return std::nullopt;
  Entry entry;
  entry.text = fields->text;
  entry.zone_name = fields->zone;
  entry.zone = local_;
  entry.enabled = fields->enabled;
  entry.catch_up = fields->catch_up;
  entry.key = absl::StrCat(fields->text, "\n", fields->format, "\n", fields->zone);
  if (!fields->zone.empty()) {
    const auto zone = resources::FindTimeZone(fields->zone);
    if (zone.ok()) entry.zone = *zone;
    if (!zone.ok()) entry.problem = std::string(zone.status().message());
  }
  const auto format = fields->format == v1::SCHEDULE_FORMAT_CRON
                          ? resources::ScheduleFormat::kCron
                          : resources::ScheduleFormat::kEnglish;
  const auto schedule = resources::ParseSchedule(format, fields->text);
  if (schedule.ok()) entry.schedule = *schedule;
  if (!schedule.ok()) entry.problem = std::string(schedule.status().message());
  if (desired.invalid) entry.problem = "its declaration is invalid";
  return entry;
}

void Scheduler::Follow(const sync::DesiredState& desired) {
  if (generation_ == desired.generation) return;
  generation_ = desired.generation;
  entries_.clear();
  for (const resources::Kind& kind : resources::Kinds()) {
    if (kind.message->FindFieldByName("catch_up") == nullptr) continue;
    for (auto at = desired.resources.lower_bound(resources::ResourceId{kind.name, ""});
         at != desired.resources.end() && at->first.kind == kind.name; ++at) {
      std::optional<Entry> entry = MakeEntry(*at->second);
      if (entry.has_value()) entries_[at->first.ToString()] = *std::move(entry);
    }
  }
  if (!desired.complete) return;
  // What cannot be read now keeps its record: its times are not to count anew.
  std::erase_if(records_, [&](const auto& record) {
    const auto id = resources::ResourceId::Parse(record.first);
    if (id.has_value() && desired.resources.contains(*id)) return false;
    deleted_.push_back(record.first);
    changed_.erase(record.first);
    return true;
  });
}

std::vector<DueTime> Scheduler::Advance(const sync::DesiredState& desired, absl::Time now) {
  Follow(desired);
  wake_at_ = absl::InfiniteFuture();
  std::vector<DueTime> due;
  for (const auto& [resource, entry] : entries_) {
    if (std::optional<DueTime> one = Check(resource, entry, now)) due.push_back(*std::move(one));
  }
  return due;
}

std::optional<DueTime> Scheduler::Check(const std::string& resource, const Entry& entry,
                                        absl::Time now) {
  if (!entry.enabled || !entry.problem.empty()) return std::nullopt;
  v1::ScheduleRecord& record = records_[resource];
  const absl::Time last = base::FromProto(record.last());
  const auto deal_with = [&] {
    record.set_resource(resource);
    record.set_schedule(entry.key);
    *record.mutable_last() = base::ToProto(now);
    changed_[resource] = record;
  };
  std::optional<DueTime> due;
  if (record.schedule() != entry.key || last > now + kClockWasWrong) {
    deal_with();
  } else if (const auto next = entry.schedule->Next(last, entry.zone); next && *next <= now) {
    const auto recent = entry.schedule->Next(std::max(last, now - kLate), entry.zone);
    const bool on_time = recent && *recent <= now;
    if (on_time || entry.catch_up) due = DueTime{resource, on_time ? *recent : *next, !on_time};
    deal_with();
  }
  const auto next = entry.schedule->Next(std::max(now, last), entry.zone);
  if (next) wake_at_ = std::min(wake_at_, *next);
  return due;
}

void Scheduler::NoteRun(const std::string& resource, absl::Time now) {
  v1::ScheduleRecord& record = records_[resource];
  *record.mutable_last_run() = base::ToProto(now);
  changed_[resource] = record;
}

void Scheduler::TakeChanged(store::StoreBatch& batch) {
  for (auto& [resource, record] : changed_) batch.put_schedules.push_back(std::move(record));
  changed_.clear();
  for (std::string& resource : deleted_) batch.delete_schedules.push_back(std::move(resource));
  deleted_.clear();
}

v1::ListSchedulesResponse Scheduler::List(const std::string& resource, absl::Time now) const {
  v1::ListSchedulesResponse list;
  for (const auto& [name, entry] : entries_) {
    if (!resource.empty() && name != resource) continue;
    v1::ListSchedulesResponse::Schedule& shown = *list.add_schedules();
    shown.set_resource(name);
    shown.set_schedule(entry.text);
    shown.set_timezone(entry.zone_name);
    shown.set_enabled(entry.enabled);
    shown.set_catch_up(entry.catch_up);
    shown.set_problem(entry.problem);
    const auto record = records_.find(name);
    if (record != records_.end() && record->second.has_last_run()) {
      *shown.mutable_last_run() = record->second.last_run();
    }
    if (!entry.enabled || !entry.problem.empty()) continue;
    for (const absl::Time time : entry.schedule->NextTimes(now, entry.zone, kTimesShown)) {
      *shown.add_next() = base::ToProto(time);
    }
  }
  return list;
}

}  // namespace fairlead::actions
