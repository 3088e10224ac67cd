// A core, its hosts and the runs beside it, in one thread on a clock that stands.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/actions/run_driver.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::actions {

// An execution in TOML.
inline std::string Do(const std::string& type, const std::string& params = "") {
  return absl::StrCat("{ execution = { type = \"", type, "\", params = {", params, "} } }");
}
inline std::string RestartOf(const std::string& name) {
  return Do("RestartDeployment", absl::StrCat("deployment = \"", name, "\""));
}
inline std::string DeployOf(const std::string& name) {
  return Do("Deploy", absl::StrCat("deployment = \"", name, "\""));
}
inline std::string SleepOf(int milliseconds) {
  return Do("Sleep", absl::StrCat("duration_ms = ", milliseconds));
}

// A stage of a procedure in TOML.
inline std::string StageOf(const std::vector<std::string>& executions,
                           const std::string& more = "") {
  std::string text =
      absl::StrCat("[[procedure.config.stage]]\nname = \"s\"\n", more, "executions = [\n");
  for (const std::string& execution : executions) absl::StrAppend(&text, execution, ",\n");
  return text + "]\n";
}
inline std::string ProcedureOf(const std::string& name, const std::vector<std::string>& stages,
                               const std::string& config = "") {
  std::string text = absl::StrCat("[[procedure]]\nname = \"", name, "\"\n", config);
  for (const std::string& stage : stages) text += stage;
  return text;
}
inline std::string DeploymentOf(const std::string& name, const std::string& head = "") {
  return absl::StrCat("[[deployment]]\nname = \"", name, "\"\n", head,
                      "config.server = \"edge\"\nconfig.image = \"app:1\"\n");
}

class RunWorld {
 public:
  RunWorld() { Boot(); }

  // As after kill -9: what the store holds is all that is left.
  void Restart() {
    core.Restart();
    Boot();
  }

  void Declare(const std::string& toml) {
    declared_ = absl::StrCat("[[server]]\nname = \"edge\"\n", toml);
    core.Commit(declared_, absl::StrCat("r", ++revision_));
  }
  // The same declaration, read again after a restart.
  void DeclareAgain() { core.Commit(declared_, absl::StrCat("r", revision_)); }

  // One pass with the runs; what is sent is pending in `core`.
  void Pass() {
    driver->BeforePass(*core.core, core.now);
    loop::CoreOutput output = core.core->Pass(core.now);
    driver->AfterPass(*core.core, output, core.now);
    if (before_store && !before_store()) return;
    ASSERT_TRUE(core.store->Apply(output.batch).ok());
    for (const auto& event : output.batch.append_events) core.events.push_back(event);
    for (const auto& ack : output.acknowledge) {
      std::erase_if(core.unacknowledged,
                    [&ack](const auto& held) { return held.action_id() == ack.action_id; });
    }
    for (const auto& cancel : output.cancel) cancelled.push_back(cancel.action_id);
    for (const auto& dispatch : output.dispatch) {
      core.sent.push_back(loop::CoreWorld::Describe(dispatch.action));
      core.pending.push_back(dispatch);
    }
  }

  // Passes and performs until nothing is left to do in this time.
  void Settle(absl::Duration patience = absl::Seconds(30)) {
    const absl::Time until = core.now + patience;
    while (core.now < until) {
      Pass();
      if (!core.pending.empty() && !hosts_hang) {
        core.Perform();
        continue;
      }
      const absl::Time wake = std::min(core.core->wake_at(), driver->wake_at());
      if (wake > until) {
        core.now = until;
        return;
      }
      core.now = std::max(core.now + absl::Milliseconds(1), wake);
    }
  }

  // Id of the new run.
  std::string Start(const std::string& resource) {
    const auto run = driver->engine().Start({.resource = resource,
                                             .trigger = v1::RUN_TRIGGER_USER,
                                             .who = "ann",
                                             .why = "",
                                             .parent = ""},
                                            *core.core->view(), core.now);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? run->id() : "";
  }
  absl::Status Cancel(const std::string& id) {
    return driver->engine().Cancel(id, "ann", "", core.now).status();
  }

  // As stored.
  v1::Run Run(const std::string& id) const {
    const auto runs = core.store->ListRuns({.id = id});
    return runs.ok() && runs->size() == 1 ? runs->front() : v1::Run();
  }
  std::vector<v1::Run> Runs(const std::string& resource) const {
    return *core.store->ListRuns({.resource = resource});
  }
  // How often an action was sent, such as "restart deployment/web".
  int Sent(const std::string& text) const {
    return static_cast<int>(std::count(core.sent.begin(), core.sent.end(), text));
  }

  loop::CoreWorld core;
  std::unique_ptr<RunDriver> driver;
  std::vector<FetchOrder> fetches;
  std::vector<std::string> cancelled;
  absl::TimeZone zone = absl::UTCTimeZone();
  // Actions are sent and never answered.
  bool hosts_hang = false;
  // False: the process dies before the batch is stored.
  std::function<bool()> before_store;

 private:
  void Boot() {
    driver =
        std::make_unique<RunDriver>(*core.store->Load(), core.random, zone,
                                    [this](const FetchOrder& order) { fetches.push_back(order); });
  }

  std::string declared_;
  int revision_ = 0;
};

}  // namespace fairlead::actions
