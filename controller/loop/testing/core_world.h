// A whole system around the core in one thread: a store in memory, hosts that do what actions say,
// a clock that stands.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "controller/loop/core.h"
#include "controller/store/testing/fake_store.h"
#include "resources/toml_reader.h"

namespace fairlead::loop {

class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return ++value_ * 0x9e3779b97f4a7c15ull; }

 private:
  uint64_t value_ = 0;
};

// A deployment after another.
inline constexpr char kPair[] = R"(
[[server]]
name = "edge"
[[deployment]]
name = "db"
config.server = "edge"
config.image = "db:1"
[[deployment]]
name = "web"
after = ["db"]
config.server = "edge"
config.image = "web:1"
)";

// One host's containers, changed by actions as an engine would.
struct ModelHost {
  sync::HostLive live;
  int made = 0;

  // A copy that may be changed: what was reported stays as it was.
  static v1::Container* Own(std::shared_ptr<const v1::Container>& slot) {
    auto copy = std::make_shared<v1::Container>(*slot);
    v1::Container* changed = copy.get();
    slot = std::move(copy);
    return changed;
  }
  v1::Container* Find(const std::string& name) {
    for (auto& [id, container] : live.containers) {
      if (container->name() == name) return Own(container);
    }
    return nullptr;
  }
  void Put(v1::Container container) {
    const std::string id = container.id();
    live.containers[id] = std::make_shared<const v1::Container>(std::move(container));
  }
  void Remove(const std::string& name) {
    std::erase_if(live.containers, [&](const auto& at) { return at.second->name() == name; });
  }
};

class CoreWorld {
 public:
  explicit CoreWorld(CoreOptions options = {}) : options_(std::move(options)) {
    options_.installation = "inst";
    options_.observer = &observer;
    Restart();
  }

  // As after kill -9: what the store holds is all that is left.
  void Restart() {
    auto image = store->Load();
    core = std::make_unique<Core>(*image, hasher, random, options_);
    pending.clear();
  }

  void Commit(const std::string& toml, const std::string& revision) {
    auto source = std::make_shared<sync::SourceSnapshot>();
    source->origin = "bootstrap";
    source->name = "bootstrap";
    source->revision = revision;
    source->prune = true;
    source->approval = approval;
    source->files.push_back(std::make_shared<const resources::ParsedFile>(
        resources::ReadToml("all.toml", toml, v1::DIALECT_TOML)));
    core->OnSource(source);
  }

  void Connect(const std::string& server, uint32_t cpus = 4) {
    ModelHost& host = hosts[server];
    host.live.server = server;
    host.live.online = true;
    host.live.engine_up = true;
    host.live.cpus = cpus;
    Report(server);
  }
  void Report(const std::string& server) {
    ModelHost& host = hosts[server];
    ++host.live.generation;
    host.live.last_seen = now;
    core->OnHost(std::make_shared<const sync::HostLive>(host.live));
  }

  // One pass; what it sends is queued in `pending`.
  void Pass() {
    CoreOutput output = core->Pass(now);
    ASSERT_TRUE(store->Apply(output.batch).ok());
    for (const auto& event : output.batch.append_events) events.push_back(event);
    for (auto& dispatch : output.dispatch) {
      sent.push_back(absl::StrCat(Describe(dispatch.action)));
      pending.push_back(dispatch);
    }
  }

  // Performs what is pending and reports it.
  void Perform() {
    std::vector<DispatchAction> todo;
    std::swap(todo, pending);
    for (const auto& dispatch : todo) {
      v1::ActionOutcome outcome = PerformOne(dispatch);
      unacknowledged.push_back(outcome);
      Report(dispatch.server);
      core->OnOutcome(dispatch.server, outcome, now);
    }
  }

  // Passes and performs until nothing is left to do now.
  void Settle(absl::Duration patience = absl::Seconds(30)) {
    const absl::Time until = now + patience;
    while (now < until) {
      Pass();
      if (pending.empty()) {
        if (core->wake_at() > until) return;
        now = std::max(now + absl::Milliseconds(1), core->wake_at());
      }
      Perform();
    }
  }

  v1::Condition ConditionOf(const std::string& resource) const {
    const auto id = resources::ResourceId::Parse(resource);
    const auto found = core->view()->result.decisions.find(*id);
    return found == core->view()->result.decisions.end() ? v1::CONDITION_UNSPECIFIED
                                                         : found->second->condition;
  }
  bool HasEvent(const std::string& type, const std::string& resource) const {
    for (const auto& event : events) {
      if (event.type() == type && event.resource() == resource) return true;
    }
    return false;
  }

  static std::string Describe(const v1::Action& action) {
    const std::string text =
        action.GetDescriptor()->FindFieldByNumber(static_cast<int>(action.body_case()))->name();
    return absl::StrCat(text, " ", action.resource());
  }

  resources::SpecHasher hasher{"k1", std::string(32, 'k')};
  CountingRandom random;
  Observer observer;
  std::unique_ptr<store::FakeStore> store = std::make_unique<store::FakeStore>();
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::map<std::string, ModelHost> hosts;
  std::unique_ptr<Core> core;
  std::vector<DispatchAction> pending;
  // Outcomes that the agents still hold; whoever stores a batch acknowledges them.
  std::vector<v1::ActionOutcome> unacknowledged;
  std::vector<std::string> sent;
  std::vector<v1::Event> events;
  // Commits from now on ask for approval.
  bool approval = false;
  // Resource to the error its next actions meet.
  std::map<std::string, absl::Status> faults;
  // Commit that builds and checkouts find.
  std::string head = "4f2a91c7";
  int images_made = 0;

 private:
  // As an engine would, of the repository at `head`.
  void Build(const v1::BuildImage& body, v1::BuildResult& result) {
    const std::string content = absl::StrCat(head, absl::StrJoin(body.build_args(), ","));
    result.set_commit(head);
    result.set_content_hash(content);
    for (const auto& target : body.targets()) {
      for (const std::string& tag : body.tags()) {
        result.add_references(absl::StrCat(target.repository(), ":", tag));
      }
    }
    if (!body.force() && body.known_content_hash() == content) {
      result.set_unchanged(true);
      result.set_image_id(body.known_image_id());
      return;
    }
    result.set_image_id(absl::StrCat("sha256:", ++images_made));
    for (const auto& target : body.targets()) {
      if (!target.push()) continue;
      result.add_digests(absl::StrCat(target.repository(), "@sha256:", images_made));
    }
  }

  v1::ActionOutcome PerformOne(const DispatchAction& dispatch) {
    const v1::Action& action = dispatch.action;
    ModelHost& host = hosts[dispatch.server];
    v1::ActionOutcome outcome;
    outcome.set_action_id(action.id());
    outcome.set_resource(action.resource());
    outcome.set_status(v1::ACTION_STATUS_SUCCEEDED);
    if (const auto fault = faults.find(action.resource()); fault != faults.end()) {
      outcome.set_status(v1::ACTION_STATUS_FAILED);
      outcome.set_code(static_cast<int32_t>(fault->second.code()));
      outcome.set_message(std::string(fault->second.message()));
      return outcome;
    }
    if (action.has_check() || action.has_check_stack()) return outcome;
    if (action.has_build_image()) {
      Build(action.build_image(), *outcome.mutable_build());
      return outcome;
    }
    if (action.has_check_out_repo()) {
      outcome.mutable_check_out()->set_commit(head);
      outcome.mutable_check_out()->set_directory("/repos/" + action.check_out_repo().directory());
      return outcome;
    }
    if (action.has_apply_container()) {
      const auto& spec = action.apply_container().spec();
      v1::Container* old = host.Find(spec.name());
      const bool beside = old != nullptr && action.apply_container().start_first();
      if (old != nullptr && !beside) {
        old->set_name(spec.name() + ".fairlead-old");
        old->set_state(v1::CONTAINER_STATE_EXITED);
        old->set_killed(true);
      }
      v1::Container made;
      made.set_id(absl::StrCat(dispatch.server, "-", ++host.made));
      made.set_name(spec.name() + (beside ? ".fairlead-new" : ""));
      made.set_image(spec.image());
      made.set_state(action.apply_container().leave_stopped() ? v1::CONTAINER_STATE_CREATED
                                                              : v1::CONTAINER_STATE_RUNNING);
      made.set_installation("inst");
      made.set_resource(action.resource());
      made.set_spec_hash(action.spec_hash());
      made.set_action(action.id());
      made.set_restart_policy(spec.restart_policy());
      *made.mutable_started_at() = base::ToProto(now);
      *made.mutable_created_at() = base::ToProto(now);
      (*made.mutable_section_hash())["image"] = spec.image();
      outcome.set_container_id(made.id());
      host.Put(std::move(made));
    } else if (action.has_finish_replacement()) {
      const std::string name = action.finish_replacement().name();
      if (action.finish_replacement().keep() == v1::FinishReplacement::KEEP_NEW) {
        host.Remove(name + ".fairlead-old");
        if (v1::Container* fresh = host.Find(name + ".fairlead-new")) {
          host.Remove(name);
          fresh->set_name(name);
        }
      } else if (host.Find(name + ".fairlead-new") != nullptr) {
        host.Remove(name + ".fairlead-new");
        outcome.set_container_id(host.Find(name)->id());
      } else {
        host.Remove(name);
        v1::Container* old = host.Find(name + ".fairlead-old");
        old->set_name(name);
        old->set_state(v1::CONTAINER_STATE_RUNNING);
        *old->mutable_started_at() = base::ToProto(now);
        outcome.set_container_id(old->id());
      }
    } else if (action.has_remove()) {
      std::erase_if(host.live.containers,
                    [&](const auto& at) { return at.second->resource() == action.resource(); });
    } else {
      for (auto& [id, container] : host.live.containers) {
        if (container->resource() != action.resource()) continue;
        v1::Container* changed = ModelHost::Own(container);
        if (action.has_update()) {
          changed->set_restart_policy(action.update().restart_policy());
          continue;
        }
        const bool stop = action.has_stop();
        changed->set_state(stop ? v1::CONTAINER_STATE_EXITED : v1::CONTAINER_STATE_RUNNING);
        changed->set_killed(stop);
        if (!stop) *changed->mutable_started_at() = base::ToProto(now);
      }
    }
    return outcome;
  }

  CoreOptions options_;
};

}  // namespace fairlead::loop
