#include "agent/registry_login.h"

#include <boost/json.hpp>
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr char kDockerHub[] = "docker.io";

// What docker calls its own registry.
std::string ServerAddress(const std::string& domain) {
  return domain == kDockerHub ? "https://index.docker.io/v1/" : domain;
}

}  // namespace

std::string RegistryOf(const std::string& reference) {
  const std::size_t slash = reference.find('/');
  if (slash == std::string::npos) return kDockerHub;
  std::string first = reference.substr(0, slash);
  const bool is_domain =
      first == "localhost" || absl::StrContains(first, ".") || absl::StrContains(first, ":");
  if (!is_domain || first == "index.docker.io") return kDockerHub;
  return first;
}

v1::Login LoginFor(const std::string& reference, const Logins& logins) {
  const std::string registry = RegistryOf(reference);
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

std::string DockerConfig(const Logins& logins) {
  json::object auths;
  for (const v1::Login& login : logins) {
    if (login.domain().empty()) continue;
    auths[ServerAddress(login.domain())] = {
        {"auth", absl::Base64Escape(absl::StrCat(login.username(), ":", login.secret()))}};
  }
  const json::object config = {{"auths", auths}};
  return std::string(json::serialize(config));
}

}  // namespace fairlead::agent
