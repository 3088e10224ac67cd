#include "controller/webhook_relay.h"

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

constexpr int64_t kPatienceMilliseconds = 2'000;
constexpr std::size_t kLargestAnswer = 64u << 10;
// Whatever happens sooner ends the wait.
constexpr int kLookMilliseconds = 60'000;

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

// One request on its way. Confined to the relay's thread once it is there.
struct WebhookRelay::Transfer {
  Transfer(WebhookWay to, http::HttpRequest what, DoneFunction then)
      : way(std::move(to)), request(std::move(what)), done(std::move(then)) {}

  // What is given to curl points to members.
  void Prepare();
  void Finish(CURLcode code);

  const WebhookWay way;
  const http::HttpRequest request;
  const DoneFunction done;
  http::HttpReply reply;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, &curl_slist_free_all};
  std::unique_ptr<CURL, void (*)(CURL*)> curl{curl_easy_init(), &curl_easy_cleanup};
};

void WebhookRelay::Transfer::Prepare() {
  // An empty value takes out what curl would add.
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : request.headers) {
    if (!IsOfConnection(name)) {
      list = curl_slist_append(list, absl::StrCat(name, ": ", value).c_str());
    }
  }
  headers.reset(list);
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
  // A name that is looked up without an end holds nobody up.
  curl_easy_setopt(curl.get(), CURLOPT_QUICK_EXIT, 1L);
  // On a connection that was used before it might be sent twice.
  curl_easy_setopt(curl.get(), CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, static_cast<int64_t>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, way.check_name ? 2L : 0L);
  curl_blob trust{.data = const_cast<char*>(way.trust.data()),  // NOLINT: copied, not changed
                  .len = way.trust.size(),
                  .flags = CURL_BLOB_COPY};
  if (!way.trust.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO_BLOB, &trust);
}

void WebhookRelay::Transfer::Finish(CURLcode code) {
  if (code != CURLE_OK) {
    done(absl::UnavailableError(
        absl::StrCat("the active controller at ", way.base_url, ": ", curl_easy_strerror(code))));
    return;
  }
  // NOLINTNEXTLINE(google-runtime-int): curl's own type
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  done(reply);
}

// What is under way. Confined to the relay's thread but for Wake.
struct WebhookRelay::Transfers {
  void Begin(std::unique_ptr<Transfer> transfer);
  // Goes on with all; returns how many have ended.
  std::size_t Move();
  // Until there is something to do.
  void Wait() { curl_multi_poll(multi.get(), nullptr, 0, kLookMilliseconds, nullptr); }
  void Wake() { curl_multi_wakeup(multi.get()); }
  // Ends all.
  void End();

  std::unique_ptr<CURLM, void (*)(CURLM*)> multi{curl_multi_init(),
                                                 [](CURLM* one) { curl_multi_cleanup(one); }};
  std::map<CURL*, std::unique_ptr<Transfer>> all;
};

void WebhookRelay::Transfers::Begin(std::unique_ptr<Transfer> transfer) {
  transfer->Prepare();
  CURL* const curl = transfer->curl.get();
  curl_multi_add_handle(multi.get(), curl);
  all[curl] = std::move(transfer);
}

std::size_t WebhookRelay::Transfers::Move() {
  int running = 0;
  curl_multi_perform(multi.get(), &running);
  std::size_t ended = 0;
  int more = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi.get(), &more)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone with the handle.
    CURL* const curl = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi.get(), curl);
    all.at(curl)->Finish(code);
    all.erase(curl);
    ++ended;
  }
  return ended;
}

void WebhookRelay::Transfers::End() {
  for (const auto& [curl, transfer] : all) {
    curl_multi_remove_handle(multi.get(), curl);
    transfer->done(absl::UnavailableError("this controller passes nothing on any more"));
  }
  all.clear();
}

WebhookRelay::WebhookRelay() : transfers_(std::make_unique<Transfers>()) {
  thread_ = std::thread([this] { Run(); });
}

WebhookRelay::~WebhookRelay() { Stop(); }

bool WebhookRelay::Pass(WebhookWay way, http::HttpRequest request, DoneFunction done) {
  auto transfer = std::make_unique<Transfer>(std::move(way), std::move(request), std::move(done));
  if (transfer->curl == nullptr) return false;
  base::MutexLock lock(mutex_);
  if (stopping_ || count_ >= kMost) return false;
  ++count_;
  fresh_.push_back(std::move(transfer));
  transfers_->Wake();
  return true;
}

void WebhookRelay::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    transfers_->Wake();
  }
  if (thread_.joinable()) thread_.join();
}

void WebhookRelay::Run() {
  bool stopping = false;
  while (!stopping) {
    std::vector<std::unique_ptr<Transfer>> fresh;
    {
      base::MutexLock lock(mutex_);
      fresh.swap(fresh_);
      stopping = stopping_;
    }
    for (std::unique_ptr<Transfer>& transfer : fresh) transfers_->Begin(std::move(transfer));
    if (stopping) break;
    const std::size_t ended = transfers_->Move();
    {
      base::MutexLock lock(mutex_);
      count_ -= ended;
    }
    transfers_->Wait();
  }
  transfers_->End();
}

}  // namespace fairlead::controller
