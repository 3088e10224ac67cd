#include "sync/made.h"

#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

auto KeyOf(const v1::Version& version) {
  return std::make_tuple(version.major(), version.minor(), version.patch());
}

bool RunsBuild(const DesiredResource& resource) {
  return resource.spec != nullptr && resource.spec->has_deployment() &&
         resource.spec->deployment().image().has_build();
}

// "registry:5000/team/api" of an image with a tag or digest.
std::string RepositoryOf(const std::string& image) {
  const std::size_t digest = image.find('@');
  if (digest != std::string::npos) return image.substr(0, digest);
  const std::size_t colon = image.rfind(':');
  const std::size_t slash = image.rfind('/');
  const bool is_port = slash != std::string::npos && colon != std::string::npos && colon < slash;
  return colon == std::string::npos || is_port ? image : image.substr(0, colon);
}

// Of one deployment: its image, or what it waits for.
struct Choice {
  std::string image;
  std::string wait;
  // Time alone does not help.
  bool is_final = false;
};

class Chooser {
 public:
  Chooser(const DesiredState& declared, const PlanInput& input, const DesiredResource& resource)
      : declared_(declared),
        input_(input),
        resource_(resource),
        wanted_(resource.resolved->deployment().image().build()) {
    const auto record = input.builds.find(absl::StrCat("build/", wanted_.build_id()));
    if (record != input.builds.end()) record_ = &record->second;
  }

  Choice Choose() const {
    const std::string version = VersionText(wanted_.version());
    if (!version.empty()) return ChooseVersion(version);
    if (!resource_.resolved->deployment().redeploy_on_build()) {
      std::string running = Running();
      if (!running.empty()) return {.image = std::move(running), .wait = ""};
    }
    return ChooseNewest();
  }

 private:
  Choice ChooseNewest() const {
    if (record_ == nullptr) return {.image = "", .wait = "it is not built yet"};
    if (!record_->pushed() && record_->server() != resource_.server) {
      return {.image = "",
              .wait = absl::StrCat("its image is only on ", record_->server(),
                                   ": give the build an image_registry to push it to, or a builder "
                                   "on ",
                                   resource_.server),
              .is_final = true};
    }
    return {.image = record_->image(), .wait = ""};
  }

  Choice ChooseVersion(const std::string& version) const {
    if (record_ == nullptr) return {.image = "", .wait = "it is not built yet"};
    if (KeyOf(wanted_.version()) == KeyOf(record_->version())) return ChooseNewest();
    if (KeyOf(wanted_.version()) > KeyOf(record_->version())) {
      return {.image = "",
              .wait = absl::StrCat("version ", version, " is not built yet, the newest is ",
                                   VersionText(record_->version()))};
    }
    const auto build = declared_.resources.find(ResourceId{"build", wanted_.build_id()});
    std::string suffix;
    if (build != declared_.resources.end() && build->second->spec != nullptr) {
      suffix = build->second->spec->build().image_tag();
    }
    const std::string& any =
        record_->references().empty() ? record_->image() : record_->references(0);
    return {
        .image = absl::StrCat(RepositoryOf(any), ":", version, suffix.empty() ? "" : "-", suffix),
        .wait = ""};
  }

  // The image that was applied last, when nothing but a newer build would change; else empty.
  std::string Running() const {
    const auto entry = input_.inventory.find(resource_.id.ToString());
    if (entry == input_.inventory.end() || input_.hasher == nullptr) return "";
    const v1::InventoryEntry& known = *entry->second;
    if (known.build() != absl::StrCat("build/", wanted_.build_id())) return "";
    const std::string& image = known.applied().deployment().image().image().image();
    if (image.empty()) return "";
    const bool same =
        input_.hasher->Hash(WithImage(*resource_.resolved, image)) == known.applied_hash();
    return same ? image : "";
  }

  const DesiredState& declared_;
  const PlanInput& input_;
  const DesiredResource& resource_;
  const v1::BuildReference& wanted_;
  const v1::BuildRecord* record_ = nullptr;
};

// What the build pushes with also pulls.
std::string AccountOf(const DesiredState& declared, const DesiredResource& resource) {
  const v1::Deployment& deployment = resource.spec->deployment();
  if (!deployment.image_registry_account().empty()) return deployment.image_registry_account();
  const auto build =
      declared.resources.find(ResourceId{"build", deployment.image().build().build_id()});
  if (build == declared.resources.end() || build->second->spec == nullptr) return "";
  const v1::Build& spec = build->second->spec->build();
  return spec.image_registry().empty() ? "" : spec.image_registry(0).account();
}

std::shared_ptr<const v1::Resource> MakeSpec(const v1::Resource& spec, const std::string& image,
                                             const std::string& account) {
  auto filled = std::make_shared<v1::Resource>(WithImage(spec, image));
  filled->mutable_deployment()->set_image_registry_account(account);
  return filled;
}

std::shared_ptr<const DesiredResource> Fill(const DesiredState& declared, const PlanInput& input,
                                            const DesiredResource& resource) {
  auto filled = std::make_shared<DesiredResource>(resource);
  filled->image_build =
      absl::StrCat("build/", resource.spec->deployment().image().build().build_id());
  if (resource.invalid || resource.resolved == nullptr) return filled;
  Choice choice = Chooser(declared, input, resource).Choose();
  if (choice.image.empty()) {
    filled->waits_for = std::move(choice.wait);
    filled->waits_for_ever = choice.is_final;
    return filled;
  }
  const std::string account = AccountOf(declared, resource);
  filled->spec = MakeSpec(*resource.spec, choice.image, account);
  filled->resolved = MakeSpec(*resource.resolved, choice.image, account);
  if (input.hasher != nullptr) filled->spec_hash = input.hasher->Hash(*filled->resolved);
  return filled;
}

}  // namespace

v1::Resource WithImage(const v1::Resource& spec, const std::string& image) {
  v1::Resource filled = spec;
  filled.mutable_deployment()->mutable_image()->mutable_image()->set_image(image);
  return filled;
}

std::string VersionText(const v1::Version& version) {
  if (KeyOf(version) == std::make_tuple(0, 0, 0)) return "";
  return absl::StrCat(version.major(), ".", version.minor(), ".", version.patch());
}

std::string DescribeBuild(const v1::BuildRecord& record) {
  const std::string version = VersionText(record.version());
  const std::string& name = version.empty() ? record.image() : version;
  if (record.commit().empty()) return name;
  return absl::StrCat(name, " of ", record.commit().substr(0, 7));
}

std::set<ResourceId> FindImageUsers(const DesiredState& declared, const DesiredState* previous,
                                    const std::set<ResourceId>& before) {
  const bool patched = previous != nullptr && declared.patched.has_value() &&
                       declared.generation == previous->generation + 1;
  std::set<ResourceId> users;
  if (patched) {
    users = before;
    for (const ResourceId& id : *declared.patched) {
      const auto found = declared.resources.find(id);
      if (found != declared.resources.end() && RunsBuild(*found->second)) {
        users.insert(id);
      } else {
        users.erase(id);
      }
    }
    return users;
  }
  for (auto at = declared.resources.lower_bound(ResourceId{"deployment", ""});
       at != declared.resources.end() && at->first.kind == "deployment"; ++at) {
    if (RunsBuild(*at->second)) users.insert(users.end(), at->first);
  }
  return users;
}

std::shared_ptr<const DesiredState> FillImages(const std::shared_ptr<const DesiredState>& declared,
                                               const std::set<ResourceId>& users,
                                               const PlanInput& input,
                                               const DesiredState* previous) {
  if (users.empty()) return declared;
  auto state = std::make_shared<DesiredState>(*declared);
  // Against the state before it, more may differ than what was patched.
  state->patched.reset();
  auto image_users = std::make_shared<std::map<ResourceId, std::vector<ResourceId>>>();
  for (const ResourceId& id : users) {
    const auto found = declared->resources.find(id);
    if (found == declared->resources.end()) continue;
    std::shared_ptr<const DesiredResource> filled = Fill(*declared, input, *found->second);
    if (previous != nullptr) {
      const auto before = previous->resources.find(id);
      if (before != previous->resources.end() && IsSame(*filled, *before->second)) {
        filled = before->second;
      }
    }
    const v1::Resource& spec = *filled->spec;
    const bool acts = spec.deploy() && !spec.template_() &&
                      spec.state() != v1::WANTED_STATE_ABSENT && !filled->invalid;
    if (acts) {
      (*image_users)[ResourceId{"build", filled->image_build.substr(sizeof("build/") - 1)}]
          .push_back(id);
    }
    state->resources[id] = std::move(filled);
  }
  state->image_users = std::move(image_users);
  return state;
}

}  // namespace fairlead::sync
