// A plain blocking HTTP/1.1 client over a socket, exact enough to send broken requests.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::integration {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// Sends `raw` to "ADDRESS:PORT" and reads the answer to its end; with `close_after_send` our
// sending side is shut down first. Unavailable when nothing answers, also when the server just
// closes the connection.
absl::StatusOr<HttpAnswer> SendRaw(const std::string& endpoint, absl::string_view raw,
                                   bool close_after_send = false,
                                   absl::Duration patience = absl::Seconds(15));

absl::StatusOr<HttpAnswer> HttpGet(const std::string& endpoint, absl::string_view target);
absl::StatusOr<HttpAnswer> HttpPost(const std::string& endpoint, absl::string_view target,
                                    const std::map<std::string, std::string>& headers,
                                    absl::string_view body);

// "sha256=" and the hex HMAC-SHA256, as GitHub signs.
std::string GitHubSignature(absl::string_view secret, absl::string_view body);

// A TCP port of 127.0.0.1 that accepts connections and says nothing. Closed when destroyed.
class SilentServer {
 public:
  SilentServer();
  ~SilentServer();
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  int port() const { return port_; }

 private:
  int socket_ = -1;
  int port_ = 0;
};

// A port that was free a moment ago.
int FreePort();

}  // namespace fairlead::integration
