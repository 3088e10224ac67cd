#include "agent/container_watch.h"

#include <utility>

#include <boost/json.hpp>
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "agent/probe_schedule.h"
#include "agent/section_hash.h"
#include "agent/stack_folder.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kListTime = absl::Seconds(30);
constexpr absl::Duration kInspectTime = absl::Seconds(10);
constexpr absl::Duration kLogTime = absl::Seconds(2);

// Signals that programs take as a message and go on: HUP, USR1, USR2, CHLD, CONT, WINCH.
bool EndsProgram(int signal) {
  return signal != 1 && signal != 10 && signal != 12 && signal != 17 && signal != 18 &&
         signal != 28;
}

}  // namespace

ContainerWatch::ContainerWatch(const EngineClient& engine, ContainerRecords& records,
                               SecretTexts& secrets, const base::Clock& clock,
                               std::string data_directory, Prober* prober)
    : engine_(engine),
      records_(records),
      secrets_(secrets),
      clock_(clock),
      data_directory_(std::move(data_directory)),
      prober_(prober) {}

void ContainerWatch::SetInstallation(const std::string& installation,
                                     std::shared_ptr<const resources::SpecHasher> hasher) {
  installation_ = installation;
  hasher_ = std::move(hasher);
}

CallLimits ContainerWatch::Limits(absl::Duration time) const {
  return {.deadline = clock_.Now() + time};
}

bool ContainerWatch::IsOurs(const v1::Container& container) const {
  if (container.installation() == installation_) return true;
  if (!container.compose_project().empty() && projects_.contains(container.compose_project())) {
    return true;
  }
  const std::optional<ContainerRecord> record = records_.Find(container.id());
  return record && record->adopted;
}

bool ContainerWatch::IsCurrent(const v1::Container& known, const v1::Container& listed) const {
  const std::optional<ContainerRecord> record = records_.Find(listed.id());
  // One that was foreign when it was said has no section hashes.
  return known.state() == listed.state() && known.name() == listed.name() &&
         known.section_hash_size() > 0 &&
         known.adopted() == (record.has_value() && record->adopted);
}

absl::StatusOr<ContainerWatch::Look> ContainerWatch::LookAtAll(const LiveView* known) {
  Look look;
  look.projects = ReadProjects(data_directory_);
  projects_.clear();
  for (const v1::Project& project : look.projects) projects_.insert(project.name());
  // Records made while the list is under way are of containers it may not hold.
  const std::map<std::string, ContainerRecord> recorded = records_.All();
  ASSIGN_OR_RETURN(const boost::json::array listed, engine_.ListContainers({}, Limits(kListTime)));
  std::set<std::string> ids;
  images_now_.emplace();
  const absl::Cleanup forget_images = [this] { images_now_.reset(); };
  for (const boost::json::value& element : listed) {
    if (!element.is_object()) continue;
    v1::Container container = ToBriefContainer(element.as_object());
    ids.insert(container.id());
    const v1::Container* said = known == nullptr ? nullptr : known->Find(container.id());
    if (said != nullptr && IsOurs(container) && IsCurrent(*said, container)) {
      container = *said;
    } else if (IsOurs(container)) {
      absl::StatusOr<v1::Container> inspected = Inspect(container.id());
      if (absl::IsNotFound(inspected.status())) continue;
      RETURN_IF_ERROR(inspected.status());
      container = *std::move(inspected);
    }
    look.containers.push_back(std::move(container));
  }
  for (const auto& [id, record] : recorded) {
    if (ids.contains(id)) continue;
    const absl::Status forgotten = records_.Remove(id);
    if (!forgotten.ok()) base::LogWarning("docker", "records: ", forgotten.message());
  }
  std::erase_if(searched_, [&](const std::string& id) { return !ids.contains(id); });
  std::erase_if(killed_, [&](const std::string& id) { return !ids.contains(id); });
  std::erase_if(tails_, [&](const auto& entry) { return !ids.contains(entry.first); });
  if (prober_ != nullptr) prober_->Keep(ids);
  return look;
}

absl::StatusOr<v1::Container> ContainerWatch::LookAt(const EngineEvent& event,
                                                     const LiveView& view) {
  const v1::Container* known = view.Find(event.container_id);
  const bool ours = event.installation == installation_ || (known != nullptr && IsOurs(*known));
  if (ours) return Inspect(event.container_id);
  if (event.type == "network") {
    return absl::FailedPreconditionError("a network of a foreign container");
  }
  ASSIGN_OR_RETURN(const boost::json::array listed,
                   engine_.ListContainers({.id = event.container_id}, Limits(kInspectTime)));
  if (listed.empty() || !listed[0].is_object()) return absl::NotFoundError("it is gone");
  v1::Container container = ToBriefContainer(listed[0].as_object());
  if (IsOurs(container)) return Inspect(event.container_id);
  return container;
}

bool ContainerWatch::Note(const EngineEvent& event) {
  if (event.type != "container") return false;
  if (event.action == "destroy" && prober_ != nullptr) prober_->Forget(event.container_id);
  if (event.action == "start" || event.action == "destroy") {
    return killed_.erase(event.container_id) > 0;
  }
  if (event.action == "stop" || (event.action == "kill" && EndsProgram(event.signal))) {
    return killed_.insert(event.container_id).second;
  }
  return false;
}

absl::StatusOr<v1::Container> ContainerWatch::Inspect(const std::string& id) {
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   engine_.InspectContainer(id, Limits(kInspectTime)));
  v1::Container container = ToContainer(inspect);
  const bool ended = !IsUp(container) && container.state() != v1::CONTAINER_STATE_CREATED;
  container.set_killed(ended && killed_.contains(id));
  FillAdopted(records_, installation_, container);
  FillSections(inspect, container);
  FillProbed(inspect, container);
  if (searched_.insert(id).second) RecoverSecrets(secrets_, inspect, *hasher_);
  container.set_log_tail(LogTailOf(container, FlagAt(inspect, {"Config", "Tty"})));
  return container;
}

void ContainerWatch::FillSections(const boost::json::object& inspect, v1::Container& container) {
  const auto ask = [&] { return ImageNow(engine_, inspect, Limits(kInspectTime)); };
  std::string image_now;
  if (images_now_) {
    // A host has many containers of few images.
    const auto [known, is_new] = images_now_->try_emplace(container.image());
    if (is_new) known->second = ask();
    image_now = known->second;
  } else {
    image_now = ask();
  }
  const std::map<std::string, std::string> sections =
      ComputeSectionHashes(inspect, image_now, *hasher_);
  container.mutable_section_hash()->insert(sections.begin(), sections.end());
  const std::optional<ContainerRecord> record = records_.Find(container.id());
  // Hashes of another key say nothing.
  if (!record || !hasher_->CanVerify(container.spec_hash())) return;
  for (const std::string& section : ChangedSections(record->section_hash, sections)) {
    container.add_changed_sections(section);
  }
}

void ContainerWatch::FillProbed(const boost::json::object& inspect, v1::Container& container) {
  if (prober_ == nullptr) return;
  std::string text = TextAt(inspect, {"Config", "Labels", kProbeLabel});
  if (container.adopted()) {
    const std::optional<ContainerRecord> record = records_.Find(container.id());
    text = record ? record->probe : "";
  }
  const std::optional<ProbeDefinition> definition = ReadProbeText(text);
  if (!definition || container.state() != v1::CONTAINER_STATE_RUNNING) {
    prober_->Forget(container.id());
    return;
  }
  const Prober::Finding finding =
      prober_->Watch({.id = container.id(),
                      .definition = *definition,
                      .address = AddressOf(inspect),
                      .started_at = base::FromProto(container.started_at())});
  container.set_health(finding.health);
  container.set_health_failure(finding.failure);
}

std::string ContainerWatch::LogTailOf(const v1::Container& container, bool tty) {
  const bool unhealthy = container.health() == v1::CONTAINER_HEALTH_UNHEALTHY;
  const bool exited = container.state() == v1::CONTAINER_STATE_EXITED;
  if ((!unhealthy && !exited) || IsOldName(container.name())) {
    tails_.erase(container.id());
    return "";
  }
  // Read once for each end and each turn to unhealthy, so that it does not change by itself.
  const std::string of =
      exited ? absl::StrCat(container.finished_at().seconds(), ".", container.finished_at().nanos())
             : absl::StrCat("unhealthy since start ", container.started_at().seconds());
  Tail& tail = tails_[container.id()];
  if (tail.of != of) {
    tail = {of, secrets_.Redact(ReadLogTail(engine_, container.id(), tty, Limits(kLogTime)))};
  }
  return tail.text;
}

}  // namespace fairlead::agent
