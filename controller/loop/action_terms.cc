#include "controller/loop/action_terms.h"

#include "base/proto_time.h"
#include "resources/field_table.h"
#include "resources/resource_id.h"

namespace fairlead::loop {
namespace {

const v1::Resource* AppliedOf(const sync::PlanInput& input, absl::string_view resource) {
  const auto entry = input.inventory.find(std::string(resource));
  const bool known = entry != input.inventory.end() && entry->second->has_applied();
  return known ? &entry->second->applied() : nullptr;
}

// As it is declared, and while that cannot be read or is gone, as it was applied last.
const v1::Resource* SpecOf(const sync::PlanInput& input, absl::string_view resource) {
  const auto id = resources::ResourceId::Parse(resource);
  if (id.has_value()) {
    const auto desired = input.desired->resources.find(*id);
    const bool readable = desired != input.desired->resources.end() && !desired->second->invalid &&
                          desired->second->spec != nullptr;
    if (readable) return desired->second->spec.get();
  }
  return AppliedOf(input, resource);
}

absl::Duration TimeoutOf(const v1::Resource* spec) {
  if (spec == nullptr) return absl::ZeroDuration();
  return base::FromProto(spec->has_stack() ? spec->stack().action_timeout()
                                           : spec->deployment().action_timeout());
}

}  // namespace

StopTerms StopTermsOf(const sync::PlanInput& input, absl::string_view resource) {
  const v1::Resource* const applied = AppliedOf(input, resource);
  if (applied == nullptr || !applied->has_deployment()) return {};
  const v1::Deployment& deployment = applied->deployment();
  return {.signal = std::string(resources::TextOf(deployment.termination_signal())),
          .seconds = deployment.termination_timeout()};
}

absl::Duration DeadlineOf(const sync::PlanInput& input, absl::string_view resource,
                          v1::StepAction action) {
  const absl::Duration given = TimeoutOf(SpecOf(input, resource));
  if (given > absl::ZeroDuration()) return given;
  return (sync::MakesContainers(action) ? absl::Minutes(15) : absl::Minutes(3)) +
         absl::Seconds(StopTermsOf(input, resource).seconds);
}

}  // namespace fairlead::loop
