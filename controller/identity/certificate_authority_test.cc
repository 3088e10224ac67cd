#include "controller/identity/certificate_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/certificate.h"

namespace fairlead::identity {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::string RequestFor(const std::string& uri) {
  return base::MakeRequest(base::MakePrivateKey().value(), uri).value();
}

TEST(CertificateAuthorityTest, AgentsGetTheirServersNameAndNothingElse) {
  const KeyPair authority = MakeAuthority("test", kNow).value();
  const auto issued = IssueAgent(authority, RequestFor("fairlead://server/web-1"), "web-1", kNow);
  ASSERT_TRUE(issued.ok()) << issued.status();
  const auto facts = base::ReadCertificate(*issued).value();
  EXPECT_THAT(facts.uris, ElementsAre("fairlead://server/web-1"));
  EXPECT_THAT(facts.dns, ElementsAre());
  EXPECT_EQ(facts.not_after, kNow + kAgentLife);
  EXPECT_LT(facts.not_before, kNow);
  EXPECT_FALSE(facts.is_authority);
}

TEST(CertificateAuthorityTest, ARequestForAnotherNameIsRefused) {
  const KeyPair authority = MakeAuthority("test", kNow).value();
  for (const std::string uri :
       {"fairlead://server/web-2", "fairlead://user/web-1", "fairlead://controller",
        "fairlead://server/web-1/", "https://web-1"}) {
    const auto issued = IssueAgent(authority, RequestFor(uri), "web-1", kNow);
    EXPECT_TRUE(absl::IsPermissionDenied(issued.status())) << uri << ": " << issued.status();
  }
  EXPECT_TRUE(absl::IsInvalidArgument(IssueAgent(authority, "no", "web-1", kNow).status()));
}

TEST(CertificateAuthorityTest, NamesThatWouldBeReadAsOthersAreRefused) {
  EXPECT_TRUE(CheckServerName("web-1.example_2").ok());
  for (const absl::string_view name : {"", "a b", "a,URI:b", "a/b", "a\n", "\xc3\xa4"}) {
    EXPECT_FALSE(CheckServerName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckServerName(std::string(254, 'a')).ok());
}

TEST(CertificateAuthorityTest, TheControllersCertificateIsForWhereItIsReached) {
  const HostNames names = ComputeHostNames(
      {"0.0.0.0:7400", "192.0.2.7:7401", "[2001:db8::1]:7400", "host.example:1", "unix:/x/y:z"},
      {"fairlead.example", "localhost", ""});
  EXPECT_THAT(names.names, ElementsAre("localhost", "host.example", "fairlead.example"));
  EXPECT_THAT(names.addresses, ElementsAre("127.0.0.1", "::1", "192.0.2.7", "2001:db8::1"));
  const KeyPair authority = MakeAuthority("test", kNow).value();
  const auto made = IssueController(authority, names, kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(base::CheckKeyPair(made->certificate, made->key).ok());
  EXPECT_TRUE(base::VerifyHost(made->certificate, "fairlead.example").ok());
  EXPECT_TRUE(base::VerifyHost(made->certificate, "2001:db8::1").ok());
  // The authority comes with it, so that an agent can compare fingerprints.
  EXPECT_EQ(base::SplitCertificates(made->certificate).back(), authority.certificate);
  EXPECT_TRUE(base::VerifyChain({.chain = made->certificate,
                                 .roots = authority.certificate,
                                 .use = base::CertificateUse::kServer,
                                 .now = kNow})
                  .ok());
}

TEST(CertificateAuthorityTest, RenewalComesAThirdBeforeTheEnd) {
  EXPECT_EQ(RenewalOf(kNow, kNow + absl::Hours(9)), kNow + absl::Hours(6));
}

}  // namespace
}  // namespace fairlead::identity
