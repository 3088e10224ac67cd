#include "cli/oidc_login.h"

#include <cstddef>
#include <cstdint>
#include <istream>
#include <map>
#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/ids.h"
#include "base/sha256.h"
#include "base/status.h"
#include "cli/loopback_listener.h"
#include "cli/render/text.h"

namespace fairlead::cli {
namespace {

// As long as the controller remembers a login.
constexpr absl::Duration kPatience = absl::Minutes(10);
// Of an address that nobody listens at: what the browser shows is pasted.
constexpr uint16_t kPastePort = 7499;
constexpr char kPath[] = "/callback";

// Of 256 random bits.
std::string NewVerifier() {
  return absl::WebSafeBase64Escape(base::RandomBytes(base::Random::Real(), 32));
}

std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]));
    if (is_escape) {
      plain += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      plain.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return plain;
}

std::map<std::string, std::string> ParametersOf(absl::string_view address) {
  std::map<std::string, std::string> parameters;
  const std::size_t question = address.find('?');
  if (question == absl::string_view::npos) return parameters;
  const absl::string_view query = address.substr(question + 1);
  for (const absl::string_view pair : absl::StrSplit(query.substr(0, query.find('#')), '&')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    parameters[Unescaped(parts.first)] = Unescaped(parts.second);
  }
  return parameters;
}

absl::StatusOr<std::string> ReadPasted(Session& session, const std::string& state) {
  Environment& environment = session.environment();
  environment.err << "The browser then shows an error, since the address is of its own machine.\n"
                     "Copy the address that it shows, which begins with http://127.0.0.1, and "
                     "paste it here:\n"
                  << std::flush;
  std::string line;
  if (!std::getline(environment.in, line)) {
    return absl::InvalidArgumentError("standard input ends where the address is expected");
  }
  return CodeOf(absl::StripAsciiWhitespace(line), state);
}

absl::StatusOr<std::string> WaitForBrowser(LoopbackListener& listener, const std::string& state) {
  absl::StatusOr<std::string> code = absl::InternalError("nobody came");
  const auto on_target = [&](const std::string& target) -> LoopbackListener::Page {
    if (!absl::StartsWith(target, absl::StrCat(kPath, "?"))) return {404, "not here\n"};
    absl::StatusOr<std::string> found = CodeOf(target, state);
    // Anybody may send a browser here.
    if (absl::IsInvalidArgument(found.status())) {
      return {400, absl::StrCat(found.status().message(), "\n")};
    }
    code = std::move(found);
    return {.text = "This window can be closed; the command line goes on.\n", .is_last = true};
  };
  RETURN_IF_ERROR(listener.Serve(on_target, kPatience));
  return code;
}

}  // namespace

std::string ChallengeOf(absl::string_view verifier) {
  return absl::WebSafeBase64Escape(base::Sha256(verifier));
}

absl::StatusOr<std::string> CodeOf(absl::string_view address, const std::string& state) {
  const std::map<std::string, std::string> parameters = ParametersOf(address);
  const auto value = [&parameters](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string() : found->second;
  };
  if (value("state") != state) {
    return absl::InvalidArgumentError(
        "this is not the answer to the login that was begun here; begin again with: fairlead login "
        "--oidc");
  }
  if (!value("error").empty()) {
    const std::string more = value("error_description");
    return absl::PermissionDeniedError(
        absl::StrCat("the provider says no: ", Printable(value("error")), more.empty() ? "" : ": ",
                     Printable(more)));
  }
  if (value("code").empty()) {
    return absl::InvalidArgumentError("the provider's answer has no code; begin again");
  }
  return value("code");
}

absl::StatusOr<v1::OidcFinishResponse> LogInByOidc(Session& session, const LoginOptions& options) {
  const std::string verifier = NewVerifier();
  std::unique_ptr<LoopbackListener> listener;
  uint16_t port = options.port == 0 ? kPastePort : options.port;
  if (!options.no_browser) {
    ASSIGN_OR_RETURN(listener, LoopbackListener::Open(options.port));
    port = listener->port();
  }
  v1::OidcBeginRequest begin;
  begin.set_redirect_uri(absl::StrCat("http://127.0.0.1:", port, kPath));
  begin.set_code_challenge(ChallengeOf(verifier));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::OidcBeginResponse begun, controller->OidcBegin(begin));
  session.environment().err << "Open this in a browser"
                            << (options.no_browser ? "" : " on this machine") << ":\n\n  "
                            << Printable(begun.authorization_url()) << "\n\n"
                            << std::flush;
  v1::OidcFinishRequest finish;
  finish.set_state(begun.state());
  finish.set_code_verifier(verifier);
  if (options.no_browser) {
    ASSIGN_OR_RETURN(*finish.mutable_code(), ReadPasted(session, begun.state()));
  } else {
    ASSIGN_OR_RETURN(*finish.mutable_code(), WaitForBrowser(*listener, begun.state()));
  }
  return controller->OidcFinish(finish);
}

}  // namespace fairlead::cli
