// A runtime with docker-compose played by a script.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/engine_json.h"
#include "agent/stack_folder.h"
#include "agent/testing/runtime_fixture.h"
#include "base/file.h"

namespace fairlead::agent {

inline constexpr char kConfig[] =
    "services:\n"
    "  db:\n    image: app:1\n"
    "  web:\n    image: app:1\n    depends_on:\n      db:\n        condition: service_started\n"
    "version: '3.9'\n";

// With docker-compose played by a script, and the containers it would make by the test.
class ComposeFixture : public RuntimeFixture {
 protected:
  ComposeFixture() : fake_(folder_.path() + "/fake") {
    EXPECT_TRUE(base::MakeDirectories(fake_ + "/bin").ok());
    std::filesystem::create_symlink(FAIRLEAD_SOURCE_DIR "/agent/testing/fake_compose.sh",
                                    fake_ + "/bin/docker-compose");
    // `docker compose` must not be found there.
    std::filesystem::create_symlink("/bin/false", fake_ + "/bin/docker");
    ::setenv("PATH", absl::StrCat(fake_, "/bin:/usr/bin:/bin").c_str(), 1);
    ::setenv("FAKE_COMPOSE_DIR", fake_.c_str(), 1);
    Write("config.yaml", kConfig);
  }

  void Write(const std::string& name, const std::string& content) {
    EXPECT_TRUE(base::WriteFileAtomically(absl::StrCat(fake_, "/", name), content).ok());
  }
  // Since the last time; `config` left out.
  std::vector<std::string> Calls() {
    const std::string text = base::ReadFile(fake_ + "/calls").value_or("");
    std::filesystem::remove(fake_ + "/calls");
    std::vector<std::string> calls = absl::StrSplit(text, '\n', absl::SkipEmpty());
    std::erase(calls, "config");
    return calls;
  }
  static v1::Action Stack(const std::string& id, const std::string& hash = "v1:k1:s1") {
    v1::Action action = ActionOf(id, "stack/shop");
    action.set_spec_hash(hash);
    v1::ApplyStack& stack = *action.mutable_apply_stack();
    stack.set_project("shop");
    v1::StackFile& file = *stack.add_files();
    file.set_path("compose.yaml");
    file.set_content("name: x\nservices: {}\n");
    return action;
  }
  std::map<std::string, std::map<std::string, std::string>> OverrideLabels() const {
    std::map<std::string, std::map<std::string, std::string>> labels;
    const boost::json::value value = boost::json::parse(
        base::ReadFile(folder_.path() + "/stacks/shop/override.json").value_or("{}"));
    for (const auto& [service, definition] : value.at("services").as_object()) {
      for (const auto& [key, label] : definition.at("labels").as_object()) {
        labels[std::string(service)][std::string(key)] = label.as_string().c_str();
      }
    }
    return labels;
  }
  // What compose would make of the last override.
  void AddContainerOf(const std::string& service) {
    boost::json::object labels = {{kComposeProjectLabel, "shop"}, {kComposeServiceLabel, service}};
    const std::map<std::string, std::string> own = OverrideLabels()[service];
    for (const auto& [key, value] : own) labels[key] = value;
    engine_.AddContainer(absl::StrCat("shop_", service, "_1"),
                         {{"Image", "app:1"}, {"Labels", labels}}, "running");
  }
  // Applied completely and running.
  void Deploy() {
    ASSERT_EQ(Run(Stack("a1")).message(), "");
    AddContainerOf("db");
    AddContainerOf("web");
    ASSERT_EQ(Run(Stack("a1")).message(), "");
    Calls();
  }
  // The container `other` of somebody else.
  void AddHolderOfPort9090() {
    v1::ContainerSpec other;
    other.set_image("app:1");
    v1::ContainerSpec::Port& port = *other.add_ports();
    port.set_host_port(9090);
    port.set_container_port(1);
    port.set_protocol("tcp");
    engine_.AddContainer("other", ToCreateBody(other, {}), "running");
  }
  // As made by somebody else's compose.
  std::string AddForeign(const std::string& service, const std::string& compose_hash,
                         const std::string& state = "running") {
    return engine_.AddContainer(absl::StrCat("shop_", service, "_1"),
                                {{"Image", "app:1"},
                                 {"Labels",
                                  {{kComposeProjectLabel, "shop"},
                                   {kComposeServiceLabel, service},
                                   {kComposeHashLabel, compose_hash}}}},
                                state);
  }
  static v1::Action Adopt(const std::string& id) {
    v1::Action action = Stack(id);
    v1::ApplyStack stack = action.apply_stack();
    *action.mutable_adopt_stack()->mutable_stack() = std::move(stack);
    return action;
  }
  // Running as declared, and taken over.
  void AdoptAll() {
    Write("hashes", "db h-db\nweb h-web\n");
    AddForeign("db", "h-db");
    AddForeign("web", "h-web");
    ASSERT_EQ(Run(Adopt("d1")).message(), "");
    Calls();
  }
  absl::StatusOr<v1::Project> Record() { return StackFolder(folder_.path(), "shop").ReadRecord(); }

  const std::string fake_;
};

}  // namespace fairlead::agent
