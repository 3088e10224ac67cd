// When procedures and syncs run by the clock. Without I/O: the time goes in, what is due comes out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "controller/store/store.h"
#include "fairlead/v1/service.pb.h"
#include "fairlead/v1/state.pb.h"
#include "resources/schedule/schedule.h"
#include "sync/desired.h"

namespace fairlead::actions {

// A time of a schedule that has come.
struct DueTime {
  std::string resource;
  absl::Time at;
  // The controller was away then.
  bool missed = false;
};

// A time counts once: what was dealt with is in the records before it is acted on. Several times
// that were missed are one; without catch_up none. Confined to one thread.
class Scheduler {
 public:
  // `local` is the zone of schedules that name none.
  Scheduler(const store::StoreImage& image, absl::TimeZone local);

  // What is due now, in order of resource.
  std::vector<DueTime> Advance(const sync::DesiredState& desired, absl::Time now);
  // It has run: what people see as its last run.
  void NoteRun(const std::string& resource, absl::Time now);
  absl::Time wake_at() const { return wake_at_; }

  // Since the last call.
  void TakeChanged(store::StoreBatch& batch);

  // As people see them; of one resource, or of all.
  v1::ListSchedulesResponse List(const std::string& resource, absl::Time now) const;

 private:
  struct Entry {
    std::string text;
    std::string zone_name;
    // Schedule and zone as one text: another one begins anew.
    std::string key;
    bool enabled = false;
    bool catch_up = false;
    std::optional<resources::Schedule> schedule;
    absl::TimeZone zone;
    // Why it does not count.
    std::string problem;
  };

  void Follow(const sync::DesiredState& desired);
  // Nullopt for what has no schedule.
  std::optional<Entry> MakeEntry(const sync::DesiredResource& desired) const;
  std::optional<DueTime> Check(const std::string& resource, const Entry& entry, absl::Time now);

  const absl::TimeZone local_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, v1::ScheduleRecord> records_;
  std::map<std::string, v1::ScheduleRecord> changed_;
  std::vector<std::string> deleted_;
  // Of the desired state that the entries are of; 0: none.
  uint64_t generation_ = 0;
  absl::Time wake_at_ = absl::InfinitePast();
};

}  // namespace fairlead::actions
