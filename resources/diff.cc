#include "resources/diff.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "resources/field_table.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/toml_text.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Pairs = std::vector<std::pair<std::string, std::string>>;

v1::FieldChange Change(const std::string& path, const std::string& before,
                       const std::string& after) {
  v1::FieldChange change;
  change.set_path(path);
  change.set_before(before);
  change.set_after(after);
  return change;
}

std::vector<std::string> TextsOf(const Message& message, const Field& field) {
  const Reflection* reflection = message.GetReflection();
  std::vector<std::string> texts;
  for (int i = 0; i < reflection->FieldSize(message, field.descriptor); ++i) {
    texts.push_back(reflection->GetRepeatedString(message, field.descriptor, i));
  }
  if (field.rule->compare() == v1::COMPARE_SET) std::sort(texts.begin(), texts.end());
  return texts;
}

// What a tagged value names: "nginx:1", or "build app".
std::string TaggedText(const Message& tagged, const Field& field) {
  const Reflection* reflection = tagged.GetReflection();
  for (const Field& member : field.message->fields) {
    if (!reflection->HasField(tagged, member.descriptor)) continue;
    const Message& chosen = reflection->GetMessage(tagged, member.descriptor);
    if (member.index == 0 && member.message->fields.size() == 1) {
      return chosen.GetReflection()->GetString(chosen, member.message->fields.front().descriptor);
    }
    return absl::StrCat(member.key, " ", ValueText(tagged, member, v1::DIALECT_TOML));
  }
  return "";
}

// A value for people: no quotes around a text alone.
std::string CompactText(const Message& message, const Field& field) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  if (descriptor->is_repeated()) {
    if (descriptor->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      return ValueText(message, field, v1::DIALECT_TOML);
    }
    return absl::StrJoin(TextsOf(message, field), ", ");
  }
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return reflection->GetString(message, descriptor);
  }
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return field.TextOf(reflection->GetEnumValue(message, descriptor));
  }
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (!reflection->HasField(message, descriptor)) return "";
    if (field.rule->form() == v1::FORM_TAGGED) {
      return TaggedText(reflection->GetMessage(message, descriptor), field);
    }
    if (field.message == nullptr) {
      return DurationText(reflection->GetMessage(message, descriptor));
    }
  }
  return ValueText(message, field, v1::DIALECT_TOML);
}

// False when one of the texts cannot be parsed.
bool DiffKeyValues(const std::string& path, const std::string& before, const std::string& after,
                   std::vector<v1::FieldChange>* changes) {
  const auto old_pairs = ParseKeyValues(before);
  const auto new_pairs = ParseKeyValues(after);
  if (!old_pairs.ok() || !new_pairs.ok()) return false;
  std::map<std::string, std::pair<const std::string*, const std::string*>> by_key;
  for (const auto& [key, value] : *old_pairs) by_key[key].first = &value;
  for (const auto& [key, value] : *new_pairs) by_key[key].second = &value;
  const std::string none;
  for (const auto& [key, values] : by_key) {
    const auto& [was, is] = values;
    if (was != nullptr && is != nullptr && *was == *is) continue;
    changes->push_back(Change(absl::StrCat(path, ".", key), was == nullptr ? none : *was,
                              is == nullptr ? none : *is));
  }
  return true;
}

std::string PairsText(const std::set<std::pair<std::string, std::string>>& pairs) {
  return absl::StrJoin(pairs, ", ", [](std::string* out, const auto& pair) {
    absl::StrAppend(out, pair.first, pair.second.empty() ? "" : ":", pair.second);
  });
}

bool DiffPairs(const std::string& path, const std::string& before, const std::string& after,
               std::vector<v1::FieldChange>* changes) {
  const auto old_pairs = ParseKeyValues(before);
  const auto new_pairs = ParseKeyValues(after);
  if (!old_pairs.ok() || !new_pairs.ok()) return false;
  const std::set<std::pair<std::string, std::string>> was(old_pairs->begin(), old_pairs->end());
  const std::set<std::pair<std::string, std::string>> is(new_pairs->begin(), new_pairs->end());
  if (was != is) changes->push_back(Change(path, PairsText(was), PairsText(is)));
  return true;
}

// Long texts show the first line that differs.
void DiffText(const std::string& path, const std::string& before, const std::string& after,
              std::vector<v1::FieldChange>* changes) {
  if (!absl::StrContains(before, '\n') && !absl::StrContains(after, '\n')) {
    changes->push_back(Change(path, before, after));
    return;
  }
  const std::vector<std::string> was = absl::StrSplit(before, '\n');
  const std::vector<std::string> is = absl::StrSplit(after, '\n');
  std::size_t line = 0;
  while (line < was.size() && line < is.size() && was[line] == is[line]) ++line;
  changes->push_back(Change(absl::StrCat(path, ":", line + 1), line < was.size() ? was[line] : "",
                            line < is.size() ? is[line] : ""));
}

std::unique_ptr<Message> WithoutSecrets(const Message& message) {
  std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  RewriteTexts(copy.get(), [](const Message& parent, const Field& field, const std::string& text) {
    return text.empty() || !IsSecret(parent, field) ? text : std::string("***");
  });
  return copy;
}

void DiffField(const Message& before, const Message& after, const Field& field,
               std::vector<v1::FieldChange>* changes) {
  if (IsSecret(before, field) || IsSecret(after, field)) {
    if (!FieldsEqual(before, after, field)) {
      changes->push_back(Change(field.display, "***", "***"));
    }
    return;
  }
  const FieldDescriptor* descriptor = field.descriptor;
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (descriptor->is_repeated()) {
      if (TextsOf(before, field) == TextsOf(after, field)) return;
    } else {
      const std::string was = before.GetReflection()->GetString(before, descriptor);
      const std::string is = after.GetReflection()->GetString(after, descriptor);
      if (was == is) return;
      const v1::Compare compare = field.rule->compare();
      if (compare == v1::COMPARE_KEY_VALUES && DiffKeyValues(field.display, was, is, changes)) {
        return;
      }
      if (compare == v1::COMPARE_PAIRS && DiffPairs(field.display, was, is, changes)) return;
      DiffText(field.display, was, is, changes);
      return;
    }
  } else if (FieldsEqual(before, after, field) ||
             // Empty and absent say the same.
             (field.message != nullptr && !descriptor->is_repeated() &&
              google::protobuf::util::MessageDifferencer::Equals(
                  before.GetReflection()->GetMessage(before, descriptor),
                  after.GetReflection()->GetMessage(after, descriptor)))) {
    return;
  }
  if (field.message == nullptr) {
    changes->push_back(
        Change(field.display, CompactText(before, field), CompactText(after, field)));
    return;
  }
  changes->push_back(Change(field.display, CompactText(*WithoutSecrets(before), field),
                            CompactText(*WithoutSecrets(after), field)));
}

void DiffMessage(const Message& before, const Message& after,
                 std::vector<v1::FieldChange>* changes) {
  for (const Field& field : FieldsOf(before.GetDescriptor()).fields) {
    if (field.key == "name") continue;
    DiffField(before, after, field, changes);
  }
}

}  // namespace

std::vector<v1::FieldChange> ComputeChanges(const v1::Resource& before, const v1::Resource& after) {
  std::vector<v1::FieldChange> changes;
  DiffMessage(before, after, &changes);
  const Kind* kind = KindOf(before);
  if (kind != nullptr && kind == KindOf(after)) {
    DiffMessage(SpecOf(before), SpecOf(after), &changes);
  }
  return changes;
}

}  // namespace fairlead::resources
