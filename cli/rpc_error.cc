#include "cli/rpc_error.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/connection_failure.h"
#include "cli/render/text.h"

namespace fairlead::cli {
namespace {

constexpr absl::string_view kWayOut =
    "Is it running? Start one with \"fairlead-controller --dev\", or set FAIRLEAD_CONTROLLER.";

constexpr absl::string_view kOwnAuthority =
    "--tls-ca FILE (DATA/tls/ca.crt of a controller that made its own)";

// Somebody listens there, and breaks the connection off or is not believed.
bool IsBrokenOff(absl::string_view lower) {
  constexpr std::array<absl::string_view, 5> kWords = {"handshake", "certificate", "ssl",
                                                       "socket closed", "connection reset"};
  // These name hosts, whose names may hold any word.
  if (absl::StrContains(lower, "dns resolution") || absl::StrContains(lower, "refused")) {
    return false;
  }
  return std::any_of(kWords.begin(), kWords.end(),
                     [lower](absl::string_view word) { return absl::StrContains(lower, word); });
}

// Says both causes: the controller tells a client that it refuses nothing more.
std::string DescribeBrokenOff(absl::string_view lower, Wire wire) {
  if (wire == Wire::kPlain) {
    return absl::StrCat("the connection was closed. A controller without --dev wants TLS: give ",
                        kOwnAuthority, ".");
  }
  return absl::StrCat(
      absl::StrContains(lower, "handshake") ? "the TLS handshake failed"
                                            : "the connection was closed, most likely in the TLS "
                                              "handshake",
      ". Either no authority that you trust vouches for its certificate: give ", kOwnAuthority,
      "; or it does not accept your certificate of --tls-cert, which may have expired or be of "
      "another authority: its log says which.");
}

std::string CauseOf(const std::string& message) {
  const std::string lower = absl::AsciiStrToLower(message);
  if (absl::StrContains(lower, "dns resolution")) return "the host name is not known";
  std::string cause(base::LastCause(message));
  if (cause.empty()) return "no answer";
  cause[0] = absl::ascii_tolower(static_cast<unsigned char>(cause[0]));
  return Printable(cause);
}

std::string DescribeConnectionFailure(const std::string& message,
                                      const DialledController& controller) {
  const std::string lower = absl::AsciiStrToLower(message);
  if (absl::StrContains(lower, "cancelling all calls")) {
    return absl::StrCat("the controller at ", controller.address,
                        " is stopping: try again once it, or another, is active");
  }
  return absl::StrCat("cannot reach the controller at ", controller.address, ": ",
                      IsBrokenOff(lower) ? DescribeBrokenOff(lower, controller.wire)
                                         : absl::StrCat(CauseOf(message), ". ", kWayOut));
}

}  // namespace

absl::Status DescribeRpcError(const grpc::Status& status, const DialledController& controller,
                              absl::Duration timeout) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const std::string message = PrintableLines(status.error_message(), "");
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!base::IsConnectionFailure(status.error_message())) break;
      return absl::Status(code, DescribeConnectionFailure(status.error_message(), controller));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::Status(
          code, absl::StrCat("the controller at ", controller.address, " did not answer within ",
                             FormatSpan(timeout), ". Give it more time with --timeout, or look at ",
                             "its log."));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::Status(code, absl::StrCat("the controller at ", controller.address,
                                             " does not know this request: it is older than this ",
                                             "client. Compare with: fairlead version"));
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::Status(
          code,
          absl::StrCat("the controller at ", controller.address,
                       " does not know who you are: ", message,
                       ". Log in with: fairlead login; or give FAIRLEAD_TOKEN, or --tls-cert and ",
                       "--tls-key."));
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
      return absl::Status(code, absl::StrCat("the controller at ", controller.address,
                                             " failed: ", message, ". Its log says more."));
    default:
      break;
  }
  return absl::Status(code, message);
}

}  // namespace fairlead::cli
