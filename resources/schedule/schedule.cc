#include "resources/schedule/schedule.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "resources/schedule/cron_text.h"
#include "resources/schedule/english_text.h"

namespace fairlead::resources {
namespace {

using Reading = std::variant<CalendarFields, ScheduleError>;

constexpr int kLastYear = 9999;
// In bytes.
constexpr std::size_t kLongestText = 1000;

// Local time from a moment on, as far as it runs without a jump.
struct Span {
  absl::CivilSecond begin;
  // Where local time jumps, or the search ends.
  absl::CivilSecond end;
  // Local times from here to `begin` do not exist: a jump over them is at the first moment.
  absl::CivilSecond skipped_from;
  // Local times from `begin` to here have been before the last jump.
  absl::CivilSecond repeated_until;
  // When local time jumps at `end`; none when it never does.
  std::optional<absl::Time> jump;
};

Span SpanFrom(absl::Time start, absl::TimeZone zone, absl::CivilSecond limit) {
  Span span;
  span.begin = zone.At(start).cs;
  span.end = limit;
  span.skipped_from = span.begin;
  span.repeated_until = span.begin;
  absl::TimeZone::CivilTransition transition;
  // Transitions are found strictly before a moment, and the one at `start` counts.
  if (zone.PrevTransition(start + absl::Seconds(1), &transition)) {
    span.repeated_until = std::max(span.begin, transition.from);
    if (transition.to == span.begin) span.skipped_from = std::min(span.begin, transition.from);
  }
  if (zone.NextTransition(start, &transition)) {
    span.end = std::min(limit, transition.from);
    span.jump = zone.At(transition.to).trans;
  }
  return span;
}

// The text is meant as the other format, right or wrong.
bool IsMeantAsOther(ScheduleFormat format, absl::string_view text) {
  constexpr absl::string_view kCronBytes = "0123456789*/,-?";
  text = absl::StripAsciiWhitespace(text);
  if (format == ScheduleFormat::kCron) {
    return absl::ascii_isalpha(static_cast<unsigned char>(text.front()));
  }
  if (text.front() == '@') return true;
  // The first two fields have no names.
  const std::size_t first = std::min(text.find_first_not_of(kCronBytes), text.size());
  const absl::string_view rest = absl::StripLeadingAsciiWhitespace(text.substr(first));
  const std::size_t second = std::min(rest.find_first_not_of(kCronBytes), rest.size());
  return first > 0 && rest.size() < text.size() - first && second > 0 &&
         (second == rest.size() || rest[second] == ' ');
}

ScheduleError OtherFormatError(ScheduleFormat format) {
  if (format == ScheduleFormat::kCron) {
    return {0, "this is an English phrase where cron is expected",
            "set schedule_format = \"English\", or leave it out"};
  }
  return {0, "this is cron where an English phrase is expected", "set schedule_format = \"Cron\""};
}

}  // namespace

std::optional<absl::Time> Schedule::Next(absl::Time after, absl::TimeZone zone) const {
  if (after == absl::InfinitePast() || after == absl::InfiniteFuture()) return std::nullopt;
  const absl::CivilSecond local = zone.At(after).cs;
  if (local.year() < 1 || local.year() > kLastYear) return std::nullopt;
  const absl::CivilSecond limit =
      absl::CivilSecond(absl::CivilYear(local) + CalendarFields::kRarestYears + 1);
  absl::Time start = absl::FromUnixSeconds(absl::ToUnixSeconds(after) + 1);
  while (true) {
    const Span span = SpanFrom(start, zone, limit);
    if (!fields_.EveryHour() && fields_.FirstMatch(span.skipped_from, span.begin)) return start;
    const absl::CivilSecond from = fields_.IsRhythm() ? span.begin : span.repeated_until;
    if (const auto match = fields_.FirstMatch(from, span.end)) {
      return start + absl::Seconds(*match - span.begin);
    }
    if (!span.jump.has_value() || span.end >= limit) return std::nullopt;
    start = *span.jump;
  }
}

std::vector<absl::Time> Schedule::NextTimes(absl::Time after, absl::TimeZone zone,
                                            std::size_t count) const {
  std::vector<absl::Time> times;
  while (times.size() < count) {
    const std::optional<absl::Time> next = Next(after, zone);
    if (!next.has_value()) break;
    times.push_back(*next);
    after = *next;
  }
  return times;
}

std::variant<Schedule, ScheduleError> ReadSchedule(ScheduleFormat format, absl::string_view text) {
  if (absl::StripAsciiWhitespace(text).empty()) {
    return ScheduleError{0, "the schedule is empty",
                         "write a phrase such as \"Every day at 03:00\""};
  }
  if (text.size() > kLongestText) {
    return ScheduleError{0, absl::StrCat("the schedule has more than ", kLongestText, " bytes"),
                         "use several schedules"};
  }
  const bool cron = format == ScheduleFormat::kCron;
  const Reading reading = cron ? ReadCron(text) : ReadEnglishSchedule(text);
  if (const auto* error = std::get_if<ScheduleError>(&reading)) {
    return IsMeantAsOther(format, text) ? OtherFormatError(format) : *error;
  }
  const auto& fields = std::get<CalendarFields>(reading);
  if (!fields.EverMatches()) {
    return ScheduleError{
        0, "the schedule never happens: no month it names has such a day",
        "name a day that the month has, or the last day of the month (in cron \"L\")"};
  }
  return Schedule(fields);
}

absl::StatusOr<Schedule> ParseSchedule(ScheduleFormat format, absl::string_view text) {
  const std::variant<Schedule, ScheduleError> reading = ReadSchedule(format, text);
  if (const auto* schedule = std::get_if<Schedule>(&reading)) return *schedule;
  const auto& error = std::get<ScheduleError>(reading);
  return absl::InvalidArgumentError(
      absl::StrCat("schedule \"", text, "\": column ", error.offset + 1, ": ", error.message,
                   error.suggestion.empty() ? "" : "; ", error.suggestion));
}

}  // namespace fairlead::resources
