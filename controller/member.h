// One of several controllers on one PostgreSQL database: the active one, or a standby.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "controller/controller.h"

namespace fairlead::controller {

// Whether the options ask for a store that several controllers can share.
absl::StatusOr<bool> IsShared(const ControllerOptions& options);

// Takes part in the election, and runs Controller or Standby as it goes, on the same ports. The
// data directory belongs to it through all its roles. Thread-safe.
class Member {
 public:
  // In its first role when it returns. InvalidArgument and FailedPrecondition as Controller::Start,
  // and when its authority is not that of the controller that was active last. `on_overrun` ends
  // the process: an office that is over does not end here.
  static absl::StatusOr<std::unique_ptr<Member>> Start(const ControllerOptions& options,
                                                       std::function<void()> on_overrun);
  ~Member();

  // Ends what it does, then gives the office up so that another one has it at once.
  void Stop();

  // Of the office in which it acts; 0 for a standby.
  int64_t term() const;
  // As bound; the same in all roles.
  std::string grpc_address() const;
  std::string http_address() const;

 private:
  struct Parts;
  explicit Member(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fairlead::controller
