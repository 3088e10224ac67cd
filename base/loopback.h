// Whether what is sent to an address stays on this machine.
#pragma once

#include "absl/strings/string_view.h"

namespace fairlead::base {

// Of a host alone, as in a URL: "localhost", or an IP address of 127.0.0.0/8, ::1, or the former
// mapped into IPv6; IPv6 with or without brackets. Other names are not looked up:
// 127.example.org and localhost.example.org can be anywhere.
bool IsLoopbackHost(absl::string_view host);

// Of an address as gRPC takes it: such a host with or without ":port", or a socket, "unix:/path"
// or "unix-abstract:name".
bool IsLoopbackAddress(absl::string_view address);

}  // namespace fairlead::base
