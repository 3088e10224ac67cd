#include "agent/secret_texts.h"

#include <utility>

#include <boost/json.hpp>
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/status.h"
#include "resources/interpolation.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

// The key's name goes in: another key has other hashes.
std::string HashOf(absl::string_view secret, const resources::SpecHasher& hasher) {
  return absl::StrCat(hasher.key_id(), ":", hasher.HashText(absl::StrCat("secret text\n", secret)));
}

}  // namespace

SecretTexts::SecretTexts(RecordStorage storage) : storage_(std::move(storage)) {}

absl::Status SecretTexts::Load() {
  const absl::StatusOr<std::string> text = storage_->read();
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_object()) {
    return absl::DataLossError(absl::StrCat(storage_->name, " does not hold hashes of secrets"));
  }
  base::MutexLock lock(mutex_);
  for (const auto& [length, hashes] : value.as_object()) {
    std::size_t number = 0;
    if (!absl::SimpleAtoi(absl::string_view(length.data(), length.size()), &number) ||
        number == 0 || !hashes.is_array()) {
      continue;
    }
    for (const json::value& hash : hashes.as_array()) {
      if (hash.is_string()) remembered_[number].insert(std::string(hash.as_string().c_str()));
    }
  }
  return absl::OkStatus();
}

absl::Status SecretTexts::SaveLocked() {
  json::object all;
  for (const auto& [length, hashes] : remembered_) {
    json::array list;
    for (const std::string& hash : hashes) list.emplace_back(hash);
    all[absl::StrCat(length)] = std::move(list);
  }
  return storage_->write(std::string(json::serialize(all)));
}

void SecretTexts::Add(const std::vector<std::string>& secrets) {
  base::MutexLock lock(mutex_);
  for (const std::string& secret : secrets) {
    if (!secret.empty()) secrets_.insert(secret);
  }
}

absl::Status SecretTexts::Remember(const std::vector<std::string>& secrets,
                                   const resources::SpecHasher& hasher) {
  Add(secrets);
  if (!storage_.has_value()) return absl::OkStatus();
  base::MutexLock lock(mutex_);
  std::vector<std::pair<std::size_t, std::string>> fresh;
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    std::string hash = HashOf(secret, hasher);
    if (remembered_[secret.size()].insert(hash).second) {
      fresh.emplace_back(secret.size(), std::move(hash));
    }
  }
  if (fresh.empty()) return absl::OkStatus();
  const absl::Status saved = SaveLocked();
  if (saved.ok()) return saved;
  for (const auto& [length, hash] : fresh) remembered_[length].erase(hash);
  return base::Annotate(saved, "the agent cannot remember which texts are secret");
}

void SecretTexts::Recover(const std::vector<std::string>& texts,
                          const resources::SpecHasher& hasher) {
  base::MutexLock lock(mutex_);
  for (const auto& [length, hashes] : remembered_) {
    for (const std::string& text : texts) {
      for (std::size_t at = 0; at + length <= text.size(); ++at) {
        const absl::string_view part = absl::string_view(text).substr(at, length);
        if (hashes.contains(HashOf(part, hasher))) secrets_.insert(std::string(part));
      }
    }
  }
}

std::string SecretTexts::Redact(const std::string& text) const {
  std::vector<std::string> secrets;
  {
    base::MutexLock lock(mutex_);
    secrets.assign(secrets_.begin(), secrets_.end());
  }
  return resources::RedactText(text, secrets);
}

}  // namespace fairlead::agent
