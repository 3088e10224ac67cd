#include "integration/testing/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace fairlead::integration {

namespace {

// Listens on 127.0.0.1, port 0; returns (socket, port).
std::pair<int, int> ListenAnywhere() {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(socket_fd, 64), 0);
  socklen_t size = sizeof(address);
  getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &size);
  return {socket_fd, ntohs(address.sin_port)};
}

absl::StatusOr<int> Connect(const std::string& endpoint, absl::Duration patience) {
  const std::vector<std::string> parts = absl::StrSplit(endpoint, ':');
  int port = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &port)) {
    return absl::InvalidArgumentError(absl::StrCat("not ADDRESS:PORT: ", endpoint));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, parts[0].c_str(), &address.sin_addr);
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout = absl::ToTimeval(patience);
  setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  if (connect(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    close(socket_fd);
    return base::ErrnoStatus(error, absl::StrCat("connect to ", endpoint));
  }
  return socket_fd;
}

// True when the head has come and the body is as long as it says.
bool IsComplete(absl::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == absl::string_view::npos) {
    return false;
  }
  const std::string head = absl::AsciiStrToLower(text.substr(0, end));
  const std::size_t at = head.find("\r\ncontent-length:");
  std::size_t length = 0;
  if (at == std::string::npos) {
    return false;
  }
  const absl::string_view rest = absl::string_view(head).substr(at + 17);
  return absl::SimpleAtoi(absl::StripAsciiWhitespace(rest.substr(0, rest.find('\r'))), &length) &&
         text.size() >= end + 4 + length;
}

// "4\r\nWiki\r\n0\r\n\r\n" -> "Wiki".
std::string Dechunk(absl::string_view text) {
  std::string out;
  while (true) {
    const std::size_t end = text.find("\r\n");
    std::uint64_t size = 0;
    if (end == absl::string_view::npos || !absl::SimpleHexAtoi(text.substr(0, end), &size) ||
        size == 0) {
      return out;
    }
    text.remove_prefix(end + 2);
    absl::StrAppend(&out, text.substr(0, size));
    text.remove_prefix(std::min<std::size_t>(text.size(), size + 2));
  }
}

}  // namespace

absl::StatusOr<HttpAnswer> SendRaw(const std::string& endpoint, absl::string_view raw,
                                   bool close_after_send, absl::Duration patience) {
  ASSIGN_OR_RETURN(const int socket_fd, Connect(endpoint, patience));
  std::string text;
  while (!raw.empty()) {
    const ssize_t sent = send(socket_fd, raw.data(), raw.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      break;  // A server may answer and close before it has read everything.
    }
    raw.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (close_after_send) {
    shutdown(socket_fd, SHUT_WR);
  }
  char buffer[16384];
  ssize_t got = 0;
  while (!IsComplete(text) && (got = recv(socket_fd, buffer, sizeof(buffer), 0)) > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(socket_fd);
  HttpAnswer answer;
  if (!absl::StartsWith(text, "HTTP/1.") || text.size() < 12 ||
      !absl::SimpleAtoi(text.substr(9, 3), &answer.status)) {
    return absl::UnavailableError(absl::StrCat("no HTTP answer from ", endpoint));
  }
  const std::size_t end = text.find("\r\n\r\n");
  if (end != std::string::npos) {
    answer.body = text.substr(end + 4);
    if (absl::StrContains(absl::AsciiStrToLower(text.substr(0, end)), "chunked")) {
      answer.body = Dechunk(answer.body);
    }
  }
  return answer;
}

absl::StatusOr<HttpAnswer> HttpGet(const std::string& endpoint, absl::string_view target) {
  return SendRaw(endpoint, absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: ", endpoint,
                                        "\r\nConnection: close\r\n\r\n"));
}

absl::StatusOr<HttpAnswer> HttpPost(const std::string& endpoint, absl::string_view target,
                                    const std::map<std::string, std::string>& headers,
                                    absl::string_view body) {
  std::string raw = absl::StrCat("POST ", target, " HTTP/1.1\r\nHost: ", endpoint,
                                 "\r\nConnection: close\r\nContent-Type: application/json\r\n",
                                 "Content-Length: ", body.size(), "\r\n");
  for (const auto& [name, value] : headers) {
    absl::StrAppend(&raw, name, ": ", value, "\r\n");
  }
  absl::StrAppend(&raw, "\r\n", body);
  return SendRaw(endpoint, raw);
}

std::string GitHubSignature(absl::string_view secret, absl::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest, &size);
  return absl::StrCat("sha256=", absl::BytesToHexString(absl::string_view(
                                     reinterpret_cast<const char*>(digest), size)));
}

SilentServer::SilentServer() {
  const auto [socket_fd, port] = ListenAnywhere();
  // The kernel completes connections of the backlog; nobody ever reads them.
  socket_ = socket_fd;
  port_ = port;
}

SilentServer::~SilentServer() { close(socket_); }

int FreePort() {
  const auto [socket_fd, port] = ListenAnywhere();
  close(socket_fd);
  return port;
}

}  // namespace fairlead::integration
