#include "resources/field_defaults.h"

#include "gtest/gtest.h"

namespace fairlead::resources {
namespace {

const v1::Resource& Default(const char* kind, v1::Dialect dialect) {
  return DefaultResource(*FindKind(kind), dialect);
}

TEST(FieldDefaultsTest, DialectsDiffer) {
  EXPECT_TRUE(Default("deployment", v1::DIALECT_TOML).deploy());
  EXPECT_FALSE(Default("deployment", v1::DIALECT_KOMODO).deploy());
  EXPECT_EQ(Default("deployment", v1::DIALECT_TOML).deployment().network(), "bridge");
  EXPECT_EQ(Default("deployment", v1::DIALECT_KOMODO).deployment().network(), "host");
  EXPECT_EQ(Default("deployment", v1::DIALECT_TOML).deployment().restart(),
            v1::RESTART_MODE_UNLESS_STOPPED);
  EXPECT_EQ(Default("deployment", v1::DIALECT_KOMODO).deployment().restart(), v1::RESTART_MODE_NO);
  EXPECT_TRUE(Default("server", v1::DIALECT_TOML).server().enabled());
  EXPECT_FALSE(Default("server", v1::DIALECT_KOMODO).server().enabled());
}

TEST(FieldDefaultsTest, CommonDefaultsHoldInBoth) {
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    const v1::Stack& stack = Default("stack", dialect).stack();
    EXPECT_TRUE(stack.auto_pull());
    EXPECT_EQ(stack.branch(), "main");
    EXPECT_EQ(stack.env_file_path(), ".env");
    EXPECT_EQ(stack.health_timeout().seconds(), 180);
    const v1::Server& server = Default("server", dialect).server();
    EXPECT_FLOAT_EQ(server.cpu_warning(), 90);
    EXPECT_DOUBLE_EQ(server.disk_critical(), 95);
  }
}

TEST(FieldDefaultsTest, EntryFieldsOfOtherKindsStayUnset) {
  EXPECT_FALSE(Default("server", v1::DIALECT_TOML).deploy());
  EXPECT_FALSE(Default("variable", v1::DIALECT_TOML).heal());
  EXPECT_TRUE(Default("stack", v1::DIALECT_TOML).heal());
}

TEST(FieldDefaultsTest, InnerMessagesHaveTheirs) {
  const auto& window = static_cast<const v1::MaintenanceWindow&>(
      DefaultsOf(v1::MaintenanceWindow::descriptor(), v1::DIALECT_KOMODO));
  EXPECT_TRUE(window.enabled());
}

}  // namespace
}  // namespace fairlead::resources
