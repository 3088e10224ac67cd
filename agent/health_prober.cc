#include "agent/health_prober.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/probe_exchange.h"

namespace fairlead::agent {
namespace {

// Longest sleep with something to ask: the clock may be set back meanwhile.
constexpr absl::Duration kLongestWait = absl::Seconds(10);

}  // namespace

struct HealthProber::Loop {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  boost::asio::steady_timer timer{io};
};

HealthProber::HealthProber(const base::Clock& clock, std::size_t most_at_once)
    : clock_(clock), most_at_once_(most_at_once), loop_(std::make_unique<Loop>()) {}

HealthProber::~HealthProber() { Stop(); }

void HealthProber::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  loop_->io.stop();
  if (thread_.joinable()) thread_.join();
}

void HealthProber::StartThreadLocked() {
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { loop_->io.run(); });
}

Prober::Finding HealthProber::Watch(const Subject& subject) {
  base::MutexLock lock(mutex_);
  if (stopping_) return {};
  const auto known = runs_.find(subject.id);
  if (known != runs_.end() && known->second.subject.started_at == subject.started_at &&
      known->second.subject.definition == subject.definition) {
    known->second.subject.address = subject.address;
    return {known->second.schedule.health(), known->second.schedule.failure()};
  }
  if (known != runs_.end()) runs_.erase(known);
  runs_.emplace(subject.id,
                Run{subject, ProbeSchedule(subject.definition, subject.started_at, clock_.Now()),
                    ++last_number_});
  StartThreadLocked();
  boost::asio::post(loop_->io, [this] { AskDue(); });
  return {};
}

void HealthProber::Forget(const std::string& container_id) {
  base::MutexLock lock(mutex_);
  runs_.erase(container_id);
}

void HealthProber::Keep(const std::set<std::string>& container_ids) {
  base::MutexLock lock(mutex_);
  std::erase_if(runs_, [&](const auto& run) { return !container_ids.contains(run.first); });
}

void HealthProber::AskDue() {
  std::vector<std::pair<Subject, uint64_t>> due;
  absl::Duration wait = absl::InfiniteDuration();
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    std::vector<Run*> waiting;
    for (auto& [id, run] : runs_) {
      if (run.schedule.IsDue(now)) {
        waiting.push_back(&run);
      } else if (run.schedule.next() != absl::InfiniteFuture()) {
        wait = std::min({wait, run.schedule.next() - now, kLongestWait});
      }
    }
    // Whoever waits longest goes first; the rest is asked as soon as an answer makes room.
    std::sort(waiting.begin(), waiting.end(),
              [](const Run* a, const Run* b) { return a->schedule.next() < b->schedule.next(); });
    for (Run* run : waiting) {
      if (asking_ >= most_at_once_) break;
      ++asking_;
      run->schedule.OnAsked();
      due.emplace_back(run->subject, run->number);
    }
  }
  for (const auto& [subject, run] : due) {
    AskContainer(loop_->io, subject.address, subject.definition,
                 [this, id = subject.id, number = run](const absl::Status& answer) {
                   OnAnswer(id, number, answer);
                 });
  }
  if (wait == absl::InfiniteDuration()) return;
  loop_->timer.expires_after(std::chrono::microseconds(absl::ToInt64Microseconds(wait) + 1));
  loop_->timer.async_wait([this](boost::system::error_code error) {
    // Cancelled: another AskDue has set it anew.
    if (!error) AskDue();
  });
}

void HealthProber::OnAnswer(const std::string& container_id, uint64_t number,
                            const absl::Status& answer) {
  bool changed = false;
  {
    base::MutexLock lock(mutex_);
    --asking_;
    const auto run = runs_.find(container_id);
    if (run != runs_.end() && run->second.number == number) {
      changed = run->second.schedule.OnAnswer(answer, clock_.Now());
    }
    if (stopping_) return;
  }
  if (changed && on_change_) on_change_(container_id);
  AskDue();
}

}  // namespace fairlead::agent
