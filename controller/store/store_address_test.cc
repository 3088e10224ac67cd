#include "controller/store/store_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StoreAddressTest, SqliteIsAPath) {
  const auto address = ParseStoreAddress("sqlite:/var/lib/fairlead/fairlead.db", "");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->sqlite_path, "/var/lib/fairlead/fairlead.db");
  EXPECT_FALSE(address->postgres.has_value());
  EXPECT_EQ(address->Name(), "database \"/var/lib/fairlead/fairlead.db\"");
}

TEST(StoreAddressTest, PostgresKeepsParametersAndNamesHostAndDatabaseOnly) {
  const auto address = ParseStoreAddress(
      "postgresql://ann:s%25cret@db.example.org:6432/fleet?sslmode=verify-full&sslrootcert=/ca.pem",
      "");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->postgres->parameters.at("sslmode"), "verify-full");
  EXPECT_EQ(address->postgres->parameters.at("sslrootcert"), "/ca.pem");
  EXPECT_EQ(address->postgres->parameters.at("password"), "s%cret");
  EXPECT_EQ(address->Name(), "database \"fleet\" at db.example.org:6432");
}

TEST(StoreAddressTest, OfSeveralHostsTheNextOneComesFirst) {
  auto address = ParseStoreAddress("postgresql://ann@db1:1,db2:2,db3:3/fleet", "");
  ASSERT_TRUE(address.ok()) << address.status();
  address->postgres->PutNextHostFirst();
  EXPECT_EQ(address->postgres->parameters.at("host"), "db2,db3,db1");
  EXPECT_EQ(address->postgres->parameters.at("port"), "2,3,1");
  address = ParseStoreAddress("postgresql://ann@db1:1/fleet", "");
  ASSERT_TRUE(address.ok()) << address.status();
  address->postgres->PutNextHostFirst();
  EXPECT_EQ(address->postgres->parameters.at("host"), "db1");
}

TEST(StoreAddressTest, PasswordFileWinsAndItsLineEndIsNoPartOfIt) {
  TemporaryFolder folder;
  std::ofstream(folder.File("password")) << "it's \\ long\n";
  std::filesystem::permissions(folder.File("password"), std::filesystem::perms::owner_read);
  const auto address =
      ParseStoreAddress("postgresql://ann:other@db/fleet", folder.File("password"));
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->postgres->parameters.at("password"), "it's \\ long");
  EXPECT_THAT(address->postgres->ConnectionString(), HasSubstr("password='it\\'s \\\\ long'"));
}

TEST(StoreAddressTest, MistakesAreNamedWithoutThePassword) {
  struct Case {
    std::string text;
    std::string says;
  };
  for (const Case& each : {Case{"postgresql://ann:hush@db:port/x?sslmode", "postgresql://USER@"},
                           Case{"postgresql://ann:hu%zzsh@db/fleet", "postgresql://USER@"},
                           Case{"postgresql://ann:hush@db/fleet?sslmoed=require", "cannot be read"},
                           Case{"mysql://ann:hush@db/fleet", "sqlite:PATH"},
                           Case{"/var/hush.db", "sqlite:PATH"}, Case{"sqlite:", "sqlite:PATH"}}) {
    const auto address = ParseStoreAddress(each.text, "");
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << each.text;
    EXPECT_THAT(address.status().message(),
                AllOf(HasSubstr(each.says), Not(HasSubstr("hush")), Not(HasSubstr("sh@"))));
  }
}

TEST(StoreAddressTest, PasswordFileThatOthersMayReadIsRefused) {
  TemporaryFolder folder;
  const std::string file = folder.File("password");
  std::ofstream(file) << "hush\n";
  std::filesystem::permissions(file, std::filesystem::perms{0644});
  const absl::Status status = ParseStoreAddress("postgresql://ann@db/fleet", file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(status.message(), AllOf(HasSubstr("the password of the database"),
                                      HasSubstr("chmod 600 " + file), Not(HasSubstr("hush"))));
}

TEST(StoreAddressTest, MissingPasswordFileIsNamed) {
  const auto address = ParseStoreAddress("postgresql://ann@db/fleet", "/nowhere/password");
  EXPECT_EQ(address.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(address.status().message(), HasSubstr("/nowhere/password"));
}

}  // namespace
}  // namespace fairlead::store
