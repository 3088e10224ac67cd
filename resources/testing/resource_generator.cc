#include "resources/testing/resource_generator.h"

#include <google/protobuf/duration.pb.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

#include "resources/field_defaults.h"

namespace fairlead::resources {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

v1::Resource ResourceGenerator::Next(const Kind& kind, v1::Dialect dialect) {
  dialect_ = dialect;
  v1::Resource resource = DefaultResource(kind, dialect);
  for (const Field& field : FieldsOf(v1::Resource::descriptor()).fields) {
    if (field.AppliesTo(kind.name) && Chance()) Fill(field, &resource);
  }
  resource.set_name("n" + LineText());
  Message* spec = resource.GetReflection()->MutableMessage(&resource, kind.field);
  if (kind.tagged) {
    FillTagged(FieldsOf(kind.message), spec);
  } else {
    FillMessage(FieldsOf(kind.message), spec);
  }
  return resource;
}

std::string ResourceGenerator::Piece() {
  static constexpr std::array<absl::string_view, 30> kPieces = {
      "a",      "B7",      "ab ", "\t", "\"",       "\"\"",
      "\"\"\"", "'",       "'''", "\\", "\\n",      "\\\"",
      "#",      " # ",     "=",   ":",  ",",        "/",
      "[[X]]",  "${A}",    "{}",  "%",  "[",        "]",
      "\\\\",   "\\u0041", "-",   ".",  "\xC3\xA9", "\xF0\x9F\x98\x80"};
  return std::string(kPieces[Below(kPieces.size())]);
}

std::string ResourceGenerator::LineText() {
  std::string text;
  for (std::size_t i = Below(8); i > 0; --i) text += Piece();
  for (char& c : text) {
    if (c == '\t') c = ' ';
  }
  return text;
}

std::string ResourceGenerator::AnyText() {
  static constexpr std::array<absl::string_view, 6> kOdd = {"\n",   "\n\n", "\r\n",
                                                            "\x01", "\x7F", "\r"};
  std::string text;
  for (std::size_t i = Below(12); i > 0; --i) {
    absl::StrAppend(&text, Below(4) == 0 ? std::string(kOdd[Below(kOdd.size())]) : Piece());
  }
  return text;
}

std::string ResourceGenerator::TextFor(const Field& field, const Message& message) {
  if (field.rule->check() == v1::CHECK_TIME_ZONE) return Chance() ? "Europe/Berlin" : "";
  if (field.rule->check() == v1::CHECK_SCHEDULE) {
    const FieldDescriptor* format =
        field.descriptor->containing_type()->FindFieldByName("schedule_format");
    const bool cron = message.GetReflection()->GetEnumValue(message, format) == 1;
    return cron ? "0 0 3 * * *" : "Every day at 03:00";
  }
  switch (field.rule->form()) {
    case v1::FORM_ENV_LIST:
    case v1::FORM_LABELS_LIST:
    case v1::FORM_CONVERSION_LIST:
    case v1::FORM_TERM_LABEL_LIST: {
      std::string text;
      for (std::size_t i = Below(4); i > 0; --i) {
        absl::StrAppend(&text, "K", i, "=", LineText(), "\n");
      }
      return text;
    }
    case v1::FORM_FILE_CONTENTS: {
      const std::string text(absl::StripTrailingAsciiWhitespace(AnyText()));
      return text.empty() ? "" : text + "\n";
    }
    default:
      return AnyText();
  }
}

void ResourceGenerator::FillMessage(const FieldTable& table, Message* message) {
  for (const Field& field : table.fields) {
    if (field.rule->required() || Chance()) Fill(field, message);
  }
}

void ResourceGenerator::Fill(const Field& field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  filled_.insert(descriptor);
  if (descriptor->is_repeated()) {
    FillRepeated(field, message);
    return;
  }
  switch (descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, descriptor, TextFor(field, *message));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(message, descriptor, Below(2) == 0);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection->SetEnumValue(message, descriptor,
                               field.values[Below(field.values.size())].number);
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection->SetInt32(message, descriptor, static_cast<int32_t>(Below(1u << 31)));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection->SetUInt32(message, descriptor, static_cast<uint32_t>(random_()));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      // TOML has no larger integers.
      reflection->SetUInt64(message, descriptor, random_() >> 1);
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      reflection->SetFloat(message, descriptor, static_cast<float>(Below(1000000)) / 7.0f);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      reflection->SetDouble(message, descriptor, static_cast<double>(Below(1000000)) / 7.0);
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillNested(field, reflection->MutableMessage(message, descriptor));
      if (field.message != nullptr && descriptor->containing_oneof() == nullptr &&
          reflection->GetMessage(*message, descriptor).ByteSizeLong() == 0) {
        reflection->ClearField(message, descriptor);
      }
      break;
    default:
      ADD_FAILURE() << "no generator for " << descriptor->full_name();
  }
}

void ResourceGenerator::FillRepeated(const Field& field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  reflection->ClearField(message, descriptor);
  if (field.rule->form() == v1::FORM_MAP) {
    FillMap(field, message);
    return;
  }
  for (std::size_t i = Below(4); i > 0; --i) {
    if (!field.values.empty()) {
      reflection->AddEnumValue(message, descriptor,
                               field.values[Below(field.values.size())].number);
    } else if (field.message == nullptr) {
      reflection->AddString(message, descriptor, AnyText());
    } else {
      Message* element = reflection->AddMessage(message, descriptor);
      element->CopyFrom(DefaultsOf(field.message->message, dialect_));
      FillMessage(*field.message, element);
    }
  }
}

// Each key once, in order.
void ResourceGenerator::FillMap(const Field& field, Message* message) {
  const Field& key = field.message->fields.front();
  std::set<int> numbers;
  std::set<std::string> texts;
  for (std::size_t i = Below(4); i > 0; --i) {
    if (key.values.empty()) {
      texts.insert(AnyText());
    } else {
      numbers.insert(key.values[Below(key.values.size())].number);
    }
  }
  const auto add = [&] {
    Message* element = message->GetReflection()->AddMessage(message, field.descriptor);
    element->CopyFrom(DefaultsOf(field.message->message, dialect_));
    FillMessage(*field.message, element);
    filled_.insert(key.descriptor);
    return element;
  };
  for (const int number : numbers) {
    Message* element = add();
    element->GetReflection()->SetEnumValue(element, key.descriptor, number);
  }
  for (const std::string& text : texts) {
    Message* element = add();
    element->GetReflection()->SetString(element, key.descriptor, text);
  }
}

void ResourceGenerator::FillNested(const Field& field, Message* nested) {
  if (field.rule->form() == v1::FORM_ANY_TABLE) {
    google::protobuf::Struct table;
    FillStruct(0, &table);
    // An empty one is written as none.
    if (table.fields().empty()) (*table.mutable_fields())["key"].set_bool_value(true);
    nested->CopyFrom(table);
  } else if (field.message == nullptr) {
    google::protobuf::Duration duration;
    duration.set_seconds(static_cast<int64_t>(Below(1000000)));
    duration.set_nanos(static_cast<int32_t>(Below(1000000000)));
    nested->CopyFrom(duration);
  } else if (field.rule->form() == v1::FORM_TAGGED) {
    FillTagged(*field.message, nested);
  } else {
    nested->CopyFrom(DefaultsOf(field.message->message, dialect_));
    FillMessage(*field.message, nested);
  }
}

void ResourceGenerator::FillTagged(const FieldTable& members, Message* tagged) {
  // In turn, so that none of many is left out.
  const Field& member = members.fields[turn_[&members]++ % members.fields.size()];
  filled_.insert(member.descriptor);
  Message* chosen = tagged->GetReflection()->MutableMessage(tagged, member.descriptor);
  chosen->CopyFrom(DefaultsOf(member.message->message, dialect_));
  FillMessage(*member.message, chosen);
}

void ResourceGenerator::FillStruct(int depth, google::protobuf::Struct* table) {
  for (std::size_t i = Below(4); i > 0; --i) {
    FillValue(depth, &(*table->mutable_fields())[AnyText()]);
  }
}

void ResourceGenerator::FillValue(int depth, google::protobuf::Value* value) {
  constexpr int kDeepest = 2;
  switch (Below(depth < kDeepest ? 5u : 3u)) {
    case 0:
      value->set_string_value(AnyText());
      break;
    case 1:
      value->set_bool_value(Below(2) == 0);
      break;
    case 2:
      value->set_number_value(static_cast<double>(Below(1000000)) / (Below(2) == 0 ? 1.0 : 7.0));
      break;
    case 3:
      value->mutable_list_value();
      for (std::size_t i = Below(3); i > 0; --i) {
        FillValue(depth + 1, value->mutable_list_value()->add_values());
      }
      break;
    default:
      FillStruct(depth + 1, value->mutable_struct_value());
  }
}

}  // namespace fairlead::resources
