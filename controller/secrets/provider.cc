#include "controller/secrets/provider.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "base/subprocess.h"
#include "resources/settings_file.h"

namespace fairlead::secrets {
namespace {

namespace fs = std::filesystem;

// Of a program's complaint this much is passed on.
constexpr std::size_t kLongestComplaint = 300;

// Tools end what they print with a line's end; secrets seldom do.
std::string WithoutLineEnd(std::string value) {
  if (absl::EndsWith(value, "\n")) value.pop_back();
  if (absl::EndsWith(value, "\r")) value.pop_back();
  return value;
}

class FileProvider final : public Provider {
 public:
  explicit FileProvider(std::string directory) : directory_(std::move(directory)) {}

  absl::StatusOr<std::string> Read(const std::string& path) override {
    std::error_code failed;
    const fs::path root = fs::canonical(directory_, failed);
    if (failed) {
      return absl::NotFoundError(absl::StrCat(directory_, ": ", failed.message()));
    }
    const fs::path file = fs::canonical(root / path, failed);
    if (failed) {
      return absl::NotFoundError(absl::StrCat(directory_, "/", path, ": ", failed.message()));
    }
    // Also where links lead to.
    if (!absl::StartsWith(file.string(), root.string() + "/")) {
      return absl::PermissionDeniedError(absl::StrCat("\"", path, "\" is outside of ", directory_));
    }
    ASSIGN_OR_RETURN(std::string value, base::ReadFile(file.string(), kLargestProvided));
    return WithoutLineEnd(std::move(value));
  }

 private:
  const std::string directory_;
};

class CommandProvider final : public Provider {
 public:
  CommandProvider(std::vector<std::string> command, absl::Duration timeout)
      : command_(std::move(command)), timeout_(timeout) {}

  absl::StatusOr<std::string> Read(const std::string& path) override {
    if (absl::StartsWith(path, "-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", path, "\" would be an option of ", command_.front()));
    }
    base::SubprocessOptions options;
    for (const std::string& word : command_) {
      options.argv.push_back(absl::StrReplaceAll(word, {{"{}", path}}));
    }
    options.timeout = timeout_;
    options.output_limit = kLargestProvided + 1;
    ASSIGN_OR_RETURN(base::SubprocessResult result, base::RunSubprocess(options), command_.front());
    if (result.exit_code != 0) {
      const std::vector<absl::string_view> lines =
          absl::StrSplit(absl::StripSuffix(result.err, "\n"), '\n');
      return absl::UnavailableError(absl::StrCat(command_.front(), " ended with ", result.exit_code,
                                                 ": ", lines.back().substr(0, kLongestComplaint)));
    }
    if (result.out.size() > kLargestProvided) {
      return absl::InvalidArgumentError(
          absl::StrCat(command_.front(), " printed more than ", kLargestProvided, " bytes"));
    }
    return WithoutLineEnd(std::move(result.out));
  }

 private:
  const std::vector<std::string> command_;
  const absl::Duration timeout_;
};

absl::Status Misses(const v1::SecretProvider& settings, absl::string_view setting) {
  return absl::InvalidArgumentError(absl::StrCat("provider \"", settings.name(), "\" of type \"",
                                                 settings.type(), "\" needs `", setting, "`"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Provider>> MakeProvider(const v1::SecretProvider& settings,
                                                       const std::string& folder) {
  if (settings.name().empty() || absl::StrContains(settings.name(), ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", settings.name(),
                     "\" cannot be a provider's name: it is what stands "
                     "before the first colon of `from`"));
  }
  if (settings.timeout() <= 0 || settings.refresh() <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "provider \"", settings.name(), "\": `timeout` and `refresh` are seconds above 0"));
  }
  if (settings.type() == "file") {
    if (settings.directory().empty()) return Misses(settings, "directory");
    return std::make_unique<FileProvider>(resources::PathBeside(folder, settings.directory()));
  }
  if (settings.type() == "command") {
    if (settings.command().empty()) return Misses(settings, "command");
    return std::make_unique<CommandProvider>(
        std::vector<std::string>(settings.command().begin(), settings.command().end()),
        absl::Seconds(settings.timeout()));
  }
  if (settings.type() == "vault") {
    if (settings.address().empty()) return Misses(settings, "address");
    if (settings.token_file().empty()) return Misses(settings, "token_file");
    return MakeVaultProvider(settings, folder);
  }
  return absl::InvalidArgumentError(absl::StrCat("provider \"", settings.name(), "\": type \"",
                                                 settings.type(),
                                                 "\" is none of command, file, vault"));
}

absl::StatusOr<Providers> LoadProviders(const std::string& path) {
  v1::SecretsFile file;
  RETURN_IF_ERROR(resources::ReadSettingsFile(path, "what is run", &file));
  Providers providers;
  const std::string folder = fs::path(path).parent_path().string();
  for (const v1::SecretProvider& settings : file.providers()) {
    if (providers.contains(settings.name())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": provider \"", settings.name(), "\" stands twice"));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<Provider> provider, MakeProvider(settings, folder), path);
    providers[settings.name()] = {std::move(provider), absl::Seconds(settings.refresh())};
  }
  return providers;
}

}  // namespace fairlead::secrets
