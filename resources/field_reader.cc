#include "resources/field_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/field_defaults.h"
#include "resources/spelling.h"

namespace fairlead::resources {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void FieldReader::ReadMessage(const TomlValue& table, const FieldTable& fields,
                              const std::string& where, const Hint& hint, Message* out) {
  SeenKeys seen(fields.fields.size());
  for (const TomlEntry& entry : table.entries) {
    const Field* field = fields.Find(entry.key);
    if (field == nullptr) {
      std::string suggestion = hint ? hint(entry.key) : "";
      if (suggestion.empty() && !full()) {
        std::vector<std::string> keys;
        for (const Field& known : fields.fields) {
          keys.push_back(known.key);
          keys.insert(keys.end(), known.rule->alias().begin(), known.rule->alias().end());
        }
        suggestion = DidYouMean(entry.key, keys);
      }
      ReportUnknownKey(entry, where, suggestion);
    } else if (MarkSeen(*field, entry, &seen)) {
      ReadField(*field, entry, out);
    }
  }
  CheckValues(fields, seen, *out);
  ReportMissing(table, fields, seen, where);
}

bool FieldReader::MarkSeen(const Field& field, const TomlEntry& entry, SeenKeys* seen) {
  const TomlEntry*& first = (*seen)[field.index];
  if (first == nullptr) {
    first = &entry;
    return true;
  }
  ReportError("duplicate-field", source_.Map(entry.position),
              absl::StrCat("\"", entry.key, "\" and \"", first->key, "\" on line ",
                           first->position.line, " are the same field"),
              "keep one of them");
  return false;
}

void FieldReader::ReadField(const Field& field, const TomlEntry& entry, Message* out) {
  const bool outer = secret_;
  // A variable may turn secret by a later key, so its value is never shown.
  secret_ = outer || field.rule->secret() ||
            (field.key == "value" && out->GetDescriptor()->FindFieldByName("is_secret") != nullptr);
  switch (field.rule->form()) {
    case v1::FORM_STRING_LIST:
    case v1::FORM_ARRAY_ONLY:
      ReadStringList(field, entry.value, out);
      break;
    case v1::FORM_ENV_LIST:
    case v1::FORM_LABELS_LIST:
    case v1::FORM_CONVERSION_LIST:
    case v1::FORM_TERM_LABEL_LIST:
      ReadLines(field, entry.value, out);
      break;
    case v1::FORM_FILE_CONTENTS:
      ReadFileContents(field, entry.value, out);
      break;
    case v1::FORM_VERSION:
      ReadVersion(field, entry.value, out);
      break;
    case v1::FORM_TAGGED:
      ReadTagged(field, entry.value, out);
      break;
    case v1::FORM_DURATION:
      ReadDuration(field, entry.value, out);
      break;
    case v1::FORM_MAP:
      ReadMap(field, entry.value, out);
      break;
    case v1::FORM_ANY_TABLE:
      ReadAnyTable(field, entry.value, out);
      break;
    default:
      ReadPlain(field, entry.value, out);
      break;
  }
  secret_ = outer;
}

void FieldReader::ReadPlain(const Field& field, const TomlValue& value, Message* out) {
  const FieldDescriptor* descriptor = field.descriptor;
  if (field.message != nullptr) {
    if (descriptor->is_repeated()) {
      ReadElements(field, value, out);
    } else {
      ReadNested(field, value, out);
    }
    return;
  }
  if (!descriptor->is_repeated()) {
    ReadScalar(field, value, out);
    return;
  }
  if (value.type != TomlValue::Type::kArray) {
    ReportWrongType(field.key, value, "an array");
    return;
  }
  out->GetReflection()->ClearField(out, descriptor);
  for (const TomlValue& item : value.items) ReadScalar(field, item, out);
}

void FieldReader::ReadNested(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kTable) {
    ReportWrongType(field.key, value, "a table");
    return;
  }
  const Reflection* reflection = out->GetReflection();
  Message* nested = reflection->MutableMessage(out, field.descriptor);
  nested->CopyFrom(DefaultsOf(field.message->message, dialect_));
  ReadMessage(value, *field.message, absl::StrCat("\"", field.key, "\""), nullptr, nested);
  // An empty table says the same as no table.
  if (nested->ByteSizeLong() == 0) reflection->ClearField(out, field.descriptor);
}

void FieldReader::ReadElements(const Field& field, const TomlValue& value, Message* out) {
  const bool or_string = field.rule->form() == v1::FORM_STRING_OR_TABLE_LIST;
  const bool or_table = field.rule->form() == v1::FORM_TABLE_OR_LIST;
  const bool single = or_table && value.type == TomlValue::Type::kTable;
  if (value.type != TomlValue::Type::kArray && !single) {
    ReportWrongType(field.key, value,
                    or_string  ? "an array of strings or tables"
                    : or_table ? "a table or an array of tables"
                               : "an array of tables");
    return;
  }
  const Reflection* reflection = out->GetReflection();
  reflection->ClearField(out, field.descriptor);
  for (const TomlValue& item : single ? std::vector<TomlValue>{value} : value.items) {
    Message* element = reflection->AddMessage(out, field.descriptor);
    element->CopyFrom(DefaultsOf(field.message->message, dialect_));
    if (item.type == TomlValue::Type::kTable) {
      ReadMessage(item, *field.message, absl::StrCat("\"", field.key, "\""), nullptr, element);
    } else if (or_string && item.type == TomlValue::Type::kString) {
      ReadScalar(field.message->fields.front(), item, element);
    } else {
      ReportWrongType(field.key, item, or_string ? "a string or a table" : "a table");
    }
  }
}

void FieldReader::ReadScalar(const Field& field, const TomlValue& value, Message* out) {
  switch (field.descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      ReadText(field, value, out);
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      ReadEnum(field, value, out);
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      ReadFloat(field, value, out);
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (value.type != TomlValue::Type::kBoolean) {
        ReportWrongType(
            field.key, value, "a boolean",
            value.type == TomlValue::Type::kString ? "write true or false, unquoted" : "");
      } else if (field.descriptor->is_repeated()) {
        out->GetReflection()->AddBool(out, field.descriptor, value.boolean);
      } else {
        out->GetReflection()->SetBool(out, field.descriptor, value.boolean);
      }
      return;
    default:
      ReadInteger(field, value, out);
      return;
  }
}

void FieldReader::ReadText(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kString) {
    const bool scalar =
        value.type != TomlValue::Type::kTable && value.type != TomlValue::Type::kArray;
    ReportWrongType(field.key, value, "a string", scalar ? "put the value in quotes" : "");
  } else if (field.descriptor->is_repeated()) {
    out->GetReflection()->AddString(out, field.descriptor, value.text);
  } else {
    out->GetReflection()->SetString(out, field.descriptor, value.text);
  }
}

namespace {

// Stores an integer in a field of type T if it is in range.
template <typename T, typename Set>
bool StoreInRange(int64_t value, std::string* range, const Set& set) {
  if constexpr (std::numeric_limits<T>::is_signed) {
    *range = absl::StrCat(std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max());
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
      return false;
    }
  } else {
    *range = absl::StrCat("0 to ", std::numeric_limits<T>::max());
    if (value < 0 || static_cast<uint64_t>(value) > std::numeric_limits<T>::max()) return false;
  }
  set(static_cast<T>(value));
  return true;
}

}  // namespace

void FieldReader::ReadInteger(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kInteger) {
    ReportWrongType(field.key, value, "an integer");
    return;
  }
  const Reflection* reflection = out->GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  const bool repeated = descriptor->is_repeated();
  bool stored = false;
  std::string range;
  switch (descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      stored = StoreInRange<int32_t>(value.integer, &range, [&](int32_t number) {
        repeated ? reflection->AddInt32(out, descriptor, number)
                 : reflection->SetInt32(out, descriptor, number);
      });
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      stored = StoreInRange<uint32_t>(value.integer, &range, [&](uint32_t number) {
        repeated ? reflection->AddUInt32(out, descriptor, number)
                 : reflection->SetUInt32(out, descriptor, number);
      });
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      stored = StoreInRange<uint64_t>(value.integer, &range, [&](uint64_t number) {
        repeated ? reflection->AddUInt64(out, descriptor, number)
                 : reflection->SetUInt64(out, descriptor, number);
      });
      break;
    default:
      stored = StoreInRange<int64_t>(value.integer, &range, [&](int64_t number) {
        repeated ? reflection->AddInt64(out, descriptor, number)
                 : reflection->SetInt64(out, descriptor, number);
      });
      break;
  }
  if (!stored) {
    ReportBadValue(value,
                   absl::StrCat("\"", field.key, "\" must be ", range, ", found ", value.integer));
  }
}

void FieldReader::ReadFloat(const Field& field, const TomlValue& value, Message* out) {
  const bool integer = value.type == TomlValue::Type::kInteger;
  if (!integer && value.type != TomlValue::Type::kFloat) {
    ReportWrongType(field.key, value, "a number");
    return;
  }
  const double number = integer ? static_cast<double>(value.integer) : value.number;
  const bool narrow = field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
  if (!std::isfinite(number) ||
      (narrow && std::abs(number) > static_cast<double>(std::numeric_limits<float>::max()))) {
    ReportBadValue(value, absl::StrCat("\"", field.key, "\" must be a finite number",
                                       narrow ? " of single precision" : ""));
    return;
  }
  const Reflection* reflection = out->GetReflection();
  const bool repeated = field.descriptor->is_repeated();
  if (narrow) {
    const auto single = static_cast<float>(number);
    repeated ? reflection->AddFloat(out, field.descriptor, single)
             : reflection->SetFloat(out, field.descriptor, single);
  } else {
    repeated ? reflection->AddDouble(out, field.descriptor, number)
             : reflection->SetDouble(out, field.descriptor, number);
  }
}

void FieldReader::ReadEnum(const Field& field, const TomlValue& value, Message* out) {
  std::vector<std::string> texts;
  for (const EnumText& known : field.values) texts.push_back(known.text);
  const std::string allowed = absl::StrCat("one of \"", absl::StrJoin(texts, "\", \""), "\"");
  if (value.type != TomlValue::Type::kString) {
    ReportWrongType(field.key, value, allowed);
    return;
  }
  for (const EnumText& known : field.values) {
    bool match = known.text == value.text;
    for (const std::string& alias : known.aliases) match = match || alias == value.text;
    if (!match) continue;
    const Reflection* reflection = out->GetReflection();
    if (field.descriptor->is_repeated()) {
      reflection->AddEnumValue(out, field.descriptor, known.number);
    } else {
      reflection->SetEnumValue(out, field.descriptor, known.number);
    }
    return;
  }
  ReportBadValue(
      value, absl::StrCat("\"", field.key, "\" must be ", allowed, ", found \"", value.text, "\""),
      DidYouMean(value.text, texts));
}

void FieldReader::ReportMissing(const TomlValue& table, const FieldTable& fields,
                                const SeenKeys& seen, const std::string& where) {
  for (const Field& field : fields.fields) {
    if (!field.rule->required() || seen[field.index] != nullptr) continue;
    ReportMissingKey(table, field.key, where);
  }
}

void FieldReader::ReportMissingKey(const TomlValue& table, const std::string& key,
                                   const std::string& where) {
  const bool misspelt = failed_ && dialect_ != v1::DIALECT_KOMODO &&
                        std::any_of(table.entries.begin(), table.entries.end(), [&](const auto& e) {
                          return NearestWord(e.key, {key}) == key;
                        });
  if (misspelt) return;
  ReportError("missing-field", source_.Map(table.position),
              absl::StrCat("\"", key, "\" is missing in ", where),
              absl::StrCat("add ", key, " = ..."));
}

void FieldReader::ReportUnknownKey(const TomlEntry& entry, const std::string& where,
                                   const std::string& suggestion) {
  const bool lenient = dialect_ == v1::DIALECT_KOMODO;
  Report(lenient ? v1::SEVERITY_WARNING : v1::SEVERITY_ERROR, "unknown-key",
         source_.Map(entry.position), absl::StrCat("unknown key \"", entry.key, "\" in ", where),
         suggestion.empty() ? "remove it; no key there has a name like it" : suggestion);
}

void FieldReader::ReportSecret(const TomlEntry& entry, const std::string& where,
                               const std::string& suggestion) {
  const bool before = std::exchange(secret_, true);
  ReportError("unknown-key", source_.Map(entry.position),
              absl::StrCat("\"", entry.key, "\" in ", where,
                           ": what people log in with does not belong into a file"),
              suggestion);
  secret_ = before;
}

void FieldReader::ReportWrongType(const std::string& key, const TomlValue& value,
                                  absl::string_view expected, const std::string& suggestion) {
  ReportError("wrong-type", source_.Map(value.position),
              absl::StrCat("\"", key, "\" must be ", expected, ", found ", NameOf(value.type)),
              suggestion);
}

void FieldReader::ReportBadValue(const TomlValue& value, const std::string& message,
                                 const std::string& suggestion) {
  ReportError("bad-value", source_.Map(value.position), message, suggestion);
}

void FieldReader::ReportError(absl::string_view code, const SourcePosition& position,
                              const std::string& message, const std::string& suggestion) {
  Report(v1::SEVERITY_ERROR, code, position, message, suggestion);
}

void FieldReader::Report(v1::Severity severity, absl::string_view code,
                         const SourcePosition& position, const std::string& message,
                         const std::string& suggestion) {
  // What spoils the resource is described in any case.
  const bool first_error = !failed_ && severity == v1::SEVERITY_ERROR;
  failed_ = failed_ || first_error;
  if (full() && !first_error) {
    ++hidden_;
    return;
  }
  ++described_;
  v1::Problem& problem =
      problems_->emplace_back(source_.MakeProblem(severity, code, position, message));
  problem.set_resource(resource_);
  problem.set_suggestion(suggestion);
  if (secret_) problem.clear_source_line();
}

}  // namespace fairlead::resources
