#include "resources/interpolation.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "resources/field_table.h"
#include "resources/kind_table.h"
#include "resources/resource_id.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

constexpr absl::string_view kReserved = "COMPOSE_COMMAND";
constexpr std::size_t kShortestRedacted = 3;
constexpr std::size_t kShortestSecretLine = 8;
// Names that a misspelt one is compared with.
constexpr std::size_t kMostCandidates = 500;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
}

// Length of the [[NAME]] at the start of `text`; 0 when there is none.
std::size_t PlaceholderLength(absl::string_view text) {
  if (text.substr(0, 2) != "[[") return 0;
  std::size_t end = 2;
  while (end < text.size() && IsNameCharacter(text[end])) ++end;
  return end > 2 && text.substr(end, 2) == "]]" ? end + 2 : 0;
}

// `text` with each [[NAME]] replaced by what `value` gives; none keeps it.
std::string Replace(absl::string_view text,
                    const std::function<std::optional<std::string>(const std::string&)>& value) {
  std::string out;
  while (!text.empty()) {
    const std::size_t start = std::min(text.find("[["), text.size());
    absl::StrAppend(&out, text.substr(0, start));
    text.remove_prefix(start);
    if (text.empty()) break;
    const std::size_t length = PlaceholderLength(text);
    if (length == 0) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string name(text.substr(2, length - 4));
    const std::optional<std::string> filled = name == kReserved ? std::nullopt : value(name);
    absl::StrAppend(&out, filled.has_value() ? absl::string_view(*filled) : text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

bool SkipsInterpolation(const v1::Resource& resource) {
  if (KindOf(resource) == nullptr) return true;
  const google::protobuf::Message& spec = SpecOf(resource);
  const auto* field = spec.GetDescriptor()->FindFieldByName("skip_secret_interp");
  return field != nullptr && spec.GetReflection()->GetBool(spec, field);
}

v1::Problem Unresolved(const std::string& name, const Field& field, const ResourceId& id,
                       const Variables& variables, v1::Dialect dialect) {
  v1::Problem problem;
  problem.set_severity(dialect == v1::DIALECT_KOMODO ? v1::SEVERITY_WARNING : v1::SEVERITY_ERROR);
  problem.set_code("unresolved-placeholder");
  problem.set_resource(id.ToString());
  const std::string use = absl::StrCat(" for [[", name, "]] in \"", field.display, "\"");
  if (const auto known = variables.find(name); known != variables.end()) {
    const std::string& why = known->second.why_none;
    // Somebody has it, only not here and now: the bare placeholder would be taken for a password.
    if (!why.empty()) problem.set_severity(v1::SEVERITY_ERROR);
    problem.set_message(absl::StrCat("the secret variable \"", name, "\" has no value", use,
                                     why.empty() ? "" : ": ", why));
    problem.set_suggestion(why.empty() ? absl::StrCat("run `fairlead secret set ", name, "`")
                                       : "what runs is kept until it has one");
    return problem;
  }
  problem.set_message(absl::StrCat("no variable \"", name, "\"", use));
  std::vector<std::string> names;
  for (const auto& [known, unused] : variables) {
    if (names.size() < kMostCandidates) names.push_back(known);
  }
  std::string suggestion = DidYouMean(name, names);
  if (suggestion.empty()) {
    suggestion = absl::StrCat("declare a [[variable]] with name = \"", name, "\"");
  }
  problem.set_suggestion(suggestion);
  return problem;
}

// A secret without a value is one that somebody still has to set: what an export leaves out must
// not turn into an empty password. Komodo fills it in.
bool HasValue(const VariableValue& variable, v1::Dialect dialect) {
  return !variable.is_secret || !variable.value.empty() ||
         (dialect == v1::DIALECT_KOMODO && variable.why_none.empty());
}

void AddSecret(const std::string& value, Interpolated* result) {
  const auto add = [&](absl::string_view text) {
    auto& secrets = result->secrets;
    if (std::find(secrets.begin(), secrets.end(), text) == secrets.end()) {
      secrets.emplace_back(text);
    }
  };
  if (value.empty()) return;
  add(value);
  if (!absl::StrContains(value, '\n')) return;
  for (absl::string_view line : absl::StrSplit(value, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.size() >= kShortestSecretLine) add(line);
  }
}

}  // namespace

bool IsPlaceholder(absl::string_view text) {
  return !text.empty() && PlaceholderLength(text) == text.size();
}

Interpolated Interpolate(const v1::Resource& resource, const Variables& variables,
                         v1::Dialect dialect) {
  Interpolated result;
  result.resource = resource;
  if (SkipsInterpolation(resource)) return result;
  const ResourceId id = IdOf(resource);
  std::set<std::string> unresolved;
  RewriteTexts(&result.resource,
               [&](const google::protobuf::Message&, const Field& field, const std::string& text) {
                 if (!field.rule->interpolate()) return text;
                 return Replace(text, [&](const std::string& name) -> std::optional<std::string> {
                   const auto found = variables.find(name);
                   if (found == variables.end() || !HasValue(found->second, dialect)) {
                     if (unresolved.insert(name).second) {
                       result.problems.push_back(Unresolved(name, field, id, variables, dialect));
                     }
                     return std::nullopt;
                   }
                   if (found->second.is_secret) AddSecret(found->second.value, &result);
                   return found->second.value;
                 });
               });
  return result;
}

std::vector<std::string> PlaceholdersOf(const v1::Resource& resource) {
  if (SkipsInterpolation(resource)) return {};
  std::set<std::string> names;
  VisitTexts(resource,
             [&](const google::protobuf::Message&, const Field& field, const std::string& text) {
               if (!field.rule->interpolate()) return;
               Replace(text, [&](const std::string& name) -> std::optional<std::string> {
                 names.insert(name);
                 return std::nullopt;
               });
             });
  return {names.begin(), names.end()};
}

std::string RedactText(const std::string& text, const std::vector<std::string>& secrets) {
  std::vector<std::pair<std::string, std::string>> replacements;
  for (const std::string& secret : secrets) {
    if (secret.size() >= kShortestRedacted) replacements.emplace_back(secret, "***");
  }
  // Of several matches at one place the longest is taken, so no tail of a secret is left over.
  return absl::StrReplaceAll(text, replacements);
}

}  // namespace fairlead::resources
