// Secrets, wired to the store and the loop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/ids.h"
#include "controller/loop/loop_view.h"
#include "controller/loop/reconciler.h"
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

 private:
  KeptSecrets(std::unique_ptr<secrets::SecretKeeper> keeper, secrets::Providers providers,
              base::Clock& clock)
      : keeper_(std::move(keeper)), providers_(std::move(providers)), clock_(clock) {}

  const std::unique_ptr<secrets::SecretKeeper> keeper_;
  // Until the start.
  secrets::Providers providers_;
  base::Clock& clock_;
  std::unique_ptr<secrets::SecretReader> reader_;
};

}  // namespace fairlead::controller
