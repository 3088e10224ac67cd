// The start, while the database is away.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ids.h"

namespace fairlead::controller {

struct StoreWaitOptions {
  // Zero: not at all.
  absl::Duration wait;
  // Polled several times a second; absent: never.
  std::function<bool()> is_stopping;
  // Hears why it waits, each time; absent: nobody does. The log has it, too.
  std::function<void(const std::string& why)> on_wait;
};

// Asks a database that is away again and again. What waiting does not mend, such as a wrong
// password, is returned at once. Cancelled when it is stopping.
absl::Status WaitForDatabase(const std::function<absl::Status()>& ask, base::Clock& clock,
                             base::Random& random, const StoreWaitOptions& options);

}  // namespace fairlead::controller
