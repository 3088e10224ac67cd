#include "agent/testing/fake_engine.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

#include "agent/engine_json.h"
#include "base/clock.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

std::string Unescape(absl::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    uint32_t code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        absl::SimpleHexAtoi(text.substr(i + 1, 2), &code)) {
      result.push_back(static_cast<char>(code));
      i += 2;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

bool SendAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Header and body of one request; false when the peer is gone.
bool ReadRequest(int fd, std::string& head, std::string& body) {
  std::string text;
  std::array<char, 8192> buffer;
  std::size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  head = text.substr(0, end);
  body = text.substr(end + 4);
  std::size_t length = 0;
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::EqualsIgnoreCase(field.first, "content-length") &&
        !absl::SimpleAtoi(absl::StripAsciiWhitespace(field.second), &length)) {
      return false;
    }
  }
  while (body.size() < length) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    body.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace

struct FakeEngine::Connection {
  int fd = -1;
  std::thread thread;
};

std::string FakeEngine::Query::Get(const std::string& key) const {
  const auto found = arguments.find(key);
  return found == arguments.end() ? "" : found->second;
}

FakeEngine::FakeEngine(std::string socket_path) : socket_path_(std::move(socket_path)) { ComeUp(); }

FakeEngine::~FakeEngine() { GoDown(); }

void FakeEngine::ComeUp() {
  ::unlink(socket_path_.c_str());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_, 64) != 0) {
    std::abort();
  }
  {
    base::MutexLock lock(mutex_);
    down_ = false;
  }
  accept_thread_ = std::thread([this] { Accept(); });
}

void FakeEngine::GoDown() {
  std::list<std::unique_ptr<Connection>> connections;
  {
    base::MutexLock lock(mutex_);
    if (down_) return;
    down_ = true;
    changed_.SignalAll();
    for (const auto& connection : connections_) ::shutdown(connection->fd, SHUT_RDWR);
  }
  ::unlink(socket_path_.c_str());
  ::shutdown(listener_, SHUT_RDWR);
  accept_thread_.join();
  ::close(listener_);
  {
    base::MutexLock lock(mutex_);
    connections.swap(connections_);
  }
  for (const auto& connection : connections) {
    ::shutdown(connection->fd, SHUT_RDWR);
    connection->thread.join();
    ::close(connection->fd);
  }
}

void FakeEngine::Accept() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    base::MutexLock lock(mutex_);
    connections_.push_back(std::make_unique<Connection>());
    Connection& connection = *connections_.back();
    connection.fd = fd;
    connection.thread = std::thread([this, &connection] { Serve(connection); });
  }
}

void FakeEngine::Serve(Connection& connection) {
  std::string head;
  std::string body;
  if (ReadRequest(connection.fd, head, body)) {
    const std::vector<std::string> words = absl::StrSplit(head.substr(0, head.find("\r\n")), ' ');
    const Answer answer = Handle(words[0], words[1], body);
    if (!answer.broken && absl::StrContains(words[1], "/events?")) {
      StreamEvents(connection);
    } else if (!answer.broken) {
      const std::string text = !answer.raw.empty()     ? answer.raw
                               : answer.body.is_null() ? std::string()
                                                       : std::string(json::serialize(answer.body));
      SendAll(connection.fd, absl::StrFormat("HTTP/1.1 %d X\r\nContent-Length: %d\r\n"
                                             "Connection: close\r\n\r\n",
                                             answer.status, text.size()) +
                                 text);
    }
  }
  ::shutdown(connection.fd, SHUT_RDWR);
}

void FakeEngine::StreamEvents(Connection& connection) {
  std::size_t next = 0;
  {
    base::MutexLock lock(mutex_);
    next = events_.size();
  }
  bool alive = SendAll(connection.fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  while (alive) {
    std::vector<std::string> due;
    {
      base::MutexLock lock(mutex_);
      while (!down_ && !broken_ && next == events_.size()) {
        // The peer may have gone without a word.
        char probe = 0;
        if (!changed_.WaitFor(mutex_, absl::Milliseconds(20)) &&
            ::recv(connection.fd, &probe, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
          return;
        }
      }
      if (down_ || broken_) return;
      due.assign(events_.begin() + static_cast<std::ptrdiff_t>(next), events_.end());
      next = events_.size();
    }
    for (const std::string& event : due) {
      alive = alive && SendAll(connection.fd, absl::StrFormat("%x\r\n%s\r\n", event.size(), event));
    }
  }
}

void FakeEngine::BreakAfter(int changes, bool with_effect) {
  base::MutexLock lock(mutex_);
  breaks_after_ = changes;
  breaks_with_effect_ = with_effect;
}

bool FakeEngine::Revive() {
  base::MutexLock lock(mutex_);
  breaks_after_.reset();
  return std::exchange(broken_, false);
}

void FakeEngine::AddImage(const std::string& reference, const std::string& architecture) {
  base::MutexLock lock(mutex_);
  images_[reference] = absl::StrCat("sha256:", reference);
  architectures_[reference] = architecture;
}

void FakeEngine::AddNetwork(const std::string& name) {
  base::MutexLock lock(mutex_);
  networks_.insert(name);
}

void FakeEngine::AddVolume(const std::string& name) {
  base::MutexLock lock(mutex_);
  volumes_.insert(name);
}

void FakeEngine::SetDataRoot(const std::string& path) {
  base::MutexLock lock(mutex_);
  data_root_ = path;
}

void FakeEngine::Retag(const std::string& reference, const std::string& image_id) {
  base::MutexLock lock(mutex_);
  images_[reference] = image_id;
  const json::object event = {{"Type", "image"},
                              {"Action", "tag"},
                              {"Actor", {{"ID", image_id}, {"Attributes", {{"name", reference}}}}},
                              {"timeNano", absl::ToUnixNanos(base::Clock::Real().Now())}};
  events_.push_back(std::string(json::serialize(event)) + "\n");
  changed_.SignalAll();
}

std::string FakeEngine::AddContainer(const std::string& name, const json::object& body,
                                     const std::string& status) {
  base::MutexLock lock(mutex_);
  Query query;
  query.arguments["name"] = name;
  const Answer answer = Create(query, body);
  Container* container = Find(name);
  if (answer.status != 201 || container == nullptr) std::abort();
  if (status == "running") Start(*container);
  if (status == "exited") {
    Start(*container);
    End(*container, 0);
  }
  return container->id;
}

void FakeEngine::RemoveByHand(const std::string& name) {
  base::MutexLock lock(mutex_);
  Container* container = Find(name);
  if (container->status == "running") {
    Publish(*container, "kill");
    End(*container, 137);
  }
  Publish(*container, "destroy");
  containers_.erase(container->id);
}

void FakeEngine::Exit(const std::string& name, int code) {
  base::MutexLock lock(mutex_);
  End(*Find(name), code);
}

void FakeEngine::CrashAndRestart(const std::string& name, int code) {
  base::MutexLock lock(mutex_);
  Container* container = Find(name);
  End(*container, code);
  ++container->restart_count;
  Start(*container);
}

void FakeEngine::SetHealth(const std::string& name, const std::string& health) {
  base::MutexLock lock(mutex_);
  Container* container = Find(name);
  container->health = health;
  Publish(*container, absl::StrCat("health_status: ", health));
}

void FakeEngine::SetMemory(const std::string& name, int64_t bytes) {
  base::MutexLock lock(mutex_);
  Container* container = Find(name);
  container->body["HostConfig"].as_object()["Memory"] = bytes;
  Publish(*container, "update");
}

void FakeEngine::SetLog(const std::string& name, const std::string& text) {
  base::MutexLock lock(mutex_);
  Find(name)->log = text;
}

std::vector<std::string> FakeEngine::Containers() const {
  base::MutexLock lock(mutex_);
  std::set<std::string> lines;
  for (const auto& [id, container] : containers_) {
    lines.insert(absl::StrCat(container.name, " ", container.status));
  }
  return {lines.begin(), lines.end()};
}

std::string FakeEngine::IdOf(const std::string& name) const {
  base::MutexLock lock(mutex_);
  const Container* container = Find(name);
  return container == nullptr ? "" : container->id;
}

std::string FakeEngine::LabelOf(const std::string& name, const std::string& label) const {
  base::MutexLock lock(mutex_);
  const Container* container = Find(name);
  return container == nullptr ? "" : TextAt(container->body, {"Labels", label});
}

std::string FakeEngine::RestartPolicyOf(const std::string& name) const {
  base::MutexLock lock(mutex_);
  const Container* container = Find(name);
  return container == nullptr ? ""
                              : TextAt(container->body, {"HostConfig", "RestartPolicy", "Name"});
}

std::vector<std::string> FakeEngine::Changes() const {
  base::MutexLock lock(mutex_);
  return changes_;
}

void FakeEngine::WatchName(const std::string& name) {
  base::MutexLock lock(mutex_);
  watched_name_ = name;
  gaps_.clear();
}

std::vector<std::string> FakeEngine::Gaps() const {
  base::MutexLock lock(mutex_);
  return gaps_;
}

bool FakeEngine::Resolves(const Container* but) const {
  for (const auto& [id, container] : containers_) {
    const bool answers =
        container.status == "running" && absl::EqualsIgnoreCase(container.name, watched_name_);
    if (answers && &container != but) return true;
  }
  return false;
}

void FakeEngine::Publish(const Container& container, const std::string& action) {
  json::object attributes = {{"name", container.name}};
  if (const json::object* labels = ObjectAt(container.body, {"Labels"}); labels != nullptr) {
    for (const auto& [key, value] : *labels) attributes[key] = value;
  }
  if (action == "kill") attributes["signal"] = "9";
  const json::object event = {
      {"Type", "container"},
      {"Action", action},
      {"Actor", {{"ID", container.id}, {"Attributes", std::move(attributes)}}},
      {"timeNano", absl::ToUnixNanos(base::Clock::Real().Now())}};
  events_.push_back(std::string(json::serialize(event)) + "\n");
  changed_.SignalAll();
}

FakeEngine::Answer FakeEngine::Handle(const std::string& method, const std::string& target,
                                      const std::string& body) {
  Query query;
  const std::pair<std::string, std::string> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  for (const absl::string_view part : absl::StrSplit(parts.first, '/', absl::SkipEmpty())) {
    query.path.push_back(Unescape(part));
  }
  for (const absl::string_view argument : absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(argument, absl::MaxSplits('=', 1));
    query.arguments[pair.first] = Unescape(pair.second);
  }
  if (!query.path.empty() && absl::StartsWith(query.path[0], "v1.")) {
    query.path.erase(query.path.begin());
  }
  boost::system::error_code error;
  json::value parsed = json::parse(body.empty() ? "{}" : body, error);
  base::MutexLock lock(mutex_);
  const bool changes = method != "GET" && query.path.back() != "wait" && query.path[0] != "images";
  if (broken_) return {.broken = true};
  const bool breaks = changes && breaks_after_ && (*breaks_after_)-- == 0;
  if (breaks) {
    broken_ = true;
    changed_.SignalAll();
    if (!breaks_with_effect_) return {.broken = true};
  }
  if (changes) changes_.push_back(absl::StrCat(method, " ", parts.first.substr(6)));
  Answer answer = Route(method, query, parsed.as_object());
  answer.broken = answer.broken || breaks;
  if (changes && !watched_name_.empty() && !Resolves(nullptr)) gaps_.push_back(changes_.back());
  return answer;
}

}  // namespace fairlead::agent
