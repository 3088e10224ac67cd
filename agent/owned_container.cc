#include "agent/owned_container.h"

#include <algorithm>
#include <set>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/engine_json.h"
#include "agent/section_hash.h"
#include "base/status.h"
#include "resources/replacement_names.h"

namespace fairlead::agent {
namespace {

constexpr int kDefaultStopSeconds = 10;
constexpr int kTailLines = 20;
constexpr std::size_t kTailBytes = 4096;

// The engine takes numbers and names, with and without SIG: what is compared has none.
std::string PlainSignal(const std::string& signal) {
  std::string name = absl::StartsWith(signal, "SIG") ? signal.substr(3) : signal;
  if (name == "15" || name.empty()) return "TERM";
  if (name == "1") return "HUP";
  if (name == "2") return "INT";
  if (name == "3") return "QUIT";
  if (name == "9") return "KILL";
  return name;
}

absl::StatusOr<ContainerRecord> RecordOf(const ActionScope& scope, const std::string& id) {
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   scope.engine.InspectContainer(id, scope.limits));
  return ContainerRecord{
      .resource = scope.action.resource(),
      .spec_hash = scope.action.spec_hash(),
      .action = scope.action.id(),
      .section_hash = ComputeSectionHashes(inspect, ImageNow(scope.engine, inspect, scope.limits),
                                           *scope.hasher)};
}

}  // namespace

bool IsOwned(const v1::Container& container, const std::string& installation,
             const std::string& resource, const ContainerRecords& records) {
  if (container.installation() == installation && container.resource() == resource &&
      !installation.empty()) {
    return true;
  }
  const std::optional<ContainerRecord> record = records.Find(container.id());
  return record && record->adopted && record->resource == resource;
}

bool IsOldName(const std::string& name) { return absl::EndsWith(name, resources::kOldSuffix); }

bool IsUp(const v1::Container& container) {
  return container.state() == v1::CONTAINER_STATE_RUNNING ||
         container.state() == v1::CONTAINER_STATE_PAUSED ||
         container.state() == v1::CONTAINER_STATE_RESTARTING;
}

absl::StatusOr<std::vector<v1::Container>> ListOwned(const EngineClient& engine,
                                                     const std::string& installation,
                                                     const std::string& resource,
                                                     const ContainerRecords& records,
                                                     const CallLimits& limits) {
  std::vector<v1::Container> owned;
  std::set<std::string> seen;
  const auto add = [&](const boost::json::array& listed) {
    for (const boost::json::value& element : listed) {
      if (!element.is_object()) continue;
      v1::Container container = ToBriefContainer(element.as_object());
      if (seen.insert(container.id()).second) owned.push_back(std::move(container));
    }
  };
  ASSIGN_OR_RETURN(
      const boost::json::array labelled,
      engine.ListContainers({.labels = {absl::StrCat(kInstallationLabel, "=", installation),
                                        absl::StrCat(kResourceLabel, "=", resource)}},
                            limits));
  add(labelled);
  for (const auto& [id, record] : records.All()) {
    if (!record.adopted || record.resource != resource || seen.contains(id)) continue;
    ASSIGN_OR_RETURN(const boost::json::array listed, engine.ListContainers({.id = id}, limits));
    add(listed);
  }
  std::reverse(owned.begin(), owned.end());
  return owned;
}

absl::StatusOr<std::optional<v1::Container>> FindByName(const EngineClient& engine,
                                                        const std::string& name,
                                                        const CallLimits& limits) {
  const absl::StatusOr<boost::json::object> inspect = engine.InspectContainer(name, limits);
  if (absl::IsNotFound(inspect.status())) return std::nullopt;
  RETURN_IF_ERROR(inspect.status());
  v1::Container container = ToContainer(*inspect);
  // The engine also looks among ids.
  if (container.name() != name) return std::nullopt;
  return container;
}

absl::Status StopGently(const EngineClient& engine, const base::Clock& clock, const std::string& id,
                        const std::string& signal, int timeout_seconds, const CallLimits& limits) {
  const int timeout = timeout_seconds > 0 ? timeout_seconds : kDefaultStopSeconds;
  int remaining = timeout;
  const absl::StatusOr<boost::json::object> inspect = engine.InspectContainer(id, limits);
  if (absl::IsNotFound(inspect.status())) return absl::OkStatus();
  RETURN_IF_ERROR(inspect.status());
  if (!IsUp(ToContainer(*inspect))) return absl::OkStatus();
  if (TextAt(*inspect, {"State", "Status"}) == "paused") {
    RETURN_IF_ERROR(engine.UnpauseContainer(id, limits));
  }
  if (!signal.empty() &&
      PlainSignal(signal) != PlainSignal(TextAt(*inspect, {"Config", "StopSignal"}))) {
    // The engine's stop takes another signal only from API 1.42 on.
    CallLimits wait = limits;
    wait.deadline = std::min(limits.deadline, clock.Now() + absl::Seconds(timeout));
    const absl::Status killed = engine.KillContainer(id, signal, limits);
    const absl::Status waited = killed.ok() ? engine.WaitContainer(id, wait) : killed;
    if (absl::IsCancelled(waited)) return waited;
    remaining = 0;
  }
  const absl::Status stopped = engine.StopContainer(id, remaining, limits);
  return absl::IsNotFound(stopped) ? absl::OkStatus() : stopped;
}

absl::Status RemoveOwned(const EngineClient& engine, ContainerRecords& records,
                         const std::string& id, const CallLimits& limits) {
  const absl::Status removed = engine.RemoveContainer(id, limits);
  const bool under_way =
      absl::IsFailedPrecondition(removed) && absl::StrContains(removed.message(), "in progress");
  if (!removed.ok() && !absl::IsNotFound(removed) && !under_way) return removed;
  return records.Remove(id);
}

std::string ReadLogTail(const EngineClient& engine, const std::string& id, bool tty,
                        const CallLimits& limits) {
  std::vector<std::string> lines;
  // Best effort: a container without a readable log has none.
  engine
      .ReadLogs(
          {.container = id, .tty = tty, .tail = kTailLines},
          [&](const LogLine& line) { lines.push_back(line.text); }, limits)
      .IgnoreError();
  std::string text = absl::StrJoin(lines, "\n");
  if (text.size() > kTailBytes) text.erase(0, text.size() - kTailBytes);
  return text;
}

void RecoverSecrets(SecretTexts& secrets, const boost::json::object& inspect,
                    const resources::SpecHasher& hasher) {
  std::vector<std::string> texts = TextsAt(inspect, {"Config", "Env"});
  for (std::string& word : TextsAt(inspect, {"Config", "Cmd"})) texts.push_back(std::move(word));
  secrets.Recover(texts, hasher);
}

std::string ReadRedactedLogTail(ActionScope& scope, const std::string& id,
                                const CallLimits& limits) {
  const absl::StatusOr<boost::json::object> inspect = scope.engine.InspectContainer(id, limits);
  // What may be in its log is not known.
  if (!inspect.ok()) return "";
  RecoverSecrets(scope.secrets, *inspect, *scope.hasher);
  return scope.secrets.Redact(
      ReadLogTail(scope.engine, id, FlagAt(*inspect, {"Config", "Tty"}), limits));
}

std::string ImageNow(const EngineClient& engine, const boost::json::object& inspect,
                     const CallLimits& limits) {
  const std::string reference = TextAt(inspect, {"Config", "Image"});
  // An id or a digest stands for one image for ever.
  const bool is_fixed = absl::StartsWith(reference, "sha256:") || absl::StrContains(reference, '@');
  if (reference.empty() || is_fixed) return "";
  return engine.ImageId(reference, limits).value_or("");
}

absl::Status RecordContainer(ActionScope& scope, const std::string& id) {
  ASSIGN_OR_RETURN(const ContainerRecord record, RecordOf(scope, id));
  return scope.records.Put(id, record);
}

absl::Status RecordAdopted(ActionScope& scope, const std::string& id, const std::string& probe) {
  ASSIGN_OR_RETURN(ContainerRecord record, RecordOf(scope, id));
  record.adopted = true;
  record.probe = probe;
  return scope.records.Put(id, record);
}

void FillAdopted(const ContainerRecords& records, const std::string& installation,
                 v1::Container& container) {
  const std::optional<ContainerRecord> record = records.Find(container.id());
  if (!record || !record->adopted) return;
  container.set_adopted(true);
  container.set_installation(installation);
  container.set_resource(record->resource);
  container.set_spec_hash(record->spec_hash);
  container.set_action(record->action);
}

absl::Status RecordAside(ActionScope& scope, const v1::Container& container) {
  const std::string& id = container.id();
  ContainerRecord record = scope.records.Find(id).value_or(
      ContainerRecord{.resource = scope.action.resource(), .spec_hash = container.spec_hash()});
  if (record.aside) return absl::OkStatus();
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   scope.engine.InspectContainer(id, scope.limits));
  record.aside = ContainerRecord::Aside{ToContainer(inspect).restart_policy(), IsUp(container)};
  return scope.records.Put(id, record);
}

absl::Status SetRestartPolicy(const EngineClient& engine, const std::string& id,
                              const std::string& policy, const CallLimits& limits) {
  const absl::Status set = engine.UpdateRestartPolicy(id, policy, limits);
  return absl::IsUnimplemented(set) ? absl::OkStatus() : set;
}

absl::Status PutBack(ActionScope& scope, const std::string& id, const std::string& name,
                     const std::string& restart_policy, bool leave_stopped,
                     const CallLimits& limits) {
  ASSIGN_OR_RETURN(const boost::json::object inspect, scope.engine.InspectContainer(id, limits));
  const v1::Container container = ToContainer(inspect);
  std::optional<ContainerRecord> record = scope.records.Find(id);
  const ContainerRecord::Aside aside =
      record && record->aside ? *record->aside : ContainerRecord::Aside{restart_policy, true};
  if (container.name() != name) RETURN_IF_ERROR(scope.engine.RenameContainer(id, name, limits));
  const std::string& policy = restart_policy.empty() ? aside.restart_policy : restart_policy;
  if (!policy.empty() && policy != container.restart_policy()) {
    RETURN_IF_ERROR(SetRestartPolicy(scope.engine, id, policy, limits));
  }
  if (!leave_stopped && aside.was_running && !IsUp(container)) {
    scope.Report("starting", name);
    RETURN_IF_ERROR(scope.engine.StartContainer(id, limits));
  }
  if (!record || !record->aside) return absl::OkStatus();
  // One that was made before this agent kept records has only what was set aside.
  if (record->section_hash.empty() && !record->adopted) return scope.records.Remove(id);
  record->aside.reset();
  return scope.records.Put(id, *record);
}

std::string ShortId(const std::string& id) { return id.substr(0, 12); }

}  // namespace fairlead::agent
