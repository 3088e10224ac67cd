// The git remote: what was committed, and how the controller reads it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "resources/toml_reader.h"
#include "sync/desired.h"

namespace fairlead::simulation {

// By path.
using FileTexts = std::map<std::string, std::string>;

// Confined to one run.
class Remote {
 public:
  // The bootstrap file declares the servers and the sync "main".
  explicit Remote(std::string bootstrap) : bootstrap_(std::move(bootstrap)) {}

  // The new head.
  std::string Commit(FileTexts files);
  const std::string& head() const { return head_; }

  std::shared_ptr<const sync::SourceSnapshot> Bootstrap();
  std::shared_ptr<const sync::SourceSnapshot> Read(const std::string& revision);

 private:
  std::shared_ptr<const resources::ParsedFile> Parse(const std::string& path,
                                                     const std::string& text);

  const std::string bootstrap_;
  std::map<std::string, FileTexts> commits_;
  std::string head_;
  // By path and text: most files stay the same from commit to commit.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const resources::ParsedFile>>
      parsed_;
};

}  // namespace fairlead::simulation
