// The logs of all containers of a resource as one stream.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"

#include "agent/container_records.h"
#include "agent/engine_client.h"
#include "agent/secret_texts.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "fairlead/v1/agent.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// One log request; lives for one Run. With follow it has a thread for each container it reads,
// and takes up containers that come later, such as the new one of a replacement.
class LogFollower {
 public:
  // All outlive this.
  LogFollower(const EngineClient& engine, const ContainerRecords& records,
              const SecretTexts& secrets, const base::Clock& clock, std::string installation);

  // As Runtime::Logs. `send` is called by one thread at a time.
  absl::Status Run(const v1::LogRequest& request,
                   const std::function<void(const v1::LogLines&)>& send,
                   const std::function<bool()>& is_cancelled);

 private:
  absl::StatusOr<std::vector<v1::Container>> List(const v1::LogRequest& request,
                                                  const CallLimits& limits) const;
  absl::Status Read(const v1::Container& container, const v1::LogRequest& request, int64_t tail,
                    const std::function<void(const v1::LogLines&)>& send, const CallLimits& limits)
      ABSL_LOCKS_EXCLUDED(send_mutex_);
  absl::Status Follow(const v1::LogRequest& request, std::vector<v1::Container> containers,
                      const std::function<void(const v1::LogLines&)>& send,
                      const CallLimits& limits);

  const EngineClient& engine_;
  const ContainerRecords& records_;
  const SecretTexts& secrets_;
  const base::Clock& clock_;
  const std::string installation_;
  // One sender at a time.
  base::Mutex send_mutex_;
  base::Mutex mutex_;
  base::CondVar ended_;
  // Containers that a thread reads.
  std::set<std::string> reading_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
