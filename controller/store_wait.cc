#include "controller/store_wait.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/mutex.h"
#include "controller/http/endpoints.h"
#include "controller/http/server.h"

namespace fairlead::controller {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr base::BackoffPolicy kAskAgain = {.initial = absl::Milliseconds(500),
                                           .maximum = absl::Seconds(10)};

// Why the controller is not ready yet, for those who ask.
class Waiting {
 public:
  explicit Waiting(const StoreWaitOptions& options) {
    const std::string& listen = options.http_listen;
    const std::size_t colon = listen.rfind(':');
    uint32_t port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(listen.substr(colon + 1), &port) ||
        port == 0 || port > 65535) {
      return;
    }
    http::Server::Options server;
    server.address = listen.substr(0, colon) == "localhost" ? "127.0.0.1" : listen.substr(0, colon);
    server.port = static_cast<uint16_t>(port);
    if (!options.tls_folder.empty()) {
      server.tls_cert = options.tls_folder + "/serving.crt";
      server.tls_key = options.tls_folder + "/serving.key";
      // Before the first start is over there is none.
      if (::access(server.tls_cert.c_str(), R_OK) != 0) return;
    }
    http::Endpoints endpoints;
    endpoints.ready = [this] { return absl::UnavailableError(Reason()); };
    endpoints.find_target = [](const std::string&, const std::string&) { return std::nullopt; };
    endpoints.on_webhook = [](const http::WebhookDecision&) {};
    server.handler = [endpoints](const http::HttpRequest& request) {
      return http::Serve(endpoints, request);
    };
    auto started = http::Server::Start(std::move(server));
    if (started.ok()) {
      server_ = *std::move(started);
    } else {
      base::LogWarning("store",
                       "nobody answers on --http-listen meanwhile: ", started.status().message());
    }
  }

  void SetReason(const std::string& reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    if (reason == reason_) return;
    reason_ = reason;
    base::LogWarning("store", reason_);
  }

 private:
  std::string Reason() ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    return reason_;
  }

  base::Mutex mutex_;
  std::string reason_ ABSL_GUARDED_BY(mutex_) = "waits for the database";
  // Last: its thread asks for the reason.
  std::unique_ptr<http::Server> server_;
};

// False when it is stopping.
bool WaitFor(absl::Duration delay, const StoreWaitOptions& options) {
  base::Mutex mutex;
  base::CondVar nobody;
  base::MutexLock lock(mutex);
  for (absl::Duration left = delay; left > absl::ZeroDuration(); left -= kLook) {
    if (options.is_stopping != nullptr && options.is_stopping()) return false;
    nobody.WaitFor(mutex, std::min(left, kLook));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<store::Store>> WaitForStore(const store::StoreAddress& address,
                                                           base::Clock& clock, base::Random& random,
                                                           const StoreWaitOptions& options) {
  absl::StatusOr<std::unique_ptr<store::Store>> store = store::OpenStore(address, clock, random);
  const auto is_away = [&store] {
    return absl::IsUnavailable(store.status()) || absl::IsDeadlineExceeded(store.status());
  };
  if (options.wait <= absl::ZeroDuration() || !is_away()) return store;
  const auto end = clock.Uptime() + options.wait;
  Waiting waiting(options);
  for (int attempt = 1; is_away() && clock.Uptime() < end; ++attempt) {
    waiting.SetReason(absl::StrCat("waits for the database (--store-wait ",
                                   absl::ToInt64Seconds(options.wait),
                                   "): ", store.status().message()));
    const absl::Duration delay = base::ComputeJitteredDelay(kAskAgain, attempt, random);
    if (!WaitFor(std::min(delay, end - clock.Uptime()), options)) {
      return absl::CancelledError("stopped while it waited for the database");
    }
    store = store::OpenStore(address, clock, random);
  }
  if (store.ok()) base::LogInfo("store", "the database is there");
  return store;
}

}  // namespace fairlead::controller
