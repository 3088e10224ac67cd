#include "agent/registry_login.h"

#include <boost/json.hpp>
#include "absl/strings/escaping.h"

#include "resources/image_reference.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

}  // namespace

std::string ServerAddress(const std::string& domain) {
  return domain == resources::kDefaultRegistry ? "https://index.docker.io/v1/" : domain;
}

v1::Login LoginFor(const std::string& reference, const Logins& logins) {
  const std::string registry = resources::RegistryOf(reference);
  for (const v1::Login& login : logins) {
    if (login.domain() == registry) return login;
  }
  return {};
}

std::string RegistryAuth(const v1::Login& login) {
  json::object account;
  if (!login.domain().empty()) {
    account = {{"username", login.username()},
               {"password", login.secret()},
               {"serveraddress", ServerAddress(login.domain())}};
  }
  const std::string text(json::serialize(account));
  // The engine wants the padding that absl's web-safe form leaves out.
  std::string encoded = absl::WebSafeBase64Escape(text);
  while (encoded.size() % 4 != 0) encoded.push_back('=');
  return encoded;
}

}  // namespace fairlead::agent
