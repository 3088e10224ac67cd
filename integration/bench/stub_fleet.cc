// stub_fleet ADDRESS PREFIX COUNT: COUNT servers named PREFIX-1... without engines, until SIGTERM.
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "integration/bench/stub_server.h"

int main(int argc, char** argv) {
  int count = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[3], &count) || count < 1) {
    fairlead::base::LogError("stub_fleet", "usage: stub_fleet ADDRESS PREFIX COUNT");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::vector<std::unique_ptr<fairlead::bench::StubServer>> servers;
  for (int n = 1; n <= count; ++n) {
    // A channel each: sharing one would put all streams on one connection.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    servers.push_back(std::make_unique<fairlead::bench::StubServer>(
        absl::StrCat(argv[2], "-", n),
        grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments)));
  }
  int last = -1;
  int ticks = 0;
  const timespec pause{.tv_sec = 0, .tv_nsec = 200'000'000};
  while (sigtimedwait(&signals, nullptr, &pause) < 0) {
    const bool beat = ++ticks % 10 == 0;
    int now = 0;
    int gone = 0;
    for (const auto& server : servers) {
      if (beat) {
        server->Beat();
      }
      now += server->containers();
      gone += server->connected() ? 0 : 1;
    }
    if (gone > 0) {
      fairlead::base::LogError("stub_fleet", gone, " servers were disconnected");
      return 1;
    }
    if (now != last) {
      fairlead::base::LogInfo("stub_fleet", now, " containers");
      last = now;
    }
  }
  return 0;
}
