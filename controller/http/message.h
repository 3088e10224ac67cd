// One request and its answer, free of any library's types.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::http {

struct HttpRequest {
  // "GET", "POST", ...
  std::string method;
  // Path and query as sent, still percent-encoded.
  std::string target;
  // Names in lower case; values of a repeated header are joined by ", ".
  std::map<std::string, std::string> headers;
  std::string body;
  // IP address of the client.
  std::string address;

  // Empty when there is no such header. `name` in lower case.
  absl::string_view Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? absl::string_view() : absl::string_view(found->second);
  }
};

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  // Further headers, such as "Allow".
  std::map<std::string, std::string> headers;
};

// Runs on the server's only thread: it decides, hands work over and returns at once.
using RequestFunction = std::function<HttpReply(const HttpRequest&)>;

// Gives the answer, on any thread; only the first counts, and none once the server is gone.
using ReplyFunction = std::function<void(HttpReply)>;
// As RequestFunction for requests that it takes over: it calls `reply` when there is an answer.
// False when it takes nothing over.
using LaterFunction = std::function<bool(const HttpRequest&, ReplyFunction reply)>;

}  // namespace fairlead::http
