// Fetches by a child process that has already started.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "sync/git/fetch.h"

namespace fairlead::git {

// Most of a small fetch is the start of its child: loading libraries and certificates. This keeps
// one child waiting at its standard input, hands it the next request and then starts another.
// Every child serves one request, so a fetch that hangs or crashes harms no other. Thread-safe;
// fetches run in parallel, those of one directory must not. The destructor ends the waiting child;
// no Fetch may be running.
class Fetcher {
 public:
  // `helper_program` as in FetchRequest. Starts the first child.
  explicit Fetcher(std::string helper_program);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // As the function Fetch; `helper_program` of the request is not used.
  absl::Status Fetch(const FetchRequest& request, const std::function<bool()>& is_cancelled);

 private:
  class Child;

  absl::StatusOr<std::unique_ptr<Child>> StartChild() const;
  // The waiting child, or a new one.
  absl::StatusOr<std::unique_ptr<Child>> TakeChild();
  void KeepOneReady();

  const std::string helper_program_;
  base::Mutex mutex_;
  std::unique_ptr<Child> ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::git
