#include "integration/chaos/edits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::chaos {

namespace {

constexpr const char* kNames[] = {"api",  "auth",  "blog", "cache", "chat", "db",
                                  "feed", "index", "mail", "queue", "shop", "web"};
constexpr std::size_t kFewest = 5;
constexpr std::size_t kMost = 10;
constexpr std::size_t kMostGone = 3;
constexpr std::size_t kMostFlawed = 3;
constexpr int kFiles = 4;

const char* NameOf(Flaw flaw) {
  switch (flaw) {
    case Flaw::kNone:
      return "none";
    case Flaw::kUnknownKey:
      return "unknown key";
    case Flaw::kUnresolved:
      return "unresolved variable";
    case Flaw::kNoImage:
      return "missing image";
    case Flaw::kExits:
      return "exits at once";
    case Flaw::kSick:
      return "never healthy";
  }
  return "";
}

}  // namespace

Spec Editor::Fresh(Kind kind) {
  Spec spec;
  spec.server = 1 + static_cast<int>(random_.Below(kServers));
  spec.image = kind == Kind::kJob     ? "fl/done:1"
               : random_.Chance(0.08) ? "fl/slow:1"
                                      : absl::StrCat("fl/app:", 1 + random_.Below(3));
  spec.revision = static_cast<int>(random_.Below(1'000'000'000));
  if (kind != Kind::kStack && random_.Chance(0.4)) spec.token = SecretOf(world_);
  return spec;
}

std::string Editor::FreshName() {
  std::vector<std::string> free;
  for (const char* name : kNames) {
    if (!world_.items.contains(name)) free.emplace_back(name);
  }
  return random_.Pick(free);
}

void Editor::Insert(const std::string& name, Item item) {
  world_.items[name] = std::move(item);
  world_.order.push_back(name);
}

void Editor::Erase(const std::string& name) {
  world_.items.erase(name);
  std::erase(world_.order, name);
  for (auto& [other, item] : world_.items) std::erase(item.after, name);
}

std::vector<std::string> Editor::Flawed() const {
  std::vector<std::string> flawed;
  for (const auto& [name, item] : world_.items) {
    if (item.flaw != Flaw::kNone) flawed.push_back(name);
  }
  return flawed;
}

void Editor::Found() {
  for (int i = 0; i < 7; ++i) Add();
  const std::string job = FreshName();
  Insert(job, {.kind = Kind::kJob, .spec = Fresh(Kind::kJob), .file = 1, .after = {}});
  Insert("site", {.kind = Kind::kStack, .spec = Fresh(Kind::kStack), .file = 2, .after = {}});
}

std::string Editor::Add() {
  const std::string name = FreshName();
  Item item{
      .spec = Fresh(Kind::kService), .file = static_cast<int>(random_.Below(kFiles)), .after = {}};
  // What is there already cannot wait for it: no cycles.
  for (const auto& [other, existing] : world_.items) {
    if (item.after.empty() && existing.kind == Kind::kService && random_.Chance(0.15)) {
      item.after.push_back(other);
    }
  }
  Insert(name, std::move(item));
  return absl::StrCat("add ", name);
}

std::string Editor::Change(const std::string& name) {
  Item& item = world_.items.at(name);
  const Spec before = item.spec;
  item.spec = Fresh(item.kind);
  item.spec.server = before.server;
  item.spec.stopped = before.stopped;
  item.flaw = Flaw::kNone;
  return absl::StrCat("change ", name);
}

std::string Editor::Break(const std::string& name) {
  Item& item = world_.items.at(name);
  Change(name);
  const bool runs = item.kind == Kind::kService && !item.spec.stopped;
  item.flaw = static_cast<Flaw>(1 + random_.Below(runs ? 5 : 2));
  if (item.flaw == Flaw::kNoImage) item.spec.image = "fl/nowhere:9";
  if (item.flaw == Flaw::kExits) item.spec.image = "fl/exits:1";
  if (item.flaw == Flaw::kSick) item.spec.image = "fl/sick:1";
  return absl::StrCat("break ", name, " (", NameOf(item.flaw), ")");
}

std::string Editor::Repair(const std::string& name) {
  Change(name);
  return absl::StrCat("repair ", name);
}

std::string Editor::Remove(const std::string& name) {
  Erase(name);
  return absl::StrCat("remove ", name);
}

std::string Editor::Rename(const std::string& name) {
  const Item item = world_.items.at(name);
  const std::string fresh = FreshName();
  Erase(name);
  Insert(fresh, item);
  return absl::StrCat("rename ", name, " to ", fresh);
}

std::string Editor::Move(const std::string& name) {
  Item& item = world_.items.at(name);
  item.spec.server = 1 + item.spec.server % kServers;
  return absl::StrCat("move ", name, " to host-", item.spec.server);
}

std::string Editor::Toggle(const std::string& name) {
  Item& item = world_.items.at(name);
  item.spec.stopped = !item.spec.stopped;
  return absl::StrCat(item.spec.stopped ? "stop " : "start ", name);
}

std::string Editor::Reorder() {
  for (std::size_t i = world_.order.size(); i > 1; --i) {
    std::swap(world_.order[i - 1], world_.order[random_.Below(i)]);
  }
  if (world_.broken_files.empty()) {
    world_.items.at(random_.Pick(world_.order)).file = static_cast<int>(random_.Below(kFiles));
  }
  return "reorder";
}

std::string Editor::BreakFile() {
  const int file = static_cast<int>(random_.Below(kFiles));
  world_.broken_files.insert(file);
  return absl::StrCat("break fleet-", file, ".toml");
}

std::string Editor::Rotate() {
  const std::string before = SecretOf(world_);
  ++world_.secret_revision;
  for (auto& [name, item] : world_.items) {
    if (item.spec.token == before) item.spec.token = SecretOf(world_);
  }
  return "rotate the secret";
}

std::string Editor::Edit(std::set<std::string>& gone) {
  if (!world_.broken_files.empty() && random_.Chance(0.6)) {
    world_.broken_files.clear();
    return "repair the file";
  }
  const std::vector<std::string> flawed = Flawed();
  if (!flawed.empty() && (flawed.size() >= kMostFlawed || random_.Chance(0.3))) {
    return Repair(random_.Pick(flawed));
  }
  const std::string name = random_.Pick(world_.order);
  const Item& item = world_.items.at(name);
  const bool clean = item.flaw == Flaw::kNone;
  const bool plain = clean && item.kind == Kind::kService;
  const bool may_go = plain && gone.size() < kMostGone && world_.items.size() > kFewest;
  switch (random_.Below(14)) {
    case 0:
    case 1:
      if (world_.items.size() < kMost) return Add();
      break;
    case 2:
    case 3:
      if (clean) return Break(name);
      break;
    case 4:
      if (!may_go) break;
      gone.insert(name);
      return Remove(name);
    case 5:
      if (!may_go) break;
      gone.insert(name);
      return Rename(name);
    case 6:
      if (plain) return Move(name);
      break;
    case 7:
      if (plain) return Toggle(name);
      break;
    case 8:
      return Reorder();
    case 9:
      if (world_.broken_files.empty()) return BreakFile();
      break;
    case 10:
      return Rotate();
    default:
      break;
  }
  return clean ? Change(name) : Repair(name);
}

}  // namespace fairlead::chaos
