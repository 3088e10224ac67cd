#include "controller/kept_secrets.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"

namespace fairlead::controller {
namespace {

secrets::KeyFile KeyFileOf(const KeptSecretsOptions& options) {
  // Set by systemd for LoadCredential=. What is put there is gone at the next start.
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  const std::string credentials = folder == nullptr ? "" : absl::StrCat(folder, "/");
  if (!options.key_file.empty()) {
    const bool is_credential =
        !credentials.empty() && absl::StartsWith(options.key_file, credentials);
    return {.path = options.key_file, .make_at_start = !is_credential};
  }
  if (!credentials.empty()) {
    std::string credential = credentials + "fairlead-secret-key";
    if (::access(credential.c_str(), F_OK) == 0) {
      return {.path = std::move(credential), .make_at_start = false};
    }
  }
  return {.path = options.data_dir + "/secret.key"};
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeptSecrets>> KeptSecrets::Open(const KeptSecretsOptions& options,
                                                               const store::StoreImage& image,
                                                               store::Store& store,
                                                               base::Clock& clock,
                                                               base::Random& random) {
  ASSIGN_OR_RETURN(std::unique_ptr<secrets::SecretKeeper> keeper,
                   secrets::SecretKeeper::Open(KeyFileOf(options), image, store, clock, random));
  secrets::Providers providers;
  if (!options.providers.empty()) {
    ASSIGN_OR_RETURN(providers, secrets::LoadProviders(options.providers), "--secrets");
  }
  if (!options.age_key.empty()) {
    // Without it the rest works, and each file says what it lacks.
    const absl::Status key = secrets::EncryptedFiles(options.age_key).CheckKey();
    if (!key.ok()) base::LogError("secrets", key.message());
  }
  return std::unique_ptr<KeptSecrets>(
      new KeptSecrets(std::move(keeper), std::move(providers), options.age_key, clock));
}

loop::SourceLoader::Decrypt KeptSecrets::decryptor() const {
  return [files = files_](const std::string& path, absl::string_view content) {
    return files.Read(path, content);
  };
}

void KeptSecrets::Start(loop::Reconciler& reconciler) {
  keeper_->SetListener([&reconciler](const secrets::SecretKeeper::Values& values) {
    reconciler.Post([values](loop::Core& core, absl::Time) { core.OnSecrets(values); });
  });
  reader_ = std::make_unique<secrets::SecretReader>(
      std::move(providers_), clock_,
      [this](resources::Variables values) { keeper_->SetProvided(std::move(values)); },
      [&reconciler](const std::string& variable, const std::string& why) {
        base::LogWarning("secrets", variable, ": ", why);
        reconciler.Post([variable, why](loop::Core& core, absl::Time now) {
          v1::Event event;
          event.set_resource(absl::StrCat("variable/", variable));
          event.set_type("secret-unavailable");
          event.set_warning(true);
          event.set_message(why);
          core.AddEvent(std::move(event), now);
        });
      });
}

void KeptSecrets::Follow(const loop::LoopView& view) {
  reader_->Follow(sync::SourcesOfSecrets(*view.input.desired));
}

void KeptSecrets::Shutdown() {
  if (reader_ != nullptr) reader_->Shutdown();
}

}  // namespace fairlead::controller
