#include "controller/secrets/secret_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
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

  std::string File(const std::string& name) const { return folder_.path() + "/" + name; }

  absl::StatusOr<std::unique_ptr<SecretKeeper>> Open() { return Open({.path = key_file()}); }
  absl::StatusOr<std::unique_ptr<SecretKeeper>> Open(const KeyFile& file) {
    errors_.clear();
    const base::LogSink sink = [this](base::LogLevel level, absl::string_view,
                                      absl::string_view message) {
      if (level >= base::LogLevel::kWarning) absl::StrAppend(&errors_, message, "\n");
    };
    base::SetThreadLogSink(&sink);
    auto keeper =
        SecretKeeper::Open(file, Image(), store_, base::Clock::Real(), base::Random::Real());
    base::SetThreadLogSink(nullptr);
    return keeper;
  }
  // A controller with another folder.
  std::unique_ptr<SecretKeeper> OpenAt(const std::string& name) {
    return *Open({.path = File(name)});
  }
  store::StoreImage Image() { return store_.Load().value_or(store::StoreImage()); }
  std::vector<v1::SecretRecord> Kept() { return Image().secrets; }
  // The id that the store remembers; "-" when it has never had any.
  std::string Remembered() {
    const store::StoreImage image = Image();
    const auto found = image.settings.find("secret-key-id");
    return found == image.settings.end() ? "-" : found->second;
  }
  // As a store from before it remembered a key: `value` encrypted with a key that is in `file`.
  void KeepAsBefore(const std::string& name, const std::string& value, const std::string& file) {
    KeyRing ring;
    ring.AddNewKey(base::Random::Real());
    ASSERT_TRUE(base::WriteFileAtomically(file, ring.Text()).ok());
    v1::SecretRecord record;
    record.set_name(name);
    record.set_version(1);
    ring.Encrypt(value, base::Random::Real(), &record);
    store::StoreBatch batch;
    batch.put_secrets.push_back(std::move(record));
    ASSERT_TRUE(store_.Apply(batch).ok());
  }
  // The values as a controller that starts now has them.
  resources::Variables Reopened() { return *(*Open())->Current(); }

  base::ScratchFolder folder_;
  FailingStore store_;
  // Warnings and errors of the last Open.
  std::string errors_;
};

TEST_F(SecretKeeperTest, TheFirstStartMakesTheKey) {
  const auto keeper = *Open();
  EXPECT_EQ(errors_, "");
  const std::string file = *base::ReadFile(key_file());
  EXPECT_EQ(KeyRing::Parse(file)->newest(), keeper->key_id());
  EXPECT_EQ(Remembered(), keeper->key_id());
  struct stat status = {};
  ASSERT_EQ(::stat(key_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // Once.
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(keeper->Set("PW", "one", "ann").ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(*base::ReadFile(key_file()), file);
  EXPECT_EQ(Remembered(), keeper->key_id());
}

TEST_F(SecretKeeperTest, NoKeyIsMadeWhereSomebodyElseProvidesIt) {
  const auto keeper = *Open({.path = key_file(), .make_at_start = false});
  EXPECT_FALSE(std::filesystem::exists(key_file()));
  EXPECT_EQ(Remembered(), "-");
}

TEST_F(SecretKeeperTest, AFileThatCannotBeMadeKeepsNothingFromStarting) {
  const KeyFile file{.path = File("none/secret.key")};
  const auto keeper = *Open(file);
  EXPECT_THAT(errors_, HasSubstr(File("none/secret.key")));
  EXPECT_EQ(Remembered(), "-");
  const auto set = keeper->Set("A", "one", "ann");
  EXPECT_TRUE(absl::IsNotFound(set.status()));
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("write the key file"));
  EXPECT_EQ(keeper->key_problem(), "") << "there is none that could be lost";
  // As soon as it can.
  ASSERT_TRUE(base::MakeDirectories(File("none")).ok());
  ASSERT_TRUE(keeper->Set("A", "one", "ann").ok());
  EXPECT_EQ(Remembered(), keeper->key_id());
}

TEST_F(SecretKeeperTest, KeepsWhatIsSetAndNeverInClear) {
  const auto keeper = *Open();
  const auto set = keeper->Set("PW", "s3cret-value", "ann");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->version(), 1u);
  EXPECT_EQ(set->set_by(), "ann");
  EXPECT_EQ(keeper->Current()->at("PW"), (resources::VariableValue{"s3cret-value", true, ""}));
  EXPECT_EQ(keeper->Set("PW", "another-value", "bob")->version(), 2u);
  EXPECT_EQ(Reopened().at("PW").value, "another-value");
  const std::string kept = Kept().at(0).SerializeAsString();
  EXPECT_THAT(kept, Not(HasSubstr("value")));
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
  EXPECT_EQ(Remembered(), keeper->key_id());
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
  EXPECT_THAT(errors_, HasSubstr("lacks key " + keeper->key_id()));
}

TEST_F(SecretKeeperTest, AnOperatorsNewKeyIsTakenUpAtTheStart) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  KeyRing ring = *KeyRing::Parse(*base::ReadFile(key_file()));
  ring.AddNewKey(base::Random::Real());
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), ring.Text()).ok());
  EXPECT_EQ(Reopened().at("A").value, "one");
  EXPECT_EQ(Kept().at(0).key_id(), ring.newest());
  EXPECT_EQ(Remembered(), ring.newest());
}

TEST_F(SecretKeeperTest, AnOperatorsNewKeyIsTakenUpBeforeAnythingIsSet) {
  ASSERT_TRUE(Open().ok());
  const std::string former = *base::ReadFile(key_file());
  KeyRing ring = *KeyRing::Parse(former);
  ring.AddNewKey(base::Random::Real());
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), ring.Text()).ok());
  const auto keeper = *Open();
  EXPECT_EQ(errors_, "");
  EXPECT_EQ(Remembered(), ring.newest());
  // Whoever has only the former one is not up to date.
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), former).ok());
  EXPECT_THAT((*Open())->key_problem(), HasSubstr("lacks key " + ring.newest()));
}

TEST_F(SecretKeeperTest, AStoreFromBeforeTakesItsKeyUp) {
  KeepAsBefore("A", "one", key_file());
  const auto keeper = *Open();
  EXPECT_EQ(errors_, "");
  EXPECT_EQ(keeper->Current()->at("A").value, "one");
  EXPECT_EQ(Remembered(), keeper->key_id());
  EXPECT_EQ(Kept().at(0).key_id(), keeper->key_id());
}

TEST_F(SecretKeeperTest, AStoreFromBeforeRemembersNoKeyThatDoesNotFit) {
  KeepAsBefore("A", "one", File("right.key"));
  for (const bool is_there : {false, true}) {
    if (is_there) {
      KeyRing other;
      other.AddNewKey(base::Random::Real());
      ASSERT_TRUE(base::WriteFileAtomically(key_file(), other.Text()).ok());
    }
    const auto keeper = *Open();
    EXPECT_THAT(errors_, HasSubstr("lacks the keys of A"));
    EXPECT_TRUE(absl::IsFailedPrecondition(keeper->Set("B", "two", "ann").status()));
    EXPECT_EQ(Remembered(), "-");
    EXPECT_EQ(std::filesystem::exists(key_file()), is_there);
  }
  // It is another one, and is used once nothing needs the lost one.
  const auto keeper = *Open();
  ASSERT_TRUE(keeper->Remove("A").ok());
  ASSERT_TRUE(keeper->Set("B", "two", "ann").ok());
  EXPECT_EQ(Remembered(), keeper->key_id());
}

TEST_F(SecretKeeperTest, ALostKeyFileLosesNothingElse) {
  ASSERT_TRUE((*Open())->Set("A", "one", "ann").ok());
  const std::string file = *base::ReadFile(key_file());
  const std::string key = Remembered();
  std::filesystem::remove(key_file());
  const auto keeper = *Open();
  EXPECT_EQ(keeper->Current()->at("A").value, "");
  EXPECT_THAT(keeper->Current()->at("A").why_none, HasSubstr(key_file()));
  // A new key in its place would hide that the old one is lost.
  const absl::Status set = keeper->Set("B", "two", "ann").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(set));
  EXPECT_THAT(std::string(set.message()), HasSubstr(key_file() + " lacks key " + key));
  EXPECT_THAT(std::string(set.message()), HasSubstr("lost keys (A)"));
  EXPECT_EQ(keeper->Rotate().status(), set);
  EXPECT_EQ(errors_, absl::StrCat(set.message(), "\n"));
  EXPECT_FALSE(std::filesystem::exists(key_file()));
  EXPECT_EQ(Remembered(), key);
  ASSERT_TRUE(base::WriteFileAtomically(key_file(), file).ok());
  EXPECT_EQ(Reopened().at("A").value, "one");
}

TEST_F(SecretKeeperTest, ALostKeyIsGivenUpWithTheLastSecretThatNeedsIt) {
  {
    const auto keeper = *Open();
    ASSERT_TRUE(keeper->Set("A", "one", "ann").ok());
    ASSERT_TRUE(keeper->Set("B", "two", "ann").ok());
  }
  const std::string key = Remembered();
  std::filesystem::remove(key_file());
  const auto keeper = *Open();
  ASSERT_TRUE(keeper->Remove("A").ok());
  EXPECT_EQ(Remembered(), key);
  EXPECT_TRUE(absl::IsFailedPrecondition(keeper->Set("C", "three", "ann").status()));
  store_.failure = absl::ResourceExhaustedError("disk full");
  EXPECT_TRUE(absl::IsResourceExhausted(keeper->Remove("B")));
  store_.failure = absl::OkStatus();
  EXPECT_EQ(Remembered(), key);
  EXPECT_NE(keeper->key_problem(), "");
  ASSERT_TRUE(keeper->Remove("B").ok());
  EXPECT_EQ(keeper->key_problem(), "");
  EXPECT_EQ(Remembered(), "");
  ASSERT_TRUE(keeper->Set("C", "three", "ann").ok());
  EXPECT_EQ(Remembered(), keeper->key_id());
  EXPECT_EQ(Reopened().at("C").value, "three");
}

TEST_F(SecretKeeperTest, ALostKeyThatNothingNeedsIsGivenUpByARotation) {
  ASSERT_TRUE(Open().ok());
  const std::string key = Remembered();
  std::filesystem::remove(key_file());
  const auto keeper = *Open();
  EXPECT_THAT(errors_, HasSubstr("lacks key " + key));
  EXPECT_FALSE(std::filesystem::exists(key_file()));
  const auto set = keeper->Set("A", "one", "ann");
  EXPECT_TRUE(absl::IsFailedPrecondition(set.status()));
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("fairlead secret rotate"));
  EXPECT_EQ(*keeper->Rotate(), 0u);
  EXPECT_EQ(Remembered(), keeper->key_id());
  EXPECT_TRUE(keeper->Set("A", "one", "ann").ok());
  EXPECT_EQ(Reopened().at("A").value, "one");
}

TEST_F(SecretKeeperTest, ALostKeyIsGivenUpForAFileThatCannotBeWritten) {
  ASSERT_TRUE(Open().ok());
  KeyRing other;
  other.AddNewKey(base::Random::Real());
  ASSERT_TRUE(base::MakeDirectories(File("credentials")).ok());
  ASSERT_TRUE(base::WriteFileAtomically(File("credentials/key"), other.Text()).ok());
  const auto keeper = *Open({.path = File("credentials/key"), .make_at_start = false});
  EXPECT_NE(keeper->key_problem(), "");
  std::filesystem::remove_all(File("credentials"));
  EXPECT_EQ(*keeper->Rotate(), 0u);
  EXPECT_EQ(Remembered(), other.newest());
  EXPECT_FALSE(keeper->Rotate().ok()) << "this one needs a new key";
  EXPECT_TRUE(keeper->Set("A", "one", "ann").ok());
}

TEST_F(SecretKeeperTest, WhoBecomesActiveWithAnotherFileSaysSo) {
  const std::string key = OpenAt("first.key")->key_id();
  // A second controller without a file, then with one of its own.
  for (const bool has_file : {false, true}) {
    if (has_file) {
      KeyRing other;
      other.AddNewKey(base::Random::Real());
      ASSERT_TRUE(base::WriteFileAtomically(File("second.key"), other.Text()).ok());
    }
    const auto second = OpenAt("second.key");
    EXPECT_THAT(errors_, HasSubstr(File("second.key") + " lacks key " + key));
    EXPECT_THAT(errors_, HasSubstr("the controller that was active before"));
    EXPECT_TRUE(absl::IsFailedPrecondition(second->Set("A", "one", "ann").status()));
    EXPECT_EQ(std::filesystem::exists(File("second.key")), has_file);
    EXPECT_EQ(Remembered(), key);
  }
  ASSERT_TRUE(OpenAt("first.key")->Set("A", "one", "ann").ok());
  // Copied, it is as good as the first; a rotation makes that one old.
  std::filesystem::copy_file(File("first.key"), File("second.key"),
                             std::filesystem::copy_options::overwrite_existing);
  const auto second = OpenAt("second.key");
  EXPECT_EQ(errors_, "");
  EXPECT_EQ(second->Current()->at("A").value, "one");
  ASSERT_EQ(*second->Rotate(), 1u);
  const auto first = OpenAt("first.key");
  EXPECT_THAT(first->key_problem(), HasSubstr("lacks key " + second->key_id()));
  EXPECT_TRUE(absl::IsFailedPrecondition(first->Set("B", "two", "ann").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(first->Rotate().status()));
  EXPECT_EQ(Remembered(), second->key_id());
  EXPECT_EQ(OpenAt("second.key")->Current()->at("A").value, "one");
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
  // What were encrypted with it would be lost with the right one.
  const auto keeper = *Open();
  const absl::Status refused = keeper->Set("B", "two", "ann").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("lacks the keys of A"));
  EXPECT_TRUE(absl::IsFailedPrecondition(keeper->Rotate().status()));
  EXPECT_EQ(*base::ReadFile(key_file()), wrong);
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
  EXPECT_EQ(Remembered(), keeper->key_id());
}

TEST_F(SecretKeeperTest, WhatTheStoreDidNotRememberAtTheStartIsMadeUpFor) {
  store_.failure = absl::ResourceExhaustedError("disk full");
  const auto keeper = *Open();
  EXPECT_THAT(errors_, HasSubstr("disk full"));
  store_.failure = absl::OkStatus();
  EXPECT_EQ(Remembered(), "-");
  ASSERT_TRUE(keeper->Set("A", "one", "ann").ok());
  EXPECT_EQ(Remembered(), keeper->key_id());
  EXPECT_EQ(Reopened().at("A").value, "one");
}

}  // namespace
}  // namespace fairlead::secrets
