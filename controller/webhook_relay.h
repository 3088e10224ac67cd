// Passes webhooks on to another controller.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "controller/http/message.h"

namespace fairlead::controller {

struct WebhookWay {
  // "https://host:port".
  std::string base_url;
  // PEM of whom to believe; empty: the machine's authorities.
  std::string trust;
  // Off where only a controller can have a certificate of `trust` for servers.
  bool check_name = true;
};

// Sends requests as they are and waits for the answers, on one thread of its own. Thread-safe.
class WebhookRelay {
 public:
  // The answer, or Unavailable with the reason why there is none. Called on the relay's thread;
  // returns at once.
  using DoneFunction = std::function<void(const absl::StatusOr<http::HttpReply>&)>;

  // At a time.
  static constexpr std::size_t kMost = 32;

  WebhookRelay();
  // Stops.
  ~WebhookRelay();
  WebhookRelay(const WebhookRelay&) = delete;
  WebhookRelay& operator=(const WebhookRelay&) = delete;

  // `done` is called once, after two seconds at most. False, and never called: there are as many
  // as may be, or the relay has stopped.
  bool Pass(WebhookWay way, http::HttpRequest request, DoneFunction done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends what is under way: it is Unavailable.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Transfer;
  struct Transfers;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<Transfers> transfers_;
  base::Mutex mutex_;
  // Not begun yet.
  std::vector<std::unique_ptr<Transfer>> fresh_ ABSL_GUARDED_BY(mutex_);
  // With those that are.
  std::size_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::controller
