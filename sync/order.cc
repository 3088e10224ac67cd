#include "sync/order.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace fairlead::sync {
namespace {

using Edges = std::vector<std::vector<size_t>>;

// `before[i]` must come before i. Members of a ring come last, in their own order.
std::vector<size_t> SortTopologically(const std::vector<size_t>& members, const Edges& before) {
  absl::flat_hash_map<size_t, size_t> open;
  absl::flat_hash_map<size_t, std::vector<size_t>> after;
  const std::set<size_t> wanted(members.begin(), members.end());
  std::set<size_t> ready;
  for (const size_t member : members) {
    size_t count = 0;
    for (const size_t first : before[member]) {
      if (first == member || !wanted.contains(first)) continue;
      ++count;
      after[first].push_back(member);
    }
    open[member] = count;
    if (count == 0) ready.insert(member);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    const size_t next = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(next);
    for (const size_t waiting : after[next]) {
      if (--open[waiting] == 0) ready.insert(waiting);
    }
  }
  if (order.size() < members.size()) {
    const std::set<size_t> done(order.begin(), order.end());
    for (const size_t member : members) {
      if (!done.contains(member)) order.push_back(member);
    }
  }
  return order;
}

}  // namespace

std::vector<size_t> ComputeOrder(const std::vector<OrderItem>& items) {
  absl::flat_hash_map<std::string, size_t> position;
  position.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) position[items[i].facts->key] = i;

  Edges before(items.size());
  std::set<size_t> removals;
  std::set<size_t> early;
  for (size_t i = 0; i < items.size(); ++i) {
    const Facts& facts = *items[i].facts;
    if (facts.desired != nullptr) {
      for (const resources::ResourceId& id : facts.desired->after) {
        const auto it = position.find(id.ToString());
        if (it != position.end()) before[i].push_back(it->second);
      }
      for (const std::string& name : items[i].decision->gate.on()) {
        const auto it = position.find(name);
        if (it != position.end() && items[it->second].facts->desired == nullptr) {
          early.insert(it->second);
        }
      }
      continue;
    }
    removals.insert(i);
    if (facts.inventory == nullptr) continue;
    for (const std::string& name : facts.inventory->after()) {
      auto it = position.find(name);
      if (it == position.end()) it = position.find("deployment/" + name);
      if (it == position.end()) it = position.find("stack/" + name);
      if (it != position.end()) before[it->second].push_back(i);
    }
  }
  // What must precede an early removal is early, too.
  for (bool grown = true; grown;) {
    grown = false;
    for (const size_t member : std::set<size_t>(early)) {
      for (const size_t first : before[member]) {
        if (removals.contains(first) && early.insert(first).second) grown = true;
      }
    }
  }
  std::vector<size_t> head;
  std::vector<size_t> middle;
  std::vector<size_t> tail;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!removals.contains(i)) {
      middle.push_back(i);
    } else {
      (early.contains(i) ? head : tail).push_back(i);
    }
  }
  std::vector<size_t> order = SortTopologically(head, before);
  for (const auto& part : {middle, tail}) {
    const std::vector<size_t> sorted = SortTopologically(part, before);
    order.insert(order.end(), sorted.begin(), sorted.end());
  }
  return order;
}

}  // namespace fairlead::sync
