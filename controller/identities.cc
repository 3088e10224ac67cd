#include "controller/identities.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/certificate.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "controller/identity/peer_verifier.h"

namespace fairlead::controller {
namespace {

// Files are looked at so often.
constexpr absl::Duration kRefreshEvery = absl::Seconds(5);
constexpr absl::Duration kTellAgain = absl::Minutes(10);
// Told within that time.
constexpr std::size_t kMostRefusals = 256;

// The setting that remembers the fingerprint of the authority.
constexpr char kAuthority[] = "tls-authority";

// Agents believe the authority that they have joined under, and no other one.
absl::Status NoteAuthority(const std::string& authority, const store::StoreImage& image,
                           const IdentityParts& parts) {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(authority));
  const std::string fingerprint = base::FingerprintText(facts.fingerprint);
  const auto known = image.settings.find(kAuthority);
  if (known != image.settings.end() && known->second == fingerprint) return absl::OkStatus();
  if (known != image.settings.end()) {
    const std::string text = absl::StrCat(
        "the authority is another one than before, ", fingerprint, " and not ", known->second,
        ": agents that joined before are refused, and refuse this controller. If that is not meant "
        "stop it, and put the folder tls of --data-dir back from a backup; else each must join "
        "again");
    base::LogError("tls", text);
    parts.reconciler.Post([text](loop::Core& core, absl::Time now) {
      v1::Event event;
      event.set_type("authority-changed");
      event.set_warning(true);
      event.set_message(text);
      core.AddEvent(std::move(event), now);
    });
  }
  store::StoreBatch batch;
  batch.put_settings[kAuthority] = fingerprint;
  const absl::Status kept = parts.store.Apply(batch);
  if (!kept.ok()) base::LogWarning("tls", "the authority is not remembered: ", kept.message());
  return absl::OkStatus();
}

std::set<std::string> TagsOf(const loop::LoopView& view, const std::string& server) {
  const auto& resources = view.input.desired->resources;
  const auto found = resources.find({"server", server});
  if (found == resources.end() || found->second->spec == nullptr) return {};
  const auto& tags = found->second->spec->tags();
  return {tags.begin(), tags.end()};
}

}  // namespace

// A line in the log, and of what concerns a server or was refused an event.
class Identities::EventAudit final : public identity::AuditSink {
 public:
  EventAudit(loop::Reconciler& reconciler, access::AuditLog& log, const base::Clock& clock)
      : reconciler_(reconciler), log_(log), clock_(clock) {}

  void Note(const identity::AuditEntry& entry) override {
    if (!entry.allowed && !IsNews(entry)) return;
    const std::string text =
        absl::StrCat(entry.what, entry.allowed ? "" : " refused",
                     entry.resource.empty() ? "" : " for ", entry.resource,
                     entry.who.empty() ? "" : " by ", entry.who, entry.from.empty() ? "" : " from ",
                     entry.from, entry.reason.empty() ? "" : ": ", entry.reason);
    base::Log(entry.allowed ? base::LogLevel::kInfo : base::LogLevel::kWarning, "identity", text);
    reconciler_.Post([this, entry, text](loop::Core& core, absl::Time now) {
      Keep(entry);
      v1::Event event;
      event.set_resource(entry.resource);
      event.set_type(absl::StrCat("agent-", entry.what, entry.allowed ? "" : "-refused"));
      event.set_warning(!entry.allowed);
      event.set_message(text);
      core.AddEvent(std::move(event), now);
    });
  }

 private:
  // On the loop's thread: a handshake does not wait for the disk.
  void Keep(const identity::AuditEntry& entry) {
    v1::AuditRecord record;
    record.set_caller(entry.who.empty() ? "unknown" : entry.who);
    record.set_address(entry.from);
    record.set_method(absl::StrCat("identity.", entry.what));
    record.set_resource(entry.resource);
    record.set_outcome(entry.allowed ? v1::AUDIT_OUTCOME_DONE : v1::AUDIT_OUTCOME_REFUSED);
    record.set_reason(entry.reason);
    const absl::Status kept = log_.Append({record});
    if (!kept.ok()) base::LogError("identity", "audit: ", kept.message());
  }

  // Who is refused comes again and again; the same is told once in a while, and no flood of others.
  bool IsNews(const identity::AuditEntry& entry) {
    const absl::Time now = clock_.Now();
    const std::string key =
        absl::StrCat(entry.what, "|", entry.who, "|", entry.resource, "|",
                     entry.from.substr(0, entry.from.rfind(':')), "|", entry.reason.substr(0, 32));
    base::MutexLock lock(mutex_);
    std::erase_if(refusals_,
                  [now](const auto& refusal) { return now - refusal.second >= kTellAgain; });
    return refusals_.size() < kMostRefusals && refusals_.try_emplace(key, now).second;
  }

  loop::Reconciler& reconciler_;
  access::AuditLog& log_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  std::map<std::string, absl::Time> refusals_ ABSL_GUARDED_BY(mutex_);
};

Identities::Identities(identity::TlsFolder folder, const store::StoreImage& image,
                       const IdentityParts& parts)
    : folder_(std::move(folder)),
      audit_(std::make_unique<EventAudit>(parts.reconciler, parts.access.log(), parts.clock)),
      identities_(
          {.authority = folder_.authority(),
           .other_authorities = folder_.other_authorities(),
           .agent_trust = folder_.agent_trust()},
          image,
          [&store = parts.store](const store::StoreBatch& batch) { return store.Apply(batch); },
          parts.clock, parts.random, *audit_),
      context_{parts.access, identities_, parts.agents,
               [&registry = parts.registry](const std::string& server, const std::string& why) {
                 registry.End(server, why, false);
               }},
      enrolment_service_(context_),
      admin_service_(context_) {
  identities_.SetFingerprint(folder_.fingerprint());
  identities_.SetTags([&reconciler = parts.reconciler](const std::string& server) {
    return TagsOf(*reconciler.View(), server);
  });
  identities_.SetOnRevoked(
      [&registry = parts.registry](const std::string& server, const std::string& why) {
        registry.End(server, why, true);
      });
}

Identities::~Identities() = default;

absl::StatusOr<std::unique_ptr<Identities>> Identities::Open(identity::TlsOptions options,
                                                             const store::StoreImage& image,
                                                             const IdentityParts& parts) {
  ASSIGN_OR_RETURN(identity::TlsFolder folder,
                   identity::TlsFolder::Open(std::move(options), parts.clock.Now()));
  RETURN_IF_ERROR(NoteAuthority(folder.authority().certificate, image, parts));
  return std::unique_ptr<Identities>(new Identities(std::move(folder), image, parts));
}

std::shared_ptr<grpc::ServerCredentials> Identities::Credentials() const {
  return identity::MakeServerCredentials(certificate_file(), key_file(), identities_, *audit_);
}

agents::AgentServiceOptions Identities::ServiceOptions() const {
  agents::AgentServiceOptions options;
  options.require_certificate = true;
  options.check_certificate = [this](const std::string& pem) {
    return identities_.CheckStillGood(pem);
  };
  options.on_refused = [this](const std::string& from, const absl::Status& why) {
    audit_->Note({.who = "",
                  .from = from,
                  .what = "connect",
                  .resource = "",
                  .allowed = false,
                  .reason = std::string(why.message())});
  };
  return options;
}

void Identities::Register(grpc::ServerBuilder& builder) {
  builder.RegisterService(&enrolment_service_);
  builder.RegisterService(&admin_service_);
}

bool Identities::Refresh(absl::Time now) {
  if (now < next_refresh_) return false;
  next_refresh_ = now + kRefreshEvery;
  const absl::StatusOr<bool> changed = folder_.Refresh(now);
  if (!changed.ok()) {
    const std::string text(changed.status().message());
    if (text != told_) {
      base::LogWarning("tls",
                       "the certificate in use stays, for the new one cannot be used: ", text);
    }
    told_ = text;
    return false;
  }
  told_.clear();
  if (!*changed) return false;
  identities_.SetFingerprint(folder_.fingerprint());
  base::LogInfo("tls", "new connections get the new certificate");
  return true;
}

}  // namespace fairlead::controller
