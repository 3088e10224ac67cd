#include "controller/secrets/secret_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/testing/scratch_folder.h"
#include "controller/store/testing/fake_store.h"

namespace fairlead::secrets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Takes nothing while `failure` is set.
class FailingStore final : public store::FakeStore {
 public:
  absl::Status Apply(const store::StoreBatch& batch) override {
    return failure.ok() ? FakeStore::Apply(batch) : failure;
  }
  absl::Status failure;
};

class SecretKeeperTest : public ::testing::Test {
 protected:
  std::string key_file() const { return folder_.path() + "/secret.key"; }

  absl::StatusOr<std::unique_ptr<SecretKeeper>> Open() {
    return SecretKeeper::Open(key_file(), Kept(), store_, base::Clock::Real(),
                              base::Random::Real());
  }
  std::vector<v1::SecretRecord> Kept() {
    const absl::StatusOr<store::StoreImage> image = store_.Load();
    return image.ok() ? image->secrets : std::vector<v1::SecretRecord>();
  }
  // The values as a controller that starts now has them.
  resources::Variables Reopened() { return *(*Open())->Current(); }

  base::ScratchFolder folder_;
  FailingStore store_;
};

TEST_F(SecretKeeperTest, KeepsWhatIsSetAndNeverInClear) {
  const auto keeper = *Open();
  EXPECT_FALSE(std::filesystem::exists(key_file())) << "nothing is made before it is needed";
  const auto set = keeper->Set("PW", "s3cret-value", "ann");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->version(), 1u);
  EXPECT_EQ(set->set_by(), "ann");
  EXPECT_EQ(keeper->Current()->at("PW"), (resources::VariableValue{"s3cret-value", true, ""}));
  EXPECT_EQ(keeper->Set("PW", "another-value", "bob")->version(), 2u);
  EXPECT_EQ(Reopened().at("PW").value, "another-value");
  const std::string kept = Kept().at(0).SerializeAsString();
  EXPECT_THAT(kept, Not(HasSubstr("value")));
  struct stat status = {};
  ASSERT_EQ(::stat(key_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SecretKeeperTest, TellsEachChange) {
  const auto keeper = *Open();
  std::vector<std::string> seen;
  keeper->SetListener([&](const SecretKeeper::Values& values) {
    const auto found = values->find("PW");
    seen.push_back(found == values->end() ? "-" : found->second.value);
  });
  ASSERT_TRUE(keeper->Set("PW", "one", "ann").ok());
  keeper->SetProvided({{"PW", {"provided", true, ""}}});
  ASSERT_TRUE(keeper->Remove("PW").ok());
  keeper->SetProvided({{"PW", {"provided", true, ""}}});
  EXPECT_THAT(seen, ::testing::ElementsAre("-", "one", "one", "provided"));
}

TEST_F(SecretKeeperTest, RefusesWhatCannotBeANameOrAValue) {
  const auto keeper = *Open();
  for (const std::string& name :
       std::vector<std::string>{"", "a b", "A]]", "x/y", std::string(300, 'a').c_str()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(keeper->Set(name, "v", "ann").status())) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(keeper->Set("PW", "", "ann").status()));
  const auto large = keeper->Set("PW", std::string(70'000, 'x'), "ann");
  EXPECT_THAT(std::string(large.status().message()), HasSubstr("70000 bytes"));
  EXPECT_TRUE(absl::IsNotFound(keeper->Remove("PW")));
}

TEST_F(SecretKeeperTest, RotatesTheKey) {
  const auto keeper = *Open();
  ASSERT_TRUE(keeper->Set("A", "one", "ann").ok());
  ASSERT_TRUE(keeper->Set("B", "two", "ann").ok());
  const std::string former = keeper->key_id();
  const std::string old_file = *base::ReadFile(key_file());
  EXPECT_EQ(*keeper->Rotate(), 2u);
  EXPECT_NE(keeper->key_id(), former);
  for (const v1::SecretRecord& record : Kept()) {
    EXPECT_EQ(record.key_id(), keeper->key_id());
    EXPECT_EQ(record.version(), 1u) << "it was not set anew";
  }
  EXPECT_EQ(Reopened().at("A").value, "one");
  EXPECT_EQ(Reopened().at("B").value, "two");
  EXPECT_THAT(*base::ReadFile(key_file()), HasSubstr(former)) << "for older backups";
  // With the file from before nothing can be read, and nothing is lost.
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), old_file).ok());
  EXPECT_THAT(Reopened().at("A").why_none, HasSubstr("is missing"));
}

TEST_F(SecretKeeperTest, AnOperatorsNewKeyIsTakenUpAtTheStart) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  KeyRing ring = *KeyRing::Parse(*base::ReadFile(key_file()));
  ring.AddNewKey(base::Random::Real());
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), ring.Text()).ok());
  EXPECT_EQ(Reopened().at("A").value, "one");
  EXPECT_EQ(Kept().at(0).key_id(), ring.newest());
}

TEST_F(SecretKeeperTest, ALostKeyFileLosesNothingElse) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  const std::string file = *base::ReadFile(key_file());
  std::filesystem::remove(key_file());
  const auto keeper = *Open();
  EXPECT_EQ(keeper->Current()->at("A").value, "");
  EXPECT_THAT(keeper->Current()->at("A").why_none, HasSubstr(key_file()));
  // A new key in its place would hide that the old one is lost.
  const auto set = keeper->Set("B", "two", "ann");
  EXPECT_TRUE(absl::IsFailedPrecondition(set.status()));
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("lacks the keys of A"));
  EXPECT_FALSE(std::filesystem::exists(key_file()));
  EXPECT_TRUE(absl::IsFailedPrecondition(keeper->Rotate().status()));
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), file).ok());
  EXPECT_EQ(Reopened().at("A").value, "one");
  // Or it is given up.
  std::filesystem::remove(key_file());
  const auto anew = *Open();
  ASSERT_TRUE(anew->Remove("A").ok());
  EXPECT_TRUE(anew->Set("B", "two", "ann").ok());
}

TEST_F(SecretKeeperTest, AnotherKeyUnderTheSameNameOpensNothing) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  std::string text = *base::ReadFile(key_file());
  const std::string id = KeyRing::Parse(text)->newest();
  KeyRing other;
  other.AddNewKey(base::Random::Real());
  std::string wrong = other.Text();
  wrong.replace(wrong.find(other.newest()), other.newest().size(), id);
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), wrong).ok());
  EXPECT_THAT(Reopened().at("A").why_none, HasSubstr("does not open it"));
}

TEST_F(SecretKeeperTest, AKeyFileThatOthersMayReadOrThatIsNoneIsRefused) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  ASSERT_EQ(::chmod(key_file().c_str(), 0644), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(Open().status()));
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), "nonsense\n").ok());
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("line 1 is no key"));
}

TEST_F(SecretKeeperTest, WhatTheStoreDoesNotTakeIsNotSet) {
  const auto keeper = *Open();
  ASSERT_TRUE(keeper->Set("A", "one", "ann").ok());
  store_.failure = absl::ResourceExhaustedError("disk full");
  EXPECT_TRUE(absl::IsResourceExhausted(keeper->Set("A", "two", "ann").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(keeper->Remove("A")));
  // The new key is in the file, what it is for is not: the next start makes it good.
  EXPECT_TRUE(absl::IsResourceExhausted(keeper->Rotate().status()));
  EXPECT_EQ(keeper->Current()->at("A").value, "one");
  store_.failure = absl::OkStatus();
  EXPECT_EQ(Reopened().at("A").value, "one");
  EXPECT_EQ(Kept().at(0).key_id(), keeper->key_id());
}

}  // namespace
}  // namespace fairlead::secrets
