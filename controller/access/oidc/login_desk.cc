#include "controller/access/oidc/login_desk.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "controller/access/address.h"
#include "controller/access/directory.h"
#include "controller/access/secret.h"

namespace fairlead::access::oidc {
namespace {

constexpr std::size_t kMostWaiting = 16;
constexpr std::size_t kMostPending = 1000;
constexpr int kMostPendingOfOne = 20;
constexpr absl::Duration kLife = absl::Minutes(10);
// Of what is sent by whom nobody knows.
constexpr std::size_t kLongestText = 4096;
// Of what the provider says this much is repeated.
constexpr std::size_t kMostNamed = 20;
constexpr std::size_t kLongestShown = 100;

// Where only the user's own machine gets the answer: RFC 8252, 7.3. No name: others may answer it.
bool IsLoopbackRedirect(absl::string_view uri) {
  int port = 0;
  return (absl::ConsumePrefix(&uri, "http://127.0.0.1:") ||
          absl::ConsumePrefix(&uri, "http://[::1]:")) &&
         absl::ConsumeSuffix(&uri, "/callback") && uri.size() <= 5 &&
         std::all_of(uri.begin(), uri.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         absl::SimpleAtoi(uri, &port) && port > 0 && port < 65536;
}

bool IsChallenge(const std::string& text) {
  std::string bytes;
  return DecodeBase64Url(text, &bytes) && bytes.size() == 32;
}

std::string Shortened(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMostNamed; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", names[i].substr(0, kLongestShown));
  }
  return names.size() > kMostNamed ? text + ", ..." : text;
}

}  // namespace

LoginDesk::LoginDesk(Settings settings, Access& access, base::Clock& clock)
    : settings_(std::move(settings)),
      access_(access),
      clock_(clock),
      http_(settings_.ca_file),
      provider_(settings_, http_, clock_),
      thread_([this] { Work(); }) {}

LoginDesk::~LoginDesk() { Shutdown(); }

void LoginDesk::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    http_.Stop();
    changed_.SignalAll();
  }
  thread_.join();
}

void LoginDesk::Work() {
  while (true) {
    Job job;
    absl::Status stopped;
    {
      base::MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) changed_.Wait(mutex_);
      if (jobs_.empty()) return;
      if (stopping_) stopped = absl::UnavailableError("the controller stops");
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(stopped);
  }
}

void LoginDesk::Add(Job job) {
  absl::Status refused;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) {
      refused = absl::UnavailableError("the controller stops");
    } else if (jobs_.size() >= kMostWaiting) {
      refused = absl::ResourceExhaustedError("too many log in at once; try again in a moment");
    } else {
      jobs_.push_back(std::move(job));
      changed_.Signal();
      return;
    }
  }
  job(refused);
}

void LoginDesk::Begin(BeginOrder order, std::function<void(absl::StatusOr<Begun>)> answer) {
  Add([this, order = std::move(order), answer = std::move(answer)](const absl::Status& stopped) {
    answer(stopped.ok() ? BeginNow(order) : stopped);
  });
}

void LoginDesk::Finish(FinishOrder order, std::function<void(absl::StatusOr<LoggedIn>)> answer) {
  Add([this, order = std::move(order), answer = std::move(answer)](const absl::Status& stopped) {
    answer(stopped.ok() ? FinishNow(order) : stopped);
  });
}

absl::StatusOr<Begun> LoginDesk::BeginNow(const BeginOrder& order) {
  if (!IsLoopbackRedirect(order.redirect_uri) || !IsChallenge(order.code_challenge)) {
    return absl::InvalidArgumentError(
        "redirect_uri must be http://127.0.0.1:PORT/callback or http://[::1]:PORT/callback, and "
        "code_challenge that of a PKCE verifier with S256");
  }
  RETURN_IF_ERROR(access_.authenticator().CheckAddress(order.address));
  const absl::Duration uptime = clock_.Uptime();
  std::erase_if(pending_,
                [uptime](const auto& entry) { return uptime - entry.second.begun > kLife; });
  const std::string site = SiteOf(order.address);
  const auto of_one = std::count_if(pending_.begin(), pending_.end(), [&site](const auto& entry) {
    return entry.second.site == site;
  });
  if (of_one >= kMostPendingOfOne) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "too many logins have begun and not ended; try again in ", absl::FormatDuration(kLife)));
  }
  Begun begun{.state = NewSecret("").secret};
  Pending pending{.site = site,
                  .redirect_uri = order.redirect_uri,
                  .code_challenge = order.code_challenge,
                  .nonce = NewSecret("").secret,
                  .begun = uptime};
  ASSIGN_OR_RETURN(begun.authorization_url,
                   provider_.AddressOf({.redirect_uri = pending.redirect_uri,
                                        .code_challenge = pending.code_challenge,
                                        .state = begun.state,
                                        .nonce = pending.nonce}));
  if (pending_.size() >= kMostPending) DropPending();
  pending_[begun.state] = std::move(pending);
  return begun;
}

void LoginDesk::DropPending() {
  std::map<std::string, int> of_site;
  for (const auto& [state, pending] : pending_) ++of_site[pending.site];
  const auto rank = [&of_site](const auto& entry) {
    return std::pair(-of_site[entry.second.site], entry.second.begun);
  };
  pending_.erase(
      std::min_element(pending_.begin(), pending_.end(),
                       [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); }));
}

absl::StatusOr<Person> LoginDesk::Identify(const FinishOrder& order) {
  const auto found = pending_.find(order.state);
  if (found == pending_.end()) {
    return absl::UnauthenticatedError(
        "no such login has begun here, or it has ended; begin again with: fairlead login --oidc");
  }
  // Good once, whatever comes of it.
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  if (clock_.Uptime() - pending.begun > kLife) {
    return absl::UnauthenticatedError(
        absl::StrCat("the login has begun more than ", absl::FormatDuration(kLife),
                     " ago; begin again with: fairlead login --oidc"));
  }
  if (order.code.empty() || order.code.size() > kLongestText ||
      order.code_verifier.size() > kLongestText) {
    return absl::UnauthenticatedError("there is no code of the provider");
  }
  // Also where a provider does not look.
  if (!EqualBytes(absl::WebSafeBase64Escape(Sha256(order.code_verifier)), pending.code_challenge)) {
    return absl::UnauthenticatedError("another one has begun this login");
  }
  return provider_.Redeem({.redirect_uri = pending.redirect_uri,
                           .code = order.code,
                           .code_verifier = order.code_verifier,
                           .nonce = pending.nonce});
}

absl::Status LoginDesk::CheckName(const std::string& name) const {
  const absl::Status form = CheckUserName(name.substr(0, kLongestShown));
  if (!form.ok()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the claim \"", settings_.username_claim, "\": ", form.message()));
  }
  // Whoever names people at the provider must not become an admin here.
  if (access_.directory().identities()->users.contains(name)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "\"", name, "\" is a local user of the controller, and no name of the provider's"));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoggedIn> LoginDesk::FinishNow(const FinishOrder& order) {
  RETURN_IF_ERROR(access_.authenticator().CheckAddress(order.address));
  const absl::StatusOr<Person> person = Identify(order);
  if (!person.ok()) {
    // What is the provider's fault is nobody's attempt.
    if (!absl::IsUnavailable(person.status()) && !absl::IsDeadlineExceeded(person.status())) {
      access_.authenticator().Refuse("", order.address, "").IgnoreError();
    }
    return person.status();
  }
  RETURN_IF_ERROR(CheckName(person->name));
  LoggedIn in{.user = person->name,
              .subject = person->subject,
              .groups = settings_.GroupsOf(person->groups)};
  if (in.groups.empty()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "\"", in.user, "\" is in no group that may log in: the claim \"", settings_.groups_claim,
        "\" has ", person->groups.empty() ? "none" : Shortened(person->groups),
        ", and no [[group]] in the file of --oidc names one of these"));
  }
  in.session = access_.sessions().Open(in.user, clock_.Now(), in.groups);
  return in;
}

}  // namespace fairlead::access::oidc
