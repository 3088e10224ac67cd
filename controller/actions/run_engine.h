// Procedures, builds, repos and syncs under way, without I/O: events and the time go in, requests
// come out.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/ids.h"
#include "controller/accounts/accounts.h"
#include "controller/actions/execution_terms.h"
#include "controller/actions/verdict.h"
#include "controller/loop/core.h"
#include "controller/loop/loop_view.h"
#include "controller/store/store.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::actions {

// Who wants a run of what.
struct RunOrder {
  // "procedure/nightly", "build/api", "repo/site" or "resource_sync/main".
  std::string resource;
  v1::RunTrigger trigger = v1::RUN_TRIGGER_USER;
  std::string who;
  std::string why;
  // The run it is an execution of; may be empty.
  std::string parent;
  // Of a build or repo: how, such as CloneRepo; unset is RunBuild or PullRepo.
  v1::Execution execution;
  // Of a build that a poll begins: the commit that it saw.
  std::string head;
};

struct FetchOrder {
  std::string sync;
  std::string request_id;
};

// What the engine asks of the rest, in this order.
struct RunCommands {
  std::vector<loop::OperatorRequest> withdraw;
  // A refusal of one that has a request id is told with OnRefused.
  std::vector<loop::OperatorRequest> requests;
  std::vector<loop::HostJob> jobs;
  // By request id, with who wants it.
  std::vector<std::pair<std::string, std::string>> cancel_jobs;
  std::vector<FetchOrder> fetches;
  // By request id.
  std::vector<std::string> backups;
  std::vector<v1::Event> events;
};

// Runs of one procedure come one after the other. A run goes on after a crash from its record:
// what may be repeated (deploy, start, stop, fetch, most jobs) is asked for again; a restart is
// not, once it was dispatched, nor a job that runs at most once. Confined to one thread.
class RunEngine {
 public:
  // `image` as of the start; `random` outlives the engine.
  RunEngine(const store::StoreImage& image, base::Random& random);

  // Accounts for builds, repos and pulls; outlives the engine.
  void SetAccounts(const controller::Accounts* accounts) { accounts_ = accounts; }

  // Events.
  absl::StatusOr<v1::Run> Start(const RunOrder& order, const loop::LoopView& view, absl::Time now);
  // Ends the run, what it has under way, and the runs it has started.
  absl::StatusOr<std::string> Cancel(const std::string& id, const std::string& who,
                                     const std::string& why, absl::Time now);
  void OnReport(const loop::RequestReport& report, absl::Time now);
  // Output of a job under way goes to the log of its run.
  void OnActionLog(const v1::ActionLog& log, absl::Time now);
  // How far a job under way is goes to the record of its run.
  void OnProgress(const v1::ActionProgress& progress);
  void OnRefused(const std::string& request_id, const absl::Status& why, absl::Time now);
  // `revision` is in force from the next pass on.
  void OnFetched(const std::string& request_id, const absl::StatusOr<std::string>& revision,
                 absl::Time now);

  // The path of a copy of the database, or why there is none.
  void OnBackedUp(const std::string& request_id, const absl::StatusOr<std::string>& path,
                  absl::Time now);

  // Begins what is due. Requires: a pass has been made.
  RunCommands Advance(const loop::LoopView& view, absl::Time now);
  // Looks what came of it. `view` is of a pass after the commands of Advance were carried out.
  void Judge(const loop::LoopView& view, absl::Time now);

  // Runs that have changed since the last call, to be stored. Output alone is stored at intervals.
  std::vector<v1::Run> TakeChanged(absl::Time now);
  // Lines that have come since the last call. Before TakeChanged.
  std::vector<loop::RunLines> TakeLines();
  // Records of what was built, checked out, and run with success, and failures; to be stored with
  // the runs, and noted by the core.
  store::StoreBatch TakeMade();
  // As it is now; null when it has ended or there is none.
  const v1::Run* FindOpen(const std::string& id) const;
  absl::Time wake_at() const;
  // Of this procedure or sync a run has not ended.
  bool IsOpen(const std::string& resource) const;
  // One of them has not begun.
  bool IsWaiting(const std::string& resource) const;

 private:
  struct Active {
    v1::Run run;
    bool changed = false;
    // Has output that is not stored.
    bool has_output = false;
    absl::Time stored_at = absl::InfinitePast();
    // So many lines were told.
    uint64_t told = 0;
  };
  // One execution of an active run.
  struct Place {
    Active* active = nullptr;
    v1::RunStage* stage = nullptr;
    v1::RunExecution* execution = nullptr;
  };

  Active* Find(const std::string& id);
  Place FindRequest(const std::string& request_id);
  bool MayBegin(const Active& active) const;
  static v1::RunStage* CurrentStage(v1::Run& run);
  bool AdvanceRun(Active& active, const loop::LoopView& view, absl::Time now);
  void BeginStage(Active& active, v1::RunStage& stage, const loop::LoopView& view, absl::Time now);
  void TimeOut(Active& active, v1::RunStage& stage, absl::Time now);
  bool MustWait(const v1::RunStage& stage, const v1::RunExecution& execution, uint32_t running,
                absl::Time now);
  bool AdvanceStage(Active& active, v1::RunStage& stage, const loop::LoopView& view,
                    absl::Time now);
  void EndStage(Active& active, v1::RunStage& stage, absl::Time now);
  void EndRun(Active& active, v1::RunState state, const std::string& message, absl::Time now);
  void CancelRun(Active& active, const std::string& message, absl::Time now);

  // An attempt: its request id is noted before anything is asked for.
  void Begin(const Place& place, absl::Time now);
  void AskWhenDue(const Place& place, const loop::LoopView& view, absl::Time now);
  void Ask(const Place& place, const loop::LoopView& view, absl::Time now);
  void AskCore(const Place& place, const ExecutionTerms& terms, const loop::LoopView& view,
               absl::Time now);
  void RunChild(const Place& place, const ExecutionTerms& terms, const loop::LoopView& view,
                absl::Time now);
  void AskJob(const Place& place, const ExecutionTerms& terms, const loop::LoopView& view,
              absl::Time now);
  // As Resume, of a job.
  bool ResumeJob(const Place& place, bool once, absl::Time now);
  std::map<std::string, uint32_t> JobLoad() const;
  // What a job has left, and what its outcome says.
  void NoteDone(const Place& place, const loop::RequestReport& report, absl::Time now);
  // What the end of the run means for others.
  void NoteEnd(const v1::Run& run, absl::Time now);
  static void NoteDependents(v1::Run& run, const loop::LoopView& view);
  void CancelRunsOf(const Place& place, const ExecutionTerms& terms, absl::Time now);
  // Takes up a restart of a life before this one. False: nothing has to be asked for.
  bool Resume(const Place& place, absl::Time now);
  Verdict JudgeChild(const v1::RunExecution& execution);
  Verdict VerdictOf(const v1::RunExecution& execution, const loop::LoopView& view, absl::Time now);
  void JudgeOne(const Place& place, const loop::LoopView& view, absl::Time now);
  void Conclude(const Place& place, v1::RunState state, const std::string& message, absl::Time now);
  // Takes back what is asked for, and ends what is under way.
  void CallOff(const Place& place, absl::Time now);
  void SetMessage(const Place& place, const std::string& message);
  std::string Ancestry(const Active& active, const std::string& resource) const;
  void Tell(const v1::Run& run, const std::string& type, const std::string& message,
            bool warning = false);
  static loop::OperatorRequest RequestOf(const Place& place, loop::OperatorRequest::Kind kind);

  base::Random& random_;
  // In order of creation; behind pointers, since a run may start another one.
  std::vector<std::unique_ptr<Active>> runs_;
  // Asked for in this life, by request id.
  std::set<std::string> asked_;
  // By request id: what could not be asked for, and when that is tried again.
  std::map<std::string, absl::Time> later_;
  // Runs that have timed out before anything was sent: they say nothing of what they were to run.
  std::set<std::string> unsent_;
  // By request id: the revision fetched.
  std::map<std::string, std::string> fetched_;
  // Actions under way at the start.
  std::set<std::string> known_actions_;
  // As of the newest build; the core learns of them later.
  std::map<std::string, v1::BuildRecord> builds_;
  const controller::Accounts* accounts_ = nullptr;
  store::StoreBatch made_;
  RunCommands commands_;
  // Something happened since the last Advance.
  bool stale_ = true;
  absl::Time wake_at_ = absl::InfinitePast();
};

}  // namespace fairlead::actions
