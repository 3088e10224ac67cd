#include "integration/simulation/world.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::simulation {
namespace {

std::vector<std::string> ServerNames(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back(absl::StrCat("h", i));
  return names;
}

}  // namespace

World::World(Stage& stage, std::size_t agents)
    : stage_(stage),
      fleet_(stage.random, ServerNames(agents)),
      remote_(fleet_.Bootstrap()),
      store_(stage),
      ledger_(stage, store_),
      controller_(stage, store_, remote_),
      sink_([this](base::LogLevel, absl::string_view area, absl::string_view message) {
        OnLogLine(area, message);
      }) {
  base::SetThreadLogSink(&sink_);
  for (const std::string& name : ServerNames(agents)) {
    nodes_.push_back(std::make_unique<AgentNode>(stage, name, ledger_, streams_, fleet_.secrets()));
    controller_.Serve(nodes_.back()->link());
  }
}

World::~World() {
  stage_.stormy = false;
  // Agents end while what they talk to is still there.
  nodes_.clear();
  base::SetThreadLogSink(nullptr);
}

void World::OnLogLine(absl::string_view area, absl::string_view message) {
  stage_.Say("log", area, ": ", message);
  for (const std::string& secret : fleet_.secrets()) {
    if (absl::StrContains(message, secret)) stage_.Violate("a secret is logged: ", message);
  }
}

void World::ForbidSecrets() {
  for (; forbidden_ < fleet_.secrets().size(); ++forbidden_) {
    store_.ForbidText(fleet_.secrets()[forbidden_]);
  }
}

void World::Boot() {
  const std::size_t wishes = 1 + nodes_.size() + stage_.random.Below(4);
  for (std::size_t i = 0; i < wishes; ++i) fleet_.AddWish();
  Commit();
  for (const std::unique_ptr<AgentNode>& node : nodes_) {
    node->host().engine.AddForeign(Fleet::kForeignName, Fleet::kForeignPort);
    stage_.timeline.After(stage_.random.Between(absl::ZeroDuration(), absl::Seconds(3)),
                          [at = node.get()] { at->Boot(); });
  }
  stage_.timeline.After(stage_.random.Between(absl::ZeroDuration(), absl::Seconds(3)),
                        [this] { controller_.Boot(); });
}

void World::Commit() {
  ForbidSecrets();
  committed_ = fleet_.wishes();
  const std::string revision = remote_.Commit(fleet_.Render());
  stage_.Count("commits");
  stage_.Say("git", "commit ", revision.substr(0, 7), " with ", committed_.size(), " deployments");
}

void World::CommitBroken() {
  ForbidSecrets();
  const std::string revision = remote_.Commit(fleet_.RenderBroken());
  stage_.Fault("git", "broken commit", " ", revision.substr(0, 7));
}

}  // namespace fairlead::simulation
