// Secrets, wired to the store and the loop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/ids.h"
#include "controller/loop/loop_view.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/source_loader.h"
#include "controller/secrets/encrypted_files.h"
#include "controller/secrets/secret_keeper.h"
#include "controller/secrets/secret_reader.h"
#include "controller/store/store.h"

namespace fairlead::controller {

struct KeptSecretsOptions {
  // Of the keys; empty: `secret.key` in `data_dir`, or a credential of systemd.
  std::string key_file;
  std::string data_dir;
  // Of others that keep secrets; may be empty.
  std::string providers;
  // File of age identities; may be empty.
  std::string age_key;
};

// Thread-safe but for Start.
class KeptSecrets {
 public:
  // `store`, `clock` and `random` outlive it. As SecretKeeper::Open and LoadProviders.
  static absl::StatusOr<std::unique_ptr<KeptSecrets>> Open(const KeptSecretsOptions& options,
                                                           const store::StoreImage& image,
                                                           store::Store& store, base::Clock& clock,
                                                           base::Random& random);

  // From now on the loop, which outlives it, has the values.
  void Start(loop::Reconciler& reconciler);
  // Of what the view declares values are read.
  void Follow(const loop::LoopView& view);
  void Shutdown();

  secrets::SecretKeeper& keeper() { return *keeper_; }
  // Reads files of secrets in git, also when this is gone.
  loop::SourceLoader::Decrypt decryptor() const;

 private:
  KeptSecrets(std::unique_ptr<secrets::SecretKeeper> keeper, secrets::Providers providers,
              const std::string& age_key, base::Clock& clock)
      : keeper_(std::move(keeper)),
        providers_(std::move(providers)),
        files_(age_key),
        clock_(clock) {}

  const std::unique_ptr<secrets::SecretKeeper> keeper_;
  // Until the start.
  secrets::Providers providers_;
  const secrets::EncryptedFiles files_;
  base::Clock& clock_;
  std::unique_ptr<secrets::SecretReader> reader_;
};

}  // namespace fairlead::controller
