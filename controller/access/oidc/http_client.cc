#include "controller/access/oidc/http_client.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/loopback.h"

namespace fairlead::access::oidc {
namespace {

constexpr std::size_t kLargestAnswer = 1u << 20;

using Curl = std::unique_ptr<CURL, void (*)(CURL*)>;
using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;
using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::size_t Append(char* data, std::size_t size, std::size_t count, void* out) {
  std::string& text = *static_cast<std::string*>(out);
  if (text.size() + size * count > kLargestAnswer) return 0;
  text.append(data, size * count);
  return size * count;
}

// Called by curl at least once a second.
int EndWhenStopped(void* stopped, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return *static_cast<const std::atomic<bool>*>(stopped) ? 1 : 0;
}

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

bool IsSafeUrl(const std::string& url) {
  const Url parts(curl_url(), curl_url_cleanup);
  if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return false;
  // The whole host decides: http://127.0.0.1@example.org is another machine.
  const std::string host = PartOf(parts.get(), CURLUPART_HOST);
  if (absl::StartsWith(url, "https://")) return !host.empty();
  return absl::StartsWith(url, "http://") && base::IsLoopbackHost(host);
}

std::string Encode(const Form& form) {
  std::string text;
  const Curl curl(curl_easy_init(), &curl_easy_cleanup);
  const auto append = [&](const std::string& part) {
    char* const escaped = curl_easy_escape(curl.get(), part.data(), static_cast<int>(part.size()));
    absl::StrAppend(&text, escaped == nullptr ? "" : escaped);
    curl_free(escaped);
  };
  for (const auto& [name, value] : form) {
    if (!text.empty()) text.push_back('&');
    append(name);
    text.push_back('=');
    append(value);
  }
  return text;
}

absl::StatusOr<HttpAnswer> HttpClient::Get(const std::string& url) {
  return Perform(url, nullptr, "");
}

absl::StatusOr<HttpAnswer> HttpClient::Post(const std::string& url, const Form& form,
                                            const std::string& authorization) {
  const std::string body = Encode(form);
  return Perform(url, &body, authorization);
}

absl::StatusOr<HttpAnswer> HttpClient::Perform(const std::string& url, const std::string* body,
                                               const std::string& authorization) {
  const Curl curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::InternalError("libcurl cannot be used");
  curl_slist* list = curl_slist_append(nullptr, "Accept: application/json");
  if (!authorization.empty()) {
    list = curl_slist_append(list, absl::StrCat("Authorization: ", authorization).c_str());
  }
  const Headers headers(list, &curl_slist_free_all);
  HttpAnswer answer;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &EndWhenStopped);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &stopped_);
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, static_cast<int64_t>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, absl::ToInt64Milliseconds(timeout_));
  if (body != nullptr) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(body->size()));
    curl_easy_setopt(curl.get(), CURLOPT_COPYPOSTFIELDS, body->c_str());
  }
  // What is not encrypted stays on this machine.
  if (absl::StartsWith(url, "http://")) curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  if (!ca_file_.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ca_file_.c_str());
  const CURLcode code = curl_easy_perform(curl.get());
  const std::string what = absl::StrCat("the OpenID provider at ", url);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return absl::DeadlineExceededError(
        absl::StrCat(what, " does not answer within ", absl::FormatDuration(timeout_)));
  }
  if (code == CURLE_WRITE_ERROR) {
    return absl::UnavailableError(
        absl::StrCat(what, " answers with more than ", kLargestAnswer, " bytes"));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(
        absl::StrCat(what, " cannot be asked: ", curl_easy_strerror(code)));
  }
  // NOLINTNEXTLINE(google-runtime-int): curl's own type
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = status;
  return answer;
}

}  // namespace fairlead::access::oidc
