#include "controller/installation.h"

#include <cstddef>
#include <utility>

#include "base/status.h"

namespace fairlead::controller {
namespace {

constexpr std::size_t kKeyBytes = 32;

std::string SettingOf(const store::StoreImage& image, const std::string& name) {
  const auto found = image.settings.find(name);
  return found == image.settings.end() ? "" : found->second;
}

}  // namespace

absl::StatusOr<Installation> EnsureInstallation(const store::StoreImage& image, store::Store& store,
                                                base::Random& random) {
  Installation installation{SettingOf(image, "installation"), SettingOf(image, "hash-key-id"),
                            SettingOf(image, "hash-key")};
  if (!installation.id.empty() && installation.key.size() == kKeyBytes) return installation;
  installation = {base::NewId(random), "k1", base::RandomBytes(random, kKeyBytes)};
  store::StoreBatch batch;
  batch.put_settings = {{"installation", installation.id},
                        {"hash-key-id", installation.key_id},
                        {"hash-key", installation.key}};
  RETURN_IF_ERROR(store.Apply(batch), "store the installation's identity");
  return installation;
}

}  // namespace fairlead::controller
