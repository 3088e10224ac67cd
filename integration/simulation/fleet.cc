#include "integration/simulation/fleet.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::simulation {
namespace {

constexpr int kFiles = 3;

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

}  // namespace

std::string Wish::Image() const { return absl::StrCat("registry.test/", behaviour, ":", version); }

bool Wish::CanBeWell() const {
  const bool serves = behaviour == "app" || (behaviour == "slow");
  const bool ends_well = behaviour == "job" && restart != "always" && restart != "unless-stopped";
  return !spoilt && (serves || ends_well) && name != Fleet::kForeignName &&
         port != Fleet::kForeignPort;
}

Fleet::Fleet(SeededRandom& random, std::vector<std::string> servers)
    : random_(random), servers_(std::move(servers)) {
  NewSecret();
}

std::string Fleet::Bootstrap() const {
  std::string text =
      "[[resource_sync]]\nname = \"main\"\n[resource_sync.config]\n"
      "url = \"https://git.test/fleet.git\"\ndelete = true\n";
  for (const std::string& server : servers_) {
    absl::StrAppend(&text, "[[server]]\nname = ", Quoted(server), "\n");
  }
  return text;
}

void Fleet::NewSecret() {
  secrets_.push_back(absl::StrCat("s3cr3t-", random_.Next() % 1'000'000'000, "-value"));
}

void Fleet::DependOnAnEarlierOne(Wish& wish) {
  if (wishes_.empty()) return;
  const Wish& other = Any();
  // Names rise: what comes later depends on what came before, so that there is no circle.
  if (other.name < wish.name) wish.after = {other.name};
}

void Fleet::AddWish() {
  Wish wish;
  wish.name = absl::StrCat("dep", absl::Dec(++made_, absl::kZeroPad3));
  wish.server = random_.Pick(servers_);
  wish.file = static_cast<int>(random_.Below(kFiles));
  wish.checked = random_.Chance(0.3);
  wish.secret = random_.Chance(0.3);
  if (random_.Chance(0.3)) wish.port = 8000 + made_;
  if (random_.Chance(0.15)) {
    wish.restart = std::vector<std::string>{"no", "on-failure", "always"}[random_.Below(3)];
  }
  if (random_.Chance(0.1)) {
    wish.behaviour = "job";
    wish.restart = "no";
    wish.checked = false;
  }
  // Two of them would be a mistake of the files.
  const bool taken = std::any_of(wishes_.begin(), wishes_.end(), [](const auto& other) {
    return other.second.port == kForeignPort;
  });
  if (!taken && random_.Chance(0.03)) wish.port = kForeignPort;
  if (random_.Chance(0.3)) DependOnAnEarlierOne(wish);
  wish.start_first = wish.port == 0 && made_ % 2 == 0;
  wishes_[wish.name] = wish;
  if (!wishes_.contains(kForeignName) && random_.Chance(0.02)) {
    Wish thief = wish;
    thief.name = kForeignName;
    thief.after.clear();
    thief.port = 0;
    wishes_[thief.name] = thief;
  }
}

Wish& Fleet::Any() {
  return std::next(wishes_.begin(), static_cast<std::ptrdiff_t>(random_.Below(wishes_.size())))
      ->second;
}

void Fleet::ChangeOne() {
  if (wishes_.size() < 2 || random_.Chance(0.1)) return AddWish();
  Wish& wish = Any();
  switch (random_.Below(12)) {
    case 0:
      if (wishes_.size() > 2) wishes_.erase(std::string(wish.name));
      return;
    case 1:
      wish.server = random_.Pick(servers_);
      return;
    case 2:
      wish.state = random_.Chance(0.5) ? "running" : random_.Chance(0.7) ? "stopped" : "absent";
      return;
    case 3: {
      static const std::vector<std::string>* const kBehaviours = new std::vector<std::string>{
          "app", "app", "slow", "crash", "sick", "broken", "gone", "job"};
      wish.behaviour = random_.Pick(*kBehaviours);
      wish.checked = wish.behaviour == "sick" || wish.behaviour == "slow";
      return;
    }
    case 4:
      wish.restart = random_.Chance(0.5) ? "always" : "on-failure";
      return;
    case 5:
      wish.rollback = random_.Chance(0.8);
      return;
    case 6:
      DependOnAnEarlierOne(wish);
      return;
    case 7:
      wish.spoilt = random_.Chance(0.5);
      return;
    case 8:
      if (random_.Chance(0.5)) NewSecret();
      color_ = random_.Chance(0.5) ? "blue" : "green";
      return;
    case 9:
      wish.behaviour = "app";
      return;
    default:
      ++wish.version;
  }
}

void Fleet::Mutate() {
  const std::size_t changes = 1 + random_.Below(4);
  for (std::size_t i = 0; i < changes; ++i) ChangeOne();
}

void Fleet::Mend() {
  for (auto& [name, wish] : wishes_) wish.spoilt = false;
}

std::string Fleet::RenderWish(const Wish& wish) const {
  std::string text = absl::StrCat("[[deployment]]\nname = ", Quoted(wish.name), "\n");
  if (!wish.after.empty()) {
    std::string names;
    for (const std::string& name : wish.after) {
      // What is gone is not waited for.
      if (wishes_.contains(name)) absl::StrAppend(&names, names.empty() ? "" : ", ", Quoted(name));
    }
    absl::StrAppend(&text, "after = [", names, "]\n");
  }
  if (wish.state != "running") absl::StrAppend(&text, "state = ", Quoted(wish.state), "\n");
  if (!wish.heal) absl::StrAppend(&text, "heal = false\n");
  absl::StrAppend(&text, "[deployment.config]\nserver = ", Quoted(wish.server),
                  "\nimage = ", Quoted(wish.Image()), "\nrestart = ", Quoted(wish.restart),
                  "\nhealth_timeout = \"40s\"\nenvironment = \"\"\"\n  COLOR = [[COLOR]]\n",
                  wish.secret ? "  TOKEN = [[TOKEN]]\n" : "", "\"\"\"\n");
  if (!wish.rollback) absl::StrAppend(&text, "rollback = false\n");
  if (wish.start_first) {
    absl::StrAppend(&text, "network = \"apps\"\nstrategy = \"start_first\"\n");
  }
  if (wish.port != 0) absl::StrAppend(&text, "ports = \"", wish.port, ": 80\"\n");
  if (wish.spoilt) absl::StrAppend(&text, "imgae = \"typo\"\n");
  if (wish.checked) absl::StrAppend(&text, "[deployment.config.healthcheck]\ncommand = \"true\"\n");
  return text;
}

FileTexts Fleet::Render() const {
  FileTexts files;
  files["variables.toml"] = absl::StrCat(
      "[[variable]]\nname = \"COLOR\"\nvalue = ", Quoted(color_),
      "\n[[variable]]\nname = \"TOKEN\"\nis_secret = true\nvalue = ", Quoted(secrets_.back()),
      "\n");
  for (const auto& [name, wish] : wishes_) {
    files[absl::StrCat("fleet-", wish.file, ".toml")] += RenderWish(wish);
  }
  return files;
}

FileTexts Fleet::RenderBroken() {
  FileTexts files = Render();
  auto file = std::next(files.begin(), static_cast<std::ptrdiff_t>(random_.Below(files.size())));
  absl::StrAppend(&file->second, "[[deployment]\nname = \n");
  return files;
}

}  // namespace fairlead::simulation
