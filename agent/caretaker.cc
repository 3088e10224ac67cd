#include "agent/caretaker.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/util/message_differencer.h>
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

using google::protobuf::util::MessageDifferencer;

// Heals of one resource that are remembered, and notices that wait.
constexpr std::size_t kMostHeals = 20;
constexpr int kMostNotices = 200;
// The last contact is written when it is this part of the ttl later, at most once in a minute.
constexpr int kContactParts = 50;
constexpr absl::Duration kShortestContact = absl::Minutes(1);

}  // namespace

Caretaker::Caretaker(const std::string& folder) : store_(folder) {}

std::optional<UseInstallation> Caretaker::Load(absl::Time now) {
  alone_since_ = now;
  const absl::StatusOr<v1::AutonomyState> state = store_.LoadState();
  if (state.ok()) state_ = *state;
  if (!state.ok() && !absl::IsNotFound(state.status())) {
    base::LogWarning("agent", "autonomy: ", state.status().message());
  }
  absl::StatusOr<AppliedBodies> bodies = store_.LoadBodies();
  if (bodies.ok()) {
    bodies_ = *std::move(bodies);
  } else {
    base::LogWarning("agent", "autonomy: ", bodies.status().message());
  }
  last_contact_ = saved_contact_ = base::FromProto(state_.last_contact());
  if (!state_.terms().heal() || state_.installation().empty()) return std::nullopt;
  return UseInstallation{state_.installation(), state_.hash_key_id(), state_.hash_key()};
}

void Caretaker::OnWelcome(const v1::Welcome& welcome, absl::Time now) {
  connected_ = true;
  wake_ = absl::InfiniteFuture();
  last_contact_ = now;
  heals_.clear();
  last_end_.clear();
  const bool is_other = welcome.installation() != state_.installation();
  if (is_other) {
    // Another controller has other resources, and has not said what is allowed.
    state_.clear_terms();
    for (const auto& [resource, body] : std::exchange(bodies_, {})) {
      store_.RemoveBody(resource).IgnoreError();  // It has the hash of another installation.
    }
  }
  state_.set_installation(welcome.installation());
  state_.set_hash_key(welcome.hash_key());
  state_.set_hash_key_id(welcome.hash_key_id());
  if (is_other || state_.terms().heal()) SaveState();
}

void Caretaker::OnTerms(const v1::AutonomyTerms& terms, absl::Time now) {
  if (MessageDifferencer::Equals(terms, state_.terms())) return;
  *state_.mutable_terms() = terms;
  last_contact_ = now;
  SaveState();
}

void Caretaker::OnContact(absl::Time now) {
  last_contact_ = now;
  if (!state_.terms().heal()) return;
  const absl::Duration lag =
      std::max(kShortestContact, base::FromProto(state_.terms().ttl()) / kContactParts);
  if (now - saved_contact_ >= lag || now < saved_contact_) SaveState();
}

void Caretaker::OnDisconnected(absl::Time now) {
  if (!connected_) return;
  connected_ = false;
  alone_since_ = now;
  if (state_.terms().heal()) SaveState();
}

std::optional<v1::AppliedBody> Caretaker::Find(const std::string& resource) const {
  const auto found = bodies_.find(resource);
  if (found == bodies_.end()) return std::nullopt;
  return found->second;
}

absl::Status Caretaker::Store(const std::string& resource,
                              const std::optional<v1::AppliedBody>& body) {
  if (!body) {
    bodies_.erase(resource);
    return store_.RemoveBody(resource);
  }
  v1::AppliedBody& slot = bodies_[resource];
  if (MessageDifferencer::Equals(slot, *body)) return absl::OkStatus();
  slot = *body;
  return store_.PutBody(resource, *body);
}

absl::Status Caretaker::OnBegun(const v1::Action& action) {
  return Store(action.resource(), BodyWhenBegun(Find(action.resource()), action));
}

void Caretaker::OnSucceeded(const v1::Action& action) {
  const absl::Status stored =
      Store(action.resource(), BodyWhenDone(Find(action.resource()), action));
  if (stored.ok()) return;
  base::LogWarning("agent", action.resource(), ": not kept for later: ", stored.message());
}

std::vector<v1::Action> Caretaker::Decide(const v1::HostState& host, std::set<std::string> open,
                                          absl::Time now) {
  wake_ = absl::InfiniteFuture();
  if (connected_) return {};
  for (const auto& [id, heal] : under_way_) open.insert(heal.resource);
  AutonomousPlan plan = DecideAutonomousHeal({.terms = state_.terms(),
                                              .installation = state_.installation(),
                                              .last_contact = last_contact_,
                                              .alone_since = alone_since_,
                                              .host = host,
                                              .bodies = bodies_,
                                              .open = open,
                                              .heals = heals_},
                                             now);
  wake_ = plan.wake;
  std::vector<v1::Action> actions;
  for (AutonomousHeal& heal : plan.heals) {
    const std::string& resource = heal.action.resource();
    base::LogInfo("agent", "alone: ", resource, " ", heal.reason, ": heals it");
    under_way_[heal.action.id()] = {resource, heal.reason};
    std::vector<absl::Time>& times = heals_[resource];
    times.push_back(now);
    if (times.size() > kMostHeals) times.erase(times.begin());
    actions.push_back(std::move(heal.action));
  }
  return actions;
}

bool Caretaker::OnHealed(const v1::ActionOutcome& outcome, absl::Time now) {
  const auto found = under_way_.find(outcome.action_id());
  if (found == under_way_.end()) return false;
  const UnderWay heal = found->second;
  under_way_.erase(found);
  const bool succeeded = outcome.status() == v1::ACTION_STATUS_SUCCEEDED;
  const std::string end = succeeded ? "healed" : absl::StrCat("not healed: ", outcome.message());
  // A failure that goes on is said once.
  std::string& last = last_end_[heal.resource];
  const bool is_known = !succeeded && last == end;
  last = end;
  if (is_known) return true;
  v1::AgentNotice notice;
  notice.set_resource(heal.resource);
  notice.set_warning(!succeeded);
  notice.set_message(absl::StrCat("without the controller, at ",
                                  absl::FormatTime("%Y-%m-%d %H:%M:%S", now, absl::UTCTimeZone()),
                                  " UTC: ", heal.reason, "; ", end));
  *state_.add_unsent() = std::move(notice);
  // The newest are of more use.
  if (state_.unsent_size() > kMostNotices) state_.mutable_unsent()->DeleteSubrange(0, 1);
  SaveState();
  return true;
}

std::vector<v1::AgentNotice> Caretaker::TakeNotices() {
  std::vector<v1::AgentNotice> notices(state_.unsent().begin(), state_.unsent().end());
  if (notices.empty()) return notices;
  state_.clear_unsent();
  SaveState();
  return notices;
}

void Caretaker::SaveState() {
  *state_.mutable_last_contact() = base::ToProto(last_contact_);
  const absl::Status saved = store_.PutState(state_);
  if (saved.ok()) {
    saved_contact_ = last_contact_;
  } else {
    base::LogWarning("agent", "autonomy: ", saved.message());
  }
}

}  // namespace fairlead::agent
