#include "agent/build_request.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kLongestTag = 128;
constexpr std::size_t kCommitDigits = 7;
constexpr int kFirstWithPlugin = 23;

bool IsTag(absl::string_view tag) {
  if (tag.empty() || tag.size() > kLongestTag || tag[0] == '.' || tag[0] == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

// As far as a slip shows; the engine knows the rest.
bool IsRepository(absl::string_view name) {
  if (name.empty() || name[0] == '/' || name[0] == '-' || name.back() == '/') return false;
  const std::size_t slash = name.find('/');
  const absl::string_view path = name.substr(slash == absl::string_view::npos ? 0 : slash + 1);
  const absl::string_view domain = name.substr(0, name.size() - path.size());
  const bool domain_fits = std::all_of(domain.begin(), domain.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains(".-_:/[]", absl::string_view(&c, 1));
  });
  return domain_fits && std::all_of(path.begin(), path.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  absl::StrContains("._-/", absl::string_view(&c, 1));
         });
}

bool MountsSecrets(absl::string_view dockerfile) {
  for (const absl::string_view line : absl::StrSplit(dockerfile, '\n')) {
    const std::size_t mount = line.find("--mount=");
    if (mount != absl::string_view::npos && absl::StrContains(line.substr(mount), "type=secret")) {
      return true;
    }
  }
  return false;
}

// Variables by which the docker program itself is led: not for values of strangers.
bool LeadsDocker(absl::string_view key) {
  return key == "PATH" || key == "HOME" || absl::StartsWith(key, "DOCKER_") ||
         absl::StartsWith(key, "BUILDX_") || absl::StartsWith(key, "LD_") ||
         absl::StartsWith(key, "GO") || absl::StartsWith(key, "SSL_");
}

}  // namespace

absl::StatusOr<std::vector<ImageReference>> ComputeReferences(const v1::BuildImage& request,
                                                              absl::string_view commit) {
  std::vector<std::string> tags(request.tags().begin(), request.tags().end());
  if (request.commit_tag() && !commit.empty()) {
    tags.push_back(absl::StrCat(commit.substr(0, kCommitDigits), request.commit_tag_suffix()));
  }
  for (const std::string& tag : tags) {
    if (IsTag(tag)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", tag, "\" cannot be a tag: 1 to 128 of A-Z a-z 0-9 _ . - are needed, and ",
        "neither . nor - first"));
  }
  std::vector<ImageReference> references;
  std::set<std::string> seen;
  for (const v1::BuildImage::Target& target : request.targets()) {
    if (!IsRepository(target.repository())) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", target.repository(), "\" cannot be the name of an image: lower case, ",
                       "digits and . _ - / are needed"));
    }
    for (const std::string& tag : tags) {
      ImageReference reference{.text = absl::StrCat(target.repository(), ":", tag),
                               .repository = target.repository(),
                               .tag = tag,
                               .push = target.push(),
                               .login = target.login()};
      if (seen.insert(reference.text).second) references.push_back(std::move(reference));
    }
  }
  if (references.empty()) {
    return absl::InvalidArgumentError("the build gives its image neither a name nor a tag");
  }
  return references;
}

absl::StatusOr<BuilderChoice> ChooseBuilder(const v1::BuildImage& request,
                                            absl::string_view dockerfile,
                                            const BuilderOffer& offer) {
  const bool mounts_secrets = MountsSecrets(dockerfile);
  const bool wants_buildkit =
      request.use_buildx() || mounts_secrets || request.secret_args_size() > 0;
  if (!wants_buildkit) return BuilderChoice{};
  if (offer.has_buildx) return BuilderChoice{.builder = Builder::kBuildx};
  BuilderChoice choice;
  const bool has_buildkit = offer.docker_major > 0 && offer.docker_major < kFirstWithPlugin;
  if (has_buildkit) choice.builder = Builder::kBuildKit;
  if (mounts_secrets && !has_buildkit) {
    return absl::FailedPreconditionError(
        "the Dockerfile mounts secrets, which the classic builder cannot keep out of the image; "
        "install the buildx plugin of docker on this host (package docker-buildx-plugin)");
  }
  if (request.use_buildx()) {
    choice.warning = absl::StrCat("buildx is not on this host: built by ",
                                  has_buildkit ? "the engine's BuildKit" : "the classic builder");
  }
  if (request.secret_args_size() > 0 && !has_buildkit) {
    absl::StrAppend(&choice.warning, choice.warning.empty() ? "" : "; ",
                    "secret_args reach pre_build only: the classic builder cannot mount them");
  }
  return choice;
}

absl::StatusOr<std::map<std::string, std::string>> KeyValues(
    absl::string_view what, const google::protobuf::RepeatedPtrField<std::string>& entries) {
  std::map<std::string, std::string> values;
  for (const std::string& entry : entries) {
    const std::size_t equals = entry.find('=');
    const std::string key = entry.substr(0, equals);
    // The entry itself may be a secret.
    if (key.empty() || equals == std::string::npos || key.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("an entry of ", what, " is not KEY=VALUE"));
    }
    values[key] = entry.substr(equals + 1);
  }
  return values;
}

absl::Status RefuseOpenSecrets(const v1::BuildImage& request,
                               const std::function<bool(const std::string&)>& holds_secret) {
  for (const std::string& label : request.labels()) {
    if (!holds_secret(label)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("label ", label.substr(0, label.find('=')),
                     " holds a secret, and everybody who has the image can read its labels"));
  }
  for (const std::string& argument : request.extra_args()) {
    if (!holds_secret(argument)) continue;
    return absl::InvalidArgumentError(
        "an entry of extra_args holds a secret, which other users of the host could read; use "
        "secret_args, or build_args for what may stand in the image's history");
  }
  return absl::OkStatus();
}

absl::StatusOr<BuildCall> ComputeBuildCall(const v1::BuildImage& request, Builder builder,
                                           const BuildPaths& paths, const std::string& tag) {
  BuildCall call;
  std::vector<std::string>& arguments = call.arguments;
  arguments = {"build"};
  if (builder == Builder::kBuildx) arguments = {"buildx", "build", "--load"};
  call.environment["DOCKER_BUILDKIT"] = builder == Builder::kClassic ? "0" : "1";
  if (builder == Builder::kClassic) {
    arguments.insert(arguments.end(), {"--rm", "--force-rm"});
  } else {
    arguments.insert(arguments.end(), {"--progress", "plain", "--tag", tag});
    for (const auto& [name, file] : paths.secrets) {
      arguments.insert(arguments.end(), {"--secret", absl::StrCat("id=", name, ",src=", file)});
    }
  }
  arguments.insert(arguments.end(), {"--iidfile", paths.id_file, "--file", paths.dockerfile});
  ASSIGN_OR_RETURN(const auto build_args, KeyValues("build_args", request.build_args()));
  for (const auto& [key, value] : build_args) {
    const bool is_open = LeadsDocker(key);
    arguments.insert(arguments.end(),
                     {"--build-arg", is_open ? absl::StrCat(key, "=", value) : key});
    if (!is_open) call.environment[key] = value;
  }
  for (const std::string& label : request.labels()) {
    arguments.insert(arguments.end(), {"--label", label});
  }
  arguments.insert(arguments.end(), request.extra_args().begin(), request.extra_args().end());
  arguments.push_back(paths.context);
  return call;
}

}  // namespace fairlead::agent
