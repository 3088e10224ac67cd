#include "controller/grpc_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpc/support/log.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/access/address.h"
#include "controller/access/lockout.h"

namespace fairlead::controller {
namespace {

constexpr int kBacklog = 4096;
constexpr int kEventsAtOnce = 256;
// Connections taken before others' ends are looked at.
constexpr int kAcceptsAtOnce = 64;
constexpr int kTickMilliseconds = 1000;
// Without descriptors.
constexpr int kAcceptPauseMilliseconds = 100;
constexpr absl::Duration kTellAgain = absl::Minutes(1);
// Bytes that the peer does not acknowledge end the connection, as with gRPC's own ports.
constexpr unsigned kUserTimeoutMilliseconds = 10'000;
// Tags of events that are no connection's id; those begin with 1 and grow.
constexpr uint64_t kWakeTag = UINT64_MAX;
constexpr uint64_t kFirstListenerTag = UINT64_MAX / 2;

struct HostAndPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostAndPort> Split(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  uint32_t port = 0;
  absl::string_view host = absl::string_view(listen).substr(0, colon);
  const bool is_number =
      colon != std::string::npos && absl::SimpleAtoi(listen.substr(colon + 1), &port);
  if (!is_number || port > UINT16_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen: \"", listen, "\" is not address:port"));
  }
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return HostAndPort{host.empty() ? "0.0.0.0" : std::string(host), std::to_string(port)};
}

struct PeerText {
  std::string address;
  std::string key;
};

// IPv4 in IPv6 is told as IPv4, as gRPC does.
PeerText TextOf(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  uint16_t port = 0;
  if (peer.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &peer, sizeof(v6));
    port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
  } else {
    sockaddr_in v4{};
    std::memcpy(&v4, &peer, sizeof(v4));
    port = ntohs(v4.sin_port);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  }
  const std::string address(text.data());
  return {address, absl::StrCat(address, " ", port)};
}

// -1 with errno set.
int ListeningSocket(const addrinfo& at) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  const unsigned timeout = kUserTimeoutMilliseconds;
  bool good = ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
  // Those that are accepted inherit these two.
  good = good && ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0;
  good = good && ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout)) == 0;
  if (good && at.ai_family == AF_INET6) {
    // [::] is everything.
    good = ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
  }
  good = good && ::bind(fd, at.ai_addr, at.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0;
  if (good) return fd;
  const int why = errno;
  ::close(fd);
  errno = why;
  return -1;
}

// 0 when it cannot be told.
uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  sockaddr_in either{};
  // The port is at the same place for both families.
  std::memcpy(&either, &address, sizeof(either));
  return ntohs(either.sin_port);
}

void SetPort(sockaddr& address, uint16_t port) {
  if (address.sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  }
}

bool Watch(int epoll, int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void CloseAll(std::vector<int>& fds) {
  for (const int fd : fds) ::close(fd);
  fds.clear();
}

void Bound(const Limits& limits, grpc::ServerBuilder& builder) {
  const auto milliseconds = [](absl::Duration time) {
    return static_cast<int>(absl::ToInt64Milliseconds(time));
  };
  // Two controllers on one socket would each get half of the agents.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, milliseconds(kHandshakeTimeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, milliseconds(kIdleTimeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(limits.streams));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits.request_mib) << 20);
  builder.SetResourceQuota(grpc::ResourceQuota("fairlead").Resize(kGrpcMemory));
}

}  // namespace

std::string ConnectionKey(absl::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  if (colon == absl::string_view::npos) return "";
  std::string address = access::AddressOfPeer(peer);
  // The scope of a link-local address.
  address.resize(std::min(address.size(), address.find('%')));
  return absl::StrCat(address, " ", peer.substr(colon + 1));
}

GrpcPort::GrpcPort(GrpcPortOptions options, base::Clock& clock)
    : options_(std::move(options)), clock_(clock), table_(options_.limits) {}

GrpcPort::~GrpcPort() {
  Stop();
  CloseAll(listeners_);
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
}

absl::StatusOr<std::unique_ptr<GrpcPort>> GrpcPort::Open(GrpcPortOptions options,
                                                         base::Clock& clock) {
  std::unique_ptr<GrpcPort> port(new GrpcPort(std::move(options), clock));
  RETURN_IF_ERROR(port->Listen());
  return port;
}

absl::Status GrpcPort::Listen() {
  ASSIGN_OR_RETURN(const HostAndPort at, Split(options_.listen));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(at.host.c_str(), at.port.c_str(), &hints, &found);
  if (failed != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen: ", options_.listen, ": ", ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  int error = 0;
  for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
    // A name's further addresses get the port that the first was given.
    if (port_ != 0) SetPort(*each->ai_addr, static_cast<uint16_t>(port_));
    const int fd = ListeningSocket(*each);
    if (fd >= 0) {
      listeners_.push_back(fd);
      port_ = PortOf(fd);
      continue;
    }
    error = errno;
    // Without IPv6 a name still has its other address; where another program listens is not ours.
    if (error == EADDRINUSE && at.port != "0") {
      CloseAll(listeners_);
      break;
    }
  }
  if (!listeners_.empty() && port_ != 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", options_.listen, " for gRPC: ", ::strerror(error),
                   "; the address must be free and of this machine; choose another with --listen"));
}

void GrpcPort::AddTo(grpc::ServerBuilder& builder,
                     std::shared_ptr<grpc::ServerCredentials> credentials) {
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      std::move(credentials));
}

absl::Status GrpcPort::Start() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool good = epoll_ >= 0 && wake_ >= 0 && Watch(epoll_, wake_, EPOLLIN, kWakeTag);
  for (std::size_t i = 0; good && i < listeners_.size(); ++i) {
    good = Watch(epoll_, listeners_[i], EPOLLIN, kFirstListenerTag + i);
  }
  if (!good) {
    return absl::InternalError(absl::StrCat("the gRPC port: epoll: ", ::strerror(errno)));
  }
  thread_ = std::thread([this] { Run(); });
  ::pthread_setname_np(thread_.native_handle(), "grpc-accept");
  return absl::OkStatus();
}

void GrpcPort::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (::write(wake_, &one, sizeof(one)) != sizeof(one)) {
    base::LogError("grpc", "waking the port: ", ::strerror(errno));
  }
  thread_.join();
  CloseAll(listeners_);
  base::MutexLock lock(mutex_);
  for (const auto& [id, watched] : watched_) ::close(watched.socket);
  watched_.clear();
  by_key_.clear();
}

void GrpcPort::Prove(const std::string& peer) {
  const std::string key = ConnectionKey(peer);
  base::MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) table_.SetBusy(found->second);
}

int GrpcPort::Pause() {
  if (!is_listening_) return kAcceptPauseMilliseconds;
  base::MutexLock lock(mutex_);
  return table_.AnyWaiting() ? kTickMilliseconds : -1;
}

void GrpcPort::Run() {
  std::array<epoll_event, kEventsAtOnce> events;
  while (!is_stopping_) {
    const int count = ::epoll_wait(epoll_, events.data(), kEventsAtOnce, Pause());
    if (!is_listening_) SetListening(true);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      OnEvent(event.data.u64, event.events);
    }
    CutOverdue();
    TellOpen();
  }
}

void GrpcPort::OnEvent(uint64_t tag, uint32_t events) {
  if (tag == kWakeTag) {
    is_stopping_ = true;
    return;
  }
  if (tag >= kFirstListenerTag) {
    const int listener = listeners_[tag - kFirstListenerTag];
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      if (!AcceptOne(listener)) return;
    }
    return;
  }
  // An error alone is gRPC's to find; it then shuts the socket down.
  if ((events & EPOLLHUP) == 0) return;
  base::MutexLock lock(mutex_);
  table_.Remove(tag);
  Forget(tag);
}

void GrpcPort::SetListening(bool listening) {
  is_listening_ = listening;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    epoll_event event{};
    event.events = listening ? uint32_t{EPOLLIN} : 0;
    event.data.u64 = kFirstListenerTag + i;
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, listeners_[i], &event) != 0) {
      base::LogError("grpc", "epoll: ", ::strerror(errno));
    }
  }
}

bool GrpcPort::AcceptOne(int listener) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  const int socket = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) {
    // Who was gone before being accepted is no reason to stop.
    if (errno == ECONNABORTED || errno == EINTR) return true;
    // Without descriptors it would be told of the same connection at once again.
    if (errno != EAGAIN) SetListening(false);
    return false;
  }
  const PeerText text = TextOf(peer);
  Admit(socket, text.address, text.key);
  return true;
}

void GrpcPort::Admit(int socket, const std::string& address, const std::string& key) {
  {
    base::MutexLock lock(mutex_);
    const base::ConnectionTable::Answer answer = table_.Add(address, clock_.Uptime());
    if (answer.evicted.has_value()) Cut(*answer.evicted, "evicted");
    const int second = answer.id.has_value() ? ::fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1;
    // Only hang-ups are waited for, which need not be asked for.
    if (second < 0 || !Watch(epoll_, second, EPOLLET, *answer.id)) {
      if (second >= 0) ::close(second);
      if (answer.id.has_value()) table_.Remove(*answer.id);
      ::close(socket);
      Tell("full");
      return;
    }
    watched_[*answer.id] = {second, key};
    by_key_[key] = *answer.id;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = socket;
  acceptor_->HandleNewConnection(&parameters);
}

void GrpcPort::Forget(Id id) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  const auto key = by_key_.find(found->second.key);
  // The same port of the peer may have connected again meanwhile.
  if (key != by_key_.end() && key->second == id) by_key_.erase(key);
  ::close(found->second.socket);
  watched_.erase(found);
}

void GrpcPort::Cut(Id id, absl::string_view why) {
  const auto found = watched_.find(id);
  // gRPC, which still has the socket, reads its end and closes it.
  if (found != watched_.end()) ::shutdown(found->second.socket, SHUT_RDWR);
  Forget(id);
  Tell(why);
}

void GrpcPort::CutOverdue() {
  base::MutexLock lock(mutex_);
  for (const Id id : table_.TakeOverdue(clock_.Uptime())) Cut(id, "unproven");
}

void GrpcPort::Tell(absl::string_view why) {
  if (options_.on_cut) options_.on_cut(why);
  ++cut_;
  const absl::Duration now = clock_.Uptime();
  if (now - told_ < kTellAgain) return;
  told_ = now;
  base::LogWarning("grpc", cut_, " connections refused or cut so far, the last one as ", why,
                   "; at most ", options_.limits.total, ", ", options_.limits.per_address,
                   " of one address (--max-connections, --max-connections-per-address)");
}

void GrpcPort::TellOpen() {
  if (!options_.on_open) return;
  std::size_t open = 0;
  {
    base::MutexLock lock(mutex_);
    open = table_.size();
  }
  options_.on_open(open);
}

void BoundGrpcLog() {
  ::gpr_set_log_function([](gpr_log_func_args* args) {
    static auto* const lines = new access::RateLimit(/*per_minute=*/20, /*at_once=*/50);
    if (!lines->Take(base::Clock::Real().Uptime())) return;
    base::Log(args->severity == GPR_LOG_SEVERITY_ERROR ? base::LogLevel::kWarning
                                                       : base::LogLevel::kDebug,
              "grpc", args->message);
  });
}

absl::StatusOr<std::unique_ptr<GrpcPort>> AddGrpcPort(
    const std::string& listen, const Limits& limits,
    const std::shared_ptr<grpc::ServerCredentials>& credentials, base::Clock& clock,
    metrics::PrometheusMetrics* metrics, grpc::ServerBuilder& builder) {
  Bound(limits, builder);
  if (absl::StartsWith(listen, "unix:")) {
    builder.AddListeningPort(listen, credentials);
    return nullptr;
  }
  GrpcPortOptions options;
  options.listen = listen;
  options.limits = FitToDescriptors(limits).OfGrpc();
  if (metrics != nullptr) {
    options.on_open = [metrics](std::size_t open) { metrics->OnConnections("grpc", open); };
    options.on_cut = [metrics](absl::string_view why) { metrics->OnConnectionCut("grpc", why); };
  }
  ASSIGN_OR_RETURN(std::unique_ptr<GrpcPort> port, GrpcPort::Open(std::move(options), clock));
  port->AddTo(builder, credentials);
  return port;
}

}  // namespace fairlead::controller
