// One run of one command: what it may use.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "cli/controller_client.h"
#include "cli/environment.h"
#include "cli/render/json.h"
#include "cli/render/text.h"

namespace fairlead::cli {

// Exit codes; docs/cli.md promises them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitChanges = 2;
inline constexpr int kExitNotConverged = 3;

// Options that stand before or after every command.
struct GlobalOptions {
  ConnectionOptions connection;
  // Of each call; empty is 30 s.
  std::string timeout;
};

// Confined to one thread. `environment` and `options` outlive it.
class Session {
 public:
  Session(Environment& environment, const GlobalOptions& options);
  ~Session();

  // Connects at the first call.
  absl::StatusOr<ControllerClient*> Controller();
  // Where and as whom Controller() connects.
  absl::StatusOr<ConnectionOptions> Connection() const;

  Environment& environment() { return environment_; }
  // Output is a terminal on which lines can change in place.
  bool is_live() const;
  // What fits below a first line, so that the cursor can stand behind the last one.
  ScreenSize live_size() const;
  // Colours only on a terminal and without NO_COLOR.
  TextOptions text_options() const;
  void Print(absl::string_view text);
  absl::Status PrintJson(const google::protobuf::Message& message,
                         JsonStyle style = JsonStyle::kPretty);

 private:
  Environment& environment_;
  const GlobalOptions& options_;
  std::unique_ptr<ControllerClient> client_;
};

// "90s", "5m", "1h30m", "2d". InvalidArgument names the option and the text.
absl::StatusOr<absl::Duration> ParseSpan(absl::string_view option, absl::string_view text);

}  // namespace fairlead::cli
