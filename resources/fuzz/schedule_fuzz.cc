// Any text as a schedule: reading ends, an error points into the text, what is read runs later
// than now and its description reads as the same schedule.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/testing/require.h"
#include "resources/schedule/schedule.h"

namespace fairlead::resources {
namespace {

using base::Require;

void CheckRuns(const Schedule& schedule, absl::string_view input) {
  const absl::Time now = absl::FromUnixSeconds(1'711'800'000);
  const std::optional<absl::Time> next = schedule.Next(now, absl::UTCTimeZone());
  Require(next.has_value(), "a schedule that is read happens", input);
  Require(*next > now, "the next run is later", input);
  const auto again = ReadSchedule(ScheduleFormat::kCron, schedule.Describe());
  Require(std::holds_alternative<Schedule>(again), "a description is cron", input);
  Require(std::get<Schedule>(again) == schedule, "a description is the same schedule", input);
}

void CheckSchedule(absl::string_view input) {
  for (const ScheduleFormat format : {ScheduleFormat::kEnglish, ScheduleFormat::kCron}) {
    const auto reading = ReadSchedule(format, input);
    if (const auto* error = std::get_if<ScheduleError>(&reading)) {
      Require(error->offset <= input.size(), "an error points into the text", input);
      Require(!error->message.empty(), "an error says what is wrong", input);
    } else {
      CheckRuns(std::get<Schedule>(reading), input);
    }
  }
}

}  // namespace
}  // namespace fairlead::resources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  fairlead::resources::CheckSchedule(absl::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
