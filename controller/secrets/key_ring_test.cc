#include "controller/secrets/key_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fairlead::secrets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::SecretRecord RecordOf(const std::string& name) {
  v1::SecretRecord record;
  record.set_name(name);
  return record;
}

KeyRing NewRing() {
  KeyRing ring;
  ring.AddNewKey(base::Random::Real());
  return ring;
}

TEST(KeyRingTest, OpensWhatItHasSealed) {
  const KeyRing ring = NewRing();
  for (const std::string& value : std::vector<std::string>{
           std::string("s3cret"), std::string("\0\n\xff", 3), std::string(60'000, 'x')}) {
    v1::SecretRecord record = RecordOf("PW");
    ring.Encrypt(value, base::Random::Real(), &record);
    EXPECT_EQ(record.key_id(), ring.newest());
    EXPECT_THAT(record.SerializeAsString(), Not(HasSubstr(value)));
    EXPECT_EQ(ring.Decrypt(record).value(), value);
  }
}

TEST(KeyRingTest, TheSameValueNeverLooksTheSame) {
  const KeyRing ring = NewRing();
  v1::SecretRecord a = RecordOf("PW");
  v1::SecretRecord b = RecordOf("PW");
  ring.Encrypt("s3cret", base::Random::Real(), &a);
  ring.Encrypt("s3cret", base::Random::Real(), &b);
  EXPECT_NE(a.nonce(), b.nonce());
  EXPECT_NE(a.ciphertext(), b.ciphertext());
}

TEST(KeyRingTest, WhatWasAlteredDoesNotOpen) {
  const KeyRing ring = NewRing();
  v1::SecretRecord record = RecordOf("PW");
  ring.Encrypt("s3cret", base::Random::Real(), &record);
  for (std::size_t i = 0; i < record.ciphertext().size(); ++i) {
    v1::SecretRecord altered = record;
    (*altered.mutable_ciphertext())[i] ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(ring.Decrypt(altered).status())) << i;
  }
  v1::SecretRecord cut = record;
  cut.set_ciphertext(record.ciphertext().substr(0, 3));
  EXPECT_TRUE(absl::IsDataLoss(ring.Decrypt(cut).status()));
  v1::SecretRecord without_nonce = record;
  without_nonce.clear_nonce();
  EXPECT_TRUE(absl::IsDataLoss(ring.Decrypt(without_nonce).status()));
  // Passed off as another secret.
  v1::SecretRecord renamed = record;
  renamed.set_name("OTHER");
  EXPECT_TRUE(absl::IsDataLoss(ring.Decrypt(renamed).status()));
}

TEST(KeyRingTest, KeepsFormerKeysAndSaysWhichIsMissing) {
  KeyRing ring = NewRing();
  v1::SecretRecord record = RecordOf("PW");
  ring.Encrypt("s3cret", base::Random::Real(), &record);
  const std::string former = ring.newest();
  ring.AddNewKey(base::Random::Real());
  EXPECT_NE(ring.newest(), former);
  EXPECT_EQ(ring.Decrypt(record).value(), "s3cret");
  const absl::StatusOr<std::string> without = NewRing().Decrypt(record);
  EXPECT_TRUE(absl::IsFailedPrecondition(without.status()));
  EXPECT_THAT(std::string(without.status().message()), HasSubstr(former));
}

TEST(KeyRingTest, ReadsItsOwnText) {
  KeyRing ring = NewRing();
  ring.AddNewKey(base::Random::Real());
  v1::SecretRecord record = RecordOf("PW");
  ring.Encrypt("s3cret", base::Random::Real(), &record);
  const absl::StatusOr<KeyRing> read = KeyRing::Parse(ring.Text());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->newest(), ring.newest());
  EXPECT_EQ(read->Text(), ring.Text());
  EXPECT_EQ(read->Decrypt(record).value(), "s3cret");
  EXPECT_TRUE(KeyRing::Parse("# nothing\n\n")->empty());
}

TEST(KeyRingTest, SaysWhichLineIsNoKeyAndNeverQuotesIt) {
  const std::string good = NewRing().Text();
  for (const char* const bad : {"k1", "k1 c2hvcnQ=", "k1 !!!", "k1 AAAA BBBB"}) {
    const absl::StatusOr<KeyRing> read = KeyRing::Parse(good + bad + "\n");
    ASSERT_TRUE(absl::IsInvalidArgument(read.status())) << bad;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("line 3"));
    EXPECT_THAT(std::string(read.status().message()), Not(HasSubstr("c2hvcnQ")));
  }
  const std::string line = good.substr(good.find('\n') + 1);
  EXPECT_THAT(std::string(KeyRing::Parse(line + line).status().message()),
              HasSubstr("stands twice"));
}

}  // namespace
}  // namespace fairlead::secrets
