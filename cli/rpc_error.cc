#include "cli/rpc_error.h"

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "cli/render/text.h"

namespace fairlead::cli {
namespace {

constexpr absl::string_view kWayOut =
    "Is it running? Start one with \"fairlead-controller --dev\", or set FAIRLEAD_CONTROLLER.";

// gRPC's own words for a connection that does not come to be; what the controller says itself
// has none of them.
bool IsConnectionFailure(const std::string& message) {
  constexpr std::array<absl::string_view, 7> kWords = {"failed to connect",
                                                       "connections to all backends",
                                                       "socket closed",
                                                       "dns resolution",
                                                       "connection reset",
                                                       "handshake",
                                                       "goaway"};
  const std::string lower = absl::AsciiStrToLower(message);
  for (const absl::string_view word : kWords) {
    if (absl::StrContains(lower, word)) return true;
  }
  return message.empty();
}

// "connection refused" of "failed to connect to all addresses; last error: UNKNOWN:
// ipv4:127.0.0.1:7400: Failed to connect to remote host: Connection refused".
std::string CauseOf(const std::string& message) {
  const std::string lower = absl::AsciiStrToLower(message);
  if (absl::StrContains(lower, "dns resolution")) return "the host name is not known";
  if (absl::StrContains(lower, "handshake") || absl::StrContains(lower, "certificate") ||
      absl::StrContains(lower, "ssl")) {
    return "the encrypted connection was refused; check --tls-cert, --tls-key and --tls-ca";
  }
  const std::size_t colon = message.rfind(": ");
  std::string cause = colon == std::string::npos ? message : message.substr(colon + 2);
  if (cause.empty()) return "no answer";
  cause[0] = absl::ascii_tolower(static_cast<unsigned char>(cause[0]));
  return Printable(cause);
}

}  // namespace

absl::Status DescribeRpcError(const grpc::Status& status, const std::string& address,
                              absl::Duration timeout) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const std::string message = PrintableLines(status.error_message(), "");
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!IsConnectionFailure(status.error_message())) break;
      return absl::Status(code, absl::StrCat("cannot reach the controller at ", address, ": ",
                                             CauseOf(status.error_message()), ". ", kWayOut));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::Status(
          code, absl::StrCat("the controller at ", address, " did not answer within ",
                             FormatSpan(timeout), ". Give it more time with --timeout, or look at ",
                             "its log."));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::Status(code, absl::StrCat("the controller at ", address,
                                             " does not know this request: it is older than this ",
                                             "client. Compare with: fairlead version"));
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::Status(
          code,
          absl::StrCat("the controller at ", address, " does not know who you are: ", message,
                       ". Log in with: fairlead login; or give FAIRLEAD_TOKEN, or --tls-cert and ",
                       "--tls-key."));
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
      return absl::Status(code, absl::StrCat("the controller at ", address, " failed: ", message,
                                             ". Its log says more."));
    default:
      break;
  }
  return absl::Status(code, message);
}

}  // namespace fairlead::cli
