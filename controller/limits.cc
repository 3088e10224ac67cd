#include "controller/limits.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/log.h"

namespace fairlead::controller {
namespace {

// Database, mirrors, fetch children, logs.
constexpr uint64_t kOtherDescriptors = 256;
// gRPC's own and the one that watches it.
constexpr uint64_t kDescriptorsOfAConnection = 2;
constexpr double kBurst = 10;

}  // namespace

base::ConnectionLimits Limits::OfGrpc() const {
  return {.total = connections, .per_address = connections_per_address, .patience = kProofTimeout};
}

access::CallRateLimits Limits::OfCalls() const {
  const auto per_second = static_cast<double>(calls_per_second);
  return {.per_second = per_second, .at_once = per_second * kBurst};
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    base::LogWarning("limits", "the limit of open files cannot be raised and stays");
  }
}

Limits FitToDescriptors(const Limits& limits) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return limits;
  const auto have = static_cast<uint64_t>(files.rlim_cur);
  const uint64_t reserved = kOtherDescriptors + limits.http_connections;
  const uint64_t spare = have > reserved ? have - reserved : 0;
  // A controller that nobody can reach would help nobody: some there are in any case.
  const uint64_t most = std::max<uint64_t>(spare / kDescriptorsOfAConnection, 16);
  if (most >= limits.connections) return limits;
  Limits fitting = limits;
  fitting.connections = static_cast<uint32_t>(most);
  base::LogWarning("limits", "at most ", have, " files may be open, so only ", most,
                   " gRPC connections instead of ", limits.connections,
                   "; raise LimitNOFILE or lower --max-connections");
  return fitting;
}

}  // namespace fairlead::controller
