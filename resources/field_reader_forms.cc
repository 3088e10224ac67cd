// The textual forms that fields accept beside their own type.
#include <google/protobuf/duration.pb.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

#include "resources/field_reader.h"
#include "resources/key_values.h"
#include "resources/line_form.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;

// Of google.protobuf.Duration: about 10,000 years.
constexpr int64_t kLongestSeconds = 315576000000;

std::vector<std::string> SplitStringList(absl::string_view text) {
  std::vector<std::string> out;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    line = line.substr(0, line.find(" #"));
    for (const absl::string_view item : absl::StrSplit(line, ',')) {
      const absl::string_view trimmed = absl::StripAsciiWhitespace(item);
      if (!trimmed.empty()) out.emplace_back(trimmed);
    }
  }
  return out;
}

absl::string_view NthLine(absl::string_view text, std::size_t index) {
  std::size_t current = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (current++ == index) return line;
  }
  return {};
}

}  // namespace

void FieldReader::ReadStringList(const Field& field, const TomlValue& value, Message* out) {
  const Reflection* reflection = out->GetReflection();
  const bool text_form = field.rule->form() == v1::FORM_STRING_LIST;
  const bool is_text = value.type == TomlValue::Type::kString;
  if (value.type != TomlValue::Type::kArray && !(text_form && is_text)) {
    ReportWrongType(field.key, value,
                    text_form ? "a string or an array of strings" : "an array of strings",
                    is_text ? "put it in brackets: [\"...\"]" : "");
    return;
  }
  reflection->ClearField(out, field.descriptor);
  if (is_text) {
    for (std::string& item : SplitStringList(value.text)) {
      reflection->AddString(out, field.descriptor, std::move(item));
    }
    return;
  }
  for (const TomlValue& item : value.items) ReadText(field, item, out);
}

void FieldReader::ReadFileContents(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kString) {
    ReportWrongType(field.key, value, "a string");
    return;
  }
  std::string text(absl::StripTrailingAsciiWhitespace(value.text));
  if (!text.empty()) text += '\n';
  out->GetReflection()->SetString(out, field.descriptor, std::move(text));
}

void FieldReader::ReadLines(const Field& field, const TomlValue& value, Message* out) {
  std::string text;
  const LineForm& form = *FindLineForm(field.rule->form());
  if (value.type == TomlValue::Type::kString) {
    text = value.text;
    if (!text.empty() && text.back() != '\n') text += '\n';
    if (const auto bad = FindLineWithoutSeparator(text)) {
      ReportError("bad-value", source_.LineOfString(value.position, *bad, NthLine(text, *bad)),
                  absl::StrCat("line ", *bad + 1, " of \"", field.key,
                               "\" has no '=' or ':' between name and value"),
                  absl::StrCat("write it as ", form.first, form.separator, form.second));
      return;
    }
  } else if (value.type == TomlValue::Type::kArray) {
    if (!ReadPairs(field, value, &text)) return;
  } else {
    ReportWrongType(field.key, value, "a string of lines or an array of tables");
    return;
  }
  out->GetReflection()->SetString(out, field.descriptor, std::move(text));
}

bool FieldReader::ReadPairs(const Field& field, const TomlValue& value, std::string* text) {
  const LineForm& form = *FindLineForm(field.rule->form());
  bool ok = true;
  for (const TomlValue& item : value.items) {
    if (item.type != TomlValue::Type::kTable) {
      ReportWrongType(field.key, item,
                      absl::StrCat("a table {", form.first, ", ", form.second, "}"));
      ok = false;
      continue;
    }
    for (const TomlEntry& entry : item.entries) {
      if (entry.key == form.first || entry.key == form.second) continue;
      ReportUnknownKey(entry, absl::StrCat("\"", field.key, "\""),
                       DidYouMean(entry.key, {std::string(form.first), std::string(form.second)}));
    }
    std::string first;
    std::string second;
    if (!ReadPairMember(field, item, form.first, &first) ||
        !ReadPairMember(field, item, form.second, &second)) {
      ok = false;
      continue;
    }
    absl::StrAppend(text, "  ", first, form.separator, second, "\n");
  }
  return ok;
}

bool FieldReader::ReadPairMember(const Field& field, const TomlValue& pair, absl::string_view key,
                                 std::string* text) {
  for (const TomlEntry& entry : pair.entries) {
    if (entry.key != key) continue;
    if (entry.value.type != TomlValue::Type::kString) {
      ReportWrongType(entry.key, entry.value, "a string");
      return false;
    }
    *text = entry.value.text;
    // The pairs are kept as lines, in which these would change the meaning.
    if (absl::StrContains(*text, '\n') || absl::StrContains(*text, " #")) {
      ReportBadValue(
          entry.value,
          absl::StrCat("\"", key, "\" in \"", field.key, "\" must not hold a line end or \" #\""),
          "take it out: in the lines it is kept as, it would end the value");
      return false;
    }
    return true;
  }
  ReportMissingKey(pair, std::string(key), absl::StrCat("\"", field.key, "\""));
  return false;
}

void FieldReader::ReadVersion(const Field& field, const TomlValue& value, Message* out) {
  const Reflection* reflection = out->GetReflection();
  Message* version = reflection->MutableMessage(out, field.descriptor);
  version->Clear();
  if (value.type == TomlValue::Type::kTable) {
    ReadMessage(value, *field.message, absl::StrCat("\"", field.key, "\""), nullptr, version);
  } else if (value.type == TomlValue::Type::kString) {
    const std::vector<std::string> parts = absl::StrSplit(value.text, '.');
    for (std::size_t i = 0; i < field.message->fields.size() && i < parts.size(); ++i) {
      int32_t number = 0;
      if (!absl::SimpleAtoi(parts[i], &number) || number < 0) {
        ReportBadValue(value, absl::StrCat("\"", field.key, "\" must look like \"1.2.3\", found \"",
                                           value.text, "\""));
        break;
      }
      version->GetReflection()->SetInt32(version, field.message->fields[i].descriptor, number);
    }
  } else {
    ReportWrongType(field.key, value, "a version such as \"1.2.3\"");
  }
  if (version->ByteSizeLong() == 0) reflection->ClearField(out, field.descriptor);
}

void FieldReader::ReadDuration(const Field& field, const TomlValue& value, Message* out) {
  absl::Duration duration;
  if (value.type == TomlValue::Type::kInteger) {
    duration = absl::Seconds(value.integer);
  } else if (value.type != TomlValue::Type::kString) {
    ReportWrongType(field.key, value, "seconds or a text such as \"90s\"");
    return;
  } else if (!absl::ParseDuration(value.text, &duration)) {
    ReportBadValue(value, absl::StrCat("\"", field.key, "\" must be a duration such as \"90s\", ",
                                       "\"3m\" or \"1h30m\", found \"", value.text, "\""));
    return;
  }
  if (duration < absl::ZeroDuration() || duration > absl::Seconds(kLongestSeconds)) {
    ReportBadValue(value,
                   duration < absl::ZeroDuration()
                       ? absl::StrCat("\"", field.key, "\" must not be negative")
                       : absl::StrCat("\"", field.key, "\" is longer than 10,000 years"),
                   "write 0s or more, such as \"90s\"");
    return;
  }
  google::protobuf::Duration stored;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &duration);
  stored.set_seconds(seconds);
  stored.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  out->GetReflection()->MutableMessage(out, field.descriptor)->CopyFrom(stored);
}

}  // namespace fairlead::resources
