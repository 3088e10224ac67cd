// What values mean beyond their type and form.
#include <cstddef>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"

#include "resources/field_reader.h"
#include "resources/schedule/schedule.h"
#include "resources/schedule/time_zone_name.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Message;

constexpr absl::string_view kFormatKey = "schedule_format";
constexpr absl::string_view kCron = "Cron";

// The format that the message names for its schedule; English where it names none.
ScheduleFormat FormatOf(const Message& message, const FieldTable& fields) {
  const Field* format = fields.Find(kFormatKey);
  if (format == nullptr) return ScheduleFormat::kEnglish;
  const int number = message.GetReflection()->GetEnumValue(message, format->descriptor);
  return format->TextOf(number) == kCron ? ScheduleFormat::kCron : ScheduleFormat::kEnglish;
}

}  // namespace

void FieldReader::CheckValues(const FieldTable& fields, const SeenKeys& seen,
                              const Message& message) {
  for (const Field& field : fields.fields) {
    const TomlEntry* entry = seen[field.index];
    if (entry == nullptr || entry->value.type != TomlValue::Type::kString ||
        entry->value.text.empty()) {
      continue;
    }
    if (field.rule->check() == v1::CHECK_SCHEDULE) {
      CheckSchedule(field, entry->value, FormatOf(message, fields) == ScheduleFormat::kCron);
    } else if (field.rule->check() == v1::CHECK_TIME_ZONE) {
      CheckTimeZone(field, entry->value);
    }
  }
}

void FieldReader::CheckSchedule(const Field& field, const TomlValue& value, bool cron) {
  const auto reading =
      ReadSchedule(cron ? ScheduleFormat::kCron : ScheduleFormat::kEnglish, value.text);
  const auto* error = std::get_if<ScheduleError>(&reading);
  if (error == nullptr) return;
  ReportError("bad-value", PositionInText(value, error->offset),
              absl::StrCat("\"", field.key, "\" cannot be read: ", error->message),
              error->suggestion);
}

void FieldReader::CheckTimeZone(const Field& field, const TomlValue& value) {
  if (FindTimeZone(value.text).ok()) return;
  ReportBadValue(value,
                 absl::StrCat("\"", field.key, "\" names no time zone: \"", value.text, "\""),
                 SuggestTimeZone(value.text));
}

SourcePosition FieldReader::PositionInText(const TomlValue& value, std::size_t offset) const {
  SourcePosition position = source_.Map(value.position);
  // Only where the file holds the text as it is, after one quote.
  const absl::string_view line = source_.Line(position.line);
  if (position.column > 0 && position.column < line.size() &&
      line.substr(position.column, value.text.size()) == value.text) {
    position.column += 1 + static_cast<uint32_t>(offset);
  }
  return position;
}

}  // namespace fairlead::resources
