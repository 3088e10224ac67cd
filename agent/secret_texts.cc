#include "agent/secret_texts.h"

#include "resources/interpolation.h"

namespace fairlead::agent {

void SecretTexts::Add(const std::vector<std::string>& secrets) {
  base::MutexLock lock(mutex_);
  for (const std::string& secret : secrets) {
    if (!secret.empty()) secrets_.insert(secret);
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
