#include "agent/engine_json.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "agent/probe_schedule.h"

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

TEST(EngineJsonTest, AProbeIsALabelAndEndsTheImagesOwnCheck) {
  v1::ContainerSpec spec = CheckedSpec();
  spec.mutable_healthcheck()->clear_command();
  spec.mutable_healthcheck()->mutable_probe()->set_port(8080);
  const boost::json::object body = ToCreateBody(spec, {});
  EXPECT_EQ(boost::json::serialize(body.at("Healthcheck")), R"({"Test":["NONE"]})");
  EXPECT_EQ(TextAt(body, {"Labels", kProbeLabel}), ProbeText(spec.healthcheck()));
  EXPECT_TRUE(ReadProbeText(TextAt(body, {"Labels", kProbeLabel})).has_value());
  EXPECT_FALSE(ToCreateBody(CheckedSpec(), {}).at("Labels").as_object().contains(kProbeLabel));
}

TEST(EngineJsonTest, AProbeIsNoDifferenceOfAContainerToAdopt) {
  v1::ContainerSpec spec = CheckedSpec();
  const boost::json::object inspect = Inspected(ToCreateBody(spec, {}));
  spec.mutable_healthcheck()->clear_command();
  spec.mutable_healthcheck()->mutable_probe()->set_port(8080);
  EXPECT_THAT(ComputeDifferences(spec, inspect), IsEmpty());
}

TEST(EngineJsonTest, AContainerOfComposeRunIsNoneOfTheResource) {
  boost::json::object labels = {{kResourceLabel, "stack/shop"}, {kComposeOneoffLabel, "False"}};
  EXPECT_EQ(ToBriefContainer({{"Labels", labels}}).resource(), "stack/shop");
  labels[kComposeOneoffLabel] = "True";
  EXPECT_EQ(ToBriefContainer({{"Labels", labels}}).resource(), "");
}

std::string AddressIn(const std::string& mode, const boost::json::object& networks) {
  return AddressOf(
      {{"HostConfig", {{"NetworkMode", mode}}}, {"NetworkSettings", {{"Networks", networks}}}});
}

TEST(EngineJsonTest, TheAddressIsThatOfTheNetworkItWasMadeIn) {
  const boost::json::object back = {{"IPAddress", "10.0.1.2"}};
  const boost::json::object front = {{"IPAddress", "10.0.2.2"}};
  const boost::json::object six = {{"IPAddress", ""}, {"GlobalIPv6Address", "fd00::2"}};
  EXPECT_EQ(AddressIn("front", {{"back", back}, {"front", front}}), "10.0.2.2");
  EXPECT_EQ(AddressIn("default", {{"bridge", back}}), "10.0.1.2");
  EXPECT_EQ(AddressIn("front", {{"back", back}}), "10.0.1.2") << "disconnected by hand";
  EXPECT_EQ(AddressIn("front", {{"front", six}, {"back", back}}), "10.0.1.2");
  EXPECT_EQ(AddressIn("front", {{"front", six}}), "fd00::2");
  EXPECT_EQ(AddressIn("host", {{"host", {{"IPAddress", ""}}}}), "127.0.0.1");
  EXPECT_EQ(AddressIn("none", {{"none", {{"IPAddress", ""}}}}), "");
  EXPECT_EQ(AddressOf({}), "");
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
