#include "controller/identity/tls_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/certificate.h"
#include "base/file.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::identity {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class TlsFolderTest : public ::testing::Test {
 protected:
  TlsOptions Options() const { return {.folder = temporary_.File("tls"), .listen = {"1.2.3.4:5"}}; }
  std::string Read(const std::string& name) const {
    return base::ReadFile(temporary_.File(name)).value_or("");
  }
  void Write(const std::string& name, const std::string& content) const {
    ASSERT_TRUE(base::WriteFileAtomically(temporary_.File(name), content).ok());
  }
  // A pair of another authority in the files own.crt and own.key.
  TlsOptions WriteOwn(absl::Time now) const {
    const KeyPair pair =
        IssueController(MakeAuthority("own", now).value(), {.names = {"a"}, .addresses = {}}, now)
            .value();
    Write("own.crt", pair.certificate);
    Write("own.key", pair.key);
    TlsOptions options = Options();
    options.certificate = temporary_.File("own.crt");
    options.key = temporary_.File("own.key");
    return options;
  }

  store::TemporaryFolder temporary_;
};

TEST_F(TlsFolderTest, MakesWhatIsNeededOnceAndForItsOwnerOnly) {
  const auto first = TlsFolder::Open(Options(), kNow);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string authority = Read("tls/ca.crt");
  const std::string serving = Read("tls/serving.crt");
  for (const auto& entry : std::filesystem::directory_iterator(temporary_.File("tls"))) {
    struct stat found{};
    ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777u, 0600u) << entry.path();
  }
  EXPECT_EQ(first->fingerprint(), base::ReadCertificate(authority)->fingerprint);
  EXPECT_EQ(first->agent_trust(), authority);
  const auto second = TlsFolder::Open(Options(), kNow + absl::Hours(1));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(Read("tls/ca.crt"), authority);
  EXPECT_EQ(Read("tls/serving.crt"), serving);
}

TEST_F(TlsFolderTest, ItsCertificateIsReplacedBeforeItsEndAndForNewNames) {
  auto folder = TlsFolder::Open(Options(), kNow);
  ASSERT_TRUE(folder.ok());
  const std::string before = Read("tls/serving.crt");
  EXPECT_FALSE(*folder->Refresh(kNow + kControllerLife / 2));
  EXPECT_TRUE(*folder->Refresh(kNow + kControllerLife * 3 / 4));
  const std::string after = Read("tls/serving.crt");
  EXPECT_NE(after, before);
  TlsOptions more = Options();
  more.names = {"new.example"};
  ASSERT_TRUE(TlsFolder::Open(more, kNow + kControllerLife * 3 / 4).ok());
  EXPECT_TRUE(base::VerifyHost(Read("tls/serving.crt"), "new.example").ok());
}

TEST_F(TlsFolderTest, OwnFilesAreServedAndAReplacementIsTakenWhenItIsWhole) {
  const TlsOptions options = WriteOwn(kNow);
  auto folder = TlsFolder::Open(options, kNow);
  ASSERT_TRUE(folder.ok()) << folder.status();
  const std::string first = Read("own.crt");
  EXPECT_EQ(Read("tls/serving.crt"), first);
  // The key comes later than the certificate.
  const std::string old_key = Read("own.key");
  WriteOwn(kNow);
  const std::string new_key = Read("own.key");
  Write("own.key", old_key);
  EXPECT_THAT(folder->Refresh(kNow).status().ToString(), HasSubstr("does not belong"));
  EXPECT_EQ(Read("tls/serving.crt"), first);
  Write("own.key", new_key);
  EXPECT_TRUE(*folder->Refresh(kNow));
  EXPECT_EQ(Read("tls/serving.crt"), Read("own.crt"));
  EXPECT_FALSE(*folder->Refresh(kNow));
}

TEST_F(TlsFolderTest, WhatIsLostOrWrongIsNamedWithTheWayOut) {
  ASSERT_TRUE(TlsFolder::Open(Options(), kNow).ok());
  const std::string key = Read("tls/ca.key");
  const auto refusal = [this](absl::Time now) {
    return TlsFolder::Open(Options(), now).status().ToString();
  };
  std::filesystem::remove(temporary_.File("tls/ca.key"));
  EXPECT_THAT(refusal(kNow), HasSubstr("tls/ca.key is lost"));
  Write("tls/ca.key", base::MakePrivateKey().value());
  EXPECT_THAT(refusal(kNow), HasSubstr("does not belong"));
  Write("tls/ca.key", "rubbish");
  EXPECT_THAT(refusal(kNow), HasSubstr("is not a private key"));
  Write("tls/ca.key", key);
  std::filesystem::permissions(temporary_.File("tls/ca.key"), std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_THAT(refusal(kNow), HasSubstr("tls/ca.key: others may read this file"));
  Write("tls/ca.key", key);
  EXPECT_THAT(refusal(kNow + kAuthorityLife + absl::Hours(1)),
              HasSubstr("ca.crt has expired at 2033-11-13 22:13:20 UTC; the clock of this machine "
                        "says 2033-11-13 23:13:20 UTC"));
  std::filesystem::remove(temporary_.File("tls/ca.crt"));
  EXPECT_THAT(refusal(kNow), HasSubstr("ca.crt is lost"));
}

TEST_F(TlsFolderTest, AClockThatWasSetBackStopsNothing) {
  const absl::Time early = kNow - absl::Hours(24);
  ASSERT_TRUE(TlsFolder::Open(Options(), kNow).ok());
  const std::string serving = Read("tls/serving.crt");
  testing::internal::CaptureStderr();
  auto folder = TlsFolder::Open(Options(), early);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(Read("tls/serving.crt"), serving);
  EXPECT_FALSE(*folder->Refresh(early));
  auto given = TlsFolder::Open(WriteOwn(kNow), early);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_FALSE(*given->Refresh(early));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("ca.crt is valid only from 2023-11-14 22:03:20 UTC; the clock of "
                              "this machine says 2023-11-13 22:13:20 UTC: is it right?"));
  EXPECT_THAT(said, HasSubstr("own.crt is valid only from"));
}

TEST_F(TlsFolderTest, OwnFilesThatCannotBeUsedAreRefusedAtTheStart) {
  TlsOptions options = WriteOwn(kNow);
  ASSERT_TRUE(TlsFolder::Open(options, kNow).ok());
  EXPECT_THAT(TlsFolder::Open(options, kNow + kControllerLife).status().ToString(),
              HasSubstr("--tls-cert " + options.certificate + " has expired"));
  options.key = temporary_.File("nothing");
  EXPECT_THAT(TlsFolder::Open(options, kNow).status().ToString(), HasSubstr("--tls-key: "));
  options.key.clear();
  EXPECT_THAT(TlsFolder::Open(options, kNow).status().ToString(), HasSubstr("belong together"));
  TlsOptions authority = Options();
  authority.authority = temporary_.File("own.key");
  EXPECT_THAT(TlsFolder::Open(authority, kNow).status().ToString(),
              HasSubstr("is not a certificate"));
}

}  // namespace
}  // namespace fairlead::identity
