#include "resources/schedule/cron_text.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/schedule/calendar_words.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

// A piece of the text and where it begins in it.
struct Piece {
  absl::string_view text;
  std::size_t offset = 0;
};

std::vector<Piece> SplitOn(Piece whole, absl::string_view separators, bool skip_empty) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  while (begin <= whole.text.size()) {
    const std::size_t end =
        std::min(whole.text.find_first_of(separators, begin), whole.text.size());
    const Piece piece{whole.text.substr(begin, end - begin), whole.offset + begin};
    if (!piece.text.empty() || !skip_empty) pieces.push_back(piece);
    begin = end + 1;
  }
  return pieces;
}

using Naming = std::optional<int> (*)(absl::string_view word);

// What the fields of cron hold.
struct FieldForm {
  absl::string_view name;
  int lowest;
  int highest;
  // Ranges may run over the end, as in "FRI-MON".
  bool cyclic = false;
  // "?" stands for "*".
  bool open = false;
  Naming number_of = nullptr;

  // Of the values that differ: 7 is Sunday again.
  int Last() const { return highest == 7 ? 6 : highest; }
  int Count() const { return Last() - lowest + 1; }
};

constexpr FieldForm kSecond = {"second", 0, 59};
constexpr FieldForm kMinute = {"minute", 0, 59};
constexpr FieldForm kHour = {"hour", 0, 23};
constexpr FieldForm kDay = {"day of month", 1, 31, false, true};
constexpr FieldForm kMonth = {"month", 1, 12, true, false, &MonthOf};
constexpr FieldForm kWeekday = {"day of week", 0, 7, true, true, &WeekdayOf};

struct Name {
  absl::string_view name;
  absl::string_view cron;
};

constexpr Name kNames[] = {
    {"@yearly", "0 0 1 1 *"},   {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * SUN"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

// Reads one text; the first error ends the reading. The functions return false after an error.
class CronReader {
 public:
  std::variant<CalendarFields, ScheduleError> Read(Piece whole) {
    const std::vector<Piece> pieces = SplitOn(whole, " \t\r\n", true);
    if (!pieces.empty() && pieces[0].text.front() == '@') return ReadName(pieces[0]);
    if (pieces.size() < 5 || pieces.size() > 6) return ReportCount(pieces);
    std::size_t next = 0;
    if (pieces.size() == 5) {
      fields_.seconds.set = NumbersFrom(0, 0);
    } else if (!ReadClock(pieces[next++], kSecond, &fields_.seconds)) {
      return error_;
    }
    const bool ok =
        ReadClock(pieces[next], kMinute, &fields_.minutes) &&
        ReadSet(pieces[next + 1], kHour, &fields_.hours) && ReadDays(pieces[next + 2]) &&
        ReadSet(pieces[next + 3], kMonth, &fields_.months) && ReadWeekdays(pieces[next + 4]);
    if (!ok) return error_;
    return fields_;
  }

 private:
  // One item of a field: a star, a number, a range, or one of them with a step.
  struct Item {
    int first = 0;
    int last = 0;
    int step = 1;

    bool IsNumber() const { return first == last; }
  };

  std::variant<CalendarFields, ScheduleError> ReadName(Piece piece);
  ScheduleError ReportCount(const std::vector<Piece>& pieces);
  bool ReadClock(Piece piece, const FieldForm& form, ClockField* field);
  bool ReadSet(Piece piece, const FieldForm& form, NumberSet* set);
  bool ReadDays(Piece piece);
  bool ReadWeekdays(Piece piece);
  bool ReadWeekdayOfMonth(Piece day, Piece week);
  bool ReadItem(Piece piece, const FieldForm& form, NumberSet* set, Item* item);
  bool ReadRange(Piece piece, const FieldForm& form, Item* item);
  bool ReadStep(Piece piece, const FieldForm& form, Item* item);
  bool ReadNumber(Piece piece, const FieldForm& form, int* number);
  bool Fail(Piece piece, std::string message, std::string suggestion = "") {
    error_ = {piece.offset, std::move(message), std::move(suggestion)};
    return false;
  }

  CalendarFields fields_;
  ScheduleError error_;
};

std::variant<CalendarFields, ScheduleError> CronReader::ReadName(Piece piece) {
  std::vector<std::string> names;
  for (const Name& name : kNames) {
    names.emplace_back(name.name);
    if (absl::EqualsIgnoreCase(name.name, piece.text)) return Read({name.cron, 0});
  }
  if (absl::EqualsIgnoreCase(piece.text, "@every")) {
    return ScheduleError{piece.offset, "\"@every\" is not supported",
                         "for every 5 minutes write \"*/5 * * * *\""};
  }
  std::string suggestion = DidYouMean(piece.text, names);
  if (suggestion.empty()) suggestion = absl::StrCat("known are ", absl::StrJoin(names, ", "));
  return ScheduleError{piece.offset, absl::StrCat("unknown name \"", piece.text, "\""), suggestion};
}

ScheduleError CronReader::ReportCount(const std::vector<Piece>& pieces) {
  std::string message =
      absl::StrCat("cron has 5 fields, or 6 with seconds first; this has ", pieces.size());
  if (pieces.size() == 7) {
    return {pieces[6].offset, std::move(message), "years are not supported: leave out the last"};
  }
  const std::size_t offset = pieces.size() > 6 ? pieces[6].offset : pieces.back().offset;
  return {offset, std::move(message), "for every day at 03:00 write \"0 0 3 * * *\""};
}

bool CronReader::ReadClock(Piece piece, const FieldForm& form, ClockField* field) {
  if (!ReadSet(piece, form, &field->set)) return false;
  field->rhythm = !absl::StrContains(piece.text, ',') && (field->set & (field->set - 1)) != 0;
  return true;
}

bool CronReader::ReadSet(Piece piece, const FieldForm& form, NumberSet* set) {
  for (const Piece part : SplitOn(piece, ",", false)) {
    Item item;
    if (!ReadItem(part, form, set, &item)) return false;
  }
  return true;
}

bool CronReader::ReadDays(Piece piece) {
  for (const Piece part : SplitOn(piece, ",", false)) {
    const std::string text = absl::AsciiStrToUpper(part.text);
    Item item;
    if (text == "L") {
      fields_.days |= NumbersFrom(CalendarFields::kLastDay, CalendarFields::kLastDay);
    } else if (absl::EndsWith(text, "W")) {
      return Fail(part, absl::StrCat("\"", part.text, "\": the nearest weekday is not supported"),
                  "name a day, or a weekday of the month such as MON#1 in the last field");
    } else if (absl::StartsWith(text, "L-")) {
      return Fail(part, absl::StrCat("\"", part.text, "\": days before the last are not supported"),
                  "the last day of the month is \"L\"");
    } else if (!ReadItem(part, kDay, &fields_.days, &item)) {
      return false;
    }
  }
  return true;
}

bool CronReader::ReadWeekdays(Piece piece) {
  NumberSet days = 0;
  for (const Piece part : SplitOn(piece, ",", false)) {
    const std::vector<Piece> halves = SplitOn(part, "#", false);
    Item item;
    if (halves.size() == 2) {
      if (!ReadWeekdayOfMonth(halves[0], halves[1])) return false;
    } else if (part.text.size() > 1 && absl::EndsWithIgnoreCase(part.text, "L")) {
      const std::size_t size = part.text.size() - 1;
      if (!ReadWeekdayOfMonth({part.text.substr(0, size), part.offset}, {"L", 0})) return false;
    } else if (!ReadItem(part, kWeekday, &days, &item)) {
      return false;
    }
  }
  if (Holds(days, 7)) days |= NumbersFrom(0, 0);
  fields_.weekdays[CalendarFields::kAnyWeek] = days & NumbersFrom(0, 6);
  return true;
}

bool CronReader::ReadWeekdayOfMonth(Piece day, Piece week) {
  int weekday = 0;
  int place = static_cast<int>(CalendarFields::kLastWeek);
  if (!ReadNumber(day, kWeekday, &weekday)) return false;
  if (!absl::EqualsIgnoreCase(week.text, "L") &&
      (!absl::SimpleAtoi(week.text, &place) || place < 1 || place > 5)) {
    return Fail(week,
                absl::StrCat("the week after '#' must be 1 to 5 or L, found \"", week.text, "\""));
  }
  weekday %= 7;
  fields_.weekdays[static_cast<std::size_t>(place)] |= NumbersFrom(weekday, weekday);
  return true;
}

bool CronReader::ReadItem(Piece piece, const FieldForm& form, NumberSet* set, Item* item) {
  if (piece.text.empty()) {
    return Fail(piece, absl::StrCat("the ", form.name, " has an empty item"),
                "write * for each value");
  }
  const std::vector<Piece> halves = SplitOn(piece, "/", false);
  if (halves.size() > 2) {
    return Fail(halves[2], absl::StrCat("the ", form.name, " \"", piece.text, "\" has two steps"));
  }
  if (!ReadRange(halves[0], form, item)) return false;
  if (halves.size() == 2 && !ReadStep(halves[1], form, item)) return false;
  // Beyond the highest a range goes on at the lowest.
  for (int number = item->first; number <= item->last; number += item->step) {
    const int wrapped = number > form.highest ? number - form.Count() : number;
    *set |= NumbersFrom(wrapped, wrapped);
  }
  return true;
}

bool CronReader::ReadRange(Piece piece, const FieldForm& form, Item* item) {
  if (piece.text == "*" || (form.open && piece.text == "?")) {
    *item = {form.lowest, form.Last()};
    return true;
  }
  const std::vector<Piece> ends = SplitOn(piece, "-", false);
  if (ends.size() > 2 || ends.front().text.empty() || ends.back().text.empty()) {
    return Fail(piece, absl::StrCat("the ", form.name, " \"", piece.text, "\" is no range"),
                absl::StrCat("a range is such as ", form.lowest, "-", form.Last()));
  }
  if (!ReadNumber(ends[0], form, &item->first)) return false;
  item->last = item->first;
  if (ends.size() == 1) return true;
  if (!ReadNumber(ends[1], form, &item->last)) return false;
  if (item->last >= item->first) return true;
  if (form.cyclic) {
    item->last += form.Count();
    return true;
  }
  return Fail(
      piece, absl::StrCat("the ", form.name, " range ", piece.text, " runs backwards"),
      absl::StrCat("write ", ends[0].text, "-", form.highest, ",", form.lowest, "-", ends[1].text));
}

bool CronReader::ReadStep(Piece piece, const FieldForm& form, Item* item) {
  if (!absl::SimpleAtoi(piece.text, &item->step) || item->step < 1 || item->step >= form.Count()) {
    return Fail(piece,
                absl::StrCat("the step of the ", form.name, " must be a number from 1 to ",
                             form.Count() - 1, ", found \"", piece.text, "\""),
                "a step counts within its field; longer ones go into the next field");
  }
  // A number with a step begins there, as in "5/15".
  if (item->IsNumber()) {
    item->first = item->first > form.Last() ? form.lowest : item->first;
    item->last = form.Last();
  }
  return true;
}

bool CronReader::ReadNumber(Piece piece, const FieldForm& form, int* number) {
  if (form.number_of != nullptr) {
    if (const std::optional<int> named = form.number_of(piece.text)) {
      *number = *named;
      return true;
    }
  }
  std::string allowed = absl::StrCat(form.lowest, " to ", form.highest);
  if (form.number_of != nullptr) absl::StrAppend(&allowed, " or a name such as ");
  if (form.number_of == &MonthOf) allowed += "JAN";
  if (form.number_of == &WeekdayOf) allowed += "MON";
  const bool digits =
      !piece.text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(piece.text.front()));
  if (!digits || !absl::SimpleAtoi(piece.text, number)) {
    return Fail(
        piece,
        absl::StrCat("the ", form.name, " must be ", allowed, ", found \"", piece.text, "\""),
        piece.text == "?" ? "\"?\" stands in the day fields only: write *" : "");
  }
  if (*number < form.lowest || *number > form.highest) {
    return Fail(piece, absl::StrCat("the ", form.name, " must be ", allowed, ", found ", *number));
  }
  return true;
}

}  // namespace

std::variant<CalendarFields, ScheduleError> ReadCron(absl::string_view text) {
  return CronReader().Read({text, 0});
}

}  // namespace fairlead::resources
