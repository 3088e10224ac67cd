#include "resources/image_reference.h"

#include <gtest/gtest.h>

namespace fairlead::resources {
namespace {

TEST(ImageReferenceTest, TheRegistryIsTheFirstPartThatLooksLikeADomain) {
  EXPECT_EQ(RegistryOf("debian:12"), "docker.io");
  EXPECT_EQ(RegistryOf("nginx:5000"), "docker.io");
  EXPECT_EQ(RegistryOf("team/api:1"), "docker.io");
  EXPECT_EQ(RegistryOf("docker.io/team/api"), "docker.io");
  EXPECT_EQ(RegistryOf("index.docker.io/team/api"), "docker.io");
  EXPECT_EQ(RegistryOf("ghcr.io/team/api@sha256:0"), "ghcr.io");
  EXPECT_EQ(RegistryOf("localhost/api"), "localhost");
  EXPECT_EQ(RegistryOf("127.0.0.1:5000/api:1"), "127.0.0.1:5000");
  EXPECT_EQ(RegistryOf("host:5000/api"), "host:5000");
}

}  // namespace
}  // namespace fairlead::resources
