#include "agent/section_hash.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "absl/strings/str_replace.h"

namespace fairlead::agent {
namespace {

constexpr char kInspect[] = R"({
  "Config": {"Image": "app:1", "Cmd": ["serve"], "Entrypoint": null, "Env": ["A=1", "B=2"],
    "Labels": {"x": "y", "dev.fairlead.action": "a1", "com.docker.compose.project": "p"},
    "Healthcheck": {"Test": ["CMD-SHELL", "true"]}, "Hostname": "c0ffee"},
  "HostConfig": {"Binds": ["/a:/a", "/b:/b"], "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
    "NetworkMode": "net", "Memory": 0, "CapAdd": null},
  "NetworkSettings": {"Networks": {"net": {"IPAMConfig": null, "IPAddress": ""}}}})";

std::map<std::string, std::string> Hash(const std::string& text, char key = 'k') {
  return ComputeSectionHashes(boost::json::parse(text).as_object(), "",
                              resources::SpecHasher("k1", std::string(32, key)));
}

// Sections in which the text with `replacement` differs.
std::string Changed(const std::string& from, const std::string& to) {
  const std::string text = absl::StrReplaceAll(kInspect, {{from, to}});
  EXPECT_NE(text, kInspect) << from;
  std::string changed;
  const auto before = Hash(kInspect);
  for (const auto& [section, hash] : Hash(text)) {
    if (before.at(section) != hash) changed += section;
  }
  return changed;
}

TEST(SectionHashTest, EveryChangeByHandShowsInItsSection) {
  EXPECT_EQ(Changed("app:1", "app:2"), "image");
  EXPECT_EQ(Changed("[\"serve\"]", "[\"other\"]"), "command");
  EXPECT_EQ(Changed("\"Entrypoint\": null", "\"Entrypoint\": [\"sh\"]"), "command");
  EXPECT_EQ(Changed("B=2", "B=3"), "environment");
  EXPECT_EQ(Changed("\"true\"", "\"false\""), "healthcheck");
  EXPECT_EQ(Changed("/b:/b", "/b:/c"), "mounts");
  EXPECT_EQ(Changed("8080", "8081"), "ports");
  EXPECT_EQ(Changed("\"y\"", "\"z\""), "labels");
  EXPECT_EQ(Changed("{\"net\": {", "{\"more\": {}, \"net\": {"), "networks");
  EXPECT_EQ(Changed("\"Memory\": 0", "\"Memory\": 64"), "limits");
  EXPECT_EQ(Changed("\"CapAdd\": null", "\"CapAdd\": [\"NET_ADMIN\"]"), "limits");
}

TEST(SectionHashTest, AnImageReferenceThatStandsForAnotherImageIsAnotherImage) {
  const auto hash = [](const std::string& image_now) {
    return ComputeSectionHashes({{"Config", {{"Image", "app:1"}}}, {"Image", "sha256:a"}},
                                image_now, resources::SpecHasher("k1", std::string(32, 'k')));
  };
  EXPECT_EQ(hash("sha256:a"), hash("")) << "a reference that is gone changes nothing";
  EXPECT_EQ(ChangedSections(hash("sha256:a"), hash("sha256:b")),
            std::vector<std::string>({"image"}));
  EXPECT_NE(hash("sha256:b"), hash("sha256:c"));
}

TEST(SectionHashTest, NamesChangedSectionsInOrder) {
  const std::map<std::string, std::string> recorded = {{"ports", "1"}, {"image", "1"}, {"a", "1"}};
  EXPECT_EQ(ChangedSections(recorded, {{"ports", "2"}, {"a", "1"}, {"new", "1"}}),
            std::vector<std::string>({"image", "ports"}));
}

TEST(SectionHashTest, WhatTheEngineFillsInDoesNotCount) {
  EXPECT_EQ(Changed("\"IPAddress\": \"\"", "\"IPAddress\": \"172.17.0.2\""), "");
  EXPECT_EQ(Changed("\"IPAMConfig\": null", "\"IPAMConfig\": {}"), "");
  EXPECT_EQ(Changed("\"CapAdd\": null", "\"CapAdd\": []"), "");
  EXPECT_EQ(Changed("\"Memory\": 0, ", ""), "");
  EXPECT_EQ(Changed("\"A=1\", \"B=2\"", "\"B=2\", \"A=1\""), "");
  EXPECT_EQ(Changed("c0ffee", "decaf"), "");
}

TEST(SectionHashTest, OwnAndComposeLabelsDoNotCount) {
  EXPECT_EQ(Changed("\"a1\"", "\"a2\""), "");
  EXPECT_EQ(Changed("\"p\"", "\"q\""), "");
}

TEST(SectionHashTest, OnlyRecordedSectionsAreCompared) {
  const auto now = Hash(kInspect);
  auto recorded = now;
  recorded.erase("healthcheck");
  EXPECT_TRUE(IsAsRecorded(recorded, now));
  recorded["image"] = "other";
  EXPECT_FALSE(IsAsRecorded(recorded, now));
  EXPECT_FALSE(IsAsRecorded(now, {}));
  EXPECT_TRUE(IsAsRecorded({}, now));
}

TEST(SectionHashTest, TheKeyHidesWhatIsHashed) {
  EXPECT_NE(Hash(kInspect, 'k').at("environment"), Hash(kInspect, 'l').at("environment"));
}

}  // namespace
}  // namespace fairlead::agent
