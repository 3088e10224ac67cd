// What it costs to say who calls and whether that may be, for a user in some of 50 groups with
// patterns among 2,000 resources. Prints one JSON row a line, as tools/bench collects them.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/clock.h"
#include "controller/access/access.h"
#include "controller/access/secret.h"
#include "controller/store/testing/fake_store.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::access {
namespace {

constexpr int kRounds = 15;
constexpr int kCalls = 20'000;
constexpr int kResources = 2000;
constexpr int kGroups = 50;
constexpr double kMostMicroseconds = 5;

std::string NameOf(int number) { return absl::StrCat("web-", number); }

std::vector<v1::Resource> Groups() {
  std::vector<v1::Resource> groups;
  for (int i = 0; i < kGroups; ++i) {
    v1::Resource& resource = groups.emplace_back();
    resource.set_name(absl::StrCat("group-", i));
    v1::UserGroup& group = *resource.mutable_user_group();
    group.set_everyone(i % 10 == 0);
    group.add_users(absl::StrCat("user-", i));
    for (const std::string pattern : {"web-1*", "\\^web-[0-9]+9$\\", "tag:critical"}) {
      v1::Permission& permission = *group.add_permissions();
      permission.mutable_target()->set_type(v1::RESOURCE_TYPE_STACK);
      permission.mutable_target()->set_id(pattern);
      permission.set_level(v1::PERMISSION_LEVEL_EXECUTE);
    }
  }
  return groups;
}

template <typename Body>
double MicrosecondsOf(const Body& body) {
  std::vector<double> samples;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) body(i);
    samples.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count() /
        kCalls);
  }
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

int Measure() {
  store::FakeStore store;
  // Counted like any other call, but never one too many.
  auto access = Access::Load({}, store, base::Clock::Real(),
                             {.rates = {.per_second = 1e12, .at_once = 1e12}});
  if (!access.ok()) return EXIT_FAILURE;
  v1::LocalUser user;
  user.set_name("user-3");
  if (!(*access)->directory().AddUser(user).ok()) return EXIT_FAILURE;
  std::vector<Subject> subjects;
  for (int i = 0; i < kResources; ++i) {
    subjects.push_back({"stack", NameOf(i), {i % 7 == 0 ? "critical" : "small"}});
  }
  Gate& gate = (*access)->gate();
  gate.SetDeclared(Groups(), std::move(subjects));
  const Credentials credentials{
      .bearer = (*access)->sessions().Open("user-3", base::Clock::Real().Now()).token,
      .address = "10.0.0.1"};
  std::vector<v1::StopRequest> requests(kResources);
  std::map<std::string, int> plain;
  for (int i = 0; i < kResources; ++i) {
    requests[static_cast<std::size_t>(i)].set_resource("stack/" + NameOf(i));
    plain["stack/" + NameOf(i)] = i;
  }
  const std::string method = "fairlead.v1.ExecutionService.Stop";
  int allowed = 0;
  const double value = MicrosecondsOf([&](int i) {
    const auto at = static_cast<std::size_t>(i % kResources);
    allowed += gate.Admit(method, requests[at], credentials).status.ok() ? 1 : 0;
  });
  // Answers of both kinds, or something is wrong with the measurement.
  if (allowed == 0 || allowed == kRounds * kCalls) return EXIT_FAILURE;
  int sum = 0;
  const double floor = MicrosecondsOf([&](int i) {
    const auto at = static_cast<std::size_t>(i % kResources);
    sum += plain.find(requests[at].resource())->second;
  });
  if (sum == 0) return EXIT_FAILURE;
  absl::PrintF(
      "{\"name\": \"authorise_a_call\", \"value\": %.3f, \"unit\": \"us\", \"floor\": null, "
      "\"target\": %.3f}\n",
      value, kMostMicroseconds);
  absl::FPrintF(stderr, "authorise_a_call: %.2f us; a look-up in a plain map: %.2f us\n", value,
                floor);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace fairlead::access

int main() { return fairlead::access::Measure(); }
