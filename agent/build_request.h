// What a build asks for, checked and as arguments; without I/O.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct ImageReference {
  // "localhost:5000/team/api:1.2.3"
  std::string text;
  std::string repository;
  std::string tag;
  bool push = false;
  v1::Login login;
};

// Every target with every tag, that of the commit last. InvalidArgument when there is none, or for
// a name that no registry takes. `commit` may be empty.
absl::StatusOr<std::vector<ImageReference>> ComputeReferences(const v1::BuildImage& request,
                                                              absl::string_view commit);

// How the image is made.
enum class Builder {
  // The engine's own, which cannot mount secrets.
  kClassic,
  // BuildKit within the engine, by the docker program itself.
  kBuildKit,
  // BuildKit by the buildx plugin.
  kBuildx,
};

struct BuilderChoice {
  Builder builder = Builder::kClassic;
  // For people; may be empty.
  std::string warning;
};

// What the host offers.
struct BuilderOffer {
  bool has_buildx = false;
  // Of the docker program; before 23 it speaks BuildKit without a plugin.
  int docker_major = 0;
};

// FailedPrecondition when the Dockerfile mounts secrets and nothing on this host can do that.
absl::StatusOr<BuilderChoice> ChooseBuilder(const v1::BuildImage& request,
                                            absl::string_view dockerfile,
                                            const BuilderOffer& offer);

// "KEY" and "VALUE" of each; InvalidArgument without a key.
absl::StatusOr<std::map<std::string, std::string>> KeyValues(
    absl::string_view what, const google::protobuf::RepeatedPtrField<std::string>& entries);

// InvalidArgument for a label or an extra argument that holds a secret: both can be read by others.
// `holds_secret` judges a text.
absl::Status RefuseOpenSecrets(const v1::BuildImage& request,
                               const std::function<bool(const std::string&)>& holds_secret);

// Where things lie for a build.
struct BuildPaths {
  std::string context;
  std::string dockerfile;
  std::string id_file;
  // By name.
  std::map<std::string, std::string> secrets;
};

struct BuildCall {
  std::vector<std::string> arguments;
  // Values of build arguments among others: in no argument.
  std::map<std::string, std::string> environment;
};

// The call of docker. `tag` is put on at once, where the image would be lost otherwise.
absl::StatusOr<BuildCall> ComputeBuildCall(const v1::BuildImage& request, Builder builder,
                                           const BuildPaths& paths, const std::string& tag);

}  // namespace fairlead::agent
