// Finding, stopping and reading the containers of a resource.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "agent/container_records.h"
#include "agent/engine_client.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// Labelled with the installation and the resource, or adopted for the resource.
bool IsOwned(const v1::Container& container, const std::string& installation,
             const std::string& resource, const ContainerRecords& records);

bool IsOldName(const std::string& name);

// It runs or will run again by itself.
bool IsUp(const v1::Container& container);

// The containers of a resource as the engine lists them, oldest first.
absl::StatusOr<std::vector<v1::Container>> ListOwned(const EngineClient& engine,
                                                     const std::string& installation,
                                                     const std::string& resource,
                                                     const ContainerRecords& records,
                                                     const CallLimits& limits);

// The container that has exactly this name; nullopt when none has.
absl::StatusOr<std::optional<v1::Container>> FindByName(const EngineClient& engine,
                                                        const std::string& name,
                                                        const CallLimits& limits);

// Stops a container: its own stop signal, or `signal` when that is another one; killed after
// `timeout_seconds` (10 when 0). A container that is gone is stopped.
absl::Status StopGently(const EngineClient& engine, const base::Clock& clock, const std::string& id,
                        const std::string& signal, int timeout_seconds, const CallLimits& limits);

// Removes a container and its record. One that is gone is removed.
absl::Status RemoveOwned(const EngineClient& engine, ContainerRecords& records,
                         const std::string& id, const CallLimits& limits);

// The last 20 lines, at most 4 KiB, not redacted; empty when they cannot be read.
std::string ReadLogTail(const EngineClient& engine, const std::string& id, bool tty,
                        const CallLimits& limits);

// Finds in the container what an earlier run of the agent knew to be secret.
void RecoverSecrets(SecretTexts& secrets, const boost::json::object& inspect,
                    const resources::SpecHasher& hasher);

// As ReadLogTail, redacted; also of a container that was made before this run of the agent.
std::string ReadRedactedLogTail(ActionScope& scope, const std::string& id,
                                const CallLimits& limits);
// The id that the image reference of a container stands for now; empty when it stands for none, or
// when the engine does not say.
std::string ImageNow(const EngineClient& engine, const boost::json::object& inspect,
                     const CallLimits& limits);

// Records what the container is now, as made by the action of `scope`.
absl::Status RecordContainer(ActionScope& scope, const std::string& id);
// Likewise of one that runs by adoption, with the probe that it is to be asked by.
absl::Status RecordAdopted(ActionScope& scope, const std::string& id, const std::string& probe);

// What the labels of an adopted container would say, from its record. Others stay as they are.
void FillAdopted(const ContainerRecords& records, const std::string& installation,
                 v1::Container& container);

// Records what is to be given back to a container that is about to be stopped for another one.
absl::Status RecordAside(ActionScope& scope, const v1::Container& container);

// For containers on their way in or out. An engine that gives a policy for good (podman 4) is left
// alone: it starts nothing that was stopped on request.
absl::Status SetRestartPolicy(const EngineClient& engine, const std::string& id,
                              const std::string& policy, const CallLimits& limits);

// Gives the container set aside its name, restart policy and run back. `restart_policy` counts
// where no record tells another.
absl::Status PutBack(ActionScope& scope, const std::string& id, const std::string& name,
                     const std::string& restart_policy, bool leave_stopped,
                     const CallLimits& limits);

// "a1b2c3d4e5f6".
std::string ShortId(const std::string& id);

}  // namespace fairlead::agent
