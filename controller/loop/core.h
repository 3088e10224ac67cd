// The reconcile loop without I/O: events and the time go in; what to persist, what to send and
// what to tell come out. The shell (reconciler.h) connects it to the store and the agents.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/ids.h"
#include "controller/accounts/accounts.h"
#include "controller/loop/loop_view.h"
#include "controller/loop/observer.h"
#include "controller/loop/step_action.h"
#include "controller/loop/view_publisher.h"
#include "controller/store/store.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/agent.pb.h"
#include "fairlead/v1/state.pb.h"
#include "resources/spec_hash.h"
#include "sync/desired.h"
#include "sync/planner.h"

namespace fairlead::loop {

struct DispatchAction {
  std::string server;
  v1::Action action;
  // Whose journal was known when this was decided; 0 before any.
  uint64_t session = 0;
};
struct CancelAction {
  std::string server;
  std::string action_id;
  std::string why;
};
struct AcknowledgeOutcome {
  std::string server;
  std::string action_id;
};

// A command to one host that a run asks for and nothing of the plan depends on: a build, a pull,
// a prune.
struct HostJob {
  std::string server;
  // Body, resource, guarantee, deadline and secrets; the core gives the id. Jobs and steps of one
  // resource are never two at once.
  v1::Action action;
  // Of the run's execution, which is told how it goes.
  std::string request_id;
  // "procedure/nightly", and what people read of it: "RunBuild build/api for run/4k2m".
  std::string who;
  std::string why;
  // The declaration that it carries out, not interpolated; kept for its outcome. May be unset.
  v1::Resource spec;
};

// How far a request is that an action carries out.
struct RequestReport {
  enum class State {
    // A job that cannot be sent now; `message` says why.
    kWaiting,
    // Its action is sent once the batch is durable.
    kSent,
    // The action never reached the agent; another one will follow.
    kLost,
    // `outcome` says how.
    kEnded,
  };
  std::string request_id;
  State state = State::kSent;
  std::string action_id;
  v1::ActionOutcome outcome;
  std::string message;
  // Of a job: where it was sent, and what it carries out. With kEnded.
  std::string server;
  v1::Resource spec;
  std::string spec_hash;
};

// Output of a run, as it came.
struct RunLines {
  std::string run_id;
  // Number of the first of them, counted from the begin of the run.
  uint64_t first = 0;
  std::vector<v1::Run::Line> lines;
};

// What one pass asks for: first the batch must be durable, then the rest happens.
struct CoreOutput {
  store::StoreBatch batch;
  std::vector<DispatchAction> dispatch;
  std::vector<CancelAction> cancel;
  std::vector<AcknowledgeOutcome> acknowledge;
  std::vector<RequestReport> reports;
  // For those who watch.
  std::vector<RunLines> run_lines;
};

struct CoreOptions {
  std::string installation;
  // Of the controller's office, for the records of actions; 0 where nobody is elected.
  int64_t term = 0;
  // Actions at once on all servers together.
  uint32_t fleet_limit = 256;
  // Pushed to by the core; outlives it.
  Observer* observer = nullptr;
  // Outlive the core; absent: none are known.
  const controller::Accounts* accounts = nullptr;
};

// An operator's wish.
struct OperatorRequest {
  enum class Kind {
    kStop,
    kStart,
    kRestart,
    kRelease,
    kRetry,
    kCancel,
    kDeploy,
    // What is paused stays so, until kUnpause or what else ends a hold.
    kPause,
    kUnpause,
  };
  Kind kind = Kind::kStop;
  std::string resource;
  std::string who;
  std::string why;
  absl::Time expires_at = absl::InfiniteFuture();
  // Of a run, which is told how a restart goes; else empty.
  std::string request_id;
  // Of a stop: instead of what is declared; empty is that.
  std::string stop_signal;
  std::optional<int32_t> stop_seconds;
};

// An operator's wish to go back to an earlier spec.
struct RollbackRequest {
  std::string who;
  std::string why;
  v1::SpecRecord target;
};

// Confined to one thread.
class Core {
 public:
  // `hasher` and `random` outlive the core.
  Core(const store::StoreImage& image, const resources::SpecHasher& hasher, base::Random& random,
       CoreOptions options);

  // Events. They only note what changed; Pass acts.
  void OnSource(std::shared_ptr<const sync::SourceSnapshot> source);
  // A revision of a sync is in force from now on; `record` is what is kept of it.
  void OnRevision(std::shared_ptr<const sync::SourceSnapshot> source, v1::SyncRecord record,
                  absl::Time now);
  // Declares resources by hand, under the origin "api". They replace those of the same name.
  void OnApplied(const std::vector<v1::Resource>& applied, absl::Time now);
  // Values kept outside of the sources, by name of the variable; may be null.
  void OnSecrets(std::shared_ptr<const resources::Variables> secrets);
  void OnHost(const std::shared_ptr<const sync::HostLive>& host);
  void OnJournal(const std::string& server, uint64_t session, const v1::JournalReport& report,
                 absl::Time now);
  void OnOutcome(const std::string& server, const v1::ActionOutcome& outcome, absl::Time now);
  void OnNotice(const std::string& server, const v1::AgentNotice& notice, absl::Time now);
  // Text for the operator, or NotFound / FailedPrecondition.
  absl::StatusOr<std::string> OnRequest(const OperatorRequest& request, absl::Time now);
  // The request of this id is dealt with: a restart that was not sent is dropped, and what has
  // deploy = false is only watched again.
  void OnWithdrawn(const OperatorRequest& request);
  // Sends the job as soon as its server is connected and has room.
  void OnJob(HostJob job);
  // Takes in what a run has made, or that it has failed (builds, repos, procedures, failed specs of
  // the batch); whoever tells it makes it durable.
  void OnMade(const store::StoreBatch& made);
  // Drops the job of this request if it was not sent, and ends its action if it was.
  void OnJobCancelled(const std::string& request_id, const std::string& who, absl::Time now);
  // Puts the declared spec aside for that of `request.target`. As OnRequest.
  absl::StatusOr<std::string> OnRollback(const RollbackRequest& request, absl::Time now);
  // Grants what waits for approval in the plan of the last pass, whose id begins with `plan_id`.
  // The resources; FailedPrecondition when the plan is another one or nothing waits in it.
  absl::StatusOr<std::vector<std::string>> OnApprove(const std::string& plan_id,
                                                     const std::string& who, const std::string& why,
                                                     absl::Time now);
  // Allows more deletions than the guard, until the next revision of the origin.
  void OnAllowDelete(const std::string& origin, uint32_t count);
  void AddEvent(v1::Event event, absl::Time now);

  // One planning pass over everything noted since the last one.
  CoreOutput Pass(absl::Time now);

  // When the next pass is due although nothing happens.
  absl::Time wake_at() const { return wake_at_; }
  // Of the last pass.
  std::shared_ptr<const LoopView> view() const { return view_; }
  // Desired state with `source` in place of the one of its origin; for previews.
  std::shared_ptr<const sync::DesiredState> Preview(
      const std::shared_ptr<const sync::SourceSnapshot>& source) const;

 private:
  // Requests for a restart of one resource are one restart.
  struct RestartWish {
    OperatorRequest request;
    std::vector<std::string> request_ids;
  };
  // A job that was not sent so far.
  struct WaitingJob {
    HostJob job;
    // What was told last of what it waits for.
    std::string told;
  };
  struct Running {
    v1::ActionRecord record;
    // The operator who cancelled it.
    std::string cancelled_by;
  };

  void RebuildDesired();
  // Follows the resource_syncs that are declared now; true when that changes what is desired.
  bool FollowSyncs();
  void PutApiSource();
  std::string Hold(const OperatorRequest& request, absl::Time now);
  std::string EndHold(const OperatorRequest& request, absl::Time now);
  std::string Retry(const OperatorRequest& request, absl::Time now);
  // A deployment of a build runs the newest image, also without redeploy_on_build.
  void TakeNewestImage(const std::string& resource);
  absl::StatusOr<std::string> Cancel(const OperatorRequest& request, absl::Time now);
  absl::Status CheckDeploys(const std::string& resource) const;
  // Images of builds, in what is declared.
  void FillImages();
  void MarkDirty(const std::string& resource);
  void MarkAllDirty() { all_dirty_ = true; }
  absl::Status Plan(absl::Time now);
  // Plans, and learns from the decisions, until neither changes the other.
  void Settle(absl::Time now);
  bool RecordNewFailures(absl::Time now);
  bool ForgetEntries(absl::Time now);
  // Actions under way by server.
  using Load = std::map<std::string, uint32_t>;
  bool HasRoom(const Load& load, const std::string& server) const;
  void StartOpenSteps(absl::Time now, CoreOutput& output);
  // Looks ahead at steps that belong together, and gates them until all can run. True when the plan
  // must be looked at again.
  bool HoldForPreflight(absl::Time now, Load& load, CoreOutput& output);
  // True when they are others than so far.
  bool SetPreflightHolds(std::map<std::string, sync::PreflightHold> holds);
  // The member that the others wait for; null when all have passed.
  const v1::Step* CheckGroup(const std::vector<int>& group, absl::Time now, Load& load,
                             CoreOutput& output);
  bool StartCheck(const v1::Step& step, bool networks_may_come, absl::Time now, CoreOutput& output);
  // With the logins of what it applies.
  absl::StatusOr<StepAction> WithLogins(absl::StatusOr<StepAction> computed) const;
  bool StartStep(const v1::Step& step, absl::Time now, CoreOutput& output);
  // True when an entry changed, so that the plan must be looked at again.
  bool UpdateEntries(const std::vector<resources::ResourceId>& ids, absl::Time now);
  bool UpdateEntry(const sync::Decision& decision, absl::Time now);
  void ApplySuccess(const Running& running, const v1::ActionOutcome& outcome, absl::Time now);
  // Ends the inventory's entry, unless something of the resource is still seen.
  void ApplyRemoval(const Running& running, absl::Time now);
  void ApplyFailure(const Running& running, const v1::ActionOutcome& outcome, absl::Time now);
  // True when there was a failed attempt.
  bool ForgetAttempt(const std::string& resource);
  // Of what can neither be wanted nor owned any more.
  void ForgetLeftAttempts();
  // Makes durable that a step waits for a person.
  void KeepAttempts();
  void NoteStarted(const std::string& resource);
  static void NoteDuration(const Running& running, const v1::ActionOutcome& outcome,
                           v1::InventoryEntry& entry);
  void RecordApplied(const Running& running, const v1::ActionOutcome& outcome, absl::Time now);
  void MoveEntry(const v1::ActionRecord& moved);
  // Stops as who asks for the stop wants it.
  void ApplyStopWish(const v1::Step& step, v1::Action& action) const;
  void ActOnce(const OperatorRequest& request);
  void AddRestart(const OperatorRequest& request);
  void StartRestarts(absl::Time now, CoreOutput& output);
  void StartJobs(absl::Time now, CoreOutput& output);
  // Why the job must wait; empty: it can be sent.
  std::string ObstacleOf(const HostJob& job, const Load& load) const;
  void EndJob(const Running& running, const v1::ActionOutcome& outcome, absl::Time now);
  // From its sending to its outcome an action keeps others off its resource.
  void Occupy(const v1::ActionRecord& record);
  void Vacate(const v1::ActionRecord& record);
  void Report(const v1::ActionRecord& record, RequestReport::State state,
              const v1::ActionOutcome& outcome = {});
  void OnLost(const std::string& action_id);
  void ClaimBeforeMaking(const resources::ResourceId& id, const v1::ActionRecord& record);
  void Send(v1::ActionRecord record, absl::Time now, CoreOutput& output);
  void NoteFailedStep(const v1::Step& step, const absl::Status& why, absl::Time now,
                      bool by_operator = false);
  bool StandsInFor(const v1::Step& step, const sync::FailedAttempt& attempt) const;
  // Pauses before a step that succeeds again and again is made once more.
  void HoldBackRepetition(const v1::ActionRecord& record, bool heals, absl::Time now);
  void PutEntry(v1::InventoryEntry entry);
  // What is applied of `entry`, and what became of it.
  void PutHistory(const v1::InventoryEntry& entry, v1::SpecRecord::Outcome outcome,
                  const std::string& reason, absl::Time now);
  // Files of a stack that belong to the spec just applied; empty when they are too many to keep.
  google::protobuf::RepeatedPtrField<v1::StackFile> FilesToKeep(
      const v1::InventoryEntry& entry) const;
  void ForgetFailure(const std::string& resource, const std::string& spec_hash);
  void ForgetResource(const std::string& resource);
  void EraseEntry(const std::string& resource);
  v1::InventoryEntry EntryOf(const std::string& resource) const;
  void Publish(absl::Time now);
  uint32_t HostLimit(const std::string& server) const;
  void Emit(absl::Time now, const std::string& resource, const std::string& type,
            const std::string& message, bool warning = false);

  const resources::SpecHasher& hasher_;
  base::Random& random_;
  const CoreOptions options_;

  std::map<std::string, std::shared_ptr<const sync::SourceSnapshot>> sources_;
  // Declared but not read yet: nothing is pruned meanwhile.
  std::set<std::string> unread_origins_;
  std::map<resources::ResourceId, v1::Resource> applied_;
  std::shared_ptr<const resources::Variables> secrets_;
  bool desired_stale_ = true;
  // As the sources say; input_.desired has the images of builds in place.
  std::shared_ptr<const sync::DesiredState> declared_;
  // Deployments of builds.
  std::set<resources::ResourceId> image_users_;
  bool images_stale_ = false;

  sync::PlanInput input_;
  sync::PlanResult result_;
  bool has_result_ = false;
  bool all_dirty_ = true;
  std::set<resources::ResourceId> dirty_;

  // By resource: requests of runs that act on it although it may have deploy = false.
  std::map<std::string, std::set<std::string>> deploy_requests_;
  // By resource: the stop that asks for a signal or time of its own, until it is withdrawn.
  std::map<std::string, OperatorRequest> stop_wishes_;
  // By action id.
  std::map<std::string, Running> running_;
  // By server: the session whose journal was taken in last.
  std::map<std::string, uint64_t> sessions_;
  // Resources whose last step could not even be made an action from what is declared (a variable
  // is missing): they are tried again as soon as anything is declared anew.
  std::set<std::string> never_sent_;
  // By resource: failed attempts that have changed in this pass, and those the store has.
  std::set<std::string> changed_attempts_;
  std::set<std::string> kept_attempts_;
  // By resource: the target that has passed its pre-flight.
  std::map<std::string, std::string> checked_;
  // By resource: drift that is being healed, since when.
  std::map<std::string, absl::Time> healing_;
  // Successes of one step for one target, in a row: each less than kSeriesEnd after the one before.
  struct Series {
    int count = 0;
    absl::Time last;
  };
  // By resource, then by action and target hash.
  std::map<std::string, std::map<std::pair<v1::StepAction, std::string>, Series>> series_;
  // Collected until the next pass hands it out.
  store::StoreBatch batch_;
  std::vector<AcknowledgeOutcome> acknowledge_;
  std::vector<CancelAction> cancel_;
  std::vector<RequestReport> reports_;
  // Restarts asked for by operators, by resource; each runs once the resource is not busy.
  std::map<std::string, RestartWish> restarts_;
  // In the order in which they were asked for.
  std::vector<WaitingJob> jobs_;
  uint64_t next_event_id_ = 1;
  ViewPublisher publisher_;
  absl::Time wake_at_ = absl::InfiniteFuture();
  std::shared_ptr<const LoopView> view_;
};

}  // namespace fairlead::loop
