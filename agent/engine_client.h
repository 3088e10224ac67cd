// The Docker Engine API, as far as the agent uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/engine_transport.h"
#include "agent/log_lines.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// For a path or query; `also` stands for itself besides what RFC 3986 leaves alone.
std::string EscapeUrl(absl::string_view text, absl::string_view also = "");

struct LogQuery {
  std::string container;
  bool tty = false;
  bool follow = false;
  // Lines from the end; negative means all.
  int64_t tail = -1;
};

struct ImageFacts {
  std::string id;
  // As Go names it, "amd64"; may be empty.
  std::string architecture;
};

// One thing that happened, from the engine's event stream.
struct EngineEvent {
  // "container", "network" or "image".
  std::string type;
  // "die", "health_status: healthy", ...
  std::string action;
  // The container concerned; empty for an image.
  std::string container_id;
  // Signal number of a kill; 0 else.
  int signal = 0;
  // Value of the label dev.fairlead.installation.
  std::string installation;
  absl::Time time = absl::InfinitePast();
};

// Speaks API 1.41 or what the engine demands at least; asks GET /version before the first call.
// Thread-safe. Codes are those of StatusOfAnswer and EngineTransport; messages carry no context.
class EngineClient {
 public:
  // `address` as in EngineHttp; `clock` outlives this.
  EngineClient(const std::string& address, const base::Clock& clock);
  EngineClient(std::shared_ptr<const EngineTransport> transport, const base::Clock& clock);

  // Asks anew. FailedPrecondition for an engine before API 1.41.
  absl::StatusOr<v1::EngineVersion> Version(const CallLimits& limits) const;
  // As Version, with CPUs and memory.
  absl::StatusOr<v1::EngineVersion> Describe(const CallLimits& limits) const;
  // Of the engine, as Go names it; asked once.
  absl::StatusOr<std::string> Architecture(const CallLimits& limits) const;
  // Where the engine keeps its data, as it sees the disk; asked once, may be empty.
  absl::StatusOr<std::string> DataRoot(const CallLimits& limits) const;

  // Running or not; all `labels` ("key=value" or "key") must match; with `id` only that one.
  struct ListFilter {
    std::vector<std::string> labels;
    std::string id;
  };
  absl::StatusOr<boost::json::array> ListContainers(const ListFilter& filter,
                                                    const CallLimits& limits) const;
  // By id or name.
  absl::StatusOr<boost::json::object> InspectContainer(const std::string& container,
                                                       const CallLimits& limits) const;
  // The new id. AlreadyExists when the name is taken, NotFound without the image.
  absl::StatusOr<std::string> CreateContainer(const std::string& name,
                                              const boost::json::object& body,
                                              const CallLimits& limits) const;
  absl::Status StartContainer(const std::string& id, const CallLimits& limits) const;
  absl::Status PauseContainer(const std::string& id, const CallLimits& limits) const;
  absl::Status UnpauseContainer(const std::string& id, const CallLimits& limits) const;
  // With the container's own stop signal; the engine kills it after `timeout_seconds`.
  absl::Status StopContainer(const std::string& id, int timeout_seconds,
                             const CallLimits& limits) const;
  absl::Status RestartContainer(const std::string& id, int timeout_seconds,
                                const CallLimits& limits) const;
  absl::Status KillContainer(const std::string& id, const std::string& signal,
                             const CallLimits& limits) const;
  // Returns once it does not run.
  absl::Status WaitContainer(const std::string& id, const CallLimits& limits) const;
  // Also a running one; volumes stay.
  absl::Status RemoveContainer(const std::string& id, const CallLimits& limits) const;
  absl::Status RenameContainer(const std::string& id, const std::string& name,
                               const CallLimits& limits) const;
  // Unimplemented with podman 4, which gives a container its policy for good.
  absl::Status UpdateRestartPolicy(const std::string& id, const std::string& policy,
                                   const CallLimits& limits) const;

  // Hands on lines until the end of what there is or, with follow, of the container.
  absl::Status ReadLogs(const LogQuery& query, const std::function<void(const LogLine&)>& sink,
                        const CallLimits& limits) const;

  struct EventHooks {
    std::function<void()> on_open;
    std::function<void(const EngineEvent&)> on_event;
  };
  // Container, network and image events from `since` on; returns only with why the stream ended.
  absl::Status WatchEvents(absl::Time since, const EventHooks& hooks,
                           const CallLimits& limits) const;

  // NotFound when the host does not have the image.
  absl::StatusOr<ImageFacts> InspectImage(const std::string& reference,
                                          const CallLimits& limits) const;
  absl::StatusOr<std::string> ImageId(const std::string& reference, const CallLimits& limits) const;
  // A line of the engine's stream about one layer: its id, what happens, and bytes, 0 when unknown.
  struct LayerNews {
    std::string layer;
    std::string status;
    uint64_t current = 0;
    uint64_t total = 0;
  };
  using PullProgress = std::function<void(const LayerNews&)>;
  // `auth` as RegistryAuth makes it; empty: nobody's.
  absl::Status PullImage(const std::string& reference, const PullProgress& progress,
                         const CallLimits& limits, const std::string& auth = "") const;

  // Names of the networks with all of `labels`.
  absl::StatusOr<std::vector<std::string>> ListNetworks(const std::vector<std::string>& labels,
                                                        const CallLimits& limits) const;
  absl::StatusOr<bool> HasNetwork(const std::string& name, const CallLimits& limits) const;
  absl::StatusOr<bool> HasVolume(const std::string& name, const CallLimits& limits) const;
  absl::Status RemoveNetwork(const std::string& name, const CallLimits& limits) const;

  // For calls that only one part of the agent makes; `path` is escaped and begins with "/". The
  // body of a successful answer.
  absl::StatusOr<std::string> Do(const std::string& method, const std::string& path,
                                 const std::string& body, const CallLimits& limits) const;
  // Hands on the JSON lines of a long answer; a failure of `on_line` ends it. Unavailable when the
  // engine says nothing for 60 s.
  absl::Status DoLines(const HttpRequest& request,
                       const std::function<absl::Status(const boost::json::object&)>& on_line,
                       const CallLimits& limits) const;

 private:
  absl::StatusOr<std::string> Prefix(const CallLimits& limits) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> IsThere(const std::string& path, const CallLimits& limits) const;
  absl::Status Post(const std::string& path, const CallLimits& limits) const;
  absl::Status StreamTo(const std::string& method, const std::string& path,
                        const EngineTransport::StreamHooks& hooks, const CallLimits& limits) const;

  const base::Clock& clock_;
  const std::shared_ptr<const EngineTransport> http_;
  mutable base::Mutex mutex_;
  // "/v1.41"; empty until the engine was asked.
  mutable std::string prefix_ ABSL_GUARDED_BY(mutex_);
  mutable std::string architecture_ ABSL_GUARDED_BY(mutex_);
  mutable std::optional<std::string> data_root_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
