// The certificates of the controller's ports: made here or given, and kept fresh on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/identity/certificate_authority.h"

namespace fairlead::identity {

struct TlsOptions {
  // Made when it is not there.
  std::string folder;
  // Files given by the operator: a chain and its key, both or none.
  std::string certificate;
  std::string key;
  // Authority of client certificates besides our own, and of the files above; may be empty.
  std::string authority;
  // Where the controller listens, and other names of it.
  std::vector<std::string> listen;
  std::vector<std::string> names;
};

// Files in the folder, mode 0600: ca.crt and ca.key, made at the first start; server.crt and
// server.key, made from them unless files are given; serving.crt and serving.key, what the ports
// use, always a pair that belongs together. Confined to one thread.
class TlsFolder {
 public:
  // Says in the log what was made. InvalidArgument and FailedPrecondition name the file that is
  // missing, wrong or expired, and the way out.
  static absl::StatusOr<TlsFolder> Open(TlsOptions options, absl::Time now);

  // Looks again, and replaces what the ports use when other files were given or our own comes to
  // its end. True when it did. An error leaves what there is.
  absl::StatusOr<bool> Refresh(absl::Time now);

  std::string serving_certificate() const;
  std::string serving_key() const;

  // Signs agents.
  const KeyPair& authority() const { return authority_; }
  // Content of the authority file that was given.
  const std::string& other_authorities() const { return other_authorities_; }
  // What agents recognise the controller by at their enrolment: of the authority that is at the end
  // of the chain that the ports present.
  const std::string& fingerprint() const { return fingerprint_; }
  // PEM: whom agents believe; empty: the machine's authorities.
  const std::string& agent_trust() const { return agent_trust_; }

 private:
  explicit TlsFolder(TlsOptions options) : options_(std::move(options)) {}

  std::string TrustOf(const std::string& chain, absl::Time now) const;
  absl::Status LoadAuthority(absl::Time now);
  // What the ports shall use: given, on disk, or made now.
  absl::StatusOr<KeyPair> Wanted(absl::Time now) const;
  absl::StatusOr<KeyPair> Given(absl::Time now) const;
  absl::StatusOr<KeyPair> Own(absl::Time now) const;
  absl::Status Serve(const KeyPair& pair);
  std::string File(const std::string& name) const;

  TlsOptions options_;
  KeyPair authority_;
  std::string other_authorities_;
  KeyPair serving_;
  std::string fingerprint_;
  std::string agent_trust_;
};

}  // namespace fairlead::identity
