#include "integration/simulation/engine_wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "base/status.h"

namespace fairlead::simulation {
namespace {

// How often a waiting call looks at its limits.
constexpr absl::Duration kPoll = absl::Seconds(5);
constexpr double kCrashAtCall = 0.002;

absl::Status Gone() {
  return absl::UnavailableError("docker does not answer at the simulated socket");
}

// What an engine that is confused says in place of the truth.
Engine::Answer LieAbout(const agent::HttpRequest& request, const Engine::Answer& truth,
                        SeededRandom& random, Engine& engine) {
  namespace json = boost::json;
  if (random.Chance(0.3)) return {500, "{\"message\":\"context deadline exceeded\"}"};
  if (random.Chance(0.3)) return {200, truth.body.substr(0, truth.body.size() / 2)};
  if (!absl::StrContains(request.target, "/containers/json")) {
    engine.MarkDeceptive(TargetOf(request).first);
    return {404, "{\"message\":\"No such container\"}"};
  }
  json::value listed = json::parse(truth.body);
  json::array& array = listed.as_array();
  if (array.empty()) return truth;
  const std::size_t hidden = random.Below(array.size());
  engine.MarkDeceptive(agent::TextAt(array[hidden].as_object(), {"Id"}));
  array.erase(array.begin() + static_cast<std::ptrdiff_t>(hidden));
  return {200, std::string(json::serialize(listed))};
}

}  // namespace

absl::StatusOr<agent::HttpResponse> EngineWire::Stream(const agent::HttpRequest& request,
                                                       const StreamHooks& hooks,
                                                       const agent::CallLimits& limits) const {
  if (!life_->alive) return Gone();
  if (absl::StrContains(request.target, "/events?")) return Events(hooks, limits);
  ASSIGN_OR_RETURN(agent::HttpResponse response, Exchange(request, limits));
  if (!hooks.on_bytes || response.status >= 300) return response;
  if (hooks.on_open) hooks.on_open();
  RETURN_IF_ERROR(hooks.on_bytes(response.body));
  response.body.clear();
  return response;
}

absl::Status EngineWire::Wait(absl::Time until, const agent::CallLimits& limits) const {
  while (true) {
    if (!life_->alive) return Gone();
    if (limits.is_cancelled && limits.is_cancelled()) return absl::CancelledError("cancelled");
    const absl::Duration left = limits.deadline - host_.clock.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError("docker did not finish in time");
    }
    const absl::Time now = stage_.timeline.now();
    if (now >= until) return absl::OkStatus();
    Fiber::Current()->SleepUntil(std::min(until, now + std::min(left, kPoll)));
  }
}

absl::Duration EngineWire::TimeFor(const agent::HttpRequest& request) const {
  SeededRandom& random = stage_.random;
  if (absl::StrContains(request.target, "/stop?") ||
      absl::StrContains(request.target, "/restart?")) {
    return random.Between(absl::Milliseconds(50), absl::Seconds(2));
  }
  if (absl::StrContains(request.target, "/images/create")) {
    return random.Between(absl::Milliseconds(200), absl::Seconds(8));
  }
  return random.Between(absl::Microseconds(200), absl::Milliseconds(5));
}

Engine::Answer EngineWire::Perform(const agent::HttpRequest& request,
                                   const std::string& action) const {
  Engine::Answer answer = host_.engine.Handle(request);
  ledger_.OnAnswer(host_.server, host_.engine, action, request, answer);
  return answer;
}

absl::StatusOr<agent::HttpResponse> EngineWire::FinishLate(const agent::HttpRequest& request,
                                                           const std::string& action,
                                                           const agent::CallLimits& limits) const {
  stage_.Fault(host_.server, "engine finishes late", " ", request.target);
  const absl::Duration late = stage_.random.Between(absl::Seconds(5), absl::Minutes(1));
  const auto answer = std::make_shared<Engine::Answer>();
  const uint64_t asked = host_.engine.process();
  stage_.timeline.After(late, [this_copy = *this, request, action, answer, asked] {
    if (this_copy.host_.engine.process() != asked) return;
    this_copy.host_.engine.GiveName(request);
    *answer = this_copy.Perform(request, action);
    if (answer->status == 201) {
      const boost::json::value made = boost::json::parse(answer->body);
      this_copy.host_.engine.MarkDeceptive(agent::TextAt(made.as_object(), {"Id"}));
    }
  });
  RETURN_IF_ERROR(Wait(stage_.timeline.now() + late + absl::Milliseconds(1), limits));
  if (host_.engine.process() != asked) return Gone();
  return agent::HttpResponse{answer->status, answer->body};
}

absl::StatusOr<agent::HttpResponse> EngineWire::Exchange(const agent::HttpRequest& request,
                                                         const agent::CallLimits& limits) const {
  const std::string action = Fiber::Current()->label();
  const bool changes = ChangesContainers(request);
  if (changes) stage_.Say(host_.server, "engine is asked: ", request.method, " ", request.target);
  ledger_.OnRequest(host_.server, host_.engine, action, request);
  RETURN_IF_ERROR(Wait(stage_.timeline.now() + TimeFor(request), limits));
  if (!host_.up) return Gone();
  if (changes && stage_.Strikes(kCrashAtCall)) {
    crash_("before a change of the engine");
    return Gone();
  }
  const bool troubled = stage_.Strikes(host_.trouble);
  const std::size_t kind = troubled ? stage_.random.Below(6) : 6;
  if (kind == 0) {
    stage_.Fault(host_.server, "engine refuses", " ", request.target);
    return Gone();
  }
  if (kind == 1) {
    // Nothing of the call arrives until the engine is itself again.
    stage_.Fault(host_.server, "engine hangs", " ", request.target);
    RETURN_IF_ERROR(Wait(
        stage_.timeline.now() + stage_.random.Between(absl::Seconds(5), absl::Minutes(2)), limits));
    return Gone();
  }
  if (kind == 2 && host_.engine.TakeName(request)) return FinishLate(request, action, limits);
  Engine::Answer answer = Perform(request, action);
  if (kind == 3) {
    stage_.Fault(host_.server, "engine breaks off", " after ", request.target);
    return Gone();
  }
  if (kind == 4 && !changes) {
    stage_.Fault(host_.server, "engine lies", " about ", request.target);
    answer = LieAbout(request, answer, stage_.random, host_.engine);
  }
  if (changes && stage_.Strikes(kCrashAtCall)) {
    crash_("after a change of the engine");
    return Gone();
  }
  RETURN_IF_ERROR(Wait(stage_.timeline.now() + absl::Microseconds(300), limits));
  return agent::HttpResponse{answer.status, answer.body};
}

absl::StatusOr<agent::HttpResponse> EngineWire::Events(const StreamHooks& hooks,
                                                       const agent::CallLimits& limits) const {
  RETURN_IF_ERROR(Wait(stage_.timeline.now() + absl::Milliseconds(1), limits));
  if (!host_.up) return Gone();
  host_.watcher = Fiber::Current()->weak_from_this();
  if (hooks.on_open) hooks.on_open();
  // The engine replays what it still has.
  uint64_t next = host_.engine.first_event();
  while (life_->alive && host_.up) {
    while (next < host_.engine.next_event()) {
      next = std::max(next, host_.engine.first_event());
      const std::string line = host_.engine.events()[next - host_.engine.first_event()];
      ++next;
      if (stage_.Strikes(host_.trouble / 4)) {
        stage_.Fault(host_.server, "engine event lost");
        continue;
      }
      const int times = stage_.Strikes(host_.trouble / 4) ? 2 : 1;
      for (int i = 0; i < times; ++i) RETURN_IF_ERROR(hooks.on_bytes(line));
    }
    Fiber::Current()->SleepUntil(absl::InfiniteFuture());
    // Reading takes its time; more may come meanwhile.
    if (life_->alive) Fiber::Current()->SleepUntil(stage_.timeline.now() + absl::Milliseconds(1));
  }
  return Gone();
}

}  // namespace fairlead::simulation
