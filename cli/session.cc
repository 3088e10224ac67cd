#include "cli/session.h"

#include <ostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::cli {
namespace {

constexpr absl::Duration kDefaultTimeout = absl::Seconds(30);

}  // namespace

Session::Session(Environment& environment, const GlobalOptions& options)
    : environment_(environment), options_(options) {}

Session::~Session() = default;

absl::StatusOr<ControllerClient*> Session::Controller() {
  if (client_ == nullptr) {
    ASSIGN_OR_RETURN(const ConnectionOptions connection, Connection());
    absl::Duration timeout = kDefaultTimeout;
    if (!options_.timeout.empty()) {
      ASSIGN_OR_RETURN(timeout, ParseSpan("--timeout", options_.timeout));
    }
    ASSIGN_OR_RETURN(client_, ControllerClient::Create(connection, timeout));
  }
  return client_.get();
}

absl::StatusOr<ConnectionOptions> Session::Connection() const {
  ConnectionOptions connection = options_.connection;
  RETURN_IF_ERROR(CompleteConnectionOptions(environment_, connection));
  return connection;
}

bool Session::is_live() const {
  return environment_.out_is_terminal && environment_.variable("TERM").value_or("") != "dumb";
}

ScreenSize Session::live_size() const {
  ScreenSize size = environment_.screen();
  size.height = size.height > 2 ? size.height - 1 : 1;
  return size;
}

TextOptions Session::text_options() const {
  const auto no_color = environment_.variable("NO_COLOR");
  const bool colors = is_live() && (!no_color || no_color->empty());
  return {.painter = Painter(colors), .now = environment_.clock.Now(), .zone = environment_.zone};
}

void Session::Print(absl::string_view text) {
  environment_.out.write(text.data(), static_cast<std::streamsize>(text.size()));
  environment_.out.flush();
}

absl::Status Session::PrintJson(const google::protobuf::Message& message, JsonStyle style) {
  ASSIGN_OR_RETURN(const std::string json, ToJson(message, style));
  Print(json);
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view option, absl::string_view text) {
  absl::Duration span;
  int64_t days = 0;
  absl::string_view number = text;
  if (absl::ConsumeSuffix(&number, "d") && absl::SimpleAtoi(number, &days)) {
    span = absl::Hours(24) * days;
  } else if (!absl::ParseDuration(text, &span)) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " \"", text, "\" is not a time span; write 90s, 5m, 1h30m or 2d"));
  }
  if (span <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(option, " \"", text, "\" must be positive"));
  }
  return span;
}

}  // namespace fairlead::cli
