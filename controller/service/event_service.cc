#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/service/call.h"
#include "controller/service/services.h"
#include "controller/service/stream_reactor.h"

namespace fairlead::service {
namespace {

constexpr std::size_t kEventQueue = 10'000;
constexpr uint32_t kDefaultTail = 100;

// Puts past events before those to come. Thread-safe.
class Relay {
 public:
  Relay(std::shared_ptr<StreamFeed<v1::WatchResponse>> feed, TicketPointer ticket,
        const v1::WatchRequest& request)
      : feed_(std::move(feed)),
        ticket_(std::move(ticket)),
        resource_(request.resource()),
        progress_(request.progress()) {}

  void Begin(const std::vector<v1::Event>& past) {
    base::MutexLock lock(mutex_);
    for (const v1::Event& event : past) SendLocked(event);
    v1::WatchResponse caught_up;
    caught_up.set_caught_up(true);
    feed_->Send(std::move(caught_up));
    begun_ = true;
    for (const loop::WatchItem& item : held_) PassLocked(item);
    held_.clear();
  }

  void Pass(const loop::WatchItem& item) {
    base::MutexLock lock(mutex_);
    if (begun_) {
      PassLocked(item);
    } else {
      held_.push_back(item);
    }
  }

 private:
  void PassLocked(const loop::WatchItem& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (const auto* event = std::get_if<v1::Event>(&item)) {
      if (resource_.empty() || event->resource() == resource_) SendLocked(*event);
    } else if (const auto* progress = std::get_if<v1::ActionProgress>(&item);
               progress != nullptr && progress_ &&
               (resource_.empty() || progress->resource() == resource_) &&
               ticket_->MayRead(progress->resource())) {
      v1::WatchResponse response;
      *response.mutable_progress() = *progress;
      feed_->Send(std::move(response));
    }
  }
  void SendLocked(const v1::Event& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (event.id() <= last_) return;
    last_ = event.id();
    if (!ticket_->MayRead(event.resource())) return;
    v1::WatchResponse response;
    *response.mutable_event() = event;
    feed_->Send(std::move(response));
  }

  const std::shared_ptr<StreamFeed<v1::WatchResponse>> feed_;
  const TicketPointer ticket_;
  const std::string resource_;
  const bool progress_;
  base::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<loop::WatchItem> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchResponse>* EventServiceImpl::Watch(
    grpc::CallbackServerContext* call, const v1::WatchRequest* request) {
  auto feed = std::make_shared<StreamFeed<v1::WatchResponse>>(kEventQueue);
  const TicketPointer ticket = Admit(context_.access, *call, "EventService.Watch", *request);
  if (!ticket->ok()) {
    feed->Close(ToGrpc(ticket->status()));
    return new StreamReactor<v1::WatchResponse>(feed, nullptr);
  }
  // Subscribed before the past is read, so that nothing falls between; what comes meanwhile is
  // held back, and what comes twice is known by its id.
  auto relay = std::make_shared<Relay>(feed, ticket, *request);
  uint64_t subscription = 0;
  if (request->watch()) {
    subscription =
        context_.reconciler.Subscribe([relay](const loop::WatchItem& item) { relay->Pass(item); });
  }
  const auto past =
      context_.store.ListEvents({.resource = request->resource(),
                                 .limit = request->tail() == 0 ? kDefaultTail : request->tail()});
  if (past.ok()) {
    relay->Begin(*past);
  } else {
    feed->Close(ToGrpc(past.status()));
  }
  if (!request->watch()) feed->Close(grpc::Status::OK);
  return new StreamReactor<v1::WatchResponse>(feed, [this, subscription] {
    if (subscription != 0) context_.reconciler.Unsubscribe(subscription);
  });
}

}  // namespace fairlead::service
