#include "agent/testing/runtime_fixture.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairlead::agent {

RuntimeFixture::RuntimeFixture() : engine_(folder_.path() + "/engine.sock") {
  engine_.AddImage("app:1");
  engine_.AddImage("app:2");
  engine_.AddNetwork("apps");
  RestartAgent();
}

void RuntimeFixture::RestartAgent() {
  runtime_.reset();
  records_ = std::make_unique<ContainerRecords>(folder_.path() + "/containers");
  EXPECT_TRUE(records_->Load().ok());
  runtime_ = std::make_unique<DockerRuntime>(
      DockerOptions{.engine = engine_.address(), .data_directory = folder_.path()}, *records_,
      secrets_, base::Clock::Real());
  runtime_->SetInstallation(kTestInstallation, "k1", std::string(32, 'k'));
}

v1::ActionOutcome RuntimeFixture::Run(const v1::Action& action) {
  progress_.clear();
  const auto at_phase = [&] {
    return std::any_of(progress_.begin(), progress_.end(), [&](const v1::ActionProgress& step) {
      return step.phase() == cancel_at_phase_;
    });
  };
  return runtime_->Run(
      action, {.is_cancelled = [&] { return !cancel_at_phase_.empty() && at_phase(); },
               .report = [&](const v1::ActionProgress& step) { progress_.push_back(step); }});
}

v1::Action RuntimeFixture::ActionOf(const std::string& id, const std::string& resource) {
  v1::Action action;
  action.set_id(id);
  action.set_resource(resource);
  return action;
}

v1::Action RuntimeFixture::Apply(const std::string& id, const std::string& hash) {
  v1::Action action = ActionOf(id);
  action.set_spec_hash(absl::StrCat("v1:k1:", hash));
  v1::ContainerSpec& spec = *action.mutable_apply_container()->mutable_spec();
  spec.set_name("web");
  spec.set_image("app:1");
  spec.add_environment(absl::StrCat("SPEC=", hash));
  v1::ContainerSpec::Port& port = *spec.add_ports();
  port.set_host_port(8080);
  port.set_container_port(80);
  port.set_protocol("tcp");
  spec.set_restart_policy("unless-stopped");
  return action;
}

v1::Action RuntimeFixture::ApplyFirst(const std::string& id, const std::string& hash) {
  v1::Action action = Apply(id, hash);
  v1::ApplyContainer& apply = *action.mutable_apply_container();
  apply.set_start_first(true);
  apply.mutable_spec()->clear_ports();
  apply.mutable_spec()->set_network("apps");
  return action;
}

v1::Action RuntimeFixture::Finish(const std::string& id, v1::FinishReplacement::Keep keep) {
  v1::Action action = ActionOf(id);
  v1::FinishReplacement& finish = *action.mutable_finish_replacement();
  finish.set_keep(keep);
  finish.set_name("web");
  finish.set_restart_policy("unless-stopped");
  return action;
}

}  // namespace fairlead::agent
