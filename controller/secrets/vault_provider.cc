#include <curl/curl.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/loopback.h"
#include "base/status.h"
#include "controller/secrets/provider.h"
#include "resources/settings_file.h"

namespace fairlead::secrets {
namespace {

namespace json = boost::json;

constexpr std::size_t kLargestAnswer = 1u << 20;
constexpr std::size_t kLargestToken = 64u << 10;

std::size_t Append(char* data, std::size_t size, std::size_t count, void* out) {
  std::string& text = *static_cast<std::string*>(out);
  if (text.size() + size * count > kLargestAnswer) return 0;
  text.append(data, size * count);
  return size * count;
}

using Curl = std::unique_ptr<CURL, void (*)(CURL*)>;
using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// The whole host decides: http://localhost.example.org is another machine, and so is
// http://127.0.0.1@example.org.
bool IsLoopbackUrl(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parts(curl_url(), curl_url_cleanup);
  char* text = nullptr;
  if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parts.get(), CURLUPART_HOST, &text, 0) != CURLUE_OK) {
    return false;
  }
  const std::string host(text);
  curl_free(text);
  return absl::StartsWith(url, "http://") && base::IsLoopbackHost(host);
}

// What an answer other than 200 means.
absl::Status StatusOf(int64_t answer, const std::string& what) {
  if (answer == 404) return absl::NotFoundError(absl::StrCat(what, ": there is no such secret"));
  if (answer == 403) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, ": the token is not valid, or may not read it"));
  }
  if (answer == 503) return absl::UnavailableError(absl::StrCat(what, ": vault is sealed"));
  return absl::UnavailableError(absl::StrCat(what, ": vault answers ", answer));
}

absl::StatusOr<std::string> FieldOf(const std::string& body, const std::string& field,
                                    const std::string& what) {
  std::error_code failed;
  const json::value answer = json::parse(body, failed);
  if (failed) return absl::UnavailableError(absl::StrCat(what, ": the answer is no JSON"));
  const json::value* const data = answer.find_pointer("/data/data", failed);
  if (data == nullptr || !data->is_object()) {
    return absl::UnavailableError(
        absl::StrCat(what, ": the answer has no data.data; is `mount` a KV engine of version 2?"));
  }
  const json::value* const value = data->as_object().if_contains(field);
  if (value == nullptr) {
    return absl::NotFoundError(absl::StrCat(what, ": it has no field \"", field, "\""));
  }
  if (!value->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": the field \"", field, "\" is no text"));
  }
  return std::string(value->as_string());
}

class VaultProvider final : public Provider {
 public:
  VaultProvider(v1::SecretProvider settings, std::string token_file, std::string ca_file)
      : settings_(std::move(settings)),
        token_file_(std::move(token_file)),
        ca_file_(std::move(ca_file)) {}

  absl::StatusOr<std::string> Read(const std::string& path) override {
    const std::pair<std::string, std::string> parts = absl::StrSplit(path, absl::MaxSplits('#', 1));
    const std::string field = parts.second.empty() ? "value" : parts.second;
    const Curl curl(curl_easy_init(), &curl_easy_cleanup);
    if (curl == nullptr) return absl::InternalError("libcurl cannot be used");
    const std::string what = absl::StrCat("vault at ", settings_.address(), ", \"", path, "\"");
    ASSIGN_OR_RETURN(const std::string token, base::ReadPrivateFile(token_file_, kLargestToken),
                     "token_file");
    const Headers headers = HeadersOf(std::string(absl::StripAsciiWhitespace(token)));
    std::string body;
    SetUp(curl.get(), UrlOf(curl.get(), parts.first), headers.get(), &body);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return absl::DeadlineExceededError(
          absl::StrCat(what, ": no answer within ", settings_.timeout(), " s"));
    }
    if (code != CURLE_OK) {
      return absl::UnavailableError(absl::StrCat(what, ": ", curl_easy_strerror(code)));
    }
    // NOLINTNEXTLINE(google-runtime-int): curl's own type
    long answer = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer);
    if (answer != 200) return StatusOf(answer, what);
    return FieldOf(body, field, what);
  }

 private:
  std::string UrlOf(CURL* curl, const std::string& path) const {
    std::string url = absl::StrCat(absl::StripSuffix(settings_.address(), "/"), "/v1/",
                                   settings_.mount(), "/data");
    for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
      char* const escaped = curl_easy_escape(curl, part.data(), static_cast<int>(part.size()));
      absl::StrAppend(&url, "/", escaped == nullptr ? "" : escaped);
      curl_free(escaped);
    }
    return url;
  }

  Headers HeadersOf(const std::string& token) const {
    curl_slist* list = curl_slist_append(nullptr, absl::StrCat("X-Vault-Token: ", token).c_str());
    list = curl_slist_append(list, "X-Vault-Request: true");
    if (!settings_.namespace_().empty()) {
      list = curl_slist_append(list,
                               absl::StrCat("X-Vault-Namespace: ", settings_.namespace_()).c_str());
    }
    return {list, &curl_slist_free_all};
  }

  void SetUp(CURL* curl, const std::string& url, curl_slist* headers, std::string* body) const {
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<int64_t>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, settings_.timeout() * 1000);
    if (!ca_file_.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file_.c_str());
  }

  const v1::SecretProvider settings_;
  const std::string token_file_;
  const std::string ca_file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Provider>> MakeVaultProvider(const v1::SecretProvider& settings,
                                                            const std::string& folder) {
  if (!absl::StartsWith(settings.address(), "https://") && !IsLoopbackUrl(settings.address())) {
    return absl::InvalidArgumentError(
        absl::StrCat("provider \"", settings.name(), "\": address \"", settings.address(),
                     "\" must begin with https:// (http:// only on this machine)"));
  }
  return std::make_unique<VaultProvider>(settings,
                                         resources::PathBeside(folder, settings.token_file()),
                                         resources::PathBeside(folder, settings.ca_file()));
}

}  // namespace fairlead::secrets
