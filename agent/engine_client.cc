#include "agent/engine_client.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "agent/engine_error.h"
#include "agent/engine_http.h"
#include "agent/engine_json.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr int kWantedMinor = 41;
// A registry that says nothing for so long is given up.
constexpr absl::Duration kRegistrySilence = absl::Seconds(60);

// The minor number of "1.41"; -1 for anything else.
int MinorOf(absl::string_view version) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(version, absl::MaxSplits('.', 1));
  int minor = 0;
  if (parts.first != "1" || !absl::SimpleAtoi(parts.second, &minor)) return -1;
  return minor;
}

absl::StatusOr<json::value> Parse(absl::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::UnavailableError("docker's answer is not JSON");
  return value;
}

absl::StatusOr<json::object> ParseObject(absl::string_view text) {
  ASSIGN_OR_RETURN(json::value value, Parse(text));
  if (!value.is_object()) return absl::UnavailableError("docker's answer is not an object");
  return std::move(value.as_object());
}

// Calls `on_value` for each JSON line that `bytes` completes.
absl::Status SplitJsonLines(std::string& pending, absl::string_view bytes,
                            const std::function<absl::Status(const json::object&)>& on_value) {
  pending.append(bytes.data(), bytes.size());
  std::size_t start = 0;
  for (std::size_t end = pending.find('\n'); end != std::string::npos;
       end = pending.find('\n', start)) {
    const absl::string_view line = absl::string_view(pending).substr(start, end - start);
    start = end + 1;
    boost::system::error_code error;
    const json::value value = json::parse(json::string_view(line.data(), line.size()), error);
    if (!error && value.is_object()) RETURN_IF_ERROR(on_value(value.as_object()));
  }
  pending.erase(0, start);
  return absl::OkStatus();
}

EngineEvent ToEvent(const json::object& object) {
  EngineEvent event;
  event.type = TextAt(object, {"Type"});
  event.action = TextAt(object, {"Action"});
  // As podman calls it.
  if (event.type == "container" && event.action == "remove") event.action = "destroy";
  event.container_id = TextAt(object, {"Actor", "ID"});
  if (event.type == "network") {
    event.container_id = TextAt(object, {"Actor", "Attributes", "container"});
  }
  // What a reference stands for may be another image now.
  if (event.type == "image") event.container_id.clear();
  event.installation = TextAt(object, {"Actor", "Attributes", kInstallationLabel});
  if (!absl::SimpleAtoi(TextAt(object, {"Actor", "Attributes", "signal"}), &event.signal)) {
    event.signal = 0;
  }
  event.time = absl::FromUnixNanos(NumberAt(object, {"timeNano"}));
  return event;
}

std::string FilterQuery(const json::object& filters) {
  return filters.empty() ? ""
                         : absl::StrCat("filters=", EscapeUrl(json::serialize(filters).c_str()));
}

json::array ToArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

std::string ContainerPath(const std::string& id, absl::string_view rest) {
  return absl::StrCat("/containers/", EscapeUrl(id), rest);
}

// The engine pulls every tag of a bare name: name one.
std::string PullQuery(const std::string& reference) {
  const std::size_t slash = reference.rfind('/');
  const std::size_t colon = reference.rfind(':');
  const bool has_tag = colon != std::string::npos && (slash == std::string::npos || colon > slash);
  const bool complete = has_tag || reference.find('@') != std::string::npos;
  return absl::StrCat("fromImage=", EscapeUrl(reference), complete ? "" : "&tag=latest");
}

}  // namespace

std::string EscapeUrl(absl::string_view text, absl::string_view also) {
  std::string escaped;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
        absl::StrContains("-_.~", absl::string_view(&c, 1)) ||
        absl::StrContains(also, absl::string_view(&c, 1))) {
      escaped.push_back(c);
    } else {
      absl::StrAppendFormat(&escaped, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

EngineClient::EngineClient(const std::string& address, const base::Clock& clock)
    : EngineClient(std::make_shared<const EngineHttp>(address, clock), clock) {}

EngineClient::EngineClient(std::shared_ptr<const EngineTransport> transport,
                           const base::Clock& clock)
    : clock_(clock), http_(std::move(transport)) {}

absl::StatusOr<v1::EngineVersion> EngineClient::Version(const CallLimits& limits) const {
  ASSIGN_OR_RETURN(const HttpResponse response, http_->Call({.target = "/version"}, limits));
  const absl::Status answered = StatusOfAnswer(response.status, response.body);
  // Whoever asked for a container must not take this for its absence.
  if (!answered.ok()) {
    return absl::UnavailableError(absl::StrCat("the engine answers GET /version with ",
                                               response.status, ": ", answered.message()));
  }
  ASSIGN_OR_RETURN(const json::object object, ParseObject(response.body));
  v1::EngineVersion version = ToEngineVersion(object);
  const int newest = MinorOf(version.api_version());
  if (newest < kWantedMinor) {
    return absl::FailedPreconditionError(absl::StrCat("the engine speaks API ",
                                                      version.api_version(), "; 1.", kWantedMinor,
                                                      " or newer is needed"));
  }
  const int oldest = MinorOf(TextAt(object, {"MinAPIVersion"}));
  base::MutexLock lock(mutex_);
  prefix_ = absl::StrCat("/v1.", std::max(kWantedMinor, oldest));
  architecture_ = version.architecture();
  return version;
}

absl::StatusOr<v1::EngineVersion> EngineClient::Describe(const CallLimits& limits) const {
  ASSIGN_OR_RETURN(v1::EngineVersion version, Version(limits));
  ASSIGN_OR_RETURN(const std::string body, Do("GET", "/info", "", limits));
  ASSIGN_OR_RETURN(const json::object object, ParseObject(body));
  version.set_cpus(static_cast<uint32_t>(NumberAt(object, {"NCPU"})));
  version.set_memory_bytes(static_cast<uint64_t>(NumberAt(object, {"MemTotal"})));
  return version;
}

absl::StatusOr<std::string> EngineClient::Architecture(const CallLimits& limits) const {
  RETURN_IF_ERROR(Prefix(limits).status());
  base::MutexLock lock(mutex_);
  return architecture_;
}

absl::StatusOr<std::string> EngineClient::DataRoot(const CallLimits& limits) const {
  {
    base::MutexLock lock(mutex_);
    if (data_root_.has_value()) return *data_root_;
  }
  ASSIGN_OR_RETURN(const std::string body, Do("GET", "/info", "", limits));
  ASSIGN_OR_RETURN(const json::object object, ParseObject(body));
  base::MutexLock lock(mutex_);
  data_root_ = TextAt(object, {"DockerRootDir"});
  return *data_root_;
}

absl::StatusOr<std::string> EngineClient::Prefix(const CallLimits& limits) const {
  {
    base::MutexLock lock(mutex_);
    if (!prefix_.empty()) return prefix_;
  }
  RETURN_IF_ERROR(Version(limits).status());
  base::MutexLock lock(mutex_);
  return prefix_;
}

absl::StatusOr<std::string> EngineClient::Do(const std::string& method, const std::string& path,
                                             const std::string& body,
                                             const CallLimits& limits) const {
  ASSIGN_OR_RETURN(const std::string prefix, Prefix(limits));
  ASSIGN_OR_RETURN(
      HttpResponse response,
      http_->Call({.method = method, .target = absl::StrCat(prefix, path), .body = body}, limits));
  RETURN_IF_ERROR(StatusOfAnswer(response.status, response.body));
  return std::move(response.body);
}

absl::Status EngineClient::Post(const std::string& path, const CallLimits& limits) const {
  return Do("POST", path, "", limits).status();
}

absl::Status EngineClient::StreamTo(const std::string& method, const std::string& path,
                                    const EngineTransport::StreamHooks& hooks,
                                    const CallLimits& limits) const {
  ASSIGN_OR_RETURN(const std::string prefix, Prefix(limits));
  ASSIGN_OR_RETURN(
      const HttpResponse response,
      http_->Stream({.method = method, .target = absl::StrCat(prefix, path)}, hooks, limits));
  return StatusOfAnswer(response.status, response.body);
}

absl::StatusOr<json::array> EngineClient::ListContainers(const ListFilter& filter,
                                                         const CallLimits& limits) const {
  json::object filters;
  if (!filter.labels.empty()) filters["label"] = ToArray(filter.labels);
  if (!filter.id.empty()) filters["id"] = ToArray({filter.id});
  ASSIGN_OR_RETURN(
      const std::string body,
      Do("GET", absl::StrCat("/containers/json?all=1&", FilterQuery(filters)), "", limits));
  ASSIGN_OR_RETURN(json::value value, Parse(body));
  if (!value.is_array()) return absl::UnavailableError("docker's list is not an array");
  return std::move(value.as_array());
}

absl::StatusOr<json::object> EngineClient::InspectContainer(const std::string& container,
                                                            const CallLimits& limits) const {
  ASSIGN_OR_RETURN(const std::string body,
                   Do("GET", ContainerPath(container, "/json"), "", limits));
  return ParseObject(body);
}

absl::StatusOr<std::string> EngineClient::CreateContainer(const std::string& name,
                                                          const json::object& body,
                                                          const CallLimits& limits) const {
  ASSIGN_OR_RETURN(const std::string answer,
                   Do("POST", absl::StrCat("/containers/create?name=", EscapeUrl(name)),
                      std::string(json::serialize(body)), limits));
  ASSIGN_OR_RETURN(const json::object object, ParseObject(answer));
  return TextAt(object, {"Id"});
}

absl::Status EngineClient::StartContainer(const std::string& id, const CallLimits& limits) const {
  return Post(ContainerPath(id, "/start"), limits);
}

absl::Status EngineClient::PauseContainer(const std::string& id, const CallLimits& limits) const {
  return Post(ContainerPath(id, "/pause"), limits);
}

absl::Status EngineClient::UnpauseContainer(const std::string& id, const CallLimits& limits) const {
  return Post(ContainerPath(id, "/unpause"), limits);
}

absl::Status EngineClient::StopContainer(const std::string& id, int timeout_seconds,
                                         const CallLimits& limits) const {
  return Post(ContainerPath(id, absl::StrCat("/stop?t=", timeout_seconds)), limits);
}

absl::Status EngineClient::RestartContainer(const std::string& id, int timeout_seconds,
                                            const CallLimits& limits) const {
  return Post(ContainerPath(id, absl::StrCat("/restart?t=", timeout_seconds)), limits);
}

absl::Status EngineClient::KillContainer(const std::string& id, const std::string& signal,
                                         const CallLimits& limits) const {
  return Post(ContainerPath(id, absl::StrCat("/kill?signal=", EscapeUrl(signal))), limits);
}

absl::Status EngineClient::WaitContainer(const std::string& id, const CallLimits& limits) const {
  return Post(ContainerPath(id, "/wait?condition=not-running"), limits);
}

absl::Status EngineClient::RemoveContainer(const std::string& id, const CallLimits& limits) const {
  return Do("DELETE", ContainerPath(id, "?force=1&v=0"), "", limits).status();
}

absl::Status EngineClient::RenameContainer(const std::string& id, const std::string& name,
                                           const CallLimits& limits) const {
  return Post(ContainerPath(id, absl::StrCat("/rename?name=", EscapeUrl(name))), limits);
}

absl::Status EngineClient::UpdateRestartPolicy(const std::string& id, const std::string& policy,
                                               const CallLimits& limits) const {
  const json::object body = {{"RestartPolicy", {{"Name", policy}}}};
  return Do("POST", ContainerPath(id, "/update"), std::string(json::serialize(body)), limits)
      .status();
}

absl::Status EngineClient::ReadLogs(const LogQuery& query,
                                    const std::function<void(const LogLine&)>& sink,
                                    const CallLimits& limits) const {
  LogSplitter splitter(query.tty, true, sink);
  const std::string tail = query.tail < 0 ? "all" : absl::StrCat(query.tail);
  const absl::Status status = StreamTo(
      "GET",
      ContainerPath(query.container, absl::StrCat("/logs?stdout=1&stderr=1&timestamps=1&follow=",
                                                  query.follow ? 1 : 0, "&tail=", tail)),
      {.on_bytes =
           [&](absl::string_view bytes) {
             splitter.Add(bytes);
             return absl::OkStatus();
           }},
      limits);
  splitter.Finish();
  return status;
}

absl::Status EngineClient::WatchEvents(absl::Time since, const EventHooks& hooks,
                                       const CallLimits& limits) const {
  // Health checks run by exec: their events are left out at the engine.
  const json::object filters = {
      {"type", {"container", "network", "image"}},
      {"event", {"create",  "start",      "restart", "die",    "stop",  "kill",    "oom",
                 "destroy", "remove",     "rename",  "update", "pause", "unpause", "health_status",
                 "connect", "disconnect", "tag",     "untag",  "pull",  "load",    "import"}}};
  const int64_t nanos = absl::ToUnixNanos(since);
  std::string pending;
  RETURN_IF_ERROR(StreamTo("GET",
                           absl::StrFormat("/events?since=%d.%09d&%s", nanos / 1'000'000'000,
                                           nanos % 1'000'000'000, FilterQuery(filters)),
                           {.on_open = hooks.on_open,
                            .on_bytes =
                                [&](absl::string_view bytes) {
                                  return SplitJsonLines(pending, bytes,
                                                        [&](const json::object& object) {
                                                          hooks.on_event(ToEvent(object));
                                                          return absl::OkStatus();
                                                        });
                                }},
                           limits));
  return absl::UnavailableError("docker ended the event stream");
}

absl::StatusOr<std::string> EngineClient::ImageId(const std::string& reference,
                                                  const CallLimits& limits) const {
  ASSIGN_OR_RETURN(ImageFacts facts, InspectImage(reference, limits));
  return std::move(facts.id);
}

absl::StatusOr<ImageFacts> EngineClient::InspectImage(const std::string& reference,
                                                      const CallLimits& limits) const {
  ASSIGN_OR_RETURN(
      const std::string body,
      Do("GET", absl::StrCat("/images/", EscapeUrl(reference, "/:@"), "/json"), "", limits));
  ASSIGN_OR_RETURN(const json::object object, ParseObject(body));
  return ImageFacts{TextAt(object, {"Id"}), TextAt(object, {"Architecture"})};
}

absl::Status EngineClient::DoLines(const HttpRequest& request,
                                   const std::function<absl::Status(const json::object&)>& on_line,
                                   const CallLimits& limits) const {
  absl::Time last_word = clock_.Now();
  bool silent = false;
  CallLimits bounded = limits;
  bounded.is_cancelled = [&] {
    silent = clock_.Now() - last_word > kRegistrySilence;
    return silent || (limits.is_cancelled && limits.is_cancelled());
  };
  std::string pending;
  ASSIGN_OR_RETURN(const std::string prefix, Prefix(limits));
  HttpRequest complete = request;
  complete.target = absl::StrCat(prefix, request.target);
  const absl::StatusOr<HttpResponse> response =
      http_->Stream(complete,
                    {.on_bytes =
                         [&](absl::string_view bytes) {
                           last_word = clock_.Now();
                           return SplitJsonLines(pending, bytes, on_line);
                         }},
                    bounded);
  if (silent && absl::IsCancelled(response.status())) {
    return absl::UnavailableError(
        absl::StrCat("the registry said nothing for ", absl::FormatDuration(kRegistrySilence)));
  }
  RETURN_IF_ERROR(response.status());
  return StatusOfAnswer(response->status, response->body);
}

absl::Status EngineClient::PullImage(const std::string& reference, const PullProgress& progress,
                                     const CallLimits& limits, const std::string& auth) const {
  const auto on_line = [&](const json::object& line) {
    const std::string error = TextAt(line, {"error"});
    if (!error.empty()) return StatusOfPullError(error);
    const LayerNews news{
        .layer = TextAt(line, {"id"}),
        .status = TextAt(line, {"status"}),
        .current = static_cast<uint64_t>(NumberAt(line, {"progressDetail", "current"})),
        .total = static_cast<uint64_t>(NumberAt(line, {"progressDetail", "total"}))};
    // The tag of the image is the id of a line, too.
    const bool is_layer = !news.layer.empty() && !absl::StartsWith(news.status, "Pulling from");
    if (progress && is_layer) progress(news);
    return absl::OkStatus();
  };
  return DoLines({.method = "POST",
                  .target = absl::StrCat("/images/create?", PullQuery(reference)),
                  .registry_auth = auth},
                 on_line, limits);
}

absl::StatusOr<std::vector<std::string>> EngineClient::ListNetworks(
    const std::vector<std::string>& labels, const CallLimits& limits) const {
  const json::object filters = {{"label", ToArray(labels)}};
  ASSIGN_OR_RETURN(const std::string body,
                   Do("GET", absl::StrCat("/networks?", FilterQuery(filters)), "", limits));
  ASSIGN_OR_RETURN(const json::value value, Parse(body));
  if (!value.is_array()) return absl::UnavailableError("docker's list is not an array");
  std::vector<std::string> names;
  for (const json::value& network : value.as_array()) {
    if (network.is_object()) names.push_back(TextAt(network.as_object(), {"Name"}));
  }
  return names;
}

absl::StatusOr<bool> EngineClient::HasNetwork(const std::string& name,
                                              const CallLimits& limits) const {
  return IsThere(absl::StrCat("/networks/", EscapeUrl(name)), limits);
}

absl::StatusOr<bool> EngineClient::HasVolume(const std::string& name,
                                             const CallLimits& limits) const {
  return IsThere(absl::StrCat("/volumes/", EscapeUrl(name)), limits);
}

absl::StatusOr<bool> EngineClient::IsThere(const std::string& path,
                                           const CallLimits& limits) const {
  const absl::Status found = Do("GET", path, "", limits).status();
  if (absl::IsNotFound(found)) return false;
  RETURN_IF_ERROR(found);
  return true;
}

absl::Status EngineClient::RemoveNetwork(const std::string& name, const CallLimits& limits) const {
  return Do("DELETE", absl::StrCat("/networks/", EscapeUrl(name)), "", limits).status();
}

}  // namespace fairlead::agent
