// Brings a mirror up to date with its origin.
//
// libgit2 has no timeouts, so the work is done by a child process that can be ended at any moment;
// the mirror stays usable.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fairlead::git {

struct FetchRequest {
  // file://, a path, http(s)://, ssh://, git:// or user@host:path.
  std::string url;
  // Of the mirror; made when it is not there.
  std::string directory;
  // Branch, tag or commit hash. Of a branch or tag only what it needs is fetched.
  std::string reference;
  // PEM: opens ssh addresses in place of the keys of whoever runs this.
  std::string ssh_key;
  // Lines as in ~/.ssh/known_hosts, in place of these; empty: those.
  std::string known_hosts;
  absl::Duration timeout = absl::Seconds(60);
  // A program whose main hands over to RunFetchHelper, such as this one.
  std::string helper_program;
};

// Fetches so that Mirror::ResolveRevision(reference) finds what the origin has now. Branches and
// tags follow the origin, also after a force push; those it no longer has are removed.
//
// NotFound: no such repository, or it lacks the reference (the message names what it has).
// PermissionDenied: credentials missing or refused. FailedPrecondition: certificate or host key
// not trusted, or the directory is not a mirror. InvalidArgument: not an address. Unavailable:
// network. ResourceExhausted: disk full. DeadlineExceeded, Cancelled: ended, with the child.
//
// Credentials come from the request, the address, FAIRLEAD_GIT_TOKEN (with FAIRLEAD_GIT_USER,
// default "git") at the servers that FAIRLEAD_GIT_DOMAINS lists, FAIRLEAD_SSH_KEY (a file), the ssh
// agent or ~/.ssh; they appear in no message and no command line. `is_cancelled` is polled and may
// be empty. Blocks; no two for one directory at a time.
absl::Status Fetch(const FetchRequest& request, const std::function<bool()>& is_cancelled);

// Whether the command line asks for RunFetchHelper.
bool IsFetchHelper(int argc, const char* const* argv);

// The child's whole life: argv is {program, "--fetch-helper", url, directory, reference}, or
// {program, "--fetch-helper"} of a child that Fetcher keeps. Returns the exit code, or ends
// the process with it, after one line for Fetch on standard output. Requires: nothing else has
// happened in the process.
int RunFetchHelper(int argc, const char* const* argv);

}  // namespace fairlead::git
