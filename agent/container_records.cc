#include "agent/container_records.h"

#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

json::object ToJson(const ContainerRecord& record) {
  json::object sections;
  for (const auto& [section, hash] : record.section_hash) sections[section] = hash;
  json::object object = {{"resource", record.resource},
                         {"spec_hash", record.spec_hash},
                         {"action", record.action},
                         {"adopted", record.adopted},
                         {"sections", std::move(sections)}};
  if (!record.probe.empty()) object["probe"] = record.probe;
  if (record.aside) {
    object["aside"] = {{"restart_policy", record.aside->restart_policy},
                       {"was_running", record.aside->was_running}};
  }
  return object;
}

ContainerRecord FromJson(const json::object& object) {
  ContainerRecord record;
  record.resource = TextAt(object, {"resource"});
  record.spec_hash = TextAt(object, {"spec_hash"});
  record.action = TextAt(object, {"action"});
  record.adopted = FlagAt(object, {"adopted"});
  record.probe = TextAt(object, {"probe"});
  if (const json::object* sections = ObjectAt(object, {"sections"}); sections != nullptr) {
    for (const auto& [section, hash] : *sections) {
      const std::string name(section.data(), section.size());
      record.section_hash[name] = TextAt(*sections, {name});
    }
  }
  if (ObjectAt(object, {"aside"}) != nullptr) {
    record.aside = ContainerRecord::Aside{TextAt(object, {"aside", "restart_policy"}),
                                          FlagAt(object, {"aside", "was_running"})};
  }
  return record;
}

}  // namespace

ContainerRecords::ContainerRecords(const std::string& path) : ContainerRecords(FileStorage(path)) {}

ContainerRecords::ContainerRecords(RecordStorage storage) : storage_(std::move(storage)) {}

absl::Status ContainerRecords::Load() {
  const absl::StatusOr<std::string> text = storage_.read();
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_object()) {
    return absl::DataLossError(absl::StrCat(storage_.name, " does not hold container records"));
  }
  base::MutexLock lock(mutex_);
  for (const auto& [id, member] : value.as_object()) {
    if (member.is_object()) {
      records_[std::string(id.data(), id.size())] = FromJson(member.as_object());
    }
  }
  return absl::OkStatus();
}

std::optional<ContainerRecord> ContainerRecords::Find(const std::string& id) const {
  base::MutexLock lock(mutex_);
  const auto found = records_.find(id);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

std::map<std::string, ContainerRecord> ContainerRecords::All() const {
  base::MutexLock lock(mutex_);
  return records_;
}

absl::Status ContainerRecords::Put(const std::string& id, const ContainerRecord& record) {
  base::MutexLock lock(mutex_);
  ContainerRecord& slot = records_[id];
  if (slot == record) return absl::OkStatus();
  slot = record;
  return SaveLocked();
}

absl::Status ContainerRecords::Remove(const std::string& id) {
  base::MutexLock lock(mutex_);
  return records_.erase(id) == 0 ? absl::OkStatus() : SaveLocked();
}

absl::Status ContainerRecords::SaveLocked() {
  json::object all;
  for (const auto& [id, record] : records_) all[id] = ToJson(record);
  return storage_.write(std::string(json::serialize(all)));
}

}  // namespace fairlead::agent
