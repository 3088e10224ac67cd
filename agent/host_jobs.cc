#include "agent/host_jobs.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "agent/docker_cli.h"
#include "agent/engine_json.h"
#include "agent/image_pull.h"
#include "agent/owned_container.h"
#include "agent/registry_login.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr int kRestartSeconds = 10;

absl::StatusOr<std::vector<v1::Container>> OwnedOf(const ActionScope& scope) {
  ASSIGN_OR_RETURN(std::vector<v1::Container> owned,
                   ListOwned(scope.engine, scope.installation, scope.action.resource(),
                             scope.records, scope.limits));
  std::erase_if(owned, [](const v1::Container& container) { return IsOldName(container.name()); });
  if (owned.empty()) {
    return absl::NotFoundError(absl::StrCat(scope.action.resource(), " has no container"));
  }
  return owned;
}

absl::StatusOr<std::vector<v1::Container>> AllOf(const ActionScope& scope) {
  ASSIGN_OR_RETURN(const json::array listed, scope.engine.ListContainers({}, scope.limits));
  std::vector<v1::Container> containers;
  for (const json::value& element : listed) {
    if (element.is_object()) containers.push_back(ToBriefContainer(element.as_object()));
  }
  return containers;
}

struct Verb {
  // "stopping" and "stopped".
  const char* doing;
  const char* done;
  std::function<bool(v1::ContainerState)> applies;
  std::function<absl::Status(const v1::Container&)> act;
};

Verb VerbOf(ActionScope& scope, const v1::ActOnContainer& request) {
  const auto is = [](v1::ContainerState wanted) {
    return [wanted](v1::ContainerState state) { return state == wanted; };
  };
  const bool has_timeout = request.has_timeout_seconds();
  const int timeout = has_timeout ? request.timeout_seconds() : kRestartSeconds;
  switch (request.verb()) {
    case v1::ActOnContainer::VERB_START:
      return {"starting", "started",
              [](v1::ContainerState state) {
                return state == v1::CONTAINER_STATE_EXITED || state == v1::CONTAINER_STATE_CREATED;
              },
              [&](const v1::Container& one) {
                return scope.engine.StartContainer(one.id(), scope.limits);
              }};
    case v1::ActOnContainer::VERB_RESTART:
      return {"restarting", "restarted", is(v1::CONTAINER_STATE_RUNNING),
              [&, timeout](const v1::Container& one) {
                return scope.engine.RestartContainer(one.id(), timeout, scope.limits);
              }};
    case v1::ActOnContainer::VERB_PAUSE:
      return {"pausing", "paused", is(v1::CONTAINER_STATE_RUNNING), [&](const v1::Container& one) {
                return scope.engine.PauseContainer(one.id(), scope.limits);
              }};
    case v1::ActOnContainer::VERB_UNPAUSE:
      return {"unpausing", "unpaused", is(v1::CONTAINER_STATE_PAUSED),
              [&](const v1::Container& one) {
                return scope.engine.UnpauseContainer(one.id(), scope.limits);
              }};
    case v1::ActOnContainer::VERB_STOP:
      return {"stopping", "stopped",
              [](v1::ContainerState state) {
                return state == v1::CONTAINER_STATE_RUNNING ||
                       state == v1::CONTAINER_STATE_RESTARTING ||
                       state == v1::CONTAINER_STATE_PAUSED;
              },
              [&](const v1::Container& one) {
                return StopGently(scope.engine, scope.clock, one.id(), request.signal(),
                                  request.timeout_seconds(), scope.limits);
              }};
    default:
      return {"removing", "removed", [](v1::ContainerState) { return true; },
              [&](const v1::Container& one) -> absl::Status {
                if (IsUp(one)) {
                  RETURN_IF_ERROR(StopGently(scope.engine, scope.clock, one.id(), request.signal(),
                                             request.timeout_seconds(), scope.limits));
                }
                return RemoveOwned(scope.engine, scope.records, one.id(), scope.limits);
              }};
  }
}

bool IsCalled(const v1::Container& container, const std::string& name) {
  const bool is_id = name.size() >= 12 && container.id().starts_with(name);
  return container.name() == name || is_id;
}

// What one kind of prune removed.
struct Pruned {
  std::string noun;
  std::size_t count = 0;
  uint64_t bytes = 0;
};

absl::StatusOr<json::object> PostPrune(ActionScope& scope, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string body, scope.engine.Do("POST", path, "", scope.limits));
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_object()) {
    return absl::UnavailableError(absl::StrCat("docker's answer to ", path, " is not an object"));
  }
  return std::move(value.as_object());
}

Pruned PrunedOf(const json::object& answer, const std::string& noun, const char* list) {
  const json::array* removed = ArrayAt(answer, {list});
  return {
      .noun = noun,
      .count = removed == nullptr ? 0 : removed->size(),
      .bytes = static_cast<uint64_t>(std::max<int64_t>(0, NumberAt(answer, {"SpaceReclaimed"})))};
}

std::string Filters(const json::object& filters) {
  return absl::StrCat("?filters=", EscapeUrl(std::string(json::serialize(filters))));
}

absl::StatusOr<Pruned> PruneContainers(ActionScope& scope) {
  const json::object filters = {{"label!", json::array{kInstallationLabel}}};
  ASSIGN_OR_RETURN(const json::object answer,
                   PostPrune(scope, absl::StrCat("/containers/prune", Filters(filters))));
  return PrunedOf(answer, "container", "ContainersDeleted");
}

absl::StatusOr<Pruned> PruneNetworks(ActionScope& scope) {
  ASSIGN_OR_RETURN(const json::object answer, PostPrune(scope, "/networks/prune"));
  return PrunedOf(answer, "network", "NetworksDeleted");
}

absl::StatusOr<std::size_t> CountImages(ActionScope& scope) {
  ASSIGN_OR_RETURN(const std::string body,
                   scope.engine.Do("GET", "/images/json", "", scope.limits));
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_array()) return absl::UnavailableError("docker's list is not an array");
  return value.as_array().size();
}

absl::StatusOr<Pruned> PruneImages(ActionScope& scope) {
  // The answer names layers and tags, not images.
  ASSIGN_OR_RETURN(const std::size_t before, CountImages(scope));
  const json::object filters = {{"dangling", json::array{"false"}}};
  ASSIGN_OR_RETURN(const json::object answer,
                   PostPrune(scope, absl::StrCat("/images/prune", Filters(filters))));
  ASSIGN_OR_RETURN(const std::size_t after, CountImages(scope));
  Pruned pruned = PrunedOf(answer, "image", "");
  pruned.count = before > after ? before - after : 0;
  return pruned;
}

absl::StatusOr<Pruned> PruneVolumes(ActionScope& scope) {
  // From API 1.42 on named ones need to be asked for; before that the filter is unknown.
  const json::object filters = {{"all", json::array{"true"}}};
  absl::StatusOr<json::object> answer =
      PostPrune(scope, absl::StrCat("/volumes/prune", Filters(filters)));
  if (absl::IsInvalidArgument(answer.status())) answer = PostPrune(scope, "/volumes/prune");
  RETURN_IF_ERROR(answer.status());
  return PrunedOf(*answer, "volume", "VolumesDeleted");
}

absl::StatusOr<Pruned> PruneBuildCache(ActionScope& scope) {
  ASSIGN_OR_RETURN(const json::object answer, PostPrune(scope, "/build/prune?all=1"));
  return PrunedOf(answer, "build cache record", "CachesDeleted");
}

absl::Status PruneBuildx(ActionScope& scope, const std::string& engine,
                         const std::string& data_directory) {
  ASSIGN_OR_RETURN(const DockerCli docker, DockerCli::Make(scope, engine, data_directory, {}));
  ASSIGN_OR_RETURN(const bool has_buildx, docker.HasBuildx());
  if (!has_buildx) {
    return absl::FailedPreconditionError(
        "buildx is not on this host; PruneDockerBuilders removes the engine's own build cache");
  }
  ASSIGN_OR_RETURN(const base::SubprocessResult result,
                   docker.Run({.arguments = {"buildx", "prune", "--all", "--force"}}));
  const std::string last = scope.output.LastLines(1);
  if (result.exit_code != 0) {
    return StatusOfDocker(absl::StrCat("buildx prune ended with ", result.exit_code, ": ", last));
  }
  scope.outcome.set_report(last.empty() ? "removed nothing" : last);
  return absl::OkStatus();
}

using Prune = std::function<absl::StatusOr<Pruned>(ActionScope&)>;

std::vector<Prune> PrunesOf(v1::PruneHost::What what) {
  switch (what) {
    case v1::PruneHost::WHAT_CONTAINERS:
      return {PruneContainers};
    case v1::PruneHost::WHAT_NETWORKS:
      return {PruneNetworks};
    case v1::PruneHost::WHAT_IMAGES:
      return {PruneImages};
    case v1::PruneHost::WHAT_VOLUMES:
      return {PruneVolumes};
    case v1::PruneHost::WHAT_BUILD_CACHE:
      return {PruneBuildCache};
    case v1::PruneHost::WHAT_SYSTEM:
      // Containers first: they hold the others.
      return {PruneContainers, PruneNetworks, PruneImages, PruneBuildCache};
    default:
      return {};
  }
}

}  // namespace

std::string SizeText(uint64_t bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < std::size(units)) {
    size /= 1000;
    ++unit;
  }
  return unit > 0 && size < 9.95 ? absl::StrFormat("%.1f %s", size, units[unit])
                                 : absl::StrFormat("%.0f %s", size, units[unit]);
}

std::string CountText(std::size_t count, const std::string& noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

absl::Status PauseContainers(ActionScope& scope) {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> containers, OwnedOf(scope));
  for (const v1::Container& container : containers) {
    if (container.state() != v1::CONTAINER_STATE_RUNNING) continue;
    scope.Report("pausing", container.name());
    RETURN_IF_ERROR(scope.engine.PauseContainer(container.id(), scope.limits),
                    absl::StrCat("pause container ", container.name()));
  }
  return absl::OkStatus();
}

absl::Status UnpauseContainers(ActionScope& scope) {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> containers, OwnedOf(scope));
  for (const v1::Container& container : containers) {
    if (container.state() != v1::CONTAINER_STATE_PAUSED) continue;
    scope.Report("unpausing", container.name());
    RETURN_IF_ERROR(scope.engine.UnpauseContainer(container.id(), scope.limits),
                    absl::StrCat("unpause container ", container.name()));
  }
  return absl::OkStatus();
}

absl::Status ActOnContainer(ActionScope& scope, const v1::ActOnContainer& request) {
  if (request.verb() == v1::ActOnContainer::VERB_UNSPECIFIED) {
    return absl::UnimplementedError("this agent does not know the verb: it is older");
  }
  const Verb verb = VerbOf(scope, request);
  const auto& names = request.container();
  const bool all = names.empty();
  if (all && request.verb() == v1::ActOnContainer::VERB_REMOVE) {
    return absl::InvalidArgumentError("a container to remove must be named");
  }
  ASSIGN_OR_RETURN(std::vector<v1::Container> containers, AllOf(scope));
  for (const std::string& name : names) {
    if (std::none_of(containers.begin(), containers.end(),
                     [&](const v1::Container& one) { return IsCalled(one, name); })) {
      return absl::NotFoundError(absl::StrCat("there is no container ", name));
    }
  }
  std::erase_if(containers, [&](const v1::Container& one) {
    return all ? !verb.applies(one.state())
               : std::none_of(names.begin(), names.end(),
                              [&](const std::string& name) { return IsCalled(one, name); });
  });
  std::size_t done = 0;
  absl::Status first_failure;
  for (const v1::Container& container : containers) {
    // So it is already.
    if (!all && !verb.applies(container.state()) &&
        request.verb() != v1::ActOnContainer::VERB_RESTART) {
      continue;
    }
    scope.Report(verb.doing, container.name());
    if (!all) scope.outcome.set_container_id(container.id());
    const absl::Status acted = base::Annotate(
        verb.act(container), absl::StrCat(verb.doing, " container ", container.name()));
    if (absl::IsCancelled(acted) || absl::IsDeadlineExceeded(acted)) return acted;
    if (acted.ok()) {
      ++done;
    } else if (first_failure.ok()) {
      first_failure = acted;
    } else {
      scope.Warn(std::string(acted.message()));
    }
  }
  scope.outcome.set_report(absl::StrCat(verb.done, " ", CountText(done, "container")));
  return first_failure;
}

absl::Status PruneHost(ActionScope& scope, const v1::PruneHost& request, const std::string& engine,
                       const std::string& data_directory) {
  if (request.what() == v1::PruneHost::WHAT_BUILDX) {
    return PruneBuildx(scope, engine, data_directory);
  }
  const std::vector<Prune> prunes = PrunesOf(request.what());
  if (prunes.empty()) {
    return absl::UnimplementedError("this agent does not know what to remove: it is older");
  }
  std::vector<std::string> counts;
  uint64_t bytes = 0;
  const auto report = [&] {
    scope.outcome.set_report(
        absl::StrCat("removed ", counts.empty() ? "nothing" : absl::StrJoin(counts, ", "),
                     bytes == 0 ? "" : ", ", bytes == 0 ? "" : SizeText(bytes)));
  };
  for (const Prune& prune : prunes) {
    scope.Report("removing", "what is not used");
    const absl::StatusOr<Pruned> pruned = prune(scope);
    if (!pruned.ok()) return pruned.status();
    if (pruned->count > 0) counts.push_back(CountText(pruned->count, pruned->noun));
    bytes += pruned->bytes;
    // Also of what was done before a later one fails.
    report();
  }
  return absl::OkStatus();
}

absl::Status RemoveFromHost(ActionScope& scope, const v1::RemoveFromHost& request) {
  const std::string& name = request.name();
  if (name.empty()) return absl::InvalidArgumentError("what is to be removed has no name");
  std::string path;
  std::string what;
  switch (request.kind()) {
    case v1::RemoveFromHost::KIND_NETWORK:
      path = absl::StrCat("/networks/", EscapeUrl(name));
      what = "network";
      break;
    case v1::RemoveFromHost::KIND_IMAGE:
      path = absl::StrCat("/images/", EscapeUrl(name, "/:@"));
      what = "image";
      break;
    case v1::RemoveFromHost::KIND_VOLUME:
      path = absl::StrCat("/volumes/", EscapeUrl(name));
      what = "volume";
      break;
    default:
      return absl::UnimplementedError("this agent does not know what to remove: it is older");
  }
  scope.Report("removing", name);
  RETURN_IF_ERROR(scope.engine.Do("DELETE", path, "", scope.limits).status(),
                  absl::StrCat("remove ", what, " ", name));
  scope.outcome.set_report(absl::StrCat("removed ", what, " ", name));
  return absl::OkStatus();
}

absl::Status PullImageOf(ActionScope& scope, const v1::PullImages& request) {
  RETURN_IF_ERROR(PullImage(scope, request.image(), LoginFor(request.image(), request.logins())),
                  absl::StrCat("image ", request.image(), ": pull failed"));
  scope.outcome.set_report(absl::StrCat("pulled ", request.image()));
  return absl::OkStatus();
}

}  // namespace fairlead::agent
