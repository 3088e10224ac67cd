#include "resources/health_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

using ::testing::HasSubstr;

std::string Http(const std::string& url) {
  const auto probe = ParseHttpProbe(url);
  if (!probe.ok()) return std::string(probe.status().message());
  return absl::StrCat(probe->host(), "|", probe->port(), "|", probe->path());
}

std::string Tcp(const std::string& address) {
  const auto probe = ParseTcpProbe(address);
  if (!probe.ok()) return std::string(probe.status().message());
  return absl::StrCat(probe->port(), "|", probe->path());
}

TEST(HealthProbeTest, ReadsUrls) {
  EXPECT_EQ(Http("http://localhost:8080/health"), "localhost:8080|8080|/health");
  EXPECT_EQ(Http("http://shop.example"), "shop.example|80|/");
  EXPECT_EQ(Http("http://a/b/c?d=e:1"), "a|80|/b/c?d=e:1");
  EXPECT_EQ(Http("http://a:1?d"), "a:1|1|/?d");
  EXPECT_EQ(Http("http://:9/x"), "localhost:9|9|/x");
  EXPECT_EQ(Http("http://[::1]:9/x"), "[::1]:9|9|/x");
  EXPECT_EQ(Http("http://[::1]/x"), "[::1]|80|/x");
}

TEST(HealthProbeTest, NamesWhatIsWrongWithAUrl) {
  EXPECT_THAT(Http("https://a/"), HasSubstr("https, which is not asked"));
  EXPECT_THAT(Http("localhost:80/health"), HasSubstr("is not a URL"));
  EXPECT_THAT(Http(""), HasSubstr("is not a URL"));
  EXPECT_THAT(Http("http://a:0/"), HasSubstr("\"0\" is not a port"));
  EXPECT_THAT(Http("http://a:65536/"), HasSubstr("is not a port"));
  EXPECT_THAT(Http("http://a:x/"), HasSubstr("is not a port"));
  EXPECT_THAT(Http("http://a/" + std::string(2048, 'x')), HasSubstr("is longer than 2048"));
  for (const char* odd : {"http://a/b c", "http://a/b\r\nHost: c", "http://u@a/", "http://a/#b",
                          "http://a/\xc3\xa9"}) {
    EXPECT_THAT(Http(odd), HasSubstr("has a character")) << odd;
  }
}

TEST(HealthProbeTest, ReadsAddresses) {
  EXPECT_EQ(Tcp("localhost:5432"), "5432|");
  EXPECT_EQ(Tcp(":5432"), "5432|");
  EXPECT_EQ(Tcp("[::1]:5432"), "5432|");
  for (const char* wrong : {"", "5432", "localhost", "localhost:", "localhost:0", "a:b:c",
                            "http://a:80", "[::1]", "a b:80"}) {
    EXPECT_THAT(Tcp(wrong), HasSubstr(" is not ")) << wrong;
  }
}

TEST(HealthProbeTest, KnowsNetworksWithoutAnAddress) {
  EXPECT_TRUE(CanProbe("bridge"));
  EXPECT_TRUE(CanProbe("host"));
  EXPECT_TRUE(CanProbe(""));
  EXPECT_FALSE(CanProbe("none"));
  EXPECT_FALSE(CanProbe("container:db"));
}

}  // namespace
}  // namespace fairlead::resources
