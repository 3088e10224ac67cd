// What the repository of a chaos run declares, as values.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::chaos {

inline constexpr int kServers = 3;
// What a good spec has to become healthy; it must not be given up in a storm.
inline constexpr absl::Duration kHealthTimeout = absl::Seconds(8);
// In every value that is secret, and in nothing else.
inline constexpr char kSecretMark[] = "fl-s3cret-";

enum class Kind {
  // A deployment that runs on and has a health check.
  kService,
  // A deployment that ends with exit code 0 and is not restarted.
  kJob,
  // A compose project with the services front and back; only front changes with `revision`.
  kStack,
};

// What is wrong with a declaration.
enum class Flaw {
  kNone,
  // Cannot be read: an unknown key, and a placeholder of no variable.
  kUnknownKey,
  kUnresolved,
  // Can be read, but not run: no such image, exits at once, never healthy.
  kNoImage,
  kExits,
  kSick,
};

// What containers are made of, and whether they are to run.
struct Spec {
  // 1 to kServers.
  int server = 1;
  std::string image;
  // The environment variable REV; another one for each change.
  int revision = 0;
  // The environment variable TOKEN, from a secret variable; empty: it has none.
  std::string token;
  bool stopped = false;

  bool operator==(const Spec&) const = default;
};

struct Item {
  Kind kind = Kind::kService;
  Spec spec;
  Flaw flaw = Flaw::kNone;
  // The file that holds it, and names of deployments it waits for.
  int file = 0;
  std::vector<std::string> after;

  bool operator==(const Item&) const = default;
};

// All files at one commit.
struct World {
  // By name; names are unique over all kinds.
  std::map<std::string, Item> items;
  // Files with a syntax error.
  std::set<int> broken_files;
  // Order within files; holds each name once.
  std::vector<std::string> order;
  int secret_revision = 0;

  bool operator==(const World&) const = default;
};

// "deployment/web", "stack/shop".
std::string ResourceOf(const std::string& name, const Item& item);
// The value of the secret variable.
std::string SecretOf(const World& world);
// Cannot be read, by itself or with its file.
bool IsUnreadable(const World& world, const Item& item);
// Whether anything cannot be read; while that is so nothing is pruned.
bool HasErrors(const World& world);
// Whether it, what it waits for, or what changes together with it is flawed or stopped, so that it
// need not get its spec.
bool IsHeldUp(const World& world, const std::string& name);

// Name to content of every file; empty: it is not there.
std::map<std::string, std::string> Render(const World& world);

}  // namespace fairlead::chaos
