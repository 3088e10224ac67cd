#include "integration/chaos/world.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::chaos {

namespace {

constexpr int kFiles = 4;

std::string HeadOf(const std::string& name, const Item& item) {
  std::string text = absl::StrCat("[[", item.kind == Kind::kStack ? "stack" : "deployment",
                                  "]]\nname = \"", name, "\"\n");
  if (!item.after.empty()) {
    absl::StrAppend(&text, "after = [\"", absl::StrJoin(item.after, "\", \""), "\"]\n");
  }
  if (item.spec.stopped) absl::StrAppend(&text, "state = \"stopped\"\n");
  if (item.flaw == Flaw::kUnknownKey) absl::StrAppend(&text, "sate = \"running\"\n");
  return text;
}

// A flawed one is given up soon.
std::string TimesOf(const Item& item) {
  const absl::Duration timeout = item.flaw == Flaw::kNone ? kHealthTimeout : absl::Seconds(2);
  return absl::StrCat("health_timeout = \"", absl::FormatDuration(timeout),
                      "\"\nmin_ready = \"300ms\"\n");
}

std::string DeploymentText(const std::string& name, const Item& item) {
  std::string text = absl::StrCat(
      HeadOf(name, item), "[deployment.config]\nserver = \"host-", item.spec.server,
      "\"\nimage = { type = \"Image\", params = { image = \"", item.spec.image, "\" } }\n",
      item.kind == Kind::kJob ? "restart = \"no\"\n" : "", "termination_timeout = 2\n",
      TimesOf(item), "environment = '''\nREV = ", item.spec.revision, "\n");
  if (!item.spec.token.empty()) absl::StrAppend(&text, "TOKEN = [[TOKEN]]\n");
  if (item.flaw == Flaw::kUnresolved) absl::StrAppend(&text, "WHO = [[NOBODY]]\n");
  return absl::StrCat(text, "'''\n");
}

std::string StackText(const std::string& name, const Item& item) {
  return absl::StrCat(HeadOf(name, item), "[stack.config]\nserver = \"host-", item.spec.server,
                      "\"\nauto_pull = false\n", TimesOf(item),
                      "file_contents = '''\nversion: \"3.7\"\nservices:\n  front:\n    image: ",
                      item.spec.image, "\n    environment:\n      REV: \"", item.spec.revision,
                      "\"\n", item.flaw == Flaw::kUnresolved ? "      WHO: \"[[NOBODY]]\"\n" : "",
                      "    stop_grace_period: 2s\n  back:\n    image: fl/app:1\n",
                      "    stop_grace_period: 2s\n'''\n");
}

}  // namespace

std::string ResourceOf(const std::string& name, const Item& item) {
  return absl::StrCat(item.kind == Kind::kStack ? "stack/" : "deployment/", name);
}

std::string SecretOf(const World& world) {
  return absl::StrCat(kSecretMark, "7d1f0c-", world.secret_revision);
}

bool IsUnreadable(const World& world, const Item& item) {
  return item.flaw == Flaw::kUnknownKey || item.flaw == Flaw::kUnresolved ||
         world.broken_files.contains(item.file);
}

bool HasErrors(const World& world) {
  for (const auto& [name, item] : world.items) {
    if (IsUnreadable(world, item)) return true;
  }
  return !world.broken_files.empty();
}

namespace {

// Of one change with something whose image is nowhere: until that is mended none of it begins.
bool BelongsToMissingImage(const World& world, const std::string& name) {
  std::set<std::string> group = {name};
  for (std::size_t before = 0; before != group.size();) {
    before = group.size();
    for (const auto& [other, item] : world.items) {
      for (const std::string& after : item.after) {
        if (group.contains(other) || group.contains(after)) group.insert({other, after});
      }
    }
  }
  return std::any_of(group.begin(), group.end(), [&](const std::string& member) {
    return world.items.at(member).flaw == Flaw::kNoImage;
  });
}

}  // namespace

bool IsHeldUp(const World& world, const std::string& name) {
  const auto found = world.items.find(name);
  if (found == world.items.end() || found->second.flaw != Flaw::kNone ||
      IsUnreadable(world, found->second)) {
    return true;
  }
  if (BelongsToMissingImage(world, name)) return true;
  for (const std::string& other : found->second.after) {
    if (IsHeldUp(world, other) || world.items.at(other).spec.stopped) return true;
  }
  return false;
}

std::map<std::string, std::string> Render(const World& world) {
  std::map<std::string, std::string> files;
  for (int server = 1; server <= kServers; ++server) {
    absl::StrAppend(&files["servers.toml"], "[[server]]\nname = \"host-", server, "\"\n");
  }
  files["variables.toml"] = absl::StrCat("[[variable]]\nname = \"TOKEN\"\nvalue = \"",
                                         SecretOf(world), "\"\nis_secret = true\n");
  for (int file = 0; file < kFiles; ++file) files[absl::StrCat("fleet-", file, ".toml")] = "";
  for (const std::string& name : world.order) {
    const Item& item = world.items.at(name);
    absl::StrAppend(&files[absl::StrCat("fleet-", item.file, ".toml")],
                    item.kind == Kind::kStack ? StackText(name, item) : DeploymentText(name, item),
                    "\n");
  }
  for (const int file : world.broken_files) {
    absl::StrAppend(&files[absl::StrCat("fleet-", file, ".toml")], "[[deployment\nname = \n");
  }
  return files;
}

}  // namespace fairlead::chaos
