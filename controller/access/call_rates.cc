#include "controller/access/call_rates.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "controller/access/address.h"

namespace fairlead::access {
namespace {

constexpr absl::Duration kTellAgain = absl::Minutes(1);
constexpr absl::Duration kSweepEvery = absl::Seconds(1);
constexpr char kOthers[] = "others";
constexpr absl::string_view kAddressPrefix = "address/";

}  // namespace

std::string RateIdentity(const Caller& caller) {
  if (caller.kind != Caller::Kind::kNobody) return caller.Text();
  return absl::StrCat(kAddressPrefix, SiteOf(caller.address));
}

double CallRates::Refilled(const Bucket& bucket, absl::Duration uptime) const {
  const double passed = std::max(0.0, absl::ToDoubleSeconds(uptime - bucket.last));
  return std::min(limits_.at_once, bucket.left + passed * limits_.per_second);
}

void CallRates::Sweep(Table& table, absl::Duration uptime) const {
  // A flood of new identities must not make each call walk through all of them.
  if (uptime - table.swept < kSweepEvery) return;
  table.swept = uptime;
  std::erase_if(table.buckets, [this, uptime](const auto& bucket) {
    return Refilled(bucket.second, uptime) >= limits_.at_once;
  });
}

CallRates::Answer CallRates::Take(const std::string& identity, absl::Duration uptime) {
  base::MutexLock lock(mutex_);
  Table& table = absl::StartsWith(identity, kAddressPrefix) ? addresses_ : proven_;
  auto found = table.buckets.find(identity);
  if (found == table.buckets.end()) {
    if (table.buckets.size() >= limits_.most) Sweep(table, uptime);
    const bool is_full = table.buckets.size() >= limits_.most;
    found = table.buckets
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
