// The start, while the database is away.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ids.h"
#include "controller/store/store_address.h"

namespace fairlead::controller {

struct StoreWaitOptions {
  // Zero: not at all.
  absl::Duration wait;
  // Where /healthz and /readyz answer meanwhile; without a fixed port nobody does.
  std::string http_listen;
  // Folder of the certificate of an earlier start; empty: without TLS. Nobody answers without it.
  std::string tls_folder;
  // Polled several times a second; absent: never.
  std::function<bool()> is_stopping;
};

// As store::OpenStore, but asks a database that is away again and again; the log and /readyz say
// why. What waiting does not mend, such as a wrong password, is returned at once. Cancelled when it
// is stopping.
absl::StatusOr<std::unique_ptr<store::Store>> WaitForStore(const store::StoreAddress& address,
                                                           base::Clock& clock, base::Random& random,
                                                           const StoreWaitOptions& options);

}  // namespace fairlead::controller
