#include "controller/installation.h"

#include <utility>

#include "base/status.h"

namespace fairlead::controller {
namespace {

std::string SettingOf(const store::StoreImage& image, const std::string& name) {
  const auto found = image.settings.find(name);
  return found == image.settings.end() ? "" : found->second;
}

std::string NewKey(base::Random& random) {
  std::string key;
  while (key.size() < 32) {
    uint64_t bits = random.Next();
    for (int i = 0; i < 8; ++i, bits >>= 8) key.push_back(static_cast<char>(bits & 0xff));
  }
  return key;
}

}  // namespace

absl::StatusOr<Installation> EnsureInstallation(const store::StoreImage& image, store::Store& store,
                                                base::Random& random) {
  Installation installation{SettingOf(image, "installation"), SettingOf(image, "hash-key-id"),
                            SettingOf(image, "hash-key")};
  if (!installation.id.empty() && installation.key.size() == 32) return installation;
  installation = {base::NewId(random), "k1", NewKey(random)};
  store::StoreBatch batch;
  batch.put_settings = {{"installation", installation.id},
                        {"hash-key-id", installation.key_id},
                        {"hash-key", installation.key}};
  RETURN_IF_ERROR(store.Apply(batch), "store the installation's identity");
  return installation;
}

}  // namespace fairlead::controller
