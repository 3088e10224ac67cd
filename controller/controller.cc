#include "controller/controller.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/loopback.h"
#include "base/status.h"
#include "controller/access/access.h"
#include "controller/accounts/accounts.h"
#include "controller/actions/build_heads.h"
#include "controller/actions/run_driver.h"
#include "controller/agents/agent_registry.h"
#include "controller/agents/agent_service.h"
#include "controller/backup.h"
#include "controller/bootstrap.h"
#include "controller/declared_users.h"
#include "controller/grpc_port.h"
#include "controller/identities.h"
#include "controller/installation.h"
#include "controller/kept_secrets.h"
#include "controller/loop/autonomy_terms.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/sync_poller.h"
#include "controller/metrics/prometheus_metrics.h"
#include "controller/office.h"
#include "controller/routes.h"
#include "controller/service/access_service.h"
#include "controller/service/oidc_service.h"
#include "controller/service/secret_service.h"
#include "controller/service/services.h"
#include "controller/store/store_address.h"
#include "controller/store/store_lock.h"
#include "resources/container_spec.h"

namespace fairlead::controller {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(5);

// The registry's log streams behind the services' interface.
class RegistryLogs final : public service::LogSource {
 public:
  explicit RegistryLogs(agents::AgentRegistry& registry) : registry_(registry) {}
  uint64_t StartLogs(const std::string& server, const v1::LogRequest& request,
                     std::function<void(const v1::LogLines&)> send) override {
    return registry_.StartLogs(server, request, std::move(send));
  }
  void CancelLogs(uint64_t id) override { registry_.CancelLogs(id); }

 private:
  agents::AgentRegistry& registry_;
};

std::map<std::string, v1::ResourceSync> SyncsOf(const loop::LoopView& view) {
  std::map<std::string, v1::ResourceSync> syncs;
  const auto& resources = view.input.desired->resources;
  for (auto at = resources.lower_bound({"resource_sync", ""});
       at != resources.end() && at->first.kind == "resource_sync"; ++at) {
    if (at->second->spec == nullptr) continue;
    if (!resources::NotYetReason(*at->second->spec).empty()) continue;
    syncs[at->first.name] = at->second->spec->resource_sync();
  }
  return syncs;
}

agents::SessionTerms TermsOf(const Installation& installation) {
  agents::SessionTerms terms;
  terms.installation = installation.id;
  terms.hash_key = installation.key;
  terms.hash_key_id = installation.key_id;
  terms.controller_version = FAIRLEAD_VERSION;
  terms.heartbeat_interval = kHeartbeat;
  return terms;
}

}  // namespace

// In order of construction; destroyed in reverse.
struct Controller::Parts {
  explicit Parts(ControllerOptions given) : options(std::move(given)) {}

  absl::Status Build();
  absl::Status LockData();
  absl::StatusOr<store::StoreImage> OpenStore(base::Clock& clock, base::Random& random);
  // Fetches a sync for a run. Returns at once.
  void Fetch(const actions::FetchOrder& order);
  void MakeBackup(const std::string& request_id);
  // Begins a run that a webhook asks for, unless one that will see the same waits already.
  void Run(const actions::RunOrder& order);
  void BuildPoller(base::Clock& clock, base::Random& random);
  // What a look at the branch of a build has found.
  void OnHead(const std::string& build, const loop::RepoAnswer& found);
  absl::Status BuildLoop(const store::StoreImage& image, const Installation& installation,
                         base::Clock& clock, base::Random& random);
  absl::Status BuildIdentities(const store::StoreImage& image, base::Clock& clock,
                               base::Random& random);
  absl::Status BuildAccess(const store::StoreImage& image, base::Clock& clock);
  absl::Status BuildGrpc();
  void StartTicker(base::Clock& clock);
  // Has what the audit log lacks yet sent, when it is time to.
  void TendAudit();
  void ReloadHttp();
  void Stop();
  void OnPass(const loop::LoopView& view);
  std::map<std::string, service::AgentView> AgentViews();

  const ControllerOptions options;
  base::FileLock lock;
  Accounts accounts;
  store::StoreAddress address;
  base::FileLock store_lock;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<access::Access> access;
  std::unique_ptr<resources::SpecHasher> hasher;
  std::unique_ptr<metrics::PrometheusMetrics> metrics;
  std::unique_ptr<agents::AgentRegistry> registry;
  std::unique_ptr<OfficeLink> link;
  std::unique_ptr<actions::RunDriver> runs;
  std::unique_ptr<loop::Reconciler> reconciler;
  std::unique_ptr<loop::SyncPoller> poller;
  std::unique_ptr<actions::BuildHeads> heads;
  std::unique_ptr<KeptSecrets> secrets;
  std::unique_ptr<DeclaredUsers> users;
  std::unique_ptr<RegistryLogs> logs;
  std::unique_ptr<service::ServiceContext> context;
  std::unique_ptr<service::ResourceServiceImpl> resource_service;
  std::unique_ptr<service::SyncServiceImpl> sync_service;
  std::unique_ptr<service::ExecutionServiceImpl> execution_service;
  std::unique_ptr<service::EventServiceImpl> event_service;
  std::unique_ptr<service::SecretServiceImpl> secret_service;
  // Absent with `dev`.
  std::unique_ptr<Identities> identities;
  std::unique_ptr<service::AccessServiceImpl> access_service;
  std::unique_ptr<service::OidcServiceImpl> oidc_service;
  std::unique_ptr<agents::AgentService> agent_service;
  std::unique_ptr<grpc::Server> server;
  // Absent when a socket in a folder is listened on.
  std::unique_ptr<GrpcPort> grpc_port;
  std::unique_ptr<Routes> routes;
  std::thread ticker;
  // The loop will flush the audit log.
  std::atomic<bool> audit_tended = false;
  base::Mutex mutex;
  base::CondVar stopped;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  // Only the loop's thread: desired state whose syncs the poller knows.
  uint64_t followed = 0;
  loop::AutonomyWatch autonomy;
};

absl::Status Controller::Parts::LockData() {
  // A member holds the lock through all its roles.
  if (options.term != 0) return absl::OkStatus();
  RETURN_IF_ERROR(base::MakeDirectories(options.data_dir), "--data-dir");
  absl::StatusOr<base::FileLock> locked = base::FileLock::Acquire(options.data_dir + "/lock");
  RETURN_IF_ERROR(locked.status(), "another controller uses --data-dir");
  lock = *std::move(locked);
  return absl::OkStatus();
}

absl::StatusOr<store::StoreImage> Controller::Parts::OpenStore(base::Clock& clock,
                                                               base::Random& random) {
  ASSIGN_OR_RETURN(address, store::ParseStoreAddress(StoreOf(options), options.store_password_file),
                   "--store");
  ASSIGN_OR_RETURN(store_lock, store::LockStore(address), "--store");
  ASSIGN_OR_RETURN(store, store::OpenStore(address, clock, random, options.term));
  return store->Load();
}

absl::Status Controller::Parts::Build() {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(LockData());
  if (!options.accounts.empty()) {
    ASSIGN_OR_RETURN(accounts, Accounts::Load(options.accounts), "--accounts");
  }
  base::Clock& clock = options.clock == nullptr ? base::Clock::Real() : *options.clock;
  base::Random& random = base::Random::Real();
  ASSIGN_OR_RETURN(const store::StoreImage image, OpenStore(clock, random));
  ASSIGN_OR_RETURN(const Installation installation, EnsureInstallation(image, *store, random));
  RETURN_IF_ERROR(BuildAccess(image, clock));
  RETURN_IF_ERROR(BuildLoop(image, installation, clock, random));
  reconciler->Start();
  reconciler->Post(
      [term = options.term, name = options.advertise](loop::Core& core, absl::Time now) {
        if (term != 0) core.AddEvent(ElectedEvent(term, name), now);
      });
  RETURN_IF_ERROR(BuildIdentities(image, clock, random));
  RETURN_IF_ERROR(BuildGrpc());
  const bool tls = identities != nullptr;
  ASSIGN_OR_RETURN(routes, Routes::Start({.listen = options.http_listen,
                                          .tls_cert = tls ? identities->certificate_file() : "",
                                          .tls_key = tls ? identities->key_file() : "",
                                          .webhook_secret = options.webhook_secret,
                                          .run = [this](const auto& order) { Run(order); },
                                          .open_metrics = options.open_metrics,
                                          .limits = options.limits,
                                          .term = options.term},
                                         *reconciler, *poller, *metrics, access->gate()));
  StartTicker(clock);
  return absl::OkStatus();
}

absl::Status Controller::Parts::BuildLoop(const store::StoreImage& image,
                                          const Installation& installation, base::Clock& clock,
                                          base::Random& random) {
  hasher = std::make_unique<resources::SpecHasher>(installation.key_id, installation.key);
  metrics = std::make_unique<metrics::PrometheusMetrics>(FAIRLEAD_VERSION);
  registry = std::make_unique<agents::AgentRegistry>(TermsOf(installation), clock, metrics.get());
  link = std::make_unique<OfficeLink>(*registry, options.in_office);
  ASSIGN_OR_RETURN(secrets, KeptSecrets::Open({.key_file = options.secret_key_file,
                                               .data_dir = options.data_dir,
                                               .providers = options.secrets,
                                               .age_key = options.age_key},
                                              image, *store, clock, random));
  loop::Core core(image, *hasher, random,
                  {.installation = installation.id,
                   .term = options.term,
                   .observer = metrics.get(),
                   .accounts = &accounts});
  core.OnSecrets(secrets->keeper().Current());
  if (!options.bootstrap.empty()) {
    ASSIGN_OR_RETURN(loop::SnapshotPointer bootstrap, ReadBootstrap(options.bootstrap));
    LimitGitToken(*bootstrap);
    core.OnSource(std::move(bootstrap));
  }
  runs = std::make_unique<actions::RunDriver>(
      image, random, absl::LocalTimeZone(),
      [this](const actions::FetchOrder& order) { Fetch(order); });
  runs->engine().SetAccounts(&accounts);
  runs->SetBackup([this](const std::string& request_id) { MakeBackup(request_id); });
  reconciler =
      std::make_unique<loop::Reconciler>(*store, clock, *link, *metrics, std::move(core), *runs,
                                         [this](const loop::LoopView& view) { OnPass(view); });
  users = std::make_unique<DeclaredUsers>(*access, *reconciler, clock);
  registry->SetEvents(reconciler.get());
  secrets->Start(*reconciler);
  BuildPoller(clock, random);
  poller->SetRecords(image.syncs);
  logs = std::make_unique<RegistryLogs>(*registry);
  context = std::make_unique<service::ServiceContext>(service::ServiceContext{
      *reconciler, *poller, *store, clock, *logs, *runs, *access, [this] { return AgentViews(); },
      options.term == 0 ? "" : absl::StrCat(options.advertise, ", term ", options.term)});
  return absl::OkStatus();
}

absl::Status Controller::Parts::BuildIdentities(const store::StoreImage& image, base::Clock& clock,
                                                base::Random& random) {
  if (options.dev) return absl::OkStatus();
  std::vector<std::string> names = options.tls_names;
  names.push_back(MachineName());
  ASSIGN_OR_RETURN(identities, Identities::Open({.folder = options.data_dir + "/tls",
                                                 .certificate = options.tls_cert,
                                                 .key = options.tls_key,
                                                 .authority = options.tls_ca,
                                                 .listen = {options.listen, options.http_listen},
                                                 .names = names},
                                                image,
                                                {*store, clock, random, *registry, *reconciler,
                                                 *access, [this] { return AgentViews(); }}));
  return absl::OkStatus();
}

absl::Status Controller::Parts::BuildAccess(const store::StoreImage& image, base::Clock& clock) {
  const bool dev = options.dev && !options.require_login;
  ASSIGN_OR_RETURN(access, access::Access::Load(image, *store, clock,
                                                {.dev = dev,
                                                 .audit_retention = options.audit_retention,
                                                 .rates = options.limits.OfCalls()}));
  ASSIGN_OR_RETURN(oidc_service, service::OidcServiceImpl::Open(options.oidc, *access, clock),
                   "--oidc");
  if (dev) return absl::OkStatus();
  const absl::StatusOr<std::string> token = access->directory().MakeFirstToken();
  // There is somebody who can let others in.
  if (absl::IsFailedPrecondition(token.status())) return absl::OkStatus();
  RETURN_IF_ERROR(token.status());
  if (options.on_first_token != nullptr) {
    options.on_first_token(*token);
  } else {
    base::LogWarning("access", "there is no user yet; make the first admin, once, with: ",
                     "fairlead login --user NAME --token ", *token);
  }
  return absl::OkStatus();
}

void Controller::Parts::BuildPoller(base::Clock& clock, base::Random& random) {
  poller = std::make_unique<loop::SyncPoller>(
      loop::PollerOptions{.directory = options.data_dir + "/mirrors",
                          .repo_directory = options.data_dir + "/repositories",
                          .helper_program = options.program,
                          .decrypt = secrets->decryptor(),
                          .accounts = &accounts},
      clock, random, *metrics,
      [this](loop::SnapshotPointer snapshot, const v1::SyncRecord& record) {
        reconciler->Post(
            [snapshot = std::move(snapshot), record](loop::Core& loop_core, absl::Time now) {
              loop_core.OnRevision(snapshot, record, now);
            });
      },
      [this](const std::string& name, const absl::Status& why) {
        base::LogWarning("sync", name, ": ", why.message());
        reconciler->Post([name, why](loop::Core& loop_core, absl::Time now) {
          v1::Event event;
          event.set_resource(absl::StrCat("resource_sync/", name));
          event.set_type("fetch-failed");
          event.set_warning(true);
          event.set_message(std::string(why.message()));
          loop_core.AddEvent(std::move(event), now);
        });
      });
  heads = std::make_unique<actions::BuildHeads>(
      loop::RepoMirrorOptions{.directory = options.data_dir + "/builds",
                              .helper_program = options.program,
                              .accounts = &accounts},
      clock, random,
      [this](const std::string& build, const loop::RepoAnswer& found) { OnHead(build, found); });
}

void Controller::Parts::OnHead(const std::string& build, const loop::RepoAnswer& found) {
  reconciler->Post([this, build, found](loop::Core& core, absl::Time now) {
    if (found.problem.empty()) {
      runs->OnHead(build, found.commit);
      return;
    }
    v1::Event event;
    event.set_resource(build);
    event.set_type("fetch-failed");
    event.set_warning(true);
    event.set_message(found.problem);
    core.AddEvent(std::move(event), now);
  });
}

void Controller::Parts::Fetch(const actions::FetchOrder& order) {
  const std::string id = order.request_id;
  poller->Read(order.sync, "", [this, id](const absl::StatusOr<loop::SnapshotPointer>& read) {
    reconciler->Post([this, id, read](loop::Core& loop_core, absl::Time now) {
      if (!read.ok()) {
        runs->engine().OnFetched(id, read.status(), now);
        return;
      }
      const auto& sources = loop_core.view()->input.desired->sources;
      const auto known = sources.find((*read)->origin);
      if (known == sources.end() || known->second.revision != (*read)->revision) {
        loop_core.OnRevision(*read, poller->NoteInForce(**read), now);
      }
      runs->engine().OnFetched(id, (*read)->revision, now);
    });
  });
}

void Controller::Parts::MakeBackup(const std::string& request_id) {
  // On the loop's thread: what a run has become before it is in the backup.
  reconciler->Post([this, request_id](loop::Core&, absl::Time now) {
    runs->engine().OnBackedUp(request_id, BackUp(address, options.data_dir + "/backups", now), now);
  });
}

void Controller::Parts::Run(const actions::RunOrder& order) {
  reconciler->Post([this, order](loop::Core& core, absl::Time now) {
    if (runs->engine().IsWaiting(order.resource)) return;
    const absl::StatusOr<v1::Run> run = runs->engine().Start(order, *core.view(), now);
    if (run.ok()) return;
    v1::Event event;
    event.set_resource(order.resource);
    event.set_type("webhook-refused");
    event.set_warning(true);
    event.set_message(std::string(run.status().message()));
    core.AddEvent(std::move(event), now);
  });
}

void Controller::Parts::StartTicker(base::Clock& clock) {
  ticker = std::thread([this, &clock] {
    base::MutexLock held(mutex);
    while (!stopping) {
      stopped.WaitFor(mutex, absl::Seconds(1));
      if (stopping) break;
      mutex.Unlock();
      registry->Tick(clock.Now());
      TendAudit();
      if (identities != nullptr && identities->Refresh(clock.Now())) ReloadHttp();
      mutex.Lock();
    }
  });
}

void Controller::Parts::TendAudit() {
  if (!access->log().IsFlushDue() || audit_tended.exchange(true)) return;
  // On the loop's thread, as what waits there waits for the store anyway; agents do not.
  reconciler->Post([this](loop::Core&, absl::Time) {
    // Whoever tried to write has said why it cannot be written.
    access->log().Flush().IgnoreError();
    audit_tended = false;
  });
}

void Controller::Parts::ReloadHttp() {
  const absl::Status reloaded = routes->ReloadTls();
  if (!reloaded.ok()) base::LogWarning("tls", "the HTTP port: ", reloaded.message());
}

absl::Status Controller::Parts::BuildGrpc() {
  static const bool plugins = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)plugins;
  resource_service = std::make_unique<service::ResourceServiceImpl>(*context);
  sync_service = std::make_unique<service::SyncServiceImpl>(*context);
  execution_service = std::make_unique<service::ExecutionServiceImpl>(*context);
  event_service = std::make_unique<service::EventServiceImpl>(*context);
  secret_service =
      std::make_unique<service::SecretServiceImpl>(*access, secrets->keeper(), *reconciler);
  access_service = std::make_unique<service::AccessServiceImpl>(*access, *store, context->clock);
  agents::AgentServiceOptions agent_options;
  agent_options.require_certificate = !options.dev || options.require_login;
  if (identities != nullptr) agent_options = identities->ServiceOptions();
  const auto on_proven = [this](const std::string& peer) {
    if (grpc_port != nullptr) grpc_port->Prove(peer);
  };
  agent_options.on_proven = on_proven;
  access->gate().SetEvents(
      {.on_proven = on_proven, .on_limited = [this] { metrics->OnCallLimited(); }});
  agent_service = std::make_unique<agents::AgentService>(*registry, agent_options);
  const auto credentials =
      identities == nullptr ? grpc::InsecureServerCredentials() : identities->Credentials();
  grpc::ServerBuilder builder;
  ASSIGN_OR_RETURN(grpc_port, AddGrpcPort(options.listen, options.limits, credentials,
                                          context->clock, metrics.get(), builder));
  builder.RegisterService(resource_service.get());
  builder.RegisterService(sync_service.get());
  builder.RegisterService(execution_service.get());
  builder.RegisterService(event_service.get());
  builder.RegisterService(secret_service.get());
  builder.RegisterService(access_service.get());
  builder.RegisterService(oidc_service.get());
  builder.RegisterService(agent_service.get());
  if (identities != nullptr) identities->Register(builder);
  server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve gRPC on ", options.listen, "; choose another with --listen"));
  }
  return grpc_port == nullptr ? absl::OkStatus() : grpc_port->Start();
}

void Controller::Parts::OnPass(const loop::LoopView& view) {
  const auto terms = autonomy.Update(view.input);
  const bool in_office = options.in_office == nullptr || options.in_office();
  if (!terms.empty() && in_office) registry->SetAutonomy(terms);
  if (view.input.desired->generation == followed) return;
  followed = view.input.desired->generation;
  if (poller != nullptr) poller->SetSyncs(SyncsOf(view));
  if (heads != nullptr) heads->Follow(*view.input.desired);
  users->Follow(view);
  secrets->Follow(view);
}

std::map<std::string, service::AgentView> Controller::Parts::AgentViews() {
  std::map<std::string, service::AgentView> views;
  for (const agents::AgentSummary& agent : registry->Agents()) {
    views[agent.server] = {agent.version, agent.lag, agent.last_seen};
  }
  return views;
}

void Controller::Parts::Stop() {
  {
    base::MutexLock held(mutex);
    if (stopping) return;
    stopping = true;
    stopped.SignalAll();
  }
  // Whoever is not in office writes nothing, and a cut database would keep its threads.
  if (store != nullptr && options.in_office != nullptr && !options.in_office()) store->Abandon();
  if (ticker.joinable()) ticker.join();
  if (routes != nullptr) routes->Stop();
  if (poller != nullptr) poller->Shutdown();
  if (heads != nullptr) heads->Shutdown();
  if (secrets != nullptr) secrets->Shutdown();
  if (users != nullptr) users->Shutdown();
  if (oidc_service != nullptr) oidc_service->Shutdown();
  if (registry != nullptr) registry->Shutdown();
  if (grpc_port != nullptr) grpc_port->Stop();
  // Streams that watch or follow end with the deadline.
  if (server != nullptr) {
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  }
  if (reconciler != nullptr) reconciler->Stop();
  // Nobody appends any more.
  const absl::Status kept = access == nullptr ? absl::OkStatus() : access->log().Flush();
  if (!kept.ok()) base::LogError("access", "records of the audit log are lost: ", kept.message());
}

absl::Status CheckOptions(const ControllerOptions& options) {
  const bool any_tls =
      !options.tls_cert.empty() || !options.tls_key.empty() || !options.tls_ca.empty();
  if (options.dev) {
    if (any_tls) return absl::InvalidArgumentError("--dev and --tls-* exclude each other");
    for (const std::string& address : {options.listen, options.http_listen}) {
      if (!base::IsLoopbackAddress(address)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--dev has no TLS and no login, so it listens on loopback only, not on ",
                         address, "; use 127.0.0.1, or leave --dev out"));
      }
    }
    if (!options.advertise.empty() && !base::IsLoopbackAddress(options.advertise)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--dev has no TLS, so --advertise is on loopback too, not ", options.advertise));
    }
  }
  return absl::OkStatus();
}

std::string StoreOf(const ControllerOptions& options) {
  return options.store.empty() ? absl::StrCat("sqlite:", options.data_dir, "/fairlead.db")
                               : options.store;
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Controller::~Controller() { Stop(); }

void Controller::Stop() { parts_->Stop(); }

absl::StatusOr<std::unique_ptr<Controller>> Controller::Start(const ControllerOptions& options) {
  auto parts = std::make_unique<Parts>(options);
  const absl::Status built = parts->Build();
  if (!built.ok()) {
    parts->Stop();
    return built;
  }
  std::unique_ptr<Controller> controller(new Controller(std::move(parts)));
  RETURN_IF_ERROR(
      WriteEndpoints(options.data_dir, controller->grpc_address(), controller->http_address()));
  return controller;
}

std::string Controller::grpc_address() const {
  // A socket in a folder has no port.
  if (absl::StartsWith(parts_->options.listen, "unix:")) return parts_->options.listen;
  return absl::StrCat(HostOf(parts_->options.listen), ":", parts_->grpc_port->port());
}

std::string Controller::http_address() const { return parts_->routes->address(); }

}  // namespace fairlead::controller
