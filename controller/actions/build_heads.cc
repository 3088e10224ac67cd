#include "controller/actions/build_heads.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/proto_time.h"

namespace fairlead::actions {
namespace {

// Of a build or a repo.
template <typename Spec>
std::optional<loop::RepoQuestion> HeadOf(const Spec& spec) {
  const absl::StatusOr<std::string> url = loop::RepositoryUrlOf(spec);
  if (!url.ok() || !spec.commit().empty()) return std::nullopt;
  loop::RepoQuestion question;
  question.url = *url;
  question.reference = spec.branch();
  question.account = spec.git_account();
  question.head_only = true;
  return question;
}

std::optional<loop::RepoQuestion> HeadOf(const v1::Build& build,
                                         const sync::DesiredState& desired) {
  if (build.files_on_host()) return std::nullopt;
  if (build.linked_repo().empty()) return HeadOf(build);
  const auto repo = desired.resources.find(resources::ResourceId{"repo", build.linked_repo()});
  if (repo == desired.resources.end() || repo->second->resolved == nullptr) return std::nullopt;
  return HeadOf(repo->second->resolved->repo());
}

bool IsSame(const loop::RepoInterest& a, const loop::RepoInterest& b) {
  return a.questions == b.questions && a.poll_interval == b.poll_interval;
}

}  // namespace

std::map<std::string, loop::RepoInterest> ComputeHeadInterests(const sync::DesiredState& desired) {
  std::map<std::string, loop::RepoInterest> interests;
  for (auto at = desired.resources.lower_bound({"build", ""});
       at != desired.resources.end() && at->first.kind == "build"; ++at) {
    const sync::DesiredResource& one = *at->second;
    if (one.invalid || one.resolved == nullptr || one.resolved->template_()) continue;
    const v1::Build& build = one.resolved->build();
    const absl::Duration interval = base::FromProto(build.poll_interval());
    if (interval <= absl::ZeroDuration()) continue;
    std::optional<loop::RepoQuestion> question = HeadOf(build, desired);
    if (!question.has_value()) continue;
    loop::RepoInterest& interest = interests[at->first.ToString()];
    interest.questions.insert(*std::move(question));
    interest.poll_interval = interval;
  }
  return interests;
}

BuildHeads::BuildHeads(loop::RepoMirrorOptions options, base::Clock& clock, base::Random& random,
                       OnHead on_head)
    : options_(std::move(options)), clock_(clock), random_(random), on_head_(std::move(on_head)) {}

BuildHeads::~BuildHeads() { Shutdown(); }

void BuildHeads::Shutdown() {
  std::shared_ptr<loop::RepoMirrors> mirrors;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    mirrors = mirrors_;
  }
  // Its workers come here meanwhile.
  if (mirrors != nullptr) mirrors->Shutdown();
}

void BuildHeads::Follow(const sync::DesiredState& desired) {
  std::map<std::string, loop::RepoInterest> wanted = ComputeHeadInterests(desired);
  std::shared_ptr<loop::RepoMirrors> mirrors;
  std::vector<std::string> changed;
  {
    base::MutexLock lock(mutex_);
    if (stopping_ || (mirrors_ == nullptr && wanted.empty())) return;
    if (mirrors_ == nullptr) {
      mirrors_ = std::make_shared<loop::RepoMirrors>(
          options_, clock_, random_, [this](const std::string& build) { OnChange(build); });
    }
    mirrors = mirrors_;
    for (const auto& [build, interest] : interests_) {
      if (!wanted.contains(build)) changed.push_back(build);
    }
    for (const auto& [build, interest] : wanted) {
      const auto before = interests_.find(build);
      if (before == interests_.end() || !IsSame(before->second, interest)) changed.push_back(build);
    }
    interests_ = wanted;
  }
  for (const std::string& build : changed) mirrors->SetInterest(build, std::move(wanted[build]));
}

void BuildHeads::OnChange(const std::string& build) {
  std::optional<loop::RepoQuestion> question;
  std::shared_ptr<loop::RepoMirrors> mirrors;
  {
    base::MutexLock lock(mutex_);
    const auto known = interests_.find(build);
    if (stopping_ || known == interests_.end()) return;
    question = *known->second.questions.begin();
    mirrors = mirrors_;
  }
  on_head_(build, mirrors->Ask(*question));
}

}  // namespace fairlead::actions
