#include <utility>

#include "absl/strings/str_cat.h"
#include "integration/chaos/fleet.h"

namespace fairlead::chaos {

Service::Service(std::string name, std::vector<std::string> argv, std::string log,
                 std::map<std::string, std::string> environment)
    : name_(std::move(name)),
      argv_(std::move(argv)),
      log_(std::move(log)),
      environment_(std::move(environment)) {}

absl::Status Service::Start() {
  wanted_ = true;
  return process_.Running() ? absl::OkStatus() : process_.Start(argv_, log_, environment_);
}

void Service::Kill() {
  wanted_ = false;
  process_.Kill();
}

std::string Service::Supervise() {
  if (!wanted_ || process_.Running()) return "";
  const int code = process_.exit_code();
  Start().IgnoreError();  // Tried again by the next call.
  return code >= 128 ? absl::StrCat(name_, " was ended by signal ", code - 128) : "";
}

Host::~Host() {
  if (agent != nullptr) agent->Kill();
}

}  // namespace fairlead::chaos
