#include "agent/action_scope.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kUndoTime = absl::Seconds(60);

}  // namespace

void ActionScope::Report(absl::string_view phase, const std::string& detail, uint64_t current,
                         uint64_t total) const {
  if (!context.report) return;
  v1::ActionProgress progress;
  progress.set_action_id(action.id());
  progress.set_resource(action.resource());
  progress.set_phase(std::string(phase));
  progress.set_detail(secrets.Redact(detail));
  progress.set_current(current);
  progress.set_total(total);
  context.report(progress);
}

void ActionScope::Warn(const std::string& warning) {
  outcome.add_warnings(secrets.Redact(warning));
}

CallLimits ActionScope::UndoLimits() const { return {.deadline = clock.Now() + kUndoTime}; }

}  // namespace fairlead::agent
