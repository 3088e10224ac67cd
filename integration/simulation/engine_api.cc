// The Engine API of the simulated engine.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/engine_json.h"
#include "integration/simulation/engine.h"

namespace fairlead::simulation {
namespace {

namespace json = boost::json;
using agent::ObjectAt;
using agent::TextAt;
using agent::TextsAt;

std::string Unescape(absl::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    uint32_t code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::SimpleHexAtoi(text.substr(i + 1, 2), &code)) {
      result.push_back(static_cast<char>(code));
      i += 2;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

std::string TimeText(absl::Time time) {
  if (time == absl::InfinitePast()) return "0001-01-01T00:00:00Z";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", time, absl::UTCTimeZone());
}

// One frame of a log stream, on standard output.
std::string Frame(const std::string& text) {
  std::string frame(8, '\0');
  frame[0] = 1;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[7 - i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  }
  return frame + text;
}

Engine::Answer Refuse(unsigned status, const std::string& message) {
  return {status, std::string(json::serialize(json::object{{"message", message}}))};
}

Engine::Answer NameConflict(const std::string& holder) {
  return Refuse(409, absl::StrCat("Conflict. The name is already in use by container ", holder));
}

Engine::Answer Reply(const json::value& body) { return {200, std::string(json::serialize(body))}; }

std::vector<std::string> HostPorts(const Engine::Container& container) {
  std::vector<std::string> ports;
  const json::object* bindings = ObjectAt(container.body, {"HostConfig", "PortBindings"});
  if (bindings == nullptr) return ports;
  for (const auto& [key, value] : *bindings) {
    for (const json::value& binding : value.as_array()) {
      ports.push_back(TextAt(binding.as_object(), {"HostPort"}));
    }
  }
  return ports;
}

}  // namespace

struct Engine::Query {
  std::vector<std::string> path;
  std::map<std::string, std::string> arguments;

  std::string Get(const std::string& key) const {
    const auto found = arguments.find(key);
    return found == arguments.end() ? "" : found->second;
  }

  // Empty: it makes no container.
  std::string NameToMake() const {
    const bool creates = path[0] == "containers" && path.size() > 1 && path[1] == "create";
    return creates ? Get("name") : "";
  }
};

Engine::Query Engine::Parse(const agent::HttpRequest& request) {
  Query query;
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(request.target, absl::MaxSplits('?', 1));
  for (const absl::string_view part : absl::StrSplit(parts.first, '/', absl::SkipEmpty())) {
    query.path.push_back(Unescape(part));
  }
  for (const absl::string_view argument : absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(argument, absl::MaxSplits('=', 1));
    query.arguments[pair.first] = Unescape(pair.second);
  }
  if (absl::StartsWith(query.path[0], "v1.")) query.path.erase(query.path.begin());
  return query;
}

bool Engine::TakeName(const agent::HttpRequest& request) {
  const std::string name = Parse(request).NameToMake();
  if (name.empty()) return true;
  return HolderOf(name).empty() && reserved_names_.insert(name).second;
}

void Engine::GiveName(const agent::HttpRequest& request) {
  reserved_names_.erase(Parse(request).NameToMake());
}

void Engine::Die() {
  reserved_names_.clear();
  ++process_;
}

Engine::Answer Engine::Handle(const agent::HttpRequest& request) {
  const Query query = Parse(request);
  const json::value body = json::parse(request.body.empty() ? "{}" : request.body);
  return Route(request.method, query, body.as_object());
}

Engine::Answer Engine::Route(const std::string& method, const Query& query,
                             const json::object& body) {
  const std::string& first = query.path[0];
  if (first == "version") {
    return Reply({{"Version", "20.10.24"},
                  {"ApiVersion", "1.41"},
                  {"MinAPIVersion", "1.12"},
                  {"Arch", "amd64"},
                  {"Os", "linux"}});
  }
  if (first == "info") return Reply({{"NCPU", 4}, {"MemTotal", 1024}});
  if (first == "networks") return Reply({{"Name", query.path.back()}});
  if (first == "images") return Images(method, query);
  if (first == "containers") return RouteContainer(method, query, body);
  return Refuse(404, "page not found");
}

Engine::Answer Engine::Images(const std::string& method, const Query& query) {
  if (method == "POST") {
    const std::string reference = query.Get("fromImage");
    if (absl::StrContains(reference, "gone")) {
      return {200, "{\"error\":\"manifest unknown\"}\n"};
    }
    images_.insert(reference);
    return {200,
            "{\"status\":\"Downloading\",\"id\":\"a\",\"progressDetail\":{\"current\":5,"
            "\"total\":10}}\n{\"status\":\"Pull complete\"}\n"};
  }
  const std::string reference = absl::StrJoin(query.path.begin() + 1, query.path.end() - 1, "/");
  if (!images_.contains(reference)) return Refuse(404, "No such image");
  return Reply({{"Id", absl::StrCat("sha256:", reference)}});
}

Engine::Answer Engine::RouteContainer(const std::string& method, const Query& query,
                                      const json::object& body) {
  if (query.path[1] == "json") return Reply(List(query));
  if (query.path[1] == "create") return Create(query, body);
  Container* const container = FindMutable(query.path[1]);
  if (container == nullptr) {
    return Refuse(404, absl::StrCat("No such container: ", query.path[1]));
  }
  if (method == "DELETE") {
    RemoveByHand(container->id);
    return {204, ""};
  }
  const std::string& verb = query.path[2];
  if (verb == "json") return Reply(Inspect(*container));
  if (verb == "logs") return {200, Frame(LogOf(*container))};
  return Change(*container, verb, query, body);
}

Engine::Answer Engine::Change(Container& container, const std::string& verb, const Query& query,
                              const json::object& body) {
  if (verb == "start") return StartRequest(container);
  if (verb == "wait") return Reply({{"StatusCode", 0}});
  if (verb == "stop" || verb == "kill") {
    if (container.status != "running" && container.status != "restarting") return {304, ""};
    Kill(container, verb == "stop" ? 0 : 137, verb == "stop" ? 15 : 9);
    if (verb == "stop") Publish(container, "stop");
    return {204, ""};
  }
  if (verb == "restart") {
    Kill(container, 0, 15);
    return StartRequest(container);
  }
  if (verb == "unpause") {
    if (container.status != "paused") return Refuse(409, "is not paused");
    container.status = "running";
    Publish(container, "unpause");
    PlanRun(container);
    return {204, ""};
  }
  if (verb == "rename") {
    const std::string holder = HolderOf(query.Get("name"));
    if (!holder.empty()) return NameConflict(holder);
    container.name = query.Get("name");
    Publish(container, "rename");
    return {204, ""};
  }
  if (verb == "update") {
    container.body["HostConfig"].as_object()["RestartPolicy"] = body.at("RestartPolicy");
    Publish(container, "update");
    return Reply(json::object());
  }
  return Refuse(404, "page not found");
}

Engine::Answer Engine::Create(const Query& query, const json::object& body) {
  const std::string name = query.Get("name");
  const std::string holder = HolderOf(name);
  if (!holder.empty()) return NameConflict(holder);
  if (!images_.contains(TextAt(body, {"Image"}))) return Refuse(404, "No such image");
  Container container;
  container.id = absl::StrCat(server_, "c", absl::Dec(++made_, absl::kZeroPad8));
  container.name = name;
  container.body = body;
  container.created = clock_.Now();
  const std::string id = container.id;
  Publish(containers_[id] = std::move(container), "create");
  return {201, std::string(json::serialize(json::object{{"Id", id}}))};
}

Engine::Answer Engine::StartRequest(Container& container) {
  if (container.status == "running") return {304, ""};
  if (absl::StrContains(container.Image(), "broken")) {
    return Refuse(400, "OCI runtime create failed: exec: \"nosuch\": executable file not found");
  }
  for (const std::string& port : HostPorts(container)) {
    for (const auto& [id, other] : containers_) {
      if (other.status != "running" && other.status != "paused") continue;
      const std::vector<std::string> taken = HostPorts(other);
      if (id == container.id || std::find(taken.begin(), taken.end(), port) == taken.end()) {
        continue;
      }
      return Refuse(500, absl::StrCat("driver failed: Bind for 0.0.0.0:", port,
                                      " failed: port is already allocated"));
    }
  }
  container.restart_count = 0;
  Run(container);
  return {204, ""};
}

json::array Engine::List(const Query& query) const {
  const std::string text = query.Get("filters");
  const json::value filters = json::parse(text.empty() ? "{}" : text);
  const std::vector<std::string> labels = TextsAt(filters.as_object(), {"label"});
  const std::vector<std::string> ids = TextsAt(filters.as_object(), {"id"});
  json::array listed;
  // The engine lists the newest first.
  for (auto at = containers_.rbegin(); at != containers_.rend(); ++at) {
    const Container& container = at->second;
    if (!ids.empty() && ids[0] != container.id) continue;
    const bool matches = std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(label, absl::MaxSplits('=', 1));
      return container.Label(pair.first) == pair.second;
    });
    if (!matches) continue;
    json::array ports;
    if (container.status == "running") {
      for (const std::string& port : HostPorts(container)) {
        int number = 0;
        if (!absl::SimpleAtoi(port, &number)) continue;
        ports.push_back({{"IP", "0.0.0.0"}, {"PublicPort", number}, {"Type", "tcp"}});
      }
    }
    const json::value* own = container.body.if_contains("Labels");
    listed.push_back({{"Id", container.id},
                      {"Names", {absl::StrCat("/", container.name)}},
                      {"Image", container.Image()},
                      {"State", container.status},
                      {"Labels", own == nullptr ? json::value(json::object()) : *own},
                      {"Ports", std::move(ports)}});
  }
  return listed;
}

json::object Engine::Inspect(const Container& container) const {
  json::object state = {{"Status", container.status},
                        {"ExitCode", container.exit_code},
                        {"StartedAt", TimeText(container.started)},
                        {"FinishedAt", TimeText(container.finished)}};
  if (!container.health.empty()) state["Health"] = {{"Status", container.health}};
  json::object config = container.body;
  const json::value host = config["HostConfig"];
  config.erase("HostConfig");
  const std::string network = TextAt(host.as_object(), {"NetworkMode"});
  json::value ports = json::object();
  if (container.status == "running" && host.as_object().contains("PortBindings")) {
    ports = host.at("PortBindings");
  }
  return {{"Id", container.id},
          {"Name", absl::StrCat("/", container.name)},
          {"Image", absl::StrCat("sha256:", container.Image())},
          {"Created", TimeText(container.created)},
          {"RestartCount", container.restart_count},
          {"State", std::move(state)},
          {"Config", std::move(config)},
          {"HostConfig", host},
          {"NetworkSettings",
           {{"Networks", {{network.empty() ? "bridge" : network, json::object()}}},
            {"Ports", std::move(ports)}}}};
}

// Programs print what they should not.
std::string Engine::LogOf(const Container& container) const {
  if (container.started == absl::InfinitePast()) return "";
  const std::vector<std::string> environment = TextsAt(container.body, {"Env"});
  return absl::StrCat(TimeText(container.started), " started with ",
                      absl::StrJoin(environment, " "), "\n");
}

}  // namespace fairlead::simulation
