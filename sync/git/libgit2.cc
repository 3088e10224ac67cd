#include "sync/git/libgit2.h"

#include "absl/strings/str_cat.h"

namespace fairlead::git {

absl::Status StartLibrary() {
  static const int started = [] {
    const int code = git_libgit2_init();
    if (code < 0) return code;
    // The data directory is often a volume that another user owns.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    // A user's url.insteadOf or proxy must not change what a sync means.
    for (const int level : {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
                            GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    return code;
  }();
  if (started < 0) return absl::InternalError(absl::StrCat("start libgit2: ", LastError()));
  return absl::OkStatus();
}

std::string LastError() {
  const git_error* error = git_error_last();
  if (error == nullptr || error->message == nullptr || *error->message == '\0') {
    return "no reason given";
  }
  return error->message;
}

std::string ToHex(const git_oid& id) {
  std::string text(GIT_OID_HEXSZ, '0');
  git_oid_fmt(text.data(), &id);
  return text;
}

}  // namespace fairlead::git
