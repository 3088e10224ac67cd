#include "controller/access/call_rates.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace fairlead::access {
namespace {

constexpr absl::Duration kTellAgain = absl::Minutes(1);
constexpr absl::Duration kSweepEvery = absl::Seconds(1);
constexpr char kOthers[] = "others";
constexpr std::size_t kSiteBytes = 8;

std::string SiteOf(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  std::fill(bytes.begin() + kSiteBytes, bytes.end(), 0);
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

}  // namespace

std::string RateIdentity(const Caller& caller) {
  if (caller.kind != Caller::Kind::kNobody) return caller.Text();
  return absl::StrCat("address/", SiteOf(caller.address));
}

double CallRates::Refilled(const Bucket& bucket, absl::Duration uptime) const {
  const double passed = std::max(0.0, absl::ToDoubleSeconds(uptime - bucket.last));
  return std::min(limits_.at_once, bucket.left + passed * limits_.per_second);
}

void CallRates::Sweep(absl::Duration uptime) {
  // A flood of new identities must not make each call walk through all of them.
  if (uptime - swept_ < kSweepEvery) return;
  swept_ = uptime;
  std::erase_if(buckets_, [this, uptime](const auto& bucket) {
    return Refilled(bucket.second, uptime) >= limits_.at_once;
  });
}

CallRates::Answer CallRates::Take(const std::string& identity, absl::Duration uptime) {
  base::MutexLock lock(mutex_);
  auto found = buckets_.find(identity);
  if (found == buckets_.end()) {
    if (buckets_.size() >= limits_.most) Sweep(uptime);
    const bool is_full = buckets_.size() >= limits_.most;
    found = buckets_
                .try_emplace(is_full ? kOthers : identity,
                             Bucket{.left = limits_.at_once, .last = uptime})
                .first;
  }
  Bucket& bucket = found->second;
  bucket.left = Refilled(bucket, uptime);
  bucket.last = std::max(bucket.last, uptime);
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return {};
  }
  Answer answer{.wait = absl::Seconds((1 - bucket.left) / limits_.per_second)};
  answer.is_news = uptime - bucket.told >= kTellAgain;
  if (answer.is_news) bucket.told = uptime;
  return answer;
}

}  // namespace fairlead::access
