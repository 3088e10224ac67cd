#include "agent/engine_json.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::ContainerSpec CheckedSpec() {
  v1::ContainerSpec spec;
  spec.set_image("app:1");
  v1::ContainerSpec::Healthcheck* check = spec.mutable_healthcheck();
  check->set_command("curl -f localhost");
  check->mutable_interval()->set_seconds(5);
  check->mutable_timeout()->set_nanos(500000000);
  check->set_retries(4);
  return spec;
}

// As `inspect` shows a container made of that body.
boost::json::object Inspected(const boost::json::object& body) {
  return {{"Config", body}, {"HostConfig", body.at("HostConfig")}};
}

TEST(EngineJsonTest, AHealthcheckBecomesTheEnginesOwn) {
  const boost::json::object body = ToCreateBody(CheckedSpec(), {});
  EXPECT_EQ(boost::json::serialize(body.at("Healthcheck")),
            R"({"Test":["CMD-SHELL","curl -f localhost"],"Interval":5000000000,)"
            R"("Timeout":500000000,"Retries":4})");
}

TEST(EngineJsonTest, WithoutAHealthcheckTheImagesOwnStays) {
  v1::ContainerSpec spec = CheckedSpec();
  spec.clear_healthcheck();
  EXPECT_FALSE(ToCreateBody(spec, {}).contains("Healthcheck"));
}

TEST(EngineJsonTest, AnotherHealthcheckIsADifference) {
  const boost::json::object inspect = Inspected(ToCreateBody(CheckedSpec(), {}));
  EXPECT_THAT(ComputeDifferences(CheckedSpec(), inspect), IsEmpty());
  v1::ContainerSpec other = CheckedSpec();
  other.mutable_healthcheck()->set_retries(5);
  EXPECT_THAT(ComputeDifferences(other, inspect), ElementsAre("healthcheck"));
  v1::ContainerSpec none = CheckedSpec();
  none.clear_healthcheck();
  EXPECT_THAT(ComputeDifferences(none, inspect), IsEmpty());
  EXPECT_THAT(ComputeDifferences(CheckedSpec(), Inspected(ToCreateBody(none, {}))),
              ElementsAre("healthcheck"));
}

}  // namespace
}  // namespace fairlead::agent
