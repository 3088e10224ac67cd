// Placeholders in any text, filled with any value: what is filled is only what has a variable,
// and no secret is left after redaction.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

#include "base/testing/require.h"
#include "resources/interpolation.h"

namespace fairlead::resources {
namespace {

using base::Require;

constexpr std::size_t kShortestRedacted = 3;

// The first line is the value of the variables, the rest the text to fill.
void CheckInterpolation(absl::string_view input) {
  const std::size_t end = input.find('\n');
  if (end == absl::string_view::npos) return;
  const std::string value(input.substr(0, end));
  const std::string text(input.substr(end + 1));
  const Variables variables = {
      {"A", {value, false}}, {"name", {value, false}}, {"S", {value, true}}};

  v1::Resource resource;
  resource.set_name("web");
  resource.mutable_deployment()->set_environment(text);
  const Interpolated filled = Interpolate(resource, variables, v1::DIALECT_TOML);
  const std::string& result = filled.resource.deployment().environment();
  bool all_known = true;
  bool any_known = false;
  for (const std::string& name : PlaceholdersOf(resource)) {
    // A secret without a value fills in nothing.
    const bool known = variables.contains(name) && !(value.empty() && name == "S");
    all_known = all_known && (known || name == "COMPOSE_COMMAND");
    any_known = any_known || known;
  }
  Require(filled.problems.empty() == all_known, "what has no variable is a problem", input);
  Require(any_known || result == text, "a text without known placeholders stays", input);
  for (const std::string& secret : filled.secrets) {
    Require(!secret.empty(), "no secret is empty", input);
  }
  if (value.size() >= kShortestRedacted && !absl::StrContains(value, '*') &&
      !filled.secrets.empty()) {
    Require(!absl::StrContains(RedactText(result, filled.secrets), value),
            "a redacted text holds no secret", input);
  }
}

}  // namespace
}  // namespace fairlead::resources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  fairlead::resources::CheckInterpolation(
      absl::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
