#include "resources/field_text.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/toml_text.h"

namespace fairlead::resources {

std::string MeaningOf(const Field& field) {
  const v1::FieldRule& rule = *field.rule;
  std::vector<std::string> sentences;
  if (!rule.doc().empty()) sentences.push_back(rule.doc());
  if (rule.interpolate()) sentences.emplace_back("May hold [[NAME]] of variables.");
  if (rule.secret()) sentences.emplace_back("Never printed.");
  if (!rule.not_yet().empty()) {
    const bool of_run =
        absl::EndsWith(field.descriptor->file()->name(), "fairlead/v1/execution.proto");
    sentences.emplace_back(of_run ? "Not acted on yet: a run that reaches it fails."
                                  : "Not acted on yet: setting it blocks the resource.");
  }
  return absl::StrJoin(sentences, " ");
}

std::string ReferenceTextOf(const Field& field) {
  const std::vector<std::string>& kinds = field.references;
  if (kinds.empty()) return "";
  const bool vowel = absl::StrContains("aeio", kinds.front().substr(0, 1));
  const std::string first = absl::StrJoin(kinds.begin(), kinds.end() - 1, ", ");
  return absl::StrCat("name of ", vowel ? "an " : "a ", first, first.empty() ? "" : " or ",
                      kinds.back());
}

std::string DefaultTextOf(const Field& field, const google::protobuf::Message& defaults,
                          v1::Dialect dialect) {
  if (field.rule->required()) return "";
  const bool absent = field.descriptor->has_presence() &&
                      !defaults.GetReflection()->HasField(defaults, field.descriptor);
  return absent ? "" : ValueText(defaults, field, dialect);
}

}  // namespace fairlead::resources
