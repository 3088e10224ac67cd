#include "cli/import/docker_engine.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "cli/import/inspect_json.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

// Above this an answer is not that of an engine.
constexpr std::size_t kLargestAnswer = 64u << 20;

std::size_t Append(char* data, std::size_t size, std::size_t count, void* out) {
  std::string& text = *static_cast<std::string*>(out);
  if (text.size() + size * count > kLargestAnswer) return 0;
  text.append(data, size * count);
  return size * count;
}

// One connection to an engine. Confined to one thread.
class EngineReader {
 public:
  static absl::StatusOr<EngineReader> Open(const std::string& host, absl::Duration timeout) {
    absl::string_view path = host;
    const bool is_socket = absl::ConsumePrefix(&path, "unix://");
    if (!is_socket && !absl::ConsumePrefix(&path, "tcp://")) {
      return absl::InvalidArgumentError(
          absl::StrCat("--docker-host \"", host, "\" is neither unix:///PATH nor tcp://HOST:PORT"));
    }
    EngineReader reader(host);
    if (reader.curl_ == nullptr) return absl::InternalError("libcurl cannot be used");
    CURL* curl = reader.curl_.get();
    reader.base_ = is_socket ? "http://docker" : absl::StrCat("http://", path);
    if (is_socket) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, std::string(path).c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout / absl::Milliseconds(1)));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
    return reader;
  }

  // NotFound as the engine says.
  absl::StatusOr<json::value> Get(const std::string& path) {
    std::string body;
    curl_easy_setopt(curl_.get(), CURLOPT_URL, absl::StrCat(base_, path).c_str());
    curl_easy_setopt(curl_.get(), CURLOPT_WRITEDATA, &body);
    const CURLcode code = curl_easy_perform(curl_.get());
    if (code != CURLE_OK) {
      return absl::UnavailableError(
          absl::StrCat("cannot reach Docker at ", host_, ": ", curl_easy_strerror(code),
                       ". Run this on the host itself, as a user who may use Docker, or set "
                       "--docker-host"));
    }
    // NOLINTNEXTLINE(google-runtime-int): curl's own type
    long answer = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &answer);
    std::error_code failed;
    json::value value = json::parse(body, failed);
    if (answer == 404) return absl::NotFoundError(TextAt(value, "/message"));
    if (answer != 200 || failed) {
      return absl::UnavailableError(absl::StrCat("Docker at ", host_, " answers ", answer, " to ",
                                                 path, ": ", TextAt(value, "/message")));
    }
    return value;
  }

 private:
  explicit EngineReader(std::string host)
      : host_(std::move(host)), curl_(curl_easy_init(), &curl_easy_cleanup) {}

  std::string host_;
  std::string base_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
};

}  // namespace

absl::StatusOr<DockerSnapshot> ReadDocker(const std::string& host, absl::Duration timeout) {
  ASSIGN_OR_RETURN(EngineReader reader, EngineReader::Open(host, timeout));
  ASSIGN_OR_RETURN(const json::value listed, reader.Get("/containers/json?all=1"));
  DockerSnapshot snapshot;
  std::set<std::string> images;
  for (const json::value& entry : ArrayAt(listed, "")) {
    absl::StatusOr<json::value> container =
        reader.Get(absl::StrCat("/containers/", TextAt(entry, "/Id"), "/json"));
    if (absl::IsNotFound(container.status())) continue;
    RETURN_IF_ERROR(container.status());
    images.insert(TextAt(*container, "/Image"));
    snapshot.containers.push_back(*std::move(container));
  }
  for (const std::string& id : images) {
    absl::StatusOr<json::value> image = reader.Get(absl::StrCat("/images/", id, "/json"));
    // A container can outlive its image's name and record.
    if (absl::IsNotFound(image.status())) continue;
    RETURN_IF_ERROR(image.status());
    snapshot.images.push_back(*std::move(image));
  }
  std::sort(snapshot.containers.begin(), snapshot.containers.end(),
            [](const json::value& a, const json::value& b) {
              return TextAt(a, "/Name") < TextAt(b, "/Name");
            });
  return snapshot;
}

}  // namespace fairlead::cli
