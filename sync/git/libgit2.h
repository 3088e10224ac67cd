// Owning handles and errors of libgit2; for the files of this folder only.
#pragma once

#include <git2.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::git {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
template <typename T, auto Free>
using Handle = std::unique_ptr<T, FreeWith<Free>>;

using Repository = Handle<git_repository, git_repository_free>;
using Remote = Handle<git_remote, git_remote_free>;
using Reference = Handle<git_reference, git_reference_free>;
using Commit = Handle<git_commit, git_commit_free>;
using Tree = Handle<git_tree, git_tree_free>;
using TreeEntry = Handle<git_tree_entry, git_tree_entry_free>;
using Object = Handle<git_object, git_object_free>;
using ObjectDatabase = Handle<git_odb, git_odb_free>;
using DatabaseObject = Handle<git_odb_object, git_odb_object_free>;
using PackBuilder = Handle<git_packbuilder, git_packbuilder_free>;

// Calls function(&raw, arguments...) and lets `handle` own what it made. Returns libgit2's code.
template <typename HandleType, typename Function, typename... Arguments>
int Fill(HandleType& handle, Function function, Arguments... arguments) {
  typename HandleType::pointer raw = nullptr;
  const int code = function(&raw, arguments...);
  handle.reset(raw);
  return code;
}

// Starts libgit2 once per process: no check who owns a repository, no configuration of the user
// or the machine. Thread-safe.
absl::Status StartLibrary();

// The text of the last error on this thread; never empty.
std::string LastError();

// 40 hexadecimal digits.
std::string ToHex(const git_oid& id);

}  // namespace fairlead::git
