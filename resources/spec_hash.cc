#include "resources/spec_hash.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "resources/field_table.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr absl::string_view kVersion = "v1";
constexpr std::size_t kHashBytes = 16;

// The canonical text is a list of texts, each preceded by its length, so that no two different
// lists give the same text.
void Append(absl::string_view text, std::string* out) {
  absl::StrAppend(out, text.size(), ":", text);
}

void AppendMessage(const Message& message, bool only_recreate, std::string* out);

std::string KeyValues(const std::string& text, bool unique_keys) {
  std::string out;
  const auto pairs = ParseKeyValues(text);
  if (!pairs.ok()) {
    Append(text, &out);
    return out;
  }
  if (unique_keys) {
    std::map<std::string, std::string> last;
    for (const auto& [key, value] : *pairs) last[key] = value;
    for (const auto& [key, value] : last) {
      Append(key, &out);
      Append(value, &out);
    }
    return out;
  }
  for (const auto& [key, value] :
       std::set<std::pair<std::string, std::string>>(pairs->begin(), pairs->end())) {
    Append(key, &out);
    Append(value, &out);
  }
  return out;
}

std::string TextValue(const std::string& text, const Field& field) {
  switch (field.rule->compare()) {
    case v1::COMPARE_KEY_VALUES:
      return KeyValues(text, /*unique_keys=*/true);
    case v1::COMPARE_PAIRS:
      return KeyValues(text, /*unique_keys=*/false);
    default:
      return text;
  }
}

// Empty for the default of the type.
std::string SingleValue(const Message& message, const Field& field) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  if (!reflection->HasField(message, descriptor)) return "";
  switch (descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return TextValue(reflection->GetString(message, descriptor), field);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& nested = reflection->GetMessage(message, descriptor);
      if (field.message == nullptr) return nested.ShortDebugString();
      std::string out;
      AppendMessage(nested, /*only_recreate=*/false, &out);
      // Which member of a oneof is set counts even where it is empty.
      if (descriptor->containing_oneof() != nullptr) absl::StrAppend(&out, ";");
      return out;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat(reflection->GetEnumValue(message, descriptor));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, descriptor) ? "true" : "";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, descriptor));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(message, descriptor));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(message, descriptor));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, descriptor));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(reflection->GetFloat(message, descriptor));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(reflection->GetDouble(message, descriptor));
  }
  return "";
}

std::string RepeatedValue(const Message& message, const Field& field) {
  const Reflection* reflection = message.GetReflection();
  std::vector<std::string> values;
  for (int i = 0; i < reflection->FieldSize(message, field.descriptor); ++i) {
    if (field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      values.push_back(reflection->GetRepeatedString(message, field.descriptor, i));
    } else if (field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      values.push_back(
          absl::StrCat(reflection->GetRepeatedEnumValue(message, field.descriptor, i)));
    } else {
      std::string nested;
      AppendMessage(reflection->GetRepeatedMessage(message, field.descriptor, i),
                    /*only_recreate=*/false, &nested);
      values.push_back(std::move(nested));
    }
  }
  if (field.rule->compare() == v1::COMPARE_SET) std::sort(values.begin(), values.end());
  std::string out;
  for (const std::string& value : values) Append(value, &out);
  return out;
}

void AppendMessage(const Message& message, bool only_recreate, std::string* out) {
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    if (only_recreate && field.rule->effect() != v1::EFFECT_RECREATE) continue;
    const std::string value = field.descriptor->is_repeated() ? RepeatedValue(message, field)
                                                              : SingleValue(message, field);
    if (value.empty()) continue;
    Append(absl::StrCat(field.descriptor->number()), out);
    Append(value, out);
  }
}

// Paths of files whose content is no reason to deploy.
std::set<std::string> UntrackedOf(const v1::Resource& resource) {
  std::set<std::string> paths;
  for (const v1::AdditionalEnvFile& file : resource.stack().additional_env_files()) {
    if (!file.track()) {
      paths.insert(std::filesystem::path(file.path()).lexically_normal().generic_string());
    }
  }
  return paths;
}

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c)) != 0;
  });
}

}  // namespace

SpecHasher::SpecHasher(std::string key_id, std::string key)
    : key_id_(std::move(key_id)), key_(std::move(key)) {
  // Chooses the fastest implementation; may be called any number of times.
  static const int initialised = sodium_init();
  static_cast<void>(initialised);
}

std::string SpecHasher::Hash(const v1::Resource& resource,
                             const std::vector<v1::StackFile>& files) const {
  std::string text;
  Append(KindOf(resource)->name, &text);
  std::string spec;
  AppendMessage(SpecOf(resource), /*only_recreate=*/true, &spec);
  Append(spec, &text);
  std::map<std::string, const v1::StackFile*> by_path;
  const std::set<std::string> untracked = UntrackedOf(resource);
  for (const v1::StackFile& file : files) {
    if (!untracked.contains(file.path())) by_path[file.path()] = &file;
  }
  for (const auto& [path, file] : by_path) {
    Append(path, &text);
    Append(file->content(), &text);
  }
  return absl::StrCat(kVersion, ":", key_id_, ":", HashText(text));
}

std::string SpecHasher::HashText(absl::string_view text) const {
  std::array<unsigned char, kHashBytes> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), reinterpret_cast<const unsigned char*>(key_.data()), key_.size());
  std::array<char, kHashBytes * 2 + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return std::string(hex.data());
}

bool SpecHasher::CanVerify(absl::string_view hash) const {
  return absl::ConsumePrefix(&hash, absl::StrCat(kVersion, ":", key_id_, ":")) &&
         hash.size() == kHashBytes * 2 && IsHex(hash);
}

}  // namespace fairlead::resources
