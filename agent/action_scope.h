// What the steps of one running action share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

#include "agent/action_output.h"
#include "agent/allow_list.h"
#include "agent/container_records.h"
#include "agent/engine_client.h"
#include "agent/once_record.h"
#include "agent/runtime.h"
#include "agent/secret_texts.h"
#include "base/clock.h"
#include "fairlead/v1/action.pb.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

// Lives on the stack of Runtime::Run; everything it refers to outlives it. Confined to the
// action's thread.
struct ActionScope {
  const v1::Action& action;
  const ActionContext& context;
  const EngineClient& engine;
  ContainerRecords& records;
  SecretTexts& secrets;
  const base::Clock& clock;
  const std::string installation;
  const std::shared_ptr<const resources::SpecHasher> hasher;
  // The deadline of the action and its cancel.
  const CallLimits limits;
  // What must not be done twice for the action.
  const OnceRecord& once;
  // What its programs print.
  ActionOutput& output;
  // Steps add container id, log tail, warnings and results; ACTION_STATUS_INTERRUPTED stays, for a
  // status that is not OK.
  v1::ActionOutcome& outcome;
  // What the host's operator allows; actions themselves are checked before they begin.
  const AllowList& allowed;

  // Tells how far the action is. `detail` is redacted here.
  void Report(absl::string_view phase, const std::string& detail, uint64_t current = 0,
              uint64_t total = 0) const;
  void Warn(const std::string& warning);

  // Limits for undoing a step after the action's own have passed.
  CallLimits UndoLimits() const;
};

}  // namespace fairlead::agent
