// Passes a webhook on to another controller.
#pragma once

#include <string>

#include "absl/status/statusor.h"

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

// Sends the request as it is, and returns the answer. Waits for two seconds at most. Unavailable
// says why there is none.
absl::StatusOr<http::HttpReply> PassWebhookOn(const WebhookWay& way,
                                              const http::HttpRequest& request);

}  // namespace fairlead::controller
