#include "integration/simulation/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"

namespace fairlead::simulation {
namespace {

namespace json = boost::json;

constexpr std::size_t kEventsKept = 2000;
constexpr absl::Duration kStartPeriod = absl::Seconds(3);
constexpr absl::Duration kSlowStart = absl::Seconds(25);
constexpr absl::Duration kSickAfter = absl::Seconds(8);

// "crash" of "registry/crash:3".
std::string BehaviourOf(const std::string& image) {
  const std::size_t slash = image.rfind('/');
  const std::string name = slash == std::string::npos ? image : image.substr(slash + 1);
  return name.substr(0, name.find(':'));
}

}  // namespace

std::string Engine::Container::Label(const std::string& key) const {
  return agent::TextAt(body, {"Labels", key});
}

std::string Engine::Container::Policy() const {
  return agent::TextAt(body, {"HostConfig", "RestartPolicy", "Name"});
}

std::string Engine::Container::Image() const { return agent::TextAt(body, {"Image"}); }

Engine::Engine(Stage& stage, const HostClock& clock, std::string server)
    : stage_(stage), clock_(clock), server_(std::move(server)) {}

const Engine::Container* Engine::Find(const std::string& key) const {
  const auto by_id = containers_.find(key);
  if (by_id != containers_.end()) return &by_id->second;
  for (const auto& [id, container] : containers_) {
    if (container.name == key) return &container;
  }
  return nullptr;
}

Engine::Container* Engine::FindMutable(const std::string& key) {
  return const_cast<Container*>(std::as_const(*this).Find(key));
}

std::string Engine::HolderOf(const std::string& name) const {
  if (const Container* const holder = Find(name)) return holder->id;
  return reserved_names_.contains(name) ? "that is being made" : "";
}

void Engine::MarkDeceptive(const std::string& key) {
  if (Container* const container = FindMutable(key)) container->deceptive = true;
}

std::vector<std::string> Engine::OwnedNames() const {
  std::vector<std::string> names;
  for (const auto& [id, container] : containers_) {
    if (!container.Label(agent::kResourceLabel).empty()) names.push_back(container.name);
  }
  return names;
}

void Engine::Publish(Container& container, const std::string& action, int signal) {
  container.changed = stage_.timeline.now();
  json::object attributes = {{"name", container.name}};
  const std::string installation = container.Label(agent::kInstallationLabel);
  if (!installation.empty()) attributes[agent::kInstallationLabel] = installation;
  if (signal != 0) attributes["signal"] = absl::StrCat(signal);
  const json::object event = {
      {"Type", "container"},
      {"Action", action},
      {"Actor", {{"ID", container.id}, {"Attributes", std::move(attributes)}}},
      {"timeNano", absl::ToUnixNanos(clock_.Now())}};
  events_.push_back(absl::StrCat(std::string(json::serialize(event)), "\n"));
  if (events_.size() > kEventsKept) {
    events_.pop_front();
    ++first_event_;
  }
  stage_.Say(server_, "container ", container.name, " ", action);
  if (told_) told_();
}

void Engine::Later(absl::Duration delay, const Container& container,
                   const std::function<void(Container&)>& event) {
  stage_.timeline.After(delay, [this, id = container.id, run = container.run, event] {
    const auto found = containers_.find(id);
    if (found != containers_.end() && found->second.run == run) event(found->second);
  });
}

void Engine::Run(Container& container) {
  container.status = "running";
  container.started = clock_.Now();
  container.stopped_by_hand = false;
  ++container.run;
  Publish(container, "start");
  PlanRun(container);
}

void Engine::PlanRun(Container& container) {
  const std::string behaviour = BehaviourOf(container.Image());
  const bool checked = agent::ObjectAt(container.body, {"Healthcheck"}) != nullptr;
  container.health = checked ? "starting" : "";
  if (behaviour == "crash" || behaviour == "job") {
    Later(stage_.random.Between(absl::Milliseconds(300), absl::Seconds(4)), container,
          [this, code = behaviour == "crash" ? 1 : 0](Container& ended) { End(ended, code); });
  }
  if (!checked) return;
  const bool sick = behaviour == "sick";
  const absl::Duration delay = sick ? kSickAfter : behaviour == "slow" ? kSlowStart : kStartPeriod;
  Later(delay, container, [this, health = sick ? "unhealthy" : "healthy"](Container& of) {
    SetHealth(of.id, of.run, health);
  });
}

void Engine::SetHealth(const std::string& id, uint64_t run, const std::string& health) {
  Container& container = containers_.at(id);
  if (container.run != run || container.status != "running") return;
  container.health = health;
  Publish(container, absl::StrCat("health_status: ", health));
}

void Engine::End(Container& container, int code) {
  container.status = "exited";
  container.exit_code = code;
  container.health = container.health.empty() ? "" : "unhealthy";
  container.finished = clock_.Now();
  ++container.run;
  Publish(container, "die");
  RestartByPolicy(container);
}

void Engine::RestartByPolicy(Container& container) {
  const std::string policy = container.Policy();
  const bool again =
      !container.stopped_by_hand && (policy == "always" || policy == "unless-stopped" ||
                                     (policy == "on-failure" && container.exit_code != 0));
  if (!again) return;
  container.status = "restarting";
  const int doubled = std::min(container.restart_count, 9);
  ++container.restart_count;
  Later(absl::Milliseconds(100) * (1 << doubled), container,
        [this](Container& down) { Run(down); });
}

void Engine::Kill(Container& container, int code, int signal) {
  if (container.status == "running" || container.status == "restarting" ||
      container.status == "paused") {
    container.stopped_by_hand = true;
    Publish(container, "kill", signal);
    End(container, code);
  }
}

void Engine::AddForeign(const std::string& name, int port) {
  Container container;
  container.id = absl::StrCat(server_, "x", absl::Dec(++made_, absl::kZeroPad8));
  container.name = name;
  container.body = {{"Image", "app:foreign"},
                    {"Env", json::array{"A=1"}},
                    {"HostConfig", {{"RestartPolicy", {{"Name", "always"}}}}}};
  if (port != 0) {
    container.body["HostConfig"].as_object()["PortBindings"] = {
        {"80/tcp", json::array{json::object{{"HostPort", absl::StrCat(port)}}}}};
  }
  container.created = clock_.Now();
  Container& put = containers_[container.id] = container;
  Run(put);
}

void Engine::RemoveByHand(const std::string& name) {
  Container* const container = FindMutable(name);
  if (container == nullptr) return;
  Kill(*container, 137, 9);
  Publish(*container, "destroy");
  containers_.erase(std::string(container->id));
}

void Engine::StopByHand(const std::string& name, const std::string& verb) {
  Container* const container = FindMutable(name);
  if (container == nullptr || container->status != "running") return;
  if (verb == "pause") {
    container->status = "paused";
    ++container->run;
    Publish(*container, "pause");
  } else if (verb == "die") {
    End(*container, 3);
  } else {
    Kill(*container, 0, 15);
    Publish(*container, "stop");
  }
}

void Engine::EditByHand(const std::string& name) {
  Container* const container = FindMutable(name);
  if (container == nullptr) return;
  container->body["HostConfig"].as_object()["Memory"] = 64 << 20;
  Publish(*container, "update");
}

void Engine::Reboot() {
  std::vector<std::string> ids;
  for (const auto& [id, container] : containers_) ids.push_back(id);
  for (const std::string& id : ids) {
    Container& container = containers_.at(id);
    const std::string policy = container.Policy();
    if (container.status == "created") continue;
    if (container.status == "exited") {
      // What a person stopped comes back with "always" only.
      if (policy == "always") Run(container);
      continue;
    }
    container.status = "exited";
    container.exit_code = 137;
    container.finished = clock_.Now();
    ++container.run;
    if (policy == "always" || policy == "unless-stopped") Run(container);
  }
}

}  // namespace fairlead::simulation
