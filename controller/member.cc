#include "controller/member.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "controller/election/elector.h"
#include "controller/office.h"
#include "controller/standby.h"
#include "controller/store/postgres_lease.h"
#include "controller/store/store_address.h"
#include "controller/store_wait.h"

namespace fairlead::controller {
namespace {

// A role that could not begin is tried again after it.
constexpr absl::Duration kRetry = absl::Milliseconds(200);
// Who could not act though elected lets others go first.
constexpr absl::Duration kStandBack = absl::Seconds(10);
// For the first look at the lease.
constexpr absl::Duration kLongestLook = absl::Seconds(5);
// Longer than anybody waits: it does not stand again.
constexpr absl::Duration kForGood = absl::Hours(24);

// The same for all processes on this data directory, which are never two at a time.
absl::StatusOr<std::string> HolderOf(const std::string& data_dir) {
  const std::string path = data_dir + "/member-id";
  const absl::StatusOr<std::string> kept = base::ReadFile(path, 256);
  if (kept.ok() && !kept->empty()) return *kept;
  if (!kept.ok() && !absl::IsNotFound(kept.status())) return kept.status();
  const std::string made = base::NewId(base::Random::Real());
  RETURN_IF_ERROR(base::WriteFileAtomically(path, made));
  return made;
}

bool IsWildcard(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "[::]" || host == "*";
}

std::string AdvertisedBy(const ControllerOptions& options) {
  if (!options.advertise.empty()) return options.advertise;
  if (absl::StartsWith(options.listen, "unix:") || !IsWildcard(HostOf(options.listen))) {
    return options.listen;
  }
  return absl::StrCat(MachineName(), ":", PortOf(options.listen));
}

store::LeaseClaim ClaimOf(const ControllerOptions& options, const std::string& holder,
                          const std::string& authority) {
  store::LeaseClaim claim{.holder = holder, .address = AdvertisedBy(options)};
  const std::string host = HostOf(options.http_listen);
  const std::string reached = absl::StartsWith(claim.address, "unix:") || !IsWildcard(host)
                                  ? (IsWildcard(host) ? "127.0.0.1" : host)
                                  : HostOf(claim.address);
  claim.http_address = absl::StrCat(reached, ":", PortOf(options.http_listen));
  claim.authority = authority;
  return claim;
}

// Agents believe one authority, and so do the controllers each other. With nobody in office this
// one may be meant to replace all of them.
absl::Status CheckAuthority(const store::LeaseSight& sight, const std::string& authority,
                            const std::string& data_dir) {
  const store::LeaseClaim& other = sight.claim;
  if (sight.left <= absl::ZeroDuration() || other.authority == authority) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      data_dir, "/tls/ca.crt is not the authority of the active controller at ", other.address,
      ", so agents would not believe this one; copy tls/ca.crt, tls/ca.key and ",
      "secret.key from its data directory, and remove tls/server.* and tls/serving.* ", "here"));
}

}  // namespace

absl::StatusOr<bool> IsShared(const ControllerOptions& options) {
  ASSIGN_OR_RETURN(const store::StoreAddress address,
                   store::ParseStoreAddress(StoreOf(options), options.store_password_file),
                   "--store");
  if (address.postgres.has_value()) {
    if (options.lease_duration >= absl::Seconds(1)) return true;
    return absl::InvalidArgumentError("--lease-duration: at least 1 s");
  }
  if (options.advertise.empty()) return false;
  return absl::InvalidArgumentError(
      "--advertise is for several controllers on one PostgreSQL database; with a SQLite file there "
      "is one controller: leave it out, or name a --store postgresql://...");
}

struct Member::Parts {
  Parts(ControllerOptions given, std::function<void()> overrun)
      : options(std::move(given)), on_overrun(std::move(overrun)) {}

  absl::Status Begin();
  // Once the database answers, and this one may stand. The standby is there.
  absl::StatusOr<std::unique_ptr<store::PostgresLease>> AwaitLease(
      const store::PostgresAddress& address);
  void Run() ABSL_LOCKS_EXCLUDED(mutex);
  // Ends the role that is, and begins the other one.
  absl::Status Become(int64_t term) ABSL_LOCKS_EXCLUDED(mutex);
  absl::Status BecomeStandby();
  void End(absl::Duration pause);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex);
  election::Standing Look() ABSL_LOCKS_EXCLUDED(mutex) {
    const election::Elector* const known = visible;
    if (known != nullptr) return known->standing();
    election::Standing before;
    base::MutexLock held(mutex);
    if (!waits_for.empty()) before.trouble = absl::UnavailableError(waits_for);
    return before;
  }

  // With ports as bound, once they are.
  ControllerOptions options;
  const std::function<void()> on_overrun;
  base::FileLock lock;
  std::string holder;
  std::unique_ptr<election::Elector> elector;
  // For the standby, which is there before it.
  std::atomic<const election::Elector*> visible{nullptr};
  // Confined to Start, then to the thread, then to Stop.
  std::unique_ptr<Standby> standby;
  std::unique_ptr<Controller> controller;
  // Read by others.
  std::atomic<int64_t> acting{0};

  base::Mutex mutex;
  base::CondVar changed;
  // Why the start has not ended yet; empty when it has.
  std::string waits_for ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool looked ABSL_GUARDED_BY(mutex) = false;
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<store::PostgresLease>> Member::Parts::AwaitLease(
    const store::PostgresAddress& address) {
  base::Clock& clock = options.clock == nullptr ? base::Clock::Real() : *options.clock;
  std::unique_ptr<store::PostgresLease> lease;
  store::LeaseSight last;
  RETURN_IF_ERROR(WaitForDatabase(
      [&]() -> absl::Status {
        ASSIGN_OR_RETURN(lease, store::PostgresLease::Open(address, clock.Now()));
        // It is looked at before it is asked for: a stranger must not get it.
        ASSIGN_OR_RETURN(last, lease->Look(std::min(options.lease_duration, kLongestLook)));
        return absl::OkStatus();
      },
      clock, base::Random::Real(),
      {.wait = options.store_wait,
       .is_stopping = options.is_stopping,
       .on_wait = [this](const std::string& why) {
         base::MutexLock held(mutex);
         waits_for = why;
       }}));
  RETURN_IF_ERROR(CheckAuthority(last, standby->authority(), options.data_dir));
  return lease;
}

absl::Status Member::Parts::Begin() {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const store::StoreAddress address,
                   store::ParseStoreAddress(options.store, options.store_password_file), "--store");
  RETURN_IF_ERROR(base::MakeDirectories(options.data_dir), "--data-dir");
  absl::StatusOr<base::FileLock> locked = base::FileLock::Acquire(options.data_dir + "/lock");
  RETURN_IF_ERROR(locked.status(), "another controller uses --data-dir");
  lock = *std::move(locked);
  ASSIGN_OR_RETURN(holder, HolderOf(options.data_dir));
  // Whoever is told where to find this one must find it there; and who asks while the database is
  // away is told so.
  RETURN_IF_ERROR(BecomeStandby());
  ASSIGN_OR_RETURN(std::unique_ptr<store::PostgresLease> lease, AwaitLease(*address.postgres));
  election::ElectorOptions election_options;
  election_options.claim = ClaimOf(options, holder, standby->authority());
  election_options.terms.lease = options.lease_duration;
  election_options.on_overrun = on_overrun;
  election_options.on_change = [this] {
    base::MutexLock held(mutex);
    looked = true;
    changed.SignalAll();
  };
  options.advertise = election_options.claim.address;
  elector = std::make_unique<election::Elector>(std::move(lease), std::move(election_options));
  visible = elector.get();
  elector->Start();
  const int64_t term = elector->AwaitFirst().term;
  if (term != 0) RETURN_IF_ERROR(Become(term));
  thread = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::Status Member::Parts::BecomeStandby() {
  ASSIGN_OR_RETURN(standby, Standby::Start(options, holder, [this] { return Look(); }));
  if (elector == nullptr) {
    options.listen = standby->grpc_address();
    options.http_listen = standby->http_address();
  }
  base::LogInfo("controller", "standby: ", Look().Text());
  return WriteEndpoints(options.data_dir, options.listen, options.http_listen);
}

void Member::Parts::End(absl::Duration pause) {
  standby.reset();
  controller.reset();
  const int64_t term = acting.exchange(0);
  if (term != 0) elector->NoteEnded(term, pause);
}

absl::Status Member::Parts::Become(int64_t term) {
  End(absl::ZeroDuration());
  if (term == 0) return BecomeStandby();
  acting = term;
  ControllerOptions active = options;
  active.term = term;
  active.in_office = [this, term] { return elector->InOffice(term); };
  absl::StatusOr<std::unique_ptr<Controller>> started = Controller::Start(active);
  RETURN_IF_ERROR(started.status());
  controller = *std::move(started);
  base::LogInfo("controller", "active in term ", term);
  return absl::OkStatus();
}

void Member::Parts::Run() {
  base::MutexLock held(mutex);
  while (!stopping) {
    looked = false;
    mutex.Unlock();
    const election::Standing standing = elector->standing();
    const int64_t term = standing.term;
    // An office that was over before it began here.
    if (standing.ending != 0 && standing.ending != acting) elector->NoteEnded(standing.ending);
    absl::Status became;
    if (term != acting || (standby == nullptr && controller == nullptr)) became = Become(term);
    if (!became.ok()) {
      base::LogError("controller", term == 0 ? "standby: " : "elected, but: ", became.message());
      End(kStandBack);
    }
    mutex.Lock();
    if (!became.ok()) {
      // Another process may have a port for a moment.
      if (!stopping) changed.WaitFor(mutex, kRetry);
      continue;
    }
    while (!stopping && !looked) changed.Wait(mutex);
  }
}

void Member::Parts::Stop() {
  {
    base::MutexLock held(mutex);
    if (stopping) return;
    stopping = true;
    changed.SignalAll();
  }
  if (thread.joinable()) thread.join();
  End(kForGood);
  if (elector != nullptr) elector->Stop();
}

Member::Member(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Member::~Member() { Stop(); }

void Member::Stop() { parts_->Stop(); }

absl::StatusOr<std::unique_ptr<Member>> Member::Start(const ControllerOptions& options,
                                                      std::function<void()> on_overrun) {
  auto parts = std::make_unique<Parts>(options, std::move(on_overrun));
  const absl::Status begun = parts->Begin();
  if (!begun.ok()) {
    parts->Stop();
    return begun;
  }
  return std::unique_ptr<Member>(new Member(std::move(parts)));
}

int64_t Member::term() const { return parts_->acting; }

std::string Member::grpc_address() const { return parts_->options.listen; }

std::string Member::http_address() const { return parts_->options.http_listen; }

}  // namespace fairlead::controller
