#include "integration/simulation/remote.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairlead::simulation {

std::string Remote::Commit(FileTexts files) {
  head_ = absl::StrFormat("%07d%s", commits_.size() + 1, std::string(33, 'c'));
  commits_[head_] = std::move(files);
  return head_;
}

std::shared_ptr<const resources::ParsedFile> Remote::Parse(const std::string& path,
                                                           const std::string& text) {
  std::shared_ptr<const resources::ParsedFile>& parsed = parsed_[{path, text}];
  if (parsed == nullptr) {
    parsed = std::make_shared<const resources::ParsedFile>(
        resources::ReadToml(path, text, v1::DIALECT_TOML));
  }
  return parsed;
}

std::shared_ptr<const sync::SourceSnapshot> Remote::Bootstrap() {
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = source->name = "bootstrap";
  source->files.push_back(Parse("bootstrap.toml", bootstrap_));
  return source;
}

std::shared_ptr<const sync::SourceSnapshot> Remote::Read(const std::string& revision) {
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "resource_sync/main";
  source->name = "main";
  source->revision = revision;
  source->subject = absl::StrCat("commit ", revision.substr(0, 7));
  source->prune = true;
  for (const auto& [path, text] : commits_.at(revision)) source->files.push_back(Parse(path, text));
  return source;
}

}  // namespace fairlead::simulation
