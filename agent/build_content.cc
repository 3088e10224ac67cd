#include "agent/build_content.h"

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/docker_ignore.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

// Of parts that cannot run into each other.
class Digest {
 public:
  Digest() { crypto_generichash_init(&state_, nullptr, 0, kSize); }

  void AddBytes(absl::string_view bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }
  void AddPart(absl::string_view text) {
    AddBytes(absl::StrCat(text.size(), ":"));
    AddBytes(text);
  }
  std::string Finish() {
    std::array<unsigned char, kSize> hash{};
    crypto_generichash_final(&state_, hash.data(), hash.size());
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
  }

 private:
  static constexpr std::size_t kSize = 32;
  crypto_generichash_state state_{};
};

class ContextWalk {
 public:
  ContextWalk(std::string root, absl::string_view ignore, const std::function<bool()>& is_cancelled)
      : root_(std::move(root)), ignore_(ignore), is_cancelled_(is_cancelled) {}

  absl::StatusOr<std::string> Run() {
    RETURN_IF_ERROR(Folder(""));
    return digest_.Finish();
  }

 private:
  absl::Status Folder(const std::string& path) {
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator at(root_ + "/" + path, error);
         !error && at != fs::directory_iterator(); at.increment(error)) {
      names.push_back(at->path().filename().string());
    }
    if (error) {
      return base::ErrnoStatus(error.value(), absl::StrCat("read folder ", root_, "/", path));
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      RETURN_IF_ERROR(Entry(path.empty() ? name : absl::StrCat(path, "/", name)));
    }
    return absl::OkStatus();
  }

  absl::Status Entry(const std::string& path) {
    if (is_cancelled_ && is_cancelled_()) return absl::CancelledError("cancelled");
    const std::string full = absl::StrCat(root_, "/", path);
    struct stat status{};
    if (::lstat(full.c_str(), &status) != 0) {
      return base::ErrnoStatus(errno, absl::StrCat("look at ", full));
    }
    const bool ignored = ignore_.Ignores(path);
    if (S_ISDIR(status.st_mode) && (!ignored || ignore_.has_exceptions())) {
      if (!ignored) Begin(path, "folder", status.st_mode);
      return Folder(path);
    }
    if (ignored) return absl::OkStatus();
    if (S_ISLNK(status.st_mode)) {
      Begin(path, "link", 0);
      std::error_code error;
      digest_.AddPart(fs::read_symlink(full, error).string());
    } else if (S_ISREG(status.st_mode)) {
      Begin(path, "file", status.st_mode);
      return File(full);
    }
    // Docker sends no sockets.
    return absl::OkStatus();
  }

  void Begin(const std::string& path, absl::string_view kind, mode_t mode) {
    digest_.AddPart(path);
    digest_.AddPart(absl::StrCat(kind, " ", mode & 07777));
  }

  absl::Status File(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return base::ErrnoStatus(errno, absl::StrCat("read ", path));
    Digest content;
    std::array<char, 65536> buffer;
    while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
      content.AddBytes(absl::string_view(buffer.data(), static_cast<std::size_t>(in.gcount())));
      if (is_cancelled_ && is_cancelled_()) return absl::CancelledError("cancelled");
    }
    if (in.bad()) return absl::UnavailableError(absl::StrCat("read ", path, " failed"));
    digest_.AddPart(content.Finish());
    return absl::OkStatus();
  }

  const std::string root_;
  const DockerIgnore ignore_;
  const std::function<bool()>& is_cancelled_;
  Digest digest_;
};

template <typename Texts>
void AddTexts(absl::string_view name, const Texts& texts, std::string& out) {
  for (const std::string& text : texts) {
    absl::StrAppend(&out, name, " ", text.size(), ":", text, "\n");
  }
}

}  // namespace

absl::StatusOr<std::string> DigestContext(const std::string& directory, absl::string_view ignore,
                                          const std::function<bool()>& is_cancelled) {
  return ContextWalk(directory, ignore, is_cancelled).Run();
}

std::vector<std::string> BaseImages(absl::string_view dockerfile) {
  std::vector<std::string> images;
  std::set<std::string> known = {"scratch"};
  for (const absl::string_view line : absl::StrSplit(dockerfile, '\n')) {
    std::vector<std::string> words =
        absl::StrSplit(absl::StripAsciiWhitespace(line), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() < 2 || !absl::EqualsIgnoreCase(words[0], "FROM")) continue;
    std::size_t at = 1;
    while (at < words.size() && absl::StartsWith(words[at], "--")) ++at;
    if (at == words.size()) continue;
    const std::string& image = words[at];
    if (!absl::StrContains(image, "$") && known.insert(absl::AsciiStrToLower(image)).second) {
      images.push_back(image);
    }
    if (at + 2 < words.size() && absl::EqualsIgnoreCase(words[at + 1], "AS")) {
      known.insert(absl::AsciiStrToLower(words[at + 2]));
    }
  }
  return images;
}

std::string ContentText(const v1::BuildImage& request, absl::string_view dockerfile,
                        absl::string_view context_digest,
                        const std::vector<std::string>& base_image_ids) {
  std::string text = "image content 1\n";
  AddTexts("dockerfile", std::vector<std::string>{std::string(dockerfile)}, text);
  AddTexts("context", std::vector<std::string>{std::string(context_digest)}, text);
  AddTexts("base", base_image_ids, text);
  AddTexts("argument", request.build_args(), text);
  AddTexts("secret", request.secret_args(), text);
  AddTexts("label", request.labels(), text);
  AddTexts("extra", request.extra_args(), text);
  for (const v1::BuildImage::Target& target : request.targets()) {
    AddTexts(target.push() ? "push" : "keep", std::vector<std::string>{target.repository()}, text);
  }
  absl::StrAppend(&text, "buildx ", request.use_buildx() ? 1 : 0, "\n");
  return text;
}

}  // namespace fairlead::agent
