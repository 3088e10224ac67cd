#include "agent/log_follower.h"

#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

// How often a follower looks for containers that came.
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);
constexpr absl::Duration kListTime = absl::Seconds(10);

}  // namespace

LogFollower::LogFollower(const EngineClient& engine, const ContainerRecords& records,
                         const SecretTexts& secrets, const base::Clock& clock,
                         std::string installation)
    : engine_(engine),
      records_(records),
      secrets_(secrets),
      clock_(clock),
      installation_(std::move(installation)) {}

absl::StatusOr<std::vector<v1::Container>> LogFollower::List(const v1::LogRequest& request,
                                                             const CallLimits& limits) const {
  CallLimits bounded = limits;
  bounded.deadline = clock_.Now() + kListTime;
  ASSIGN_OR_RETURN(std::vector<v1::Container> containers,
                   ListOwned(engine_, installation_, request.resource(), records_, bounded));
  std::erase_if(containers,
                [](const v1::Container& container) { return IsOldName(container.name()); });
  return containers;
}

absl::Status LogFollower::Run(const v1::LogRequest& request,
                              const std::function<void(const v1::LogLines&)>& send,
                              const std::function<bool()>& is_cancelled) {
  const CallLimits limits{.is_cancelled = is_cancelled};
  ASSIGN_OR_RETURN(std::vector<v1::Container> containers, List(request, limits));
  if (containers.empty()) {
    return absl::NotFoundError(absl::StrCat(request.resource(), " has no container"));
  }
  if (request.follow()) return Follow(request, std::move(containers), send, limits);
  for (const v1::Container& container : containers) {
    RETURN_IF_ERROR(Read(container, request, request.tail(), send, limits),
                    absl::StrCat("logs of ", container.name()));
  }
  return absl::OkStatus();
}

absl::Status LogFollower::Read(const v1::Container& container, const v1::LogRequest& request,
                               int64_t tail, const std::function<void(const v1::LogLines&)>& send,
                               const CallLimits& limits) {
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   engine_.InspectContainer(container.id(), limits));
  return engine_.ReadLogs(
      {.container = container.id(),
       .tty = FlagAt(inspect, {"Config", "Tty"}),
       .follow = request.follow(),
       .tail = tail},
      [&](const LogLine& line) {
        v1::LogLines lines;
        lines.set_request_id(request.request_id());
        v1::LogLines::Line& added = *lines.add_lines();
        if (line.time > absl::InfinitePast()) *added.mutable_time() = base::ToProto(line.time);
        added.set_source(container.name());
        added.set_is_stderr(line.is_stderr);
        added.set_text(secrets_.Redact(line.text));
        base::MutexLock lock(send_mutex_);
        send(lines);
      },
      limits);
}

absl::Status LogFollower::Follow(const v1::LogRequest& request,
                                 std::vector<v1::Container> containers,
                                 const std::function<void(const v1::LogLines&)>& send,
                                 const CallLimits& limits) {
  std::vector<std::thread> readers;
  // A container that ended is read again only once it runs again, and then from its end.
  std::set<std::string> known;
  const auto read = [&](const v1::Container& container, int64_t tail) {
    // Ends with the container, its removal or the cancel; the next look decides what follows.
    Read(container, request, tail, send, limits).IgnoreError();
    base::MutexLock lock(mutex_);
    reading_.erase(container.id());
    ended_.Signal();
  };
  while (!limits.is_cancelled()) {
    for (const v1::Container& container : containers) {
      const bool first = known.insert(container.id()).second;
      base::MutexLock lock(mutex_);
      if (reading_.contains(container.id()) || (!first && !IsUp(container))) continue;
      reading_.insert(container.id());
      readers.emplace_back(read, container, first ? request.tail() : 0);
    }
    {
      base::MutexLock lock(mutex_);
      ended_.WaitFor(mutex_, kLookAgain);
    }
    absl::StatusOr<std::vector<v1::Container>> listed = List(request, limits);
    containers = listed.ok() ? *std::move(listed) : std::vector<v1::Container>();
  }
  for (std::thread& reader : readers) reader.join();
  return absl::OkStatus();
}

}  // namespace fairlead::agent
