#include "agent/engine_error.h"

#include <cctype>

#include <boost/json.hpp>
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

std::string MessageOf(absl::string_view body) {
  boost::system::error_code error;
  const boost::json::value parsed =
      boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  if (!error && parsed.is_object()) {
    for (const char* key : {"message", "cause"}) {
      const boost::json::value* text = parsed.as_object().if_contains(key);
      if (text != nullptr && text->is_string()) return std::string(text->as_string().c_str());
    }
  }
  return std::string(absl::StripAsciiWhitespace(body));
}

bool IsPortTaken(absl::string_view message) {
  return absl::StrContains(message, "port is already allocated") ||
         absl::StrContains(message, "address already in use");
}

// The number after the last colon that is followed by digits and then by a blank or a colon,
// as in "Bind for 0.0.0.0:8080 failed" and "listen tcp4 0.0.0.0:8080: bind".
std::string PortIn(absl::string_view message) {
  std::string found;
  for (std::size_t i = 0; i + 1 < message.size(); ++i) {
    if (message[i] != ':') continue;
    std::size_t end = i + 1;
    while (end < message.size() && absl::ascii_isdigit(static_cast<unsigned char>(message[end]))) {
      ++end;
    }
    if (end == i + 1 || end - i > 6) continue;
    if (end == message.size() || message[end] == ' ' || message[end] == ':') {
      found = std::string(message.substr(i + 1, end - i - 1));
    }
  }
  return found;
}

// Refusals that stay until somebody changes the host or the declaration.
bool IsRefusal(absl::string_view message) {
  for (const char* sign :
       {"OCI runtime", "error mounting", "error while creating mount source", "not a directory",
        "invalid mount", "cannot join network", "No such container", "unable to find user",
        "no such host device", "error gathering device information"}) {
    if (absl::StrContains(message, sign)) return true;
  }
  return false;
}

}  // namespace

absl::Status StatusOfAnswer(unsigned http_status, absl::string_view body) {
  if (http_status < 300 || http_status == 304) return absl::OkStatus();
  const std::string message = MessageOf(body);
  if (IsPortTaken(message)) {
    const std::string port = PortIn(message);
    return absl::FailedPreconditionError(
        port.empty() ? message : absl::StrCat("port ", port, " is already taken on this host"));
  }
  if (absl::StrContains(message, "no space left")) return absl::ResourceExhaustedError(message);
  switch (http_status) {
    case 400:
      return absl::InvalidArgumentError(message);
    case 404:
      // Of the path itself, as podman and Docker say it.
      if (message == "Not Found" || message == "page not found") {
        return absl::UnimplementedError(message);
      }
      return absl::NotFoundError(message);
    case 409:
      return absl::StrContains(message, "is already in use by container")
                 ? absl::AlreadyExistsError(message)
                 : absl::FailedPreconditionError(message);
    default:
      break;
  }
  if (IsRefusal(message)) return absl::FailedPreconditionError(message);
  return absl::UnavailableError(message.empty() ? absl::StrCat("docker answered ", http_status)
                                                : message);
}

absl::Status StatusOfPushError(absl::string_view message) {
  for (const char* sign : {"toomanyrequests", "429", "Too Many Requests"}) {
    if (!absl::StrContains(message, sign)) continue;
    return absl::UnavailableError(
        absl::StrCat("the registry takes no more requests for now: ", message));
  }
  for (const char* sign : {"unauthorized", "no basic auth credentials", "denied", "401", "403",
                           "authentication required", "incorrect username or password"}) {
    if (!absl::StrContains(message, sign)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "the registry refuses the login; check its account, and whether that may push: ", message));
  }
  if (absl::StrContains(message, "server gave HTTP response to HTTPS client")) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the registry speaks no TLS; name it in insecure-registries of the engine: ", message));
  }
  if (absl::StrContains(message, "does not exist")) return absl::NotFoundError(message);
  if (absl::StrContains(message, "no space left")) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(absl::StrCat("the registry fails or breaks off: ", message));
}

absl::Status StatusOfPullError(absl::string_view message) {
  for (const char* sign : {"pull access denied", "not found", "manifest unknown", "unauthorized",
                           "repository does not exist", "denied", "no basic auth credentials"}) {
    if (absl::StrContains(message, sign)) return absl::NotFoundError(message);
  }
  if (absl::StrContains(message, "no space left")) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

}  // namespace fairlead::agent
