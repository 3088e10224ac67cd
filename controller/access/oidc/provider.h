// The OpenID provider: its addresses and keys as it publishes them, and codes for ID tokens.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "controller/access/oidc/http_client.h"
#include "controller/access/oidc/id_token.h"
#include "controller/access/oidc/settings.h"
#include "controller/access/oidc/web_key.h"

namespace fairlead::access::oidc {

// What the user is sent to the provider with.
struct Question {
  std::string redirect_uri;
  std::string code_challenge;
  std::string state;
  std::string nonce;
};

// What came back, and what it must fit.
struct Answer {
  std::string redirect_uri;
  std::string code;
  std::string code_verifier;
  std::string nonce;
};

// Asks only when it must: addresses and keys are kept for an hour, a failure for some seconds.
// Confined to one thread; blocks up to HttpClient::kTimeout for each of up to three requests.
class Provider {
 public:
  // All outlive it.
  Provider(const Settings& settings, HttpClient& http, base::Clock& clock)
      : settings_(settings), http_(http), clock_(clock) {}

  // Unavailable or DeadlineExceeded: the provider does not answer, or not as one does.
  // FailedPrecondition: it is not the one that is meant, or does no PKCE.
  absl::StatusOr<std::string> AddressOf(const Question& question);

  // Likewise; Unauthenticated: the code or the token is refused.
  absl::StatusOr<Person> Redeem(const Answer& answer);

 private:
  struct Addresses {
    std::string authorization;
    std::string token;
    std::string keys;
    // The secret goes with the form instead of a header.
    bool secret_in_form = false;
  };

  absl::Status Discover();
  absl::StatusOr<Addresses> ReadAddresses(const std::string& body) const;
  absl::Status FetchKeys();
  absl::StatusOr<std::string> Exchange(const Answer& answer);

  const Settings& settings_;
  HttpClient& http_;
  base::Clock& clock_;
  Addresses addresses_;
  // Times are Clock::Uptime.
  absl::Duration discovered_ = -absl::InfiniteDuration();
  absl::Duration failed_ = -absl::InfiniteDuration();
  absl::Status failure_;
  std::vector<WebKey> keys_;
  absl::Duration keys_fetched_ = -absl::InfiniteDuration();
};

}  // namespace fairlead::access::oidc
