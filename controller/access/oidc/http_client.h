// Asks the provider, by libcurl.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fairlead::access::oidc {

struct HttpAnswer {
  int64_t status = 0;
  // At most 1 MiB.
  std::string body;
};

// https, or http to this machine, with a host.
bool IsSafeUrl(const std::string& url);

// "a=b&c=d", with what needs it escaped.
using Form = std::vector<std::pair<std::string, std::string>>;
std::string Encode(const Form& form);

// One request at a time, on a connection of its own; follows no redirection. Stop may be called by
// any thread, the rest by one.
class HttpClient {
 public:
  // Of a whole request: a login takes up to three of them, and its caller waits for 30 s.
  static constexpr absl::Duration kTimeout = absl::Seconds(8);

  // `ca_file` as in Settings.
  explicit HttpClient(std::string ca_file, absl::Duration timeout = kTimeout)
      : ca_file_(std::move(ca_file)), timeout_(timeout) {}

  // Unavailable or DeadlineExceeded name the address and the cause; any status is an answer.
  absl::StatusOr<HttpAnswer> Get(const std::string& url);
  // `authorization` is a header's value, or empty.
  absl::StatusOr<HttpAnswer> Post(const std::string& url, const Form& form,
                                  const std::string& authorization);
  // Ends what is under way within about a second; Unavailable from then on.
  void Stop() { stopped_ = true; }

 private:
  absl::StatusOr<HttpAnswer> Perform(const std::string& url, const std::string* body,
                                     const std::string& authorization);

  const std::string ca_file_;
  const absl::Duration timeout_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace fairlead::access::oidc
