#include "controller/webhook_relay.h"

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

constexpr int64_t kPatienceMilliseconds = 2'000;
constexpr std::size_t kLargestAnswer = 64u << 10;

std::size_t Append(char* data, std::size_t size, std::size_t count, void* out) {
  std::string& text = *static_cast<std::string*>(out);
  if (text.size() + size * count > kLargestAnswer) return 0;
  text.append(data, size * count);
  return size * count;
}

// Of one connection only, or set anew.
bool IsOfConnection(const std::string& header) {
  return header == "host" || header == "content-length" || header == "connection" ||
         header == "transfer-encoding" || header == "expect" || header == "upgrade";
}

}  // namespace

absl::StatusOr<http::HttpReply> PassWebhookOn(const WebhookWay& way,
                                              const http::HttpRequest& request) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::InternalError("libcurl cannot be used");
  // An empty value takes out what curl would add.
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : request.headers) {
    if (!IsOfConnection(name)) {
      list = curl_slist_append(list, absl::StrCat(name, ": ", value).c_str());
    }
  }
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, &curl_slist_free_all);
  http::HttpReply reply;
  curl_easy_setopt(curl.get(), CURLOPT_URL, absl::StrCat(way.base_url, request.target).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kPatienceMilliseconds);
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, static_cast<int64_t>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, way.check_name ? 2L : 0L);
  curl_blob trust{.data = const_cast<char*>(way.trust.data()),  // NOLINT: copied, not changed
                  .len = way.trust.size(),
                  .flags = CURL_BLOB_COPY};
  if (!way.trust.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO_BLOB, &trust);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return absl::UnavailableError(
        absl::StrCat("the active controller at ", way.base_url, ": ", curl_easy_strerror(code)));
  }
  // NOLINTNEXTLINE(google-runtime-int): curl's own type
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

}  // namespace fairlead::controller
