#include "integration/chaos/storm.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::chaos {

void Storm::Begin(const Fault& fault) {
  if (Do(fault)) ++counts_[NameOf(fault.kind)];
}

bool Storm::Do(const Fault& fault) {
  Host& host = fleet_.host(fault.server);
  switch (fault.kind) {
    case FaultKind::kKillController:
      fleet_.controller(fault.controller).Kill();
      return true;
    case FaultKind::kKillAgent:
      host.agent->Kill();
      return true;
    case FaultKind::kKillDockerd:
      return host.engine->KillDaemon();
    case FaultKind::kKillContainer:
    case FaultKind::kRemoveContainer:
      return HitContainers(fault);
    case FaultKind::kStopController:
      fleet_.controller(fault.controller).Signal(SIGSTOP);
      return fleet_.controller(fault.controller).is_wanted();
    case FaultKind::kStopAgent:
      host.agent->Signal(SIGSTOP);
      return host.agent->is_wanted();
    case FaultKind::kStopDockerd:
      return host.engine->SignalDaemon(SIGSTOP);
    case FaultKind::kCutLink:
      fleet_.links().Cut(fault.server);
      return true;
    case FaultKind::kSlowLink:
      fleet_.links().Slow(fault.server);
      return true;
    case FaultKind::kDropLink:
      fleet_.links().Drop(fault.server);
      return true;
    case FaultKind::kFillDisk:
      host.disk->Fill();
      return true;
    case FaultKind::kJumpClock:
      fleet_.MoveClock(fault.jump);
      return true;
    case FaultKind::kCrashDatabase:
      fleet_.database()->Crash();
      return true;
    case FaultKind::kCutDatabase:
      fleet_.database()->Cut(fault.controller);
      return true;
  }
  return false;
}

// By a shell on each host that has some of the resource.
bool Storm::HitContainers(const Fault& fault) {
  bool hit = false;
  for (int server = 1; server <= kServers; ++server) {
    const std::string& host = fleet_.host(server).engine->host();
    for (const auto& container : fleet_.host(server).engine->Containers(fault.resource)) {
      std::vector<std::string> argv = {"docker", "-H", host};
      if (fault.kind == FaultKind::kRemoveContainer) {
        // Counted before: the engine may do it and not live to say so.
        by_hand_.removed.insert(container.id);
        argv.insert(argv.end(), {"rm", "-f", container.id});
      } else {
        argv.insert(argv.end(), {"kill", container.id});
      }
      hit |= integration::RunCommand(argv, {}, absl::Seconds(5)).exit_code == 0;
    }
  }
  return hit;
}

void Storm::StartDockerd(int server) {
  Host& host = fleet_.host(server);
  // One of two that were to kill it may have found it dead already; a second dockerd would take the
  // socket of the first one with it.
  if (host.again.Running() || host.engine->SignalDaemon(0)) return;
  EXPECT_OK(host.again.Start(host.engine->AgainCommand(),
                             absl::StrCat(fleet_.directory(), "/again-", server, ".log")));
}

void Storm::End(const Fault& fault) {
  Host& host = fleet_.host(fault.server);
  switch (fault.kind) {
    case FaultKind::kKillController:
      EXPECT_OK(fleet_.controller(fault.controller).Start());
      break;
    case FaultKind::kKillAgent:
      EXPECT_OK(host.agent->Start());
      break;
    case FaultKind::kKillDockerd:
      StartDockerd(fault.server);
      break;
    case FaultKind::kStopController:
      fleet_.controller(fault.controller).Signal(SIGCONT);
      break;
    case FaultKind::kStopAgent:
      host.agent->Signal(SIGCONT);
      break;
    case FaultKind::kStopDockerd:
      host.engine->SignalDaemon(SIGCONT);
      break;
    case FaultKind::kCutLink:
    case FaultKind::kSlowLink:
    case FaultKind::kDropLink:
      fleet_.links().Mend(fault.server);
      break;
    case FaultKind::kFillDisk:
      host.disk->Empty();
      break;
    case FaultKind::kCrashDatabase:
      fleet_.database()->Start();
      break;
    case FaultKind::kCutDatabase:
      fleet_.database()->Mend(fault.controller);
      break;
    case FaultKind::kKillContainer:
    case FaultKind::kRemoveContainer:
    case FaultKind::kJumpClock:
      break;
  }
}

void Storm::Calm() {
  if (fleet_.database() != nullptr) fleet_.database()->Start();
  for (int controller = 1; controller <= fleet_.controllers(); ++controller) {
    if (fleet_.database() != nullptr) fleet_.database()->Mend(controller);
    fleet_.controller(controller).Signal(SIGCONT);
    EXPECT_OK(fleet_.controller(controller).Start());
  }
  for (int server = 1; server <= kServers; ++server) {
    Host& host = fleet_.host(server);
    host.agent->Signal(SIGCONT);
    EXPECT_OK(host.agent->Start());
    host.engine->SignalDaemon(SIGCONT);
    if (host.again.Running()) {
      EXPECT_OK(host.again.WaitForEnd(absl::Seconds(60)));
    }
    if (!host.engine->SignalDaemon(0)) {
      StartDockerd(server);
      EXPECT_OK(host.again.WaitForEnd(absl::Seconds(60)));
    }
    fleet_.links().Mend(server);
    host.disk->Empty();
  }
}

}  // namespace fairlead::chaos
