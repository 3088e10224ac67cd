#include "integration/simulation/link.h"

#include <algorithm>
#include <utility>

namespace fairlead::simulation {
namespace {

// A dead peer is noticed by then, on both sides.
constexpr absl::Duration kKeepalive = absl::Seconds(15);
constexpr absl::Duration kServerKeepalive = absl::Seconds(30);
constexpr absl::Duration kFast = absl::Milliseconds(1);
constexpr absl::Duration kSlow = absl::Milliseconds(60);

}  // namespace

Link::Link(Stage& stage, std::string name, uint64_t& streams)
    : stage_(stage), name_(std::move(name)), stream_count_(streams) {}

Link::Stream* Link::Find(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

absl::Time Link::ArrivalAfter(absl::Time& last) {
  const absl::Time earliest = std::max(stage_.timeline.now(), stalled_until_);
  last = std::max(last, earliest + stage_.random.Between(kFast, kSlow));
  return last;
}

StreamId Link::Dial() {
  const StreamId id = ++stream_count_;
  Stream& stream = streams_[id];
  stream.last_to_agent = stream.last_to_controller = stage_.timeline.now();
  stage_.timeline.At(ArrivalAfter(stream.last_to_agent), [this, id] {
    Stream* const opening = Find(id);
    const bool reachable = stage_.timeline.now() >= cut_off_until_ && !opening->dead;
    if (!reachable || !controller_.on_opened(id, *this)) {
      streams_.erase(id);
      agent_.on_disconnected(id);
      return;
    }
    opening->agent_open = opening->controller_open = true;
    agent_.on_connected(id);
  });
  return id;
}

void Link::SendToController(StreamId id, const v1::AgentMessage& message) {
  Stream* const stream = Find(id);
  if (stream == nullptr || !stream->agent_open) return;
  if (message.has_delta() && !stream->held.has_value() && stage_.Strikes(0.01)) {
    stage_.Fault(name_, "message reordered", " delta ", message.delta().seq());
    stream->held = message;
    stage_.timeline.After(absl::Seconds(1), [this, id] { ReleaseHeld(id); });
    return;
  }
  // Only another delta may overtake it.
  if (stream->held.has_value() && !message.has_delta()) ReleaseHeld(id);
  Carry(id, *stream, message);
  ReleaseHeld(id);
  if (message.has_delta() && stage_.Strikes(0.01)) {
    stage_.Fault(name_, "message doubled", " delta ", message.delta().seq());
    Carry(id, *stream, message);
  }
}

void Link::ReleaseHeld(StreamId id) {
  Stream* const stream = Find(id);
  if (stream == nullptr || !stream->held.has_value()) return;
  const v1::AgentMessage held = *std::exchange(stream->held, std::nullopt);
  Carry(id, *stream, held);
}

void Link::Carry(StreamId id, Stream& stream, const v1::AgentMessage& message) {
  if (stream.dead) return;
  stage_.timeline.At(ArrivalAfter(stream.last_to_controller), [this, id, message] {
    Stream* const at = Find(id);
    if (at == nullptr || at->dead || !at->controller_open) return;
    controller_.on_message(id, message);
  });
}

void Link::SendToAgent(StreamId id, const v1::ControllerMessage& message) {
  Stream* const stream = Find(id);
  if (stream == nullptr || !stream->controller_open || stream->dead) return;
  stage_.timeline.At(ArrivalAfter(stream->last_to_agent), [this, id, message] {
    Stream* const at = Find(id);
    if (at == nullptr || at->dead || !at->agent_open) return;
    agent_.on_message(id, message);
  });
}

void Link::CloseByAgent(StreamId id) {
  Stream* const stream = Find(id);
  if (stream == nullptr || !stream->agent_open) return;
  stream->agent_open = false;
  stage_.timeline.After(absl::ZeroDuration(), [this, id] { agent_.on_disconnected(id); });
  if (!stream->dead) {
    EndForController(id, ArrivalAfter(stream->last_to_controller) - stage_.timeline.now());
  }
}

void Link::CloseByController(StreamId id) {
  Stream* const stream = Find(id);
  if (stream == nullptr || !stream->controller_open) return;
  stream->controller_open = false;
  stage_.timeline.After(kFast, [this, id] { controller_.on_closed(id); });
  const absl::Duration wait =
      stream->dead ? kKeepalive : ArrivalAfter(stream->last_to_agent) - stage_.timeline.now();
  EndForAgent(id, wait);
}

void Link::EndForAgent(StreamId id, absl::Duration after) {
  stage_.timeline.After(after, [this, id] {
    Stream* const stream = Find(id);
    if (stream == nullptr || !stream->agent_open) return;
    stream->agent_open = false;
    agent_.on_disconnected(id);
  });
}

void Link::EndForController(StreamId id, absl::Duration after) {
  stage_.timeline.After(after, [this, id] {
    Stream* const stream = Find(id);
    if (stream == nullptr || !stream->controller_open) return;
    stream->controller_open = false;
    controller_.on_closed(id);
  });
}

void Link::Cut(bool controller_hears) {
  for (auto& [id, stream] : streams_) {
    if (stream.dead) continue;
    stream.dead = true;
    // With luck the end comes at once; else when a ping stays unanswered.
    const bool loud = stage_.random.Chance(0.5);
    SeededRandom& random = stage_.random;
    EndForAgent(id, loud ? random.Between(kFast, kSlow) : random.Between(kFast, kKeepalive));
    if (controller_hears) {
      EndForController(
          id, loud ? random.Between(kFast, kSlow) : random.Between(kFast, kServerKeepalive));
    }
  }
}

void Link::Stall(absl::Duration time) {
  stalled_until_ = std::max(stalled_until_, stage_.timeline.now() + time);
}

void Link::Partition(absl::Duration time) {
  cut_off_until_ = std::max(cut_off_until_, stage_.timeline.now() + time);
  Cut(stage_.random.Chance(0.5));
}

void Link::ControllerDied() {
  for (auto& [id, stream] : streams_) {
    stream.controller_open = false;
    stream.dead = true;
    EndForAgent(id, stage_.random.Between(kFast, kSlow));
  }
}

void Link::AgentDied() {
  for (auto& [id, stream] : streams_) {
    stream.agent_open = false;
    if (stream.dead) continue;
    // What it had sent is still on its way.
    EndForController(id, ArrivalAfter(stream.last_to_controller) - stage_.timeline.now());
  }
}

}  // namespace fairlead::simulation
