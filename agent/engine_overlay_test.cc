#include "agent/engine_overlay.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agent/engine_json.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

google::protobuf::Struct StructOf(const std::string& text) {
  google::protobuf::Struct parsed;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &parsed).ok()) << text;
  return parsed;
}

std::string TextOf(const boost::json::object& object) {
  return std::string(boost::json::serialize(object));
}

TEST(EngineOverlayTest, MergesObjectsAppendsArraysReplacesTheRest) {
  boost::json::object body =
      boost::json::parse(
          R"({"Image":"a","HostConfig":{"Binds":["/a:/a"],"Memory":1},"Env":["A=1"]})")
          .as_object();
  LayOver(ToJson(StructOf(
              R"({"Env":["B=2"],"HostConfig":{"Binds":["/b:/b"],"Memory":268435456,"Init":true},
                  "User":"7","Image":null})")),
          body);
  EXPECT_EQ(
      TextOf(body),
      R"({"Image":"a","HostConfig":{"Binds":["/a:/a","/b:/b"],"Memory":268435456,"Init":true},)"
      R"("Env":["A=1","B=2"],"User":"7"})");
}

TEST(EngineOverlayTest, WholeNumbersHaveNoPoint) {
  EXPECT_EQ(TextOf(ToJson(StructOf(R"({"a":1e9,"b":0.5,"c":-1})"))),
            R"({"a":1000000000,"b":5E-1,"c":-1})");
}

TEST(EngineOverlayTest, TheRequestKeepsOurLabels) {
  v1::ContainerSpec spec;
  spec.set_image("app:1");
  *spec.mutable_engine() = StructOf(
      R"({"Labels":{"dev.fairlead.resource":"mine","x":"y"},"HostConfig":{"CapAdd":["NET_ADMIN"]}})");
  const boost::json::object body = ToCreateBody(spec, OwnLabels("i", "deployment/web", "h", "a"));
  EXPECT_EQ(TextAt(body, {"Labels", kResourceLabel}), "deployment/web");
  EXPECT_EQ(TextAt(body, {"Labels", "x"}), "y");
  EXPECT_THAT(TextsAt(body, {"HostConfig", "CapAdd"}), ElementsAre("NET_ADMIN"));
}

TEST(EngineOverlayTest, AContainerThatHasItAllDoesNotDiffer) {
  const boost::json::object overlay = ToJson(StructOf(
      R"({"User":"7","HostConfig":{"CapAdd":["NET_ADMIN"],"Memory":1024,"Privileged":false},
          "NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["web"]}}}})"));
  const boost::json::object like = boost::json::parse(R"({"Config":{"User":"7"},
          "HostConfig":{"CapAdd":["SYS_TIME","NET_ADMIN"],"Memory":1024},
          "NetworkSettings":{"Networks":{"n":{"Aliases":["web","123"]}}}})")
                                       .as_object();
  EXPECT_THAT(OverlayDifferences(overlay, like), IsEmpty());
  const boost::json::object unlike =
      boost::json::parse(R"({"Config":{"User":"8"},"HostConfig":{"Memory":1},
          "NetworkSettings":{"Networks":{"bridge":{}}}})")
          .as_object();
  EXPECT_THAT(OverlayDifferences(overlay, unlike),
              ElementsAre("HostConfig.CapAdd", "HostConfig.Memory", "NetworkingConfig", "User"));
}

}  // namespace
}  // namespace fairlead::agent
