#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/app.h"

namespace {

std::optional<std::string> Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

fairlead::cli::ScreenSize TerminalSize() {
  winsize size{};
  fairlead::cli::ScreenSize result;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return result;
  if (size.ws_col > 0) result.width = size.ws_col;
  if (size.ws_row > 0) result.height = size.ws_row;
  return result;
}

// Of what is typed.
void SetEcho(bool shown) {
  termios settings{};
  if (tcgetattr(STDIN_FILENO, &settings) != 0) return;
  const auto echo = static_cast<tcflag_t>(ECHO);
  settings.c_lflag = shown ? settings.c_lflag | echo : settings.c_lflag & ~echo;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings);
}

}  // namespace

int main(int argc, char** argv) {
  // gRPC's own log lines say less than the error that follows.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  fairlead::cli::Environment environment{.in = std::cin,
                                         .out = std::cout,
                                         .err = std::cerr,
                                         .clock = fairlead::base::Clock::Real(),
                                         .variable = Variable,
                                         .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                                         .screen = TerminalSize,
                                         .zone = absl::LocalTimeZone(),
                                         .in_is_terminal = isatty(STDIN_FILENO) == 1,
                                         .set_echo = SetEcho};
  return fairlead::cli::Run(std::vector<std::string>(argv + 1, argv + argc), environment);
}
