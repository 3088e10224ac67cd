// The calls of FakeEngine.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

#include "agent/engine_json.h"
#include "agent/testing/fake_engine.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

std::string TimeText(int64_t tick) {
  if (tick == 0) return "0001-01-01T00:00:00Z";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(1'700'000'000 + tick),
                          absl::UTCTimeZone());
}

// One frame of a log stream, on standard output.
std::string Frame(absl::string_view text) {
  std::string frame(8, '\0');
  frame[0] = 1;
  for (std::size_t i = 0; i < 4; ++i) {
    frame[7 - i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  }
  return absl::StrCat(frame, text);
}

json::object Message(absl::string_view text) {
  return {{"message", std::string(text.data(), text.size())}};
}

}  // namespace

FakeEngine::Answer FakeEngine::Route(const std::string& method, const Query& query,
                                     const json::object& body) {
  const std::string& first = query.path[0];
  if (first == "version") {
    return {.body = {{"Version", "20.10.24"},
                     {"ApiVersion", "1.41"},
                     {"MinAPIVersion", "1.12"},
                     {"Arch", "amd64"},
                     {"Os", "linux"}}};
  }
  if (first == "info") {
    return {.body = {{"NCPU", 4}, {"MemTotal", 1024}, {"DockerRootDir", data_root_}}};
  }
  if (first == "events") return {};
  if (first == "networks" && query.path.size() > 1) {
    if (networks_.contains(query.path[1])) return {.body = {{"Name", query.path[1]}}};
    return {.status = 404, .body = Message(absl::StrCat("network ", query.path[1], " not found"))};
  }
  if (first == "networks") return {.body = json::array()};
  if (first == "volumes" && query.path.size() > 1) {
    if (volumes_.contains(query.path[1])) return {.body = {{"Name", query.path[1]}}};
    return {.status = 404,
            .body = Message(absl::StrCat("get ", query.path[1], ": no such volume"))};
  }
  if (first == "images") return Images(method, query);
  if (first == "containers") return RouteContainer(method, query, body);
  return {.status = 404, .body = Message("page not found")};
}

FakeEngine::Answer FakeEngine::Images(const std::string& method, const Query& query) {
  if (method == "POST") {
    const std::string reference = query.Get("fromImage");
    if (pull_fails) {
      return {.raw = "{\"status\":\"Pulling\"}\n{\"error\":\"registry is unreachable\"}\n"};
    }
    images_[reference] = absl::StrCat("sha256:", reference);
    return {.raw = absl::StrCat(
                R"({"status":"Pulling from app","id":"9"})", "\n",
                R"({"status":"Downloading","id":"a","progressDetail":{"current":5,"total":10}})",
                "\n",
                R"({"status":"Downloading","id":"b","progressDetail":{"current":1,"total":20}})",
                "\n", R"({"status":"Pull complete","id":"a","progressDetail":{}})", "\n")};
  }
  std::string reference;
  for (std::size_t i = 1; i + 1 < query.path.size(); ++i) {
    absl::StrAppend(&reference, i == 1 ? "" : "/", query.path[i]);
  }
  const auto found = images_.find(reference);
  if (found == images_.end()) return {.status = 404, .body = Message("No such image")};
  const auto architecture = architectures_.find(reference);
  return {.body = {{"Id", found->second},
                   {"Architecture",
                    architecture == architectures_.end() ? "amd64" : architecture->second}}};
}

FakeEngine::Answer FakeEngine::RouteContainer(const std::string& method, const Query& query,
                                              const json::object& body) {
  if (query.path[1] == "json") {
    if (list_fails) return {.status = 500, .body = Message("the engine is confused")};
    return {.body = List(query)};
  }
  if (query.path[1] == "create") return Create(query, body);
  Container* container = Find(query.path[1]);
  if (container == nullptr) {
    return {.status = 404, .body = Message(absl::StrCat("No such container: ", query.path[1]))};
  }
  if (method == "DELETE") {
    if (container->status == "running") End(*container, 137);
    Publish(*container, "destroy");
    containers_.erase(container->id);
    return {.status = 204};
  }
  const std::string& verb = query.path[2];
  if (verb == "json") return {.body = Inspect(*container)};
  if (verb == "logs") {
    return {.raw = container->log.empty()
                       ? std::string()
                       : Frame(absl::StrCat("2023-11-14T22:13:20.5Z ", container->log, "\n"))};
  }
  return Change(*container, verb, query, body);
}

FakeEngine::Answer FakeEngine::Change(Container& container, const std::string& verb,
                                      const Query& query, const json::object& body) {
  if (verb == "start") return Start(container);
  if (verb == "stop" || verb == "kill" || verb == "wait") {
    if (stop_hangs) {
      while (!down_ && stop_hangs) changed_.WaitFor(mutex_, absl::Milliseconds(10));
      return {.broken = true};
    }
    if (container.status != "running") return {.status = 304};
    if (verb == "wait") return {.body = {{"StatusCode", 0}}};
    Publish(container, "kill");
    End(container, verb == "stop" ? 0 : 137);
    if (verb == "stop") Publish(container, "stop");
    return {.status = 204};
  }
  if (verb == "restart") {
    if (container.status == "running") End(container, 0);
    return Start(container);
  }
  if (verb == "unpause") {
    container.status = "running";
    Publish(container, "unpause");
    return {.status = 204};
  }
  if (verb == "rename") {
    if (Find(query.Get("name")) != nullptr) {
      return {.status = 409,
              .body = Message("Conflict. The name is already in use by container x")};
    }
    const bool had_name = absl::EqualsIgnoreCase(container.name, watched_name_);
    if (had_name && !Resolves(&container)) gaps_.push_back(changes_.back());
    container.name = query.Get("name");
    Publish(container, "rename");
    return {.status = 204};
  }
  if (verb == "update") {
    container.body["HostConfig"].as_object()["RestartPolicy"] = body.at("RestartPolicy");
    Publish(container, "update");
    return {.body = json::object()};
  }
  return {.status = 404, .body = Message("page not found")};
}

FakeEngine::Answer FakeEngine::Create(const Query& query, const json::object& body) {
  const std::string name = query.Get("name");
  if (Find(name) != nullptr) {
    return {.status = 409, .body = Message("Conflict. The name is already in use by container x")};
  }
  const auto image = images_.find(TextAt(body, {"Image"}));
  if (image == images_.end()) return {.status = 404, .body = Message("No such image")};
  Container container;
  container.id = absl::StrCat("c0ffee", absl::Dec(next_id_++, absl::kZeroPad10));
  container.name = name;
  container.image_id = image->second;
  container.body = body;
  if (!container.body.contains("HostConfig")) container.body["HostConfig"] = json::object();
  container.created = ++ticks_;
  Publish(container, "create");
  const std::string id = container.id;
  containers_[id] = std::move(container);
  return {.status = 201, .body = {{"Id", id}}};
}

FakeEngine::Answer FakeEngine::Start(Container& container) {
  if (container.status == "running") return {.status = 304};
  const bool is_new = container.started == 0;
  if (start_fails && is_new) {
    return {.status = 400, .body = Message("exec: \"nosuch\": executable file not found")};
  }
  if (port_is_taken && is_new) {
    return {.status = 500,
            .body = Message("driver failed: Bind for 0.0.0.0:8080 failed: port is already "
                            "allocated")};
  }
  container.status = "running";
  container.started = ++ticks_;
  Publish(container, "start");
  return {.status = 204};
}

void FakeEngine::End(Container& container, int code) {
  container.status = "exited";
  container.exit_code = code;
  container.finished = ++ticks_;
  Publish(container, "die");
}

json::array FakeEngine::List(const Query& query) const {
  boost::system::error_code error;
  const std::string text = query.Get("filters");
  const json::value filters = json::parse(text.empty() ? "{}" : text, error);
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
      return TextAt(container.body, {"Labels", pair.first}) == pair.second;
    });
    if (!matches) continue;
    json::array ports;
    if (container.status == "running") {
      if (const json::object* all = ObjectAt(container.body, {"HostConfig", "PortBindings"})) {
        for (const auto& [key, value] : *all) {
          const json::object& binding = value.as_array()[0].as_object();
          const std::string address = TextAt(binding, {"HostIp"});
          const std::string port = TextAt(binding, {"HostPort"});
          ports.push_back({{"IP", address.empty() ? "0.0.0.0" : address},
                           {"PublicPort", std::atoi(port.c_str())},
                           {"Type", "tcp"}});
        }
      }
    }
    listed.push_back({{"Id", container.id},
                      {"Names", {absl::StrCat("/", container.name)}},
                      {"Image", TextAt(container.body, {"Image"})},
                      {"State", container.status},
                      {"Labels", container.body.contains("Labels") ? container.body.at("Labels")
                                                                   : json::value(json::object())},
                      {"Ports", std::move(ports)}});
  }
  return listed;
}

json::object FakeEngine::Inspect(const Container& container) const {
  const bool runs = container.status == "running";
  json::object state = {{"Status", container.status},
                        {"ExitCode", container.exit_code},
                        {"StartedAt", TimeText(container.started)},
                        {"FinishedAt", TimeText(container.finished)}};
  if (!container.health.empty()) state["Health"] = {{"Status", container.health}};
  json::object config = container.body;
  json::value host = config["HostConfig"];
  config.erase("HostConfig");
  const std::string network = TextAt(host.as_object(), {"NetworkMode"});
  json::object networks = {{network.empty() ? "bridge" : network, json::object()}};
  json::value ports = json::object();
  if (runs && host.as_object().contains("PortBindings")) ports = host.at("PortBindings");
  return {{"Id", container.id},
          {"Name", absl::StrCat("/", container.name)},
          {"RestartCount", container.restart_count},
          {"Image", container.image_id},
          {"Created", TimeText(container.created)},
          {"State", std::move(state)},
          {"Config", std::move(config)},
          {"HostConfig", std::move(host)},
          {"NetworkSettings", {{"Networks", std::move(networks)}, {"Ports", std::move(ports)}}}};
}

FakeEngine::Container* FakeEngine::Find(const std::string& key) {
  for (auto& [id, container] : containers_) {
    if (id == key || container.name == key) return &container;
  }
  return nullptr;
}

const FakeEngine::Container* FakeEngine::Find(const std::string& key) const {
  for (const auto& [id, container] : containers_) {
    if (id == key || container.name == key) return &container;
  }
  return nullptr;
}

}  // namespace fairlead::agent
