#include "controller/actions/build_terms.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/repo_source.h"
#include "resources/host_script.h"
#include "resources/key_values.h"
#include "sync/git/url.h"
#include "sync/made.h"

namespace fairlead::actions {
namespace {

using loop::HostJob;
using resources::ResourceId;
using sync::VersionText;

auto KeyOf(const v1::Version& version) {
  return std::make_tuple(version.major(), version.minor(), version.patch());
}

bool IsSet(const v1::Version& version) { return KeyOf(version) != std::make_tuple(0, 0, 0); }

// As the engine takes names of repositories.
std::string AsImageName(absl::string_view name) {
  std::string out;
  for (const char c : absl::AsciiStrToLower(name)) {
    const bool alnum = absl::ascii_isalnum(static_cast<unsigned char>(c)) != 0;
    if (out.empty() && !alnum) continue;
    out += alnum || c == '.' || c == '_' || c == '-' || c == '/' ? c : '_';
  }
  return out;
}

absl::Status AddLines(const std::string& text, const std::string& field,
                      google::protobuf::RepeatedPtrField<std::string>& lines) {
  ASSIGN_OR_RETURN(const auto pairs, resources::ParseKeyValues(text), field);
  for (const auto& [key, value] : pairs) *lines.Add() = absl::StrCat(key, "=", value);
  return absl::OkStatus();
}

v1::HostCommand CommandOf(const v1::SystemCommand& declared) {
  v1::HostCommand command;
  command.set_directory(declared.path());
  command.set_script(resources::ScriptOf(declared));
  return command;
}

absl::Status NoAccounts(const std::string& account, const std::string& domain) {
  return absl::FailedPreconditionError(
      absl::StrCat("no account \"", account, "\" is known for ", domain,
                   "; start the controller with --accounts FILE, or leave the account out"));
}

absl::Status AddGitLogin(const std::string& account, const JobInput& input, v1::GitSource& source) {
  const std::string domain = git::DomainOf(source.url());
  if (account.empty() || domain.empty()) return absl::OkStatus();
  if (input.accounts == nullptr) return base::Annotate(NoAccounts(account, domain), "git_account");
  const absl::StatusOr<controller::GitAccess> access = input.accounts->FindGit(domain, account);
  if (!access.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("git_account: ", access.status().message()));
  }
  *source.mutable_login() = access->login;
  source.set_ssh_key(access->ssh_key);
  source.set_known_hosts(access->known_hosts);
  return absl::OkStatus();
}

// Of a build or a repo. NotFound: it names no repository.
template <typename Spec>
absl::StatusOr<v1::GitSource> SourceOf(const Spec& spec, const JobInput& input) {
  ASSIGN_OR_RETURN(const std::string url, loop::RepositoryUrlOf(spec));
  v1::GitSource source;
  source.set_url(url);
  source.set_branch(spec.branch());
  source.set_commit(spec.commit());
  RETURN_IF_ERROR(AddGitLogin(spec.git_account(), input, source));
  return source;
}

absl::Status FillSource(const v1::Build& build, const JobInput& input, v1::BuildImage& body) {
  body.set_context(build.build_path());
  if (build.files_on_host()) {
    body.set_host_directory(build.build_path());
    body.clear_context();
    return absl::OkStatus();
  }
  if (!build.linked_repo().empty()) {
    const auto& all = input.view.input.desired->resources;
    const auto linked = all.find(ResourceId{"repo", build.linked_repo()});
    if (linked == all.end() || linked->second->resolved == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("linked_repo \"", build.linked_repo(),
                                                        "\" is not declared, or not validly"));
    }
    ASSIGN_OR_RETURN(*body.mutable_git(), SourceOf(linked->second->resolved->repo(), input),
                     absl::StrCat("linked_repo \"", build.linked_repo(), "\""));
    return absl::OkStatus();
  }
  absl::StatusOr<v1::GitSource> source = SourceOf(build, input);
  if (source.ok()) {
    *body.mutable_git() = *std::move(source);
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(source.status())) return source.status();
  if (!build.dockerfile().empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "it names no files: give repo, url, linked_repo, files_on_host, or a dockerfile");
}

absl::Status AddTargets(const std::string& name, const v1::Build& build, const JobInput& input,
                        v1::BuildImage& body) {
  std::vector<v1::BuildImage::Target> targets = TargetsOf(name, build);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    v1::BuildImage::Target& target = *body.add_targets() = std::move(targets[i]);
    if (!target.push()) continue;
    const v1::ImageRegistry& registry = build.image_registry(static_cast<int>(i));
    if (registry.account().empty()) continue;
    if (input.accounts == nullptr) {
      return base::Annotate(NoAccounts(registry.account(), registry.domain()), "image_registry");
    }
    const absl::StatusOr<v1::Login> login =
        input.accounts->FindRegistry(registry.domain(), registry.account());
    if (!login.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat("image_registry: ", login.status().message()));
    }
    *target.mutable_login() = *login;
  }
  return absl::OkStatus();
}

// Values that went in from variables and accounts.
void AddSecrets(const sync::DesiredResource& desired, v1::Action& action) {
  for (const std::string& secret : desired.secrets) action.add_secrets(secret);
}
void AddSecret(const v1::Login& login, v1::Action& action) {
  if (!login.secret().empty()) action.add_secrets(login.secret());
}
void AddSecret(const v1::GitSource& source, v1::Action& action) {
  AddSecret(source.login(), action);
  if (!source.ssh_key().empty()) action.add_secrets(source.ssh_key());
}

bool IsConnected(const sync::PlanInput& input, const std::string& server) {
  const auto host = input.live->hosts.find(server);
  return host != input.live->hosts.end() && host->second->online && host->second->engine_up;
}

absl::Status CheckServer(const sync::PlanInput& input, const std::string& server) {
  const auto found = input.desired->resources.find(ResourceId{"server", server});
  if (found == input.desired->resources.end()) {
    return absl::FailedPreconditionError(absl::StrCat("server ", server, " is not declared"));
  }
  const auto& spec = found->second->spec;
  if (spec != nullptr && !spec->server().enabled()) {
    return absl::FailedPreconditionError(absl::StrCat("server ", server, " is disabled"));
  }
  return absl::OkStatus();
}

// Servers whose agent stands where the builder is said to be.
std::vector<std::string> ServersAt(const sync::PlanInput& input, const std::string& address) {
  std::vector<std::string> servers;
  for (auto at = input.desired->resources.lower_bound(ResourceId{"server", ""});
       at != input.desired->resources.end() && at->first.kind == "server"; ++at) {
    if (at->second->spec != nullptr && at->second->spec->server().address() == address) {
      servers.push_back(at->first.name);
    }
  }
  return servers;
}

absl::StatusOr<std::vector<std::string>> ServersOf(const std::string& name,
                                                   const sync::PlanInput& input) {
  if (name.empty()) {
    return absl::FailedPreconditionError("it has no builder: add builder = \"NAME\"");
  }
  const auto found = input.desired->resources.find(ResourceId{"builder", name});
  if (found == input.desired->resources.end() || found->second->invalid ||
      found->second->resolved == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("builder \"", name, "\" is not declared, or not validly"));
  }
  const v1::Builder& builder = found->second->resolved->builder();
  if (builder.has_aws()) {
    return absl::FailedPreconditionError(
        absl::StrCat("builder \"", name,
                     "\" starts machines at AWS, which is not acted on yet; name servers of the "
                     "fleet with type = \"Server\""));
  }
  std::vector<std::string> servers;
  if (builder.has_server()) {
    servers.assign(builder.server().server_ids().begin(), builder.server().server_ids().end());
    if (servers.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("builder \"", name, "\" names no server: add params.server = \"NAME\""));
    }
    return servers;
  }
  servers = ServersAt(input, builder.url().address());
  if (servers.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "builder \"", name, "\": no declared server has the address ", builder.url().address(),
        "; agents dial the controller, so give a [[server]] this address, or name servers with "
        "type = \"Server\""));
  }
  return servers;
}

const v1::BuildRecord* RecordOf(const JobInput& input, const std::string& resource) {
  if (input.builds == nullptr) return nullptr;
  const auto found = input.builds->find(resource);
  return found == input.builds->end() ? nullptr : &found->second;
}

// "1.2.3-arm"; empty for a build without versions.
std::string TagOf(const v1::Build& build) {
  const std::string version = VersionText(build.version());
  if (version.empty() || !build.include_version_tags()) return "";
  return absl::StrCat(version, build.image_tag().empty() ? "" : "-", build.image_tag());
}

bool HasTag(const v1::BuildResult& result, const std::string& tag) {
  return !tag.empty() && std::any_of(result.references().begin(), result.references().end(),
                                     [&tag](const std::string& reference) {
                                       return absl::EndsWith(reference, absl::StrCat(":", tag));
                                     });
}

// Unambiguous for ever where that can be had: a version is given once, a digest and an id say
// what is in it.
std::string RunImage(const v1::Build& build, const v1::BuildResult& result) {
  if (result.references().empty()) return result.image_id();
  const std::string& first = result.references(0);
  const std::string repository = first.substr(0, first.rfind(':'));
  const std::string tag = TagOf(build);
  if (build.auto_increment_version() && HasTag(result, tag)) {
    return absl::StrCat(repository, ":", tag);
  }
  for (const std::string& digest : result.digests()) {
    if (absl::StartsWith(digest, repository + "@")) return digest;
  }
  return result.image_id().empty() ? first : result.image_id();
}

}  // namespace

v1::Version NextVersion(const v1::Build& build, const v1::BuildRecord* record) {
  v1::Version version = build.version();
  if (record != nullptr && KeyOf(record->version()) > KeyOf(version)) version = record->version();
  if (build.auto_increment_version()) version.set_patch(version.patch() + 1);
  return version;
}

std::string ImageNameOf(const std::string& name, const v1::Build& build) {
  return build.image_name().empty() ? AsImageName(name) : build.image_name();
}

std::vector<v1::BuildImage::Target> TargetsOf(const std::string& name, const v1::Build& build) {
  std::vector<v1::BuildImage::Target> targets;
  const std::string image = ImageNameOf(name, build);
  for (const v1::ImageRegistry& registry : build.image_registry()) {
    v1::BuildImage::Target& target = targets.emplace_back();
    const std::string& owner =
        registry.organization().empty() ? registry.account() : registry.organization();
    const std::vector<std::string> parts = {registry.domain(), owner, image};
    std::string repository;
    for (const std::string& part : parts) {
      if (part.empty()) continue;
      absl::StrAppend(&repository, repository.empty() ? "" : "/", part);
    }
    target.set_repository(std::move(repository));
    target.set_push(!registry.domain().empty());
  }
  if (targets.empty()) targets.emplace_back().set_repository(image);
  return targets;
}

std::vector<std::string> TagsOf(const v1::Build& build, const v1::Version& version) {
  std::vector<std::string> tags;
  if (build.include_version_tags() && IsSet(version)) {
    tags = {VersionText(version), absl::StrCat(version.major(), ".", version.minor()),
            absl::StrCat(version.major())};
  }
  if (build.include_latest_tag()) tags.emplace_back("latest");
  if (build.image_tag().empty()) return tags;
  for (std::string& tag : tags) absl::StrAppend(&tag, "-", build.image_tag());
  tags.push_back(build.image_tag());
  return tags;
}

absl::StatusOr<std::string> ChooseServer(const std::string& builder, const std::string& last,
                                         const JobInput& input) {
  ASSIGN_OR_RETURN(std::vector<std::string> servers, ServersOf(builder, input.view.input));
  absl::Status unusable;
  std::string chosen;
  std::tuple<uint32_t, bool, std::string> best;
  bool usable = false;
  for (const std::string& server : servers) {
    const absl::Status status = CheckServer(input.view.input, server);
    if (!status.ok()) {
      unusable = status;
      continue;
    }
    usable = true;
    if (!IsConnected(input.view.input, server)) continue;
    const auto load = input.load.find(server);
    std::tuple<uint32_t, bool, std::string> rank{load == input.load.end() ? 0 : load->second,
                                                 server != last, server};
    if (!chosen.empty() && rank >= best) continue;
    chosen = server;
    best = std::move(rank);
  }
  if (!chosen.empty()) return chosen;
  if (!usable) {
    return absl::FailedPreconditionError(
        absl::StrCat("builder \"", builder, "\": ", unusable.message()));
  }
  return absl::UnavailableError(absl::StrCat("waits for builder \"", builder,
                                             "\": ", absl::StrJoin(servers, ", "),
                                             servers.size() == 1 ? " is" : " are", " offline"));
}

namespace {

absl::Status AddArguments(const v1::Build& build, v1::BuildImage& body) {
  RETURN_IF_ERROR(AddLines(build.build_args(), "build_args", *body.mutable_build_args()));
  RETURN_IF_ERROR(AddLines(build.secret_args(), "secret_args", *body.mutable_secret_args()));
  return AddLines(build.labels(), "labels", *body.mutable_labels());
}

// A secret argument is one wherever it comes from.
void AddBuildSecrets(const v1::Build& build, const v1::BuildImage& body, v1::Action& action) {
  const auto pairs = resources::ParseKeyValues(build.secret_args());
  for (const auto& [key, value] : *pairs) {
    if (!value.empty()) action.add_secrets(value);
  }
  for (const v1::BuildImage::Target& target : body.targets()) AddSecret(target.login(), action);
  AddSecret(body.git(), action);
}

}  // namespace

absl::StatusOr<HostJob> ComputeBuildJob(const sync::DesiredResource& desired, bool force,
                                        const JobInput& input) {
  const std::string resource = desired.id.ToString();
  const v1::Build& build = desired.resolved->build();
  const v1::BuildRecord* const record = RecordOf(input, resource);
  HostJob job;
  ASSIGN_OR_RETURN(job.server, ChooseServer(build.builder_id(),
                                            record == nullptr ? "" : record->server(), input));
  job.action.set_resource(resource);
  job.action.set_spec_hash(desired.spec_hash);
  // What is run before a build may be no good twice.
  job.action.set_guarantee(build.pre_build().command().empty() ? v1::ACTION_GUARANTEE_ENSURE
                                                               : v1::ACTION_GUARANTEE_ONCE);
  AddSecrets(desired, job.action);
  v1::BuildImage& body = *job.action.mutable_build_image();
  RETURN_IF_ERROR(FillSource(build, input, body));
  body.set_dockerfile_path(build.dockerfile_path());
  body.set_dockerfile(build.dockerfile());
  RETURN_IF_ERROR(AddArguments(build, body));
  *body.mutable_extra_args() = build.extra_args();
  if (!build.pre_build().command().empty()) {
    *body.mutable_pre_build() = CommandOf(build.pre_build());
  }
  body.set_use_buildx(build.use_buildx());
  RETURN_IF_ERROR(AddTargets(desired.id.name, build, input, body));
  const v1::Version version = NextVersion(build, record);
  for (std::string& tag : TagsOf(build, version)) body.add_tags(std::move(tag));
  body.set_commit_tag(build.include_commit_tag() && body.has_git());
  body.set_commit_tag_suffix(build.image_tag().empty() ? "" : absl::StrCat("-", build.image_tag()));
  // Of another declaration the tags may be others.
  if (record != nullptr && record->spec_hash() == desired.spec_hash) {
    body.set_known_content_hash(record->content_hash());
    body.set_known_image_id(record->image_id());
  }
  body.set_force(force);
  AddBuildSecrets(build, body, job.action);
  job.spec = *desired.spec;
  *job.spec.mutable_build()->mutable_version() = version;
  return job;
}

absl::StatusOr<HostJob> ComputeRepoJob(const sync::DesiredResource& desired,
                                       const v1::Execution& execution, const JobInput& input) {
  const v1::Repo& repo = desired.resolved->repo();
  HostJob job;
  job.server = repo.server_id();
  if (execution.has_build_repo()) {
    ASSIGN_OR_RETURN(job.server, ChooseServer(repo.builder_id(), "", input));
  } else if (job.server.empty()) {
    return absl::FailedPreconditionError("it has no server to be cloned on: add server = \"NAME\"");
  } else {
    RETURN_IF_ERROR(CheckServer(input.view.input, job.server));
  }
  job.action.set_resource(desired.id.ToString());
  job.action.set_spec_hash(desired.spec_hash);
  job.action.set_guarantee(v1::ACTION_GUARANTEE_ENSURE);
  AddSecrets(desired, job.action);
  v1::CheckOutRepo& body = *job.action.mutable_check_out_repo();
  absl::StatusOr<v1::GitSource> source = SourceOf(repo, input);
  if (absl::IsNotFound(source.status())) {
    return absl::FailedPreconditionError("it names no repository: give repo or url");
  }
  RETURN_IF_ERROR(source.status());
  *body.mutable_source() = *std::move(source);
  AddSecret(body.source(), job.action);
  body.set_directory(repo.path().empty() ? desired.id.name : repo.path());
  if (!repo.environment().empty()) {
    ASSIGN_OR_RETURN(*body.mutable_environment(), resources::ToEnvironmentFile(repo.environment()));
    body.set_env_file_path(repo.env_file_path());
  }
  if (!repo.on_clone().command().empty()) *body.mutable_on_clone() = CommandOf(repo.on_clone());
  if (!repo.on_pull().command().empty()) *body.mutable_on_pull() = CommandOf(repo.on_pull());
  body.set_anew(execution.has_clone_repo());
  return job;
}

v1::BuildRecord BuildRecordOf(const loop::RequestReport& report, const v1::BuildRecord* before,
                              const std::string& run_id, absl::Time now) {
  const v1::BuildResult& result = report.outcome.build();
  v1::BuildRecord record;
  if (result.unchanged() && before != nullptr) {
    record = *before;
    record.set_spec_hash(report.spec_hash);
    record.set_commit(result.commit());
    record.set_subject(result.subject());
    // A version that was put on it after all is never given to another image.
    if (HasTag(result, TagOf(report.spec.build()))) {
      *record.mutable_version() = report.spec.build().version();
      *record.mutable_references() = result.references();
    }
    return record;
  }
  const v1::Build& build = report.spec.build();
  record.set_resource(absl::StrCat("build/", report.spec.name()));
  *record.mutable_version() = build.version();
  record.set_image(RunImage(build, result));
  record.set_image_id(result.image_id());
  *record.mutable_references() = result.references();
  record.set_content_hash(result.content_hash());
  record.set_spec_hash(report.spec_hash);
  record.set_commit(result.commit());
  record.set_subject(result.subject());
  record.set_server(report.server);
  // Deployments take it from the first.
  record.set_pushed(build.image_registry_size() > 0 && !build.image_registry(0).domain().empty());
  *record.mutable_built_at() = base::ToProto(now);
  *record.mutable_took() = report.outcome.took();
  record.set_run_id(run_id);
  return record;
}

v1::RepoRecord RepoRecordOf(const loop::RequestReport& report, const std::string& resource,
                            absl::Time now) {
  const v1::CheckOutResult& result = report.outcome.check_out();
  v1::RepoRecord record;
  record.set_resource(resource);
  record.set_server(report.server);
  record.set_directory(result.directory());
  record.set_commit(result.commit());
  record.set_subject(result.subject());
  record.set_spec_hash(report.spec_hash);
  *record.mutable_at() = base::ToProto(now);
  return record;
}

}  // namespace fairlead::actions
