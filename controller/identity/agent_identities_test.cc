#include "controller/identity/agent_identities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/certificate.h"
#include "base/testing/simulated_clock.h"
#include "controller/store/testing/fake_store.h"

namespace fairlead::identity {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Notes final : public AuditSink {
 public:
  void Note(const AuditEntry& entry) override { entries.push_back(entry); }
  std::vector<AuditEntry> entries;
};

class AgentIdentitiesTest : public ::testing::Test {
 protected:
  AgentIdentitiesTest() { Restart(); }

  // As a new start of the controller sees it.
  void Restart() {
    identities_ = std::make_unique<AgentIdentities>(
        IdentityOptions{.authority = authority_, .other_authorities = other_.certificate},
        store_.Load().value(),
        [this](const store::StoreBatch& batch) {
          return broken_.ok() ? store_.Apply(batch) : broken_;
        },
        clock_, base::Random::Real(), notes_);
    identities_->SetFingerprint(std::string(32, 'f'));
    identities_->SetOnRevoked([this](const std::string& server, const std::string& why) {
      ended_.push_back(server + ": " + why);
    });
  }
  std::string Token(TokenTerms terms) {
    terms.expires = clock_.Now() + absl::Hours(1);
    return identities_->CreateToken(terms).value().text;
  }
  static std::string RequestFor(const std::string& server) {
    return base::MakeRequest(base::MakePrivateKey().value(), "fairlead://server/" + server).value();
  }
  absl::StatusOr<std::string> Enrol(const std::string& token, const std::string& server) {
    return identities_->Enrol(token, RequestFor(server), server, "ipv4:192.0.2.7:1");
  }

  base::SimulatedClock clock_;
  const KeyPair authority_ = MakeAuthority("ours", clock_.Now()).value();
  const KeyPair other_ = MakeAuthority("theirs", clock_.Now()).value();
  store::FakeStore store_;
  absl::Status broken_;
  Notes notes_;
  std::vector<std::string> ended_;
  std::unique_ptr<AgentIdentities> identities_;
};

TEST_F(AgentIdentitiesTest, ATokenIsGoodForOneAgent) {
  const std::string token = Token({.server = "web-1"});
  const auto first = Enrol(token, "web-1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(identities_->CheckPeer(*first).ok());
  EXPECT_THAT(Enrol(token, "web-1").status().message(), HasSubstr("was used already"));
  Restart();
  EXPECT_THAT(Enrol(token, "web-1").status().message(), HasSubstr("was used already"));
  EXPECT_TRUE(identities_->CheckPeer(*first).ok());
  EXPECT_FALSE(notes_.entries.back().allowed);
  EXPECT_EQ(notes_.entries.back().from, "ipv4:192.0.2.7:1");
  EXPECT_THAT(notes_.entries.back().reason, HasSubstr("was used already"));
}

TEST_F(AgentIdentitiesTest, AMistakeDoesNotSpendTheToken) {
  const std::string token = Token({.server = "web-1"});
  EXPECT_TRUE(absl::IsPermissionDenied(
      identities_->Enrol(token, RequestFor("web-2"), "web-1", "x").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(identities_->Enrol(token, "rubbish", "web-1", "x").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Enrol(token, "web-2").status()));
  broken_ = absl::UnavailableError("the disk is full");
  EXPECT_THAT(Enrol(token, "web-1").status().message(), HasSubstr("the disk is full"));
  broken_ = absl::OkStatus();
  EXPECT_TRUE(Enrol(token, "web-1").ok());
}

TEST_F(AgentIdentitiesTest, ANewAgentOfAServerReplacesTheOneBefore) {
  const std::string first = Enrol(Token({.server = "web-1"}), "web-1").value();
  EXPECT_THAT(Enrol(Token({}), "web-1").status().message(), HasSubstr("has an agent already"));
  const std::string second = Enrol(Token({.server = "web-1"}), "web-1").value();
  EXPECT_THAT(identities_->CheckPeer(first).message(), HasSubstr("was revoked"));
  EXPECT_TRUE(identities_->CheckPeer(second).ok());
  EXPECT_THAT(ended_, SizeIs(1));
}

TEST_F(AgentIdentitiesTest, ARenewedAgentHasTwoGoodCertificatesForAWhile) {
  const std::string first = Enrol(Token({.server = "web-1"}), "web-1").value();
  clock_.Advance(kAgentLife / 2);
  const auto second = identities_->Renew(first, RequestFor("web-1"), "x");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(identities_->CheckPeer(first).ok());
  EXPECT_TRUE(identities_->CheckPeer(*second).ok());
  EXPECT_EQ(identities_->List().at("web-1").certificate.serial(),
            base::ReadCertificate(*second)->serial);
  EXPECT_TRUE(
      absl::IsPermissionDenied(identities_->Renew(first, RequestFor("web-2"), "x").status()));
  clock_.Advance(kAgentLife / 2 + absl::Seconds(1));
  EXPECT_THAT(identities_->CheckPeer(first).message(), HasSubstr("has expired"));
  EXPECT_THAT(identities_->CheckStillGood(first).message(), HasSubstr("has expired"));
  EXPECT_FALSE(identities_->Renew(first, RequestFor("web-1"), "x").ok());
  EXPECT_TRUE(identities_->CheckPeer(*second).ok());
}

TEST_F(AgentIdentitiesTest, AClockThatWasSetBackByADayEndsNoAgent) {
  const std::string agent = Enrol(Token({.server = "web-1"}), "web-1").value();
  clock_.Jump(-absl::Hours(24));
  EXPECT_TRUE(identities_->CheckPeer(agent).ok());
  EXPECT_TRUE(
      identities_->CheckPeer(IssueAgent(other_, RequestFor("web-1"), "web-1", clock_.Now()).value())
          .ok());
  EXPECT_TRUE(identities_->Renew(agent, RequestFor("web-1"), "x").ok());
  clock_.Jump(-absl::Hours(25));
  EXPECT_THAT(identities_->CheckPeer(agent).message(), HasSubstr("is not valid before"));
}

TEST_F(AgentIdentitiesTest, WhatIsRevokedStaysSo) {
  const std::string first = Enrol(Token({.server = "web-1"}), "web-1").value();
  const std::string second = identities_->Renew(first, RequestFor("web-1"), "x").value();
  const auto revoked = identities_->Revoke("web-1", "stolen", "ann");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_THAT(*revoked, SizeIs(2));
  EXPECT_THAT(ended_, ElementsAre(HasSubstr("web-1: its certificate was revoked by ann: stolen")));
  Restart();
  for (const std::string& certificate : {first, second}) {
    EXPECT_THAT(identities_->CheckPeer(certificate).message(), HasSubstr("by ann: stolen"));
    EXPECT_FALSE(identities_->CheckStillGood(certificate).ok());
    EXPECT_FALSE(identities_->Renew(certificate, RequestFor("web-1"), "x").ok());
  }
  EXPECT_TRUE(absl::IsNotFound(identities_->Revoke("web-1", "", "ann").status()));
  EXPECT_TRUE(Enrol(Token({}), "web-1").ok());
}

TEST_F(AgentIdentitiesTest, OwnAuthoritiesCountOnlyForConnections) {
  const KeyPair pair{.certificate =
                         IssueAgent(other_, RequestFor("web-1"), "web-1", clock_.Now()).value()};
  EXPECT_TRUE(identities_->CheckPeer(pair.certificate).ok());
  EXPECT_THAT(identities_->Renew(pair.certificate, RequestFor("web-1"), "x").status().message(),
              HasSubstr("not known here"));
  const KeyPair stranger = MakeAuthority("ours", clock_.Now()).value();
  EXPECT_THAT(
      identities_
          ->CheckPeer(IssueAgent(stranger, RequestFor("web-1"), "web-1", clock_.Now()).value())
          .message(),
      HasSubstr("not known here"));
}

TEST_F(AgentIdentitiesTest, RotationIsAskedForUntilItIsDone) {
  const std::string first = Enrol(Token({.server = "web-1"}), "web-1").value();
  Enrol(Token({.server = "web-2"}), "web-2").value();
  EXPECT_TRUE(absl::IsNotFound(identities_->Rotate("web-3", "ann").status()));
  EXPECT_THAT(*identities_->Rotate("", "ann"), ElementsAre("web-1", "web-2"));
  EXPECT_TRUE(identities_->IsRotating(first));
  const std::string second = identities_->Renew(first, RequestFor("web-1"), "x").value();
  EXPECT_FALSE(identities_->IsRotating(first));
  EXPECT_FALSE(identities_->IsRotating(second));
  EXPECT_TRUE(identities_->List().at("web-2").rotating);
}

TEST_F(AgentIdentitiesTest, RecordsOfWhatIsLongOverAreForgotten) {
  Enrol(Token({.server = "web-1"}), "web-1").value();
  clock_.Advance(kAgentLife + absl::Hours(24 * 31));
  Enrol(Token({.server = "web-2"}), "web-2").value();
  EXPECT_THAT(store_.Load()->agent_certificates, SizeIs(1));
  EXPECT_THAT(store_.Load()->join_tokens, SizeIs(1));
}

}  // namespace
}  // namespace fairlead::identity
