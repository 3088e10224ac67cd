#include "base/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace fairlead::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kUri[] = "fairlead://server/web-1";
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

struct Pair {
  std::string certificate;
  std::string key;
};

Pair MakeAuthority(const std::string& name = "ca") {
  Pair made;
  made.key = MakePrivateKey().value();
  made.certificate = IssueCertificate({.common_name = name,
                                       .not_before = kNow - absl::Hours(1),
                                       .not_after = kNow + absl::Hours(1000),
                                       .use = CertificateUse::kAuthority},
                                      made.key, "", made.key)
                         .value();
  return made;
}

Pair Issue(const Pair& authority, CertificateTerms terms) {
  Pair made;
  made.key = MakePrivateKey().value();
  if (terms.not_after == absl::Time()) {
    terms.not_before = kNow - absl::Hours(1);
    terms.not_after = kNow + absl::Hours(1);
  }
  made.certificate =
      IssueCertificate(terms, made.key, authority.certificate, authority.key).value();
  return made;
}

absl::Status Verify(const std::string& chain, const std::string& roots, absl::Time now = kNow,
                    CertificateUse use = CertificateUse::kClient) {
  return VerifyChain({.chain = chain, .roots = roots, .use = use, .now = now});
}

TEST(CertificateTest, SaysWhatItWasMadeWith) {
  const Pair authority = MakeAuthority();
  const Pair server = Issue(authority, {.common_name = "fairlead",
                                        .uris = {kUri},
                                        .dns = {"a.example", "b.example"},
                                        .addresses = {"192.0.2.7", "::1"},
                                        .use = CertificateUse::kServer});
  const auto facts = ReadCertificate(server.certificate);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->subject, "fairlead");
  EXPECT_EQ(facts->issuer, "ca");
  EXPECT_THAT(facts->uris, ElementsAre(kUri));
  EXPECT_THAT(facts->dns, ElementsAre("a.example", "b.example"));
  EXPECT_THAT(facts->addresses, ElementsAre("192.0.2.7", "0:0:0:0:0:0:0:1"));
  EXPECT_EQ(facts->not_after, kNow + absl::Hours(1));
  EXPECT_THAT(facts->fingerprint, SizeIs(32));
  EXPECT_THAT(facts->serial, SizeIs(32));
  EXPECT_FALSE(facts->is_authority);
  EXPECT_TRUE(ReadCertificate(authority.certificate)->is_authority);
}

TEST(CertificateTest, NoTwoSerialNumbersAreTheSame) {
  const Pair authority = MakeAuthority();
  EXPECT_NE(ReadCertificate(Issue(authority, {.common_name = "a"}).certificate)->serial,
            ReadCertificate(Issue(authority, {.common_name = "a"}).certificate)->serial);
}

TEST(CertificateTest, SplitsAChain) {
  const Pair one = MakeAuthority("one");
  const Pair two = MakeAuthority("two");
  EXPECT_THAT(SplitCertificates(absl::StrCat(one.key, one.certificate, "text\n", two.certificate)),
              ElementsAre(one.certificate, two.certificate));
}

TEST(CertificateTest, AKeyOfAnotherCertificateIsRefused) {
  const Pair one = MakeAuthority();
  const Pair two = MakeAuthority();
  EXPECT_TRUE(CheckKeyPair(one.certificate, one.key).ok());
  EXPECT_THAT(CheckKeyPair(one.certificate, two.key).ToString(), HasSubstr("does not belong"));
  EXPECT_THAT(CheckKeyPair(one.certificate, "").ToString(),
              HasSubstr("the key: is not a private key"));
  EXPECT_THAT(CheckKeyPair("", one.key).ToString(),
              HasSubstr("the certificate: is not a certificate"));
}

TEST(CertificateTest, ARequestCarriesItsNameAndKey) {
  const std::string key = MakePrivateKey().value();
  const auto facts = ReadRequest(MakeRequest(key, kUri).value());
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->uri, kUri);
  const Pair authority = MakeAuthority();
  const auto issued = IssueCertificate(
      {.common_name = "x", .uris = {kUri}, .not_before = kNow, .not_after = kNow + absl::Hours(1)},
      facts->public_key, authority.certificate, authority.key);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_TRUE(CheckKeyPair(*issued, key).ok());
}

TEST(CertificateTest, RequestsOfTheWrongShapeAreRefused) {
  EXPECT_THAT(ReadRequest("nonsense").status().ToString(), HasSubstr("not a certificate request"));
  const std::string request = MakeRequest(MakePrivateKey().value(), kUri).value();
  // The signature no longer fits.
  std::string changed = request;
  char& letter = changed[request.find('\n') + 66 + 100];
  letter = letter == 'A' ? 'B' : 'A';
  EXPECT_FALSE(ReadRequest(changed).ok());
  // A comma would make two names of one.
  EXPECT_FALSE(MakeRequest(MakePrivateKey().value(), "fairlead://server/a,URI:b").ok());
}

TEST(CertificateTest, BelievesOnlyItsAuthority) {
  const Pair authority = MakeAuthority();
  const Pair other = MakeAuthority();
  const Pair agent = Issue(authority, {.common_name = "web-1", .uris = {kUri}});
  EXPECT_TRUE(Verify(agent.certificate, authority.certificate).ok());
  // The same name, another key: presenting it beside the certificate does not help.
  EXPECT_THAT(Verify(agent.certificate, other.certificate).ToString(),
              HasSubstr("an authority that is not known here"));
  EXPECT_THAT(Verify(agent.certificate + authority.certificate, other.certificate).ToString(),
              HasSubstr("an authority that is not known here"));
}

TEST(CertificateTest, SaysByHowMuchAClockIsOff) {
  const Pair authority = MakeAuthority();
  const Pair agent = Issue(authority, {.common_name = "web-1", .uris = {kUri}});
  EXPECT_THAT(
      Verify(agent.certificate, authority.certificate, kNow + absl::Hours(25)).ToString(),
      HasSubstr("\"web-1\" has expired at 2023-11-14 23:13:20 UTC, 24h ago by the clock here"));
  EXPECT_THAT(
      Verify(agent.certificate, authority.certificate, kNow - absl::Hours(73)).ToString(),
      HasSubstr("is not valid before 2023-11-14 21:13:20 UTC, in 3 days by the clock here"));
  EXPECT_TRUE(VerifyChain({.chain = agent.certificate,
                           .roots = authority.certificate,
                           .use = CertificateUse::kClient,
                           .now = std::nullopt})
                  .ok());
}

TEST(CertificateTest, AClockThatIsALittleBehindIsForgivenWhenAsked) {
  const Pair authority = MakeAuthority();
  const Pair agent = Issue(authority, {.common_name = "web-1", .uris = {kUri}});
  ChainCheck check{.chain = agent.certificate,
                   .roots = authority.certificate,
                   .now = kNow - absl::Hours(24),
                   .early = absl::Hours(24)};
  EXPECT_TRUE(VerifyChain(check).ok());
  check.early = absl::Hours(22);
  EXPECT_THAT(VerifyChain(check).ToString(), HasSubstr("is not valid before"));
  // Nothing else is forgiven.
  check.early = absl::InfiniteDuration();
  EXPECT_TRUE(VerifyChain(check).ok());
  check.roots = MakeAuthority().certificate;
  EXPECT_THAT(VerifyChain(check).ToString(), HasSubstr("an authority that is not known here"));
  check.roots = authority.certificate;
  check.now = kNow + absl::Hours(24);
  EXPECT_THAT(VerifyChain(check).ToString(), HasSubstr("has expired"));
}

TEST(CertificateTest, AnExpiredAuthorityIsNamedAsSuch) {
  Pair authority;
  authority.key = MakePrivateKey().value();
  authority.certificate = IssueCertificate({.common_name = "old ca",
                                            .not_before = kNow - absl::Hours(2),
                                            .not_after = kNow - absl::Hours(1),
                                            .use = CertificateUse::kAuthority},
                                           authority.key, "", authority.key)
                              .value();
  const Pair agent = Issue(authority, {.common_name = "web-1", .uris = {kUri}});
  EXPECT_THAT(Verify(agent.certificate, authority.certificate).ToString(),
              HasSubstr("the authority \"old ca\" has expired"));
}

TEST(CertificateTest, AnAgentsCertificateIsNoServers) {
  const Pair authority = MakeAuthority();
  const Pair agent = Issue(authority, {.common_name = "web-1", .uris = {kUri}});
  EXPECT_FALSE(
      Verify(agent.certificate, authority.certificate, kNow, CertificateUse::kServer).ok());
  // Nor may it sign others.
  const Pair child = Issue(agent, {.common_name = "child", .uris = {kUri}});
  EXPECT_FALSE(Verify(child.certificate + agent.certificate, authority.certificate).ok());
}

TEST(CertificateTest, HostsAreComparedByNameAndAddress) {
  const Pair server = Issue(MakeAuthority(), {.common_name = "x",
                                              .dns = {"fairlead.example"},
                                              .addresses = {"192.0.2.7"},
                                              .use = CertificateUse::kServer});
  EXPECT_TRUE(VerifyHost(server.certificate, "fairlead.example").ok());
  EXPECT_TRUE(VerifyHost(server.certificate, "192.0.2.7").ok());
  EXPECT_THAT(VerifyHost(server.certificate, "other.example").ToString(),
              HasSubstr("is for fairlead.example, 192.0.2.7, not for other.example"));
}

}  // namespace
}  // namespace fairlead::base
