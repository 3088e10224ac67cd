#include "agent/build_runtime.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/build_content.h"
#include "agent/build_request.h"
#include "agent/build_step.h"
#include "agent/docker_cli.h"
#include "agent/file_name.h"
#include "agent/host_command.h"
#include "agent/image_push.h"
#include "agent/private_folder.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kErrorLines = 8;
constexpr std::size_t kLongestDockerfile = 4u << 20;

// Within `root` also through links, when `stays` is set. NotFound when it is not there.
absl::StatusOr<std::string> PathWithin(const std::string& what, const std::string& root,
                                       const std::string& path, bool stays) {
  const fs::path full = (fs::path(root) / path).lexically_normal();
  std::error_code error;
  const fs::path real = fs::weakly_canonical(full, error);
  const fs::path real_root = fs::weakly_canonical(root, error);
  const auto mismatch = std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
  if (stays && mismatch.first != real_root.end()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " \"", path, "\" leaves the source"));
  }
  if (error || !fs::exists(real, error)) {
    return absl::NotFoundError(
        absl::StrCat(what, " ", path.empty() ? root : path, " is not there"));
  }
  return real.string();
}

// Git's own folders: they differ from checkout to checkout of one commit.
void RemoveGitFolders(const std::string& root) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator at(root, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->path().filename() != ".git") continue;
    found.push_back(at->path());
    at.disable_recursion_pending();
  }
  for (const fs::path& path : found) RemoveTree(path.string()).IgnoreError();
}

// One build.
class ImageBuild {
 public:
  // All outlive this; `folder` is this build's own.
  ImageBuild(ActionScope& scope, const v1::BuildImage& request, GitCheckouts& checkouts,
             std::string data_directory, std::string engine, std::string folder)
      : scope_(scope),
        request_(request),
        checkouts_(checkouts),
        data_directory_(std::move(data_directory)),
        engine_(std::move(engine)),
        folder_(std::move(folder)),
        result_(*scope.outcome.mutable_build()) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Check());
    RETURN_IF_ERROR(PrepareSource());
    ASSIGN_OR_RETURN(references_, ComputeReferences(request_, result_.commit()));
    RETURN_IF_ERROR(ReadFiles());
    scope_.Report("comparing", "the build context");
    ASSIGN_OR_RETURN(context_digest_, DigestContext(context_, ignore_, scope_.limits.is_cancelled));
    ASSIGN_OR_RETURN(std::string content, ContentHash());
    result_.set_content_hash(content);
    ASSIGN_OR_RETURN(const bool unchanged, IsUnchanged(content));
    if (unchanged) return TagAndPush(/*only_missing=*/true);
    RETURN_IF_ERROR(BuildIt());
    // A base image may have come with the build.
    ASSIGN_OR_RETURN(content, ContentHash());
    result_.set_content_hash(content);
    return TagAndPush(/*only_missing=*/false);
  }

 private:
  bool on_host() const { return request_.source_case() == v1::BuildImage::kHostDirectory; }
  bool from_git() const { return request_.source_case() == v1::BuildImage::kGit; }

  absl::Status Check() {
    ASSIGN_OR_RETURN(secrets_, KeyValues("secret_args", request_.secret_args()));
    std::vector<std::string> texts;
    for (const auto& [key, value] : secrets_) {
      texts.push_back(value);
      // Programs print lines.
      for (const absl::string_view line : absl::StrSplit(value, '\n')) {
        if (line.size() >= 8) texts.emplace_back(line);
      }
    }
    scope_.secrets.Add(texts);
    const auto holds_secret = [this](const std::string& text) {
      return scope_.secrets.Redact(text) != text;
    };
    RETURN_IF_ERROR(RefuseOpenSecrets(request_, holds_secret));
    for (const std::string& argument : request_.build_args()) {
      if (!holds_secret(argument)) continue;
      scope_.Warn(absl::StrCat("build argument ", argument.substr(0, argument.find('=')),
                               " holds a secret, which stands in the image's history; secret_args "
                               "leave none"));
    }
    if (request_.source_case() == v1::BuildImage::SOURCE_NOT_SET && request_.dockerfile().empty()) {
      return absl::InvalidArgumentError("the build has neither a source nor a Dockerfile");
    }
    // What is wrong with names shows before anything is fetched.
    return ComputeReferences(request_, "0000000").status();
  }

  absl::Status PrepareSource() {
    source_ = folder_ + "/source";
    const std::string note = folder_ + "/commit";
    if (on_host()) {
      source_ = (fs::path("/") / request_.host_directory()).lexically_normal().string();
      std::error_code error;
      if (!fs::is_directory(source_, error)) {
        return absl::NotFoundError(absl::StrCat("directory ", source_, " is not on this host"));
      }
      RETURN_IF_ERROR(base::MakeDirectories(folder_));
    } else if (const auto kept = base::ReadFile(note); kept.ok()) {
      // An earlier run of the agent got so far, and pre_build may have run on it.
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(*kept, absl::MaxSplits('\n', 1));
      result_.set_commit(parts.first);
      result_.set_subject(parts.second);
    } else {
      RETURN_IF_ERROR(RemoveTree(folder_));
      RETURN_IF_ERROR(base::MakeDirectories(folder_));
      if (from_git()) {
        ASSIGN_OR_RETURN(
            const CheckedOut done,
            checkouts_.CheckOut(
                scope_, request_.git(),
                {.directory = source_, .owner = scope_.action.resource(), .is_temporary = true}));
        result_.set_commit(done.commit);
        result_.set_subject(done.subject);
      } else {
        RETURN_IF_ERROR(base::MakeDirectories(source_, 0755));
      }
      RETURN_IF_ERROR(
          base::WriteFileAtomically(note, absl::StrCat(result_.commit(), "\n", result_.subject())));
    }
    RETURN_IF_ERROR(
        RunHostCommandOnce(scope_, request_.pre_build(),
                           {.what = "pre_build", .root = source_, .environment = secrets_}));
    if (from_git()) RemoveGitFolders(source_);
    return absl::OkStatus();
  }

  absl::Status ReadFiles() {
    ASSIGN_OR_RETURN(context_,
                     PathWithin("build context", source_, request_.context(), from_git()));
    std::error_code error;
    if (!fs::is_directory(context_, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("build context ", request_.context(), " is no folder"));
    }
    if (!request_.dockerfile().empty()) {
      dockerfile_path_ = folder_ + "/Dockerfile";
      dockerfile_ = request_.dockerfile();
      RETURN_IF_ERROR(base::WriteFileAtomically(dockerfile_path_, dockerfile_));
    } else {
      const std::string name =
          request_.dockerfile_path().empty() ? "Dockerfile" : request_.dockerfile_path();
      // Within the source, where the context may be a part of it.
      const std::string relative =
          (fs::path(request_.context()) / name).lexically_normal().string();
      ASSIGN_OR_RETURN(dockerfile_path_, PathWithin("Dockerfile", source_, relative, from_git()));
      ASSIGN_OR_RETURN(dockerfile_, base::ReadFile(dockerfile_path_, kLongestDockerfile),
                       "Dockerfile");
    }
    for (const std::string& path :
         {dockerfile_path_ + ".dockerignore", context_ + "/.dockerignore"}) {
      absl::StatusOr<std::string> text = base::ReadFile(path, kLongestDockerfile);
      if (!text.ok()) continue;
      ignore_ = *std::move(text);
      break;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ContentHash() {
    std::vector<std::string> bases;
    for (const std::string& image : BaseImages(dockerfile_)) {
      const absl::StatusOr<std::string> id = scope_.engine.ImageId(image, scope_.limits);
      // A name that the engine does not take: the build will say so.
      const bool is_known =
          id.ok() || absl::IsNotFound(id.status()) || absl::IsInvalidArgument(id.status());
      if (!is_known) return id.status();
      bases.push_back(absl::StrCat(image, "=", id.value_or("")));
    }
    return scope_.hasher->HashText(ContentText(request_, dockerfile_, context_digest_, bases));
  }

  absl::StatusOr<bool> IsUnchanged(const std::string& content) {
    if (request_.force() || request_.known_image_id().empty() ||
        request_.known_content_hash() != content) {
      return false;
    }
    const absl::StatusOr<std::string> id =
        scope_.engine.ImageId(request_.known_image_id(), scope_.limits);
    if (absl::IsNotFound(id.status())) return false;
    RETURN_IF_ERROR(id.status());
    result_.set_unchanged(true);
    result_.set_image_id(*id);
    return true;
  }

  absl::Status BuildIt() {
    Logins logins;
    for (const v1::BuildImage::Target& target : request_.targets()) *logins.Add() = target.login();
    ASSIGN_OR_RETURN(const DockerCli docker,
                     DockerCli::Make(scope_, engine_, data_directory_, logins));
    BuilderOffer offer;
    ASSIGN_OR_RETURN(offer.has_buildx, docker.HasBuildx());
    ASSIGN_OR_RETURN(offer.docker_major, docker.MajorVersion());
    ASSIGN_OR_RETURN(const BuilderChoice choice, ChooseBuilder(request_, dockerfile_, offer));
    if (!choice.warning.empty()) scope_.Warn(choice.warning);
    BuildPaths paths{.context = context_,
                     .dockerfile = dockerfile_path_,
                     .id_file = docker.folder().path() + "/image-id"};
    int number = 0;
    for (const auto& [name, value] : secrets_) {
      ASSIGN_OR_RETURN(paths.secrets[name],
                       docker.folder().Write(absl::StrCat("secret-", number++), value));
    }
    const std::string& first = references_.front().text;
    ASSIGN_OR_RETURN(const BuildCall call,
                     ComputeBuildCall(request_, choice.builder, paths, first));
    scope_.Report("building", first);
    BuildSteps steps;
    ASSIGN_OR_RETURN(const base::SubprocessResult built,
                     docker.Run({.arguments = call.arguments,
                                 .directory = context_,
                                 .environment = call.environment,
                                 .on_line =
                                     [this, &steps](absl::string_view line) {
                                       const std::optional<std::string> seen = steps.Add(line);
                                       if (seen.has_value()) scope_.Report("building", *seen);
                                     }}),
                     "build");
    if (built.exit_code != 0) {
      const std::string lines = scope_.output.LastLines(kErrorLines);
      return base::Annotate(StatusOfDocker(lines),
                            absl::StrCat("the build ended with ", built.exit_code));
    }
    return FindImage(paths.id_file, choice.builder == Builder::kClassic ? "" : first);
  }

  absl::Status FindImage(const std::string& id_file, const std::string& reference) {
    const std::string told(absl::StripAsciiWhitespace(base::ReadFile(id_file, 4096).value_or("")));
    absl::StatusOr<std::string> id = absl::NotFoundError("the build told no image id");
    if (!told.empty()) id = scope_.engine.ImageId(told, scope_.limits);
    if (absl::IsNotFound(id.status()) && !reference.empty()) {
      id = scope_.engine.ImageId(reference, scope_.limits);
    }
    if (!id.ok()) return base::Annotate(id.status(), "the image that was built");
    result_.set_image_id(*id);
    return absl::OkStatus();
  }

  absl::Status Tag(const ImageReference& reference) {
    const std::string path = absl::StrCat("/images/", EscapeUrl(result_.image_id(), ":"),
                                          "/tag?repo=", EscapeUrl(reference.repository),
                                          "&tag=", EscapeUrl(reference.tag));
    return base::Annotate(scope_.engine.Do("POST", path, "", scope_.limits).status(),
                          absl::StrCat("tag ", reference.text));
  }

  absl::Status TagAndPush(bool only_missing) {
    std::vector<const ImageReference*> to_push;
    for (const ImageReference& reference : references_) {
      const absl::StatusOr<std::string> held = scope_.engine.ImageId(reference.text, scope_.limits);
      const bool is_right = held.ok() && *held == result_.image_id();
      if (!is_right) RETURN_IF_ERROR(Tag(reference));
      result_.add_references(reference.text);
      if (reference.push && !(only_missing && is_right)) to_push.push_back(&reference);
    }
    // All are tried, so that one registry that is away does not keep the image from the others.
    absl::Status first_failure;
    for (const ImageReference* reference : to_push) {
      const absl::StatusOr<std::string> digest =
          PushImage(scope_, reference->text, reference->login);
      if (digest.ok()) {
        const std::string text = absl::StrCat(reference->repository, "@", *digest);
        const auto& told = result_.digests();
        if (!digest->empty() && std::find(told.begin(), told.end(), text) == told.end()) {
          result_.add_digests(text);
        }
        continue;
      }
      if (absl::IsCancelled(digest.status()) || absl::IsDeadlineExceeded(digest.status())) {
        return digest.status();
      }
      if (first_failure.ok()) {
        first_failure = digest.status();
      } else {
        scope_.Warn(std::string(digest.status().message()));
      }
    }
    return first_failure;
  }

  ActionScope& scope_;
  const v1::BuildImage& request_;
  GitCheckouts& checkouts_;
  const std::string data_directory_;
  const std::string engine_;
  const std::string folder_;
  v1::BuildResult& result_;

  std::map<std::string, std::string> secrets_;
  std::string source_;
  std::string context_;
  std::string dockerfile_path_;
  std::string dockerfile_;
  std::string ignore_;
  std::string context_digest_;
  std::vector<ImageReference> references_;
};

}  // namespace

BuildRuntime::BuildRuntime(const std::string& data_directory, std::string engine,
                           GitCheckouts& checkouts)
    : data_directory_(fs::absolute(data_directory).lexically_normal().string()),
      engine_(std::move(engine)),
      checkouts_(checkouts) {}

std::string BuildRuntime::FolderOf(const std::string& action_id) const {
  return absl::StrCat(data_directory_, "/builds/", FileNameOf(action_id));
}

absl::Status BuildRuntime::Build(ActionScope& scope, const v1::BuildImage& request) const {
  const std::string folder = FolderOf(scope.action.id());
  const absl::Status built =
      ImageBuild(scope, request, checkouts_, data_directory_, engine_, folder).Run();
  Forget(scope.action.id());
  return built;
}

void BuildRuntime::Forget(const std::string& action_id) const {
  const absl::Status removed = RemoveTree(FolderOf(action_id));
  if (!removed.ok()) base::LogError("agent", removed.message());
}

}  // namespace fairlead::agent
