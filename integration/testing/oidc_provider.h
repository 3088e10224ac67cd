// A small OpenID provider that can be told to lie.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/testing/token_signer.h"

namespace fairlead::integration {

// What it does wrong.
enum class Lie {
  kNone,
  kWrongNonce,
  kWrongAudience,
  kWrongIssuer,
  kExpired,
  kFromTheFuture,
  // Signed with a key that has the name of the published one.
  kOtherKey,
  kAlgNone,
  kNoToken,
  // More than 1 MiB.
  kHugeAnswer,
  // Never.
  kHang,
  kServerError,
};

struct OidcProviderOptions {
  // "RS256", "ES256" or "EdDSA".
  std::string algorithm = "RS256";
  // Of the client; empty: a public one.
  std::string client_secret;
  // Outlives the provider.
  base::Clock* clock = &base::Clock::Real();
};

// Speaks HTTP on a free port of 127.0.0.1, on a thread of its own, until destroyed. The client is
// "fairlead". Whoever comes is logged in at once. Thread-safe.
class OidcProvider {
 public:
  explicit OidcProvider(OidcProviderOptions options = {});
  ~OidcProvider();

  const std::string& issuer() const { return issuer_; }
  // A file for --oidc: members of "devs" there are in the user_group "web" here. A secret goes into
  // the file "secret" beside it.
  std::string Settings() const;

  // Of /token and what it answers.
  void SetLie(Lie lie) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetPerson(const std::string& name, const std::vector<std::string>& groups)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on another key signs, and is published alone.
  void RotateKey() ABSL_LOCKS_EXCLUDED(mutex_);
  // What a browser that opens the address would be sent to; empty when the request is refused.
  std::string Visit(const std::string& authorization_url) ABSL_LOCKS_EXCLUDED(mutex_);
  // How often a path was asked for.
  int Requests(const std::string& path) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Server;
  struct Reply {
    unsigned status = 200;
    std::string body;
    std::string location;
    bool never = false;
  };
  struct Grant {
    std::string redirect_uri;
    std::string challenge;
    std::string nonce;
  };
  using Parameters = std::map<std::string, std::string>;

  static Parameters Parse(const std::string& query);
  Reply Handle(const std::string& target, const std::string& authorization, const std::string& body)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Reply Authorize(const Parameters& asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Reply Redeem(const Parameters& asked, const std::string& authorization)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string TokenOf(const Grant& grant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Discovery() const;

  const OidcProviderOptions options_;
  std::string issuer_;
  mutable base::Mutex mutex_;
  Lie lie_ ABSL_GUARDED_BY(mutex_) = Lie::kNone;
  std::string name_ ABSL_GUARDED_BY(mutex_) = "ann";
  std::vector<std::string> groups_ ABSL_GUARDED_BY(mutex_) = {"devs", "staff"};
  std::unique_ptr<base::TokenSigner> signer_ ABSL_GUARDED_BY(mutex_);
  int keys_made_ ABSL_GUARDED_BY(mutex_) = 1;
  int codes_made_ ABSL_GUARDED_BY(mutex_) = 0;
  // By code.
  std::map<std::string, Grant> grants_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> requests_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace fairlead::integration
