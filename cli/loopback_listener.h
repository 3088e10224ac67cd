// Where a browser brings an answer back to: RFC 8252, section 7.3.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fairlead::cli {

// A port of 127.0.0.1 that answers HTTP while Serve runs. Confined to one thread.
class LoopbackListener {
 public:
  // 0 lets the system choose. Unavailable when the port is taken.
  static absl::StatusOr<std::unique_ptr<LoopbackListener>> Open(uint16_t port);
  ~LoopbackListener();

  uint16_t port() const;

  struct Page {
    unsigned status = 200;
    std::string text;
    // Nothing more is waited for.
    bool is_last = false;
  };
  // Answers each GET with what `on_target` says of its target, "/callback?code=...", until the last
  // page is on its way. Browsers open connections that they do not use: these stop nobody.
  // DeadlineExceeded after `patience`. Requires: called once.
  absl::Status Serve(const std::function<Page(const std::string& target)>& on_target,
                     absl::Duration patience);

 private:
  struct Parts;
  explicit LoopbackListener(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fairlead::cli
