// What people want of the fleet, and the files that say it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "integration/simulation/random.h"
#include "integration/simulation/remote.h"

namespace fairlead::simulation {

// One deployment, as its author means it. The simulation compares the world with this, not with
// what the product read.
struct Wish {
  std::string name;
  std::string server;
  // See Engine: what the image does.
  std::string behaviour = "app";
  int version = 1;
  std::string restart = "unless-stopped";
  std::string state = "running";
  bool checked = false;
  bool secret = false;
  bool rollback = true;
  bool heal = true;
  // 0: none.
  int port = 0;
  // Its successor starts beside it; not with a port, which both would need.
  bool start_first = false;
  std::vector<std::string> after;
  int file = 0;
  // The declaration has a mistake.
  bool spoilt = false;

  std::string Image() const;
  // Nothing in its declaration keeps it from running and staying well.
  bool CanBeWell() const;
};

// Changes at random and renders itself. Confined to one run.
class Fleet {
 public:
  Fleet(SeededRandom& random, std::vector<std::string> servers);

  // The controller's own file.
  std::string Bootstrap() const;

  void AddWish();
  // A few changes, as one commit has them.
  void Mutate();
  // Whatever was spoilt is put right.
  void Mend();
  FileTexts Render() const;
  // With a file that cannot be read.
  FileTexts RenderBroken();

  const std::map<std::string, Wish>& wishes() const { return wishes_; }
  // Every secret value there ever was.
  const std::vector<std::string>& secrets() const { return secrets_; }
  // The name and the port that a foreign container holds on each server.
  static constexpr char kForeignName[] = "bystander";
  static constexpr int kForeignPort = 7000;

 private:
  Wish& Any();
  void ChangeOne();
  void NewSecret();
  void DependOnAnEarlierOne(Wish& wish);
  std::string RenderWish(const Wish& wish) const;

  SeededRandom& random_;
  const std::vector<std::string> servers_;
  std::map<std::string, Wish> wishes_;
  std::vector<std::string> secrets_;
  std::string color_ = "red";
  int made_ = 0;
};

}  // namespace fairlead::simulation
