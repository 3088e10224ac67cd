#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "sync/git/branch_list.h"
#include "sync/git/credentials.h"
#include "sync/git/fetch.h"
#include "sync/git/fetch_protocol.h"
#include "sync/git/libgit2.h"
#include "sync/git/mirror_directory.h"
#include "sync/git/packs.h"

namespace fairlead::git {
namespace {

struct HelperRequest {
  std::string url;
  std::string directory;
  std::string reference;
  // As in SplitUrl.
  std::string user_info;
  // As in FetchRequest.
  std::string ssh_key;
  std::string known_hosts;
};

// A branch or tag of the origin.
struct Advertised {
  std::string name;
  git_oid id;
};

// `parts` in lower case.
bool ContainsAny(absl::string_view text, std::initializer_list<absl::string_view> parts) {
  const std::string lower = absl::AsciiStrToLower(text);
  return absl::c_any_of(parts,
                        [&](absl::string_view part) { return absl::StrContains(lower, part); });
}

// libgit2 says what went wrong partly by code and partly by text only.
absl::StatusCode ClassifyFailure(int code, absl::string_view text) {
  if (ContainsAny(text, {"no space left", "disk quota"})) {
    return absl::StatusCode::kResourceExhausted;
  }
  if (code == GIT_EAUTH) return absl::StatusCode::kPermissionDenied;
  if (code == GIT_ECERTIFICATE) return absl::StatusCode::kFailedPrecondition;
  if (ContainsAny(text, {"status code: 401", "status code: 403", "access denied",
                         "permission denied", "not authorized"})) {
    return absl::StatusCode::kPermissionDenied;
  }
  if (ContainsAny(text, {"status code: 404", "status code: 410", "repository not found",
                         "could not find repository", "no such file or directory", "does not exist",
                         "does not appear to be a git repository"})) {
    return absl::StatusCode::kNotFound;
  }
  if (ContainsAny(text,
                  {"unknown scheme", "unsupported url protocol", "invalid url", "malformed url"})) {
    return absl::StatusCode::kInvalidArgument;
  }
  return absl::StatusCode::kUnavailable;
}

// Errors that speak of objects or references of the mirror, not of the way to them.
bool IsLocalDamage(int code, int error_class) {
  if (code == GIT_ELOCKED) return false;
  return error_class == GIT_ERROR_ODB || error_class == GIT_ERROR_OBJECT ||
         error_class == GIT_ERROR_ZLIB || error_class == GIT_ERROR_REFERENCE;
}

// One fetch into one repository. Confined to its thread.
class Fetching {
 public:
  explicit Fetching(const HelperRequest& request)
      : url_(request.url),
        directory_(request.directory),
        reference_(request.reference),
        known_hosts_(request.known_hosts),
        credentials_(url_, request.user_info, request.ssh_key) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(repository_, OpenOrCreateRepository(directory_));
    // A commit never changes: what is here needs no network.
    if (HasCommit(/*exact=*/true)) return absl::OkStatus();
    RETURN_IF_ERROR(TrustKnownHosts());
    RETURN_IF_ERROR(Connect());
    RETURN_IF_ERROR(ReadAdvertised());
    RETURN_IF_ERROR(RemoveStale());
    ASSIGN_OR_RETURN(const std::vector<Advertised> wanted, ComputeWanted());
    RETURN_IF_ERROR(Download(wanted));
    if (!is_named_ && !HasCommit(/*exact=*/false)) return Missing();
    return JoinSmallPacks(repository_.get(), directory_);
  }

 private:
  absl::Status Failure(int code) const {
    const git_error* error = git_error_last();
    std::string text = LastError();
    if (code == GIT_ECERTIFICATE && absl::StrContains(text, "ssh hostkey")) {
      text += known_hosts_.empty()
                  ? "; compare it with the server's own, then: ssh-keyscan HOST >> "
                    "~/.ssh/known_hosts"
                  : "; compare it with the server's own and add it to the account's "
                    "known_hosts_file";
    }
    if (error != nullptr && IsLocalDamage(code, error->klass)) MarkDamaged(directory_);
    return absl::Status(ClassifyFailure(code, text), text);
  }

  absl::Status Missing() const {
    std::vector<std::string> branches;
    for (const Advertised& one : advertised_) {
      absl::string_view name = one.name;
      if (absl::ConsumePrefix(&name, "refs/heads/")) branches.emplace_back(name);
    }
    return MissingReference(reference_, branches);
  }

  bool IsHash() const {
    return reference_.size() >= 4 && reference_.size() <= GIT_OID_HEXSZ &&
           absl::c_all_of(reference_, [](unsigned char c) { return absl::ascii_isxdigit(c); });
  }

  // Whether the reference is a hash of a commit that is here; `exact`: a full hash.
  bool HasCommit(bool exact) const {
    git_oid id;
    if (!IsHash() || (exact && reference_.size() != GIT_OID_HEXSZ)) return false;
    if (git_oid_fromstrn(&id, reference_.data(), reference_.size()) != 0) return false;
    Object object;
    const int code = Fill(object, git_object_lookup_prefix, repository_.get(), &id,
                          reference_.size(), GIT_OBJECT_ANY);
    return code == 0 || code == GIT_EAMBIGUOUS;
  }

  absl::Status TrustKnownHosts() const;
  absl::Status Connect();
  absl::Status ReadAdvertised();
  absl::Status RemoveStale();
  absl::StatusOr<std::vector<Advertised>> ComputeWanted();
  absl::Status Download(const std::vector<Advertised>& wanted);

  const std::string url_;
  const std::string directory_;
  const std::string reference_;
  const std::string known_hosts_;
  Credentials credentials_;
  git_fetch_options options_ = GIT_FETCH_OPTIONS_INIT;
  Repository repository_;
  Remote remote_;
  std::vector<Advertised> advertised_;
  // The reference is a branch or tag of the origin, not a hash.
  bool is_named_ = false;
};

// The library reads them from the home directory only.
absl::Status Fetching::TrustKnownHosts() const {
  if (known_hosts_.empty()) return absl::OkStatus();
  const std::string home = absl::StrCat(directory_, "/", kHomeFolder);
  RETURN_IF_ERROR(base::MakeDirectories(absl::StrCat(home, "/.ssh")));
  RETURN_IF_ERROR(base::WriteFileAtomically(absl::StrCat(home, "/.ssh/known_hosts"), known_hosts_));
  ::setenv("HOME", home.c_str(), 1);
  return absl::OkStatus();
}

absl::Status Fetching::Connect() {
  const int made = Fill(remote_, git_remote_create_anonymous, repository_.get(), url_.c_str());
  if (made != 0) return Failure(made);
  options_.callbacks.credentials = Credentials::Acquire;
  options_.callbacks.payload = &credentials_;
  options_.proxy_opts.type = GIT_PROXY_AUTO;
  options_.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  options_.update_fetchhead = 0;
  const int code = git_remote_connect(remote_.get(), GIT_DIRECTION_FETCH, &options_.callbacks,
                                      &options_.proxy_opts, nullptr);
  return code == 0 ? absl::OkStatus() : Failure(code);
}

absl::Status Fetching::ReadAdvertised() {
  const git_remote_head** heads = nullptr;
  std::size_t count = 0;
  const int code = git_remote_ls(&heads, &count, remote_.get());
  if (code != 0) return Failure(code);
  for (std::size_t i = 0; i < count; ++i) {
    const absl::string_view name = heads[i]->name;
    const bool is_wanted_kind =
        absl::StartsWith(name, "refs/heads/") || absl::StartsWith(name, "refs/tags/");
    // "refs/tags/x^{}" is what an annotated tag points to.
    if (!is_wanted_kind || absl::EndsWith(name, "^{}")) continue;
    advertised_.push_back({std::string(name), heads[i]->oid});
  }
  return absl::OkStatus();
}

// Before the update: a branch "a" that is gone stands in the way of a new "a/b".
absl::Status Fetching::RemoveStale() {
  std::set<absl::string_view> alive;
  for (const Advertised& one : advertised_) alive.insert(one.name);
  std::vector<std::string> stale;
  const auto collect = [](const char* name, void* payload) {
    static_cast<std::vector<std::string>*>(payload)->emplace_back(name);
    return 0;
  };
  if (const int code = git_reference_foreach_name(repository_.get(), collect, &stale); code != 0) {
    return Failure(code);
  }
  for (const std::string& name : stale) {
    if (alive.contains(name)) continue;
    if (const int code = git_reference_remove(repository_.get(), name.c_str()); code != 0) {
      return Failure(code);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Advertised>> Fetching::ComputeWanted() {
  for (const absl::string_view prefix : {"refs/heads/", "refs/tags/", ""}) {
    const std::string name = absl::StrCat(prefix, reference_);
    for (const Advertised& one : advertised_) {
      if (one.name != name) continue;
      is_named_ = true;
      return std::vector<Advertised>{one};
    }
  }
  if (!IsHash()) return Missing();
  return advertised_;
}

absl::Status Fetching::Download(const std::vector<Advertised>& wanted) {
  std::vector<Advertised> changed;
  std::vector<std::string> refspecs;
  for (const Advertised& one : wanted) {
    git_oid id;
    Object object;
    const bool is_current =
        git_reference_name_to_id(&id, repository_.get(), one.name.c_str()) == 0 &&
        git_oid_equal(&id, &one.id) != 0 &&
        Fill(object, git_object_lookup, repository_.get(), &id, GIT_OBJECT_ANY) == 0;
    if (is_current) continue;
    changed.push_back(one);
    refspecs.push_back(absl::StrCat("+", one.name, ":", one.name));
  }
  if (changed.empty()) return absl::OkStatus();
  std::vector<char*> pointers;
  for (std::string& refspec : refspecs) pointers.push_back(refspec.data());
  const git_strarray array{pointers.data(), pointers.size()};
  if (const int code = git_remote_download(remote_.get(), &array, &options_); code != 0) {
    return Failure(code);
  }
  for (const Advertised& one : changed) {
    Reference reference;
    const int code = Fill(reference, git_reference_create, repository_.get(), one.name.c_str(),
                          &one.id, /*force=*/1, "fetch");
    if (code != 0) return Failure(code);
  }
  return absl::OkStatus();
}

void WriteLine(std::string text) {
  absl::StrReplaceAll({{"\n", " "}, {"\r", " "}}, &text);
  text.push_back('\n');
  absl::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

// The certificates to trust, where the environment names a file of them.
absl::Status LoadCertificates() {
  const char* file = std::getenv("SSL_CERT_FILE");
  if (file == nullptr || *file == '\0') return absl::OkStatus();
  if (git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, nullptr) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("SSL_CERT_FILE ", file, ": ", LastError()));
}

std::string VariableOf(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Waits for a request of Fetcher: the six fields, each ended by a zero byte. False when the
// other end is gone.
bool ReadRequest(HelperRequest& request) {
  for (std::string* field : {&request.url, &request.directory, &request.reference,
                             &request.user_info, &request.ssh_key, &request.known_hosts}) {
    char c = 0;
    while (true) {
      const ssize_t got = ::read(STDIN_FILENO, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      if (c == '\0') break;
      field->push_back(c);
    }
  }
  return true;
}

// Ends this process with the one that wants its result, also when that one is killed.
void EndWithParent() {
  std::thread([] {
    char ignored = 0;
    while (::read(STDIN_FILENO, &ignored, 1) > 0) {
    }
    ::_exit(1);
  }).detach();
}

int Finish(const absl::Status& status) {
  if (status.ok()) return 0;
  WriteLine(std::string(status.message()));
  return kExitCodeBase + static_cast<int>(status.code());
}

}  // namespace

int RunFetchHelper(int argc, const char* const* argv) {
  const bool waits = argc == 2;
  if (!IsFetchHelper(argc, argv) || (!waits && argc != 5)) {
    return Finish(absl::InternalError("usage: PROGRAM --fetch-helper URL DIRECTORY REFERENCE"));
  }
  if (const absl::Status started = StartLibrary(); !started.ok()) return Finish(started);
  // Before the request, while nobody waits: reading them takes milliseconds.
  const absl::Status certificates = LoadCertificates();
  HelperRequest request;
  if (waits) {
    if (!ReadRequest(request)) return 0;
    EndWithParent();
  } else {
    request = {argv[2],
               argv[3],
               argv[4],
               VariableOf(kUserInfoVariable),
               VariableOf(kSshKeyVariable),
               VariableOf(kKnownHostsVariable)};
  }
  const bool needs_them = absl::StartsWith(request.url, "https:");
  const int code = Finish(
      base::Annotate(needs_them && !certificates.ok() ? certificates : Fetching(request).Run(),
                     absl::StrCat("fetch ", request.url)));
  // Without the destructors of libraries, which would wait for nothing useful.
  ::_exit(code);
}

}  // namespace fairlead::git
