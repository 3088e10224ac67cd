#include "controller/office.h"

#include <unistd.h>

#include <array>

#include "absl/strings/str_cat.h"

#include "base/file.h"

namespace fairlead::controller {

v1::Event ElectedEvent(int64_t term, const std::string& name) {
  v1::Event event;
  event.set_type("controller-elected");
  event.set_message(absl::StrCat(name, " is the active controller, in term ", term));
  return event;
}

std::string OfficeMetrics(bool active, int64_t term) {
  return absl::StrCat(
      "# HELP fairlead_controller_active Whether this controller is the one that acts\n",
      "# TYPE fairlead_controller_active gauge\n", "fairlead_controller_active ", active ? 1 : 0,
      "\n# HELP fairlead_controller_term Number of the present or last office\n",
      "# TYPE fairlead_controller_term gauge\n", "fairlead_controller_term ", term, "\n");
}

absl::Status WriteEndpoints(const std::string& data_dir, const std::string& grpc_address,
                            const std::string& http_address) {
  return base::WriteFileAtomically(data_dir + "/endpoints.json",
                                   absl::StrCat("{\"grpc\":\"", grpc_address, "\",\"http\":\"",
                                                http_address, "\",\"pid\":", ::getpid(), "}\n"),
                                   0644);
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

std::string PortOf(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  return colon == std::string::npos ? "" : address.substr(colon + 1);
}

std::string MachineName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace fairlead::controller
