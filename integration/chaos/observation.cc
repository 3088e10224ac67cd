#include "integration/chaos/observation.h"

#include <boost/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::chaos {

namespace json = boost::json;

namespace {

constexpr char kResourceLabel[] = "dev.fairlead.resource";
constexpr char kActionLabel[] = "dev.fairlead.action";
constexpr char kServiceLabel[] = "com.docker.compose.service";

json::value Parse(absl::string_view text) {
  std::error_code failed;
  json::value parsed = json::parse(json::string_view(text.data(), text.size()), failed);
  return failed ? json::value() : parsed;
}

// The member, or an empty object.
json::object Object(const json::object& parent, const char* key) {
  const json::value* found = parent.if_contains(key);
  return found != nullptr && found->is_object() ? found->get_object() : json::object();
}

json::array Array(const json::object& parent, const char* key) {
  const json::value* found = parent.if_contains(key);
  return found != nullptr && found->is_array() ? found->get_array() : json::array();
}

std::string Text(const json::object& parent, const char* key) {
  const json::value* found = parent.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string().c_str()) : "";
}

int64_t Number(const json::object& parent, const char* key) {
  const json::value* found = parent.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

SeenContainer ParseContainer(int server, const json::object& inspect) {
  const json::object config = Object(inspect, "Config");
  const json::object state = Object(inspect, "State");
  const json::object labels = Object(config, "Labels");
  SeenContainer seen;
  seen.server = server;
  seen.id = Text(inspect, "Id");
  seen.name = std::string(absl::StripPrefix(Text(inspect, "Name"), "/"));
  seen.resource = Text(labels, kResourceLabel);
  seen.action = Text(labels, kActionLabel);
  seen.service = Text(labels, kServiceLabel);
  seen.image = Text(config, "Image");
  seen.state = Text(state, "Status");
  seen.exit_code = static_cast<int>(Number(state, "ExitCode"));
  seen.started_at = Text(state, "StartedAt");
  for (const json::value& one : Array(config, "Env")) {
    if (one.is_string()) seen.environment.emplace_back(one.get_string().c_str());
  }
  seen.text = json::serialize(inspect);
  return seen;
}

}  // namespace

std::vector<SeenContainer> ParseInspect(int server, absl::string_view text) {
  std::vector<SeenContainer> containers;
  const json::value parsed = Parse(text);
  if (!parsed.is_array()) return containers;
  for (const json::value& one : parsed.get_array()) {
    if (one.is_object()) containers.push_back(ParseContainer(server, one.get_object()));
  }
  return containers;
}

void ParseResources(absl::string_view text, Observation& observation) {
  const json::value parsed = Parse(text);
  if (!parsed.is_object()) {
    observation.trouble = "the controller's answer is no JSON";
    return;
  }
  for (const json::value& one : Array(parsed.get_object(), "resources")) {
    if (!one.is_object()) continue;
    const json::object& view = one.get_object();
    const json::object status = Object(view, "status");
    SeenResource& seen = observation.resources[Text(status, "resource")];
    seen.condition = std::string(absl::StripPrefix(Text(status, "condition"), "CONDITION_"));
    seen.reason = Text(status, "reason");
    seen.problems = static_cast<int>(Array(status, "problems").size());
    seen.gate = std::string(
        absl::StripPrefix(Text(Object(Object(status, "step"), "gate"), "kind"), "KIND_"));
    const json::object server = Object(view, "server");
    if (!server.empty()) observation.servers[Text(server, "name")] = Text(server, "state");
    const json::object sync = Object(view, "sync");
    if (Text(sync, "name") == "main") observation.revision = Text(sync, "revision");
  }
}

std::optional<EngineEvent> ParseEvent(int server, absl::string_view line) {
  const json::value parsed = Parse(line);
  if (!parsed.is_object()) return std::nullopt;
  const json::object& event = parsed.get_object();
  if (Text(event, "Type") != "container") return std::nullopt;
  const json::object actor = Object(event, "Actor");
  const json::object attributes = Object(actor, "Attributes");
  return EngineEvent{.server = server,
                     .what = Text(event, "Action"),
                     .id = Text(actor, "ID"),
                     .resource = Text(attributes, kResourceLabel),
                     .action = Text(attributes, kActionLabel),
                     .service = Text(attributes, kServiceLabel),
                     .nanoseconds = Number(event, "timeNano")};
}

}  // namespace fairlead::chaos
