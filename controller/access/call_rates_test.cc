#include "controller/access/call_rates.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace fairlead::access {
namespace {

constexpr absl::Duration kStart = absl::Hours(5);

// Calls that pass before the first refusal.
int Passing(CallRates& rates, const std::string& identity, absl::Duration uptime) {
  int passed = 0;
  while (rates.Take(identity, uptime).wait == absl::ZeroDuration()) ++passed;
  return passed;
}

TEST(CallRatesTest, SoManyAtOnceAndThenSoManyASecond) {
  CallRates rates({.per_second = 2, .at_once = 5});
  EXPECT_EQ(Passing(rates, "user/ann", kStart), 5);
  EXPECT_EQ(Passing(rates, "user/bob", kStart), 5);
  const auto refused = rates.Take("user/ann", kStart);
  EXPECT_EQ(refused.wait, absl::Milliseconds(500));
  EXPECT_EQ(Passing(rates, "user/ann", kStart + absl::Seconds(1)), 2);
  EXPECT_EQ(Passing(rates, "user/ann", kStart + absl::Hours(1)), 5);
  // A clock that goes back gives nothing and takes nothing.
  EXPECT_EQ(Passing(rates, "user/ann", kStart), 0);
}

TEST(CallRatesTest, OneRefusalAMinuteIsNews) {
  CallRates rates({.per_second = 1, .at_once = 1});
  EXPECT_EQ(rates.Take("a", kStart).wait, absl::ZeroDuration());
  EXPECT_TRUE(rates.Take("a", kStart).is_news);
  EXPECT_FALSE(rates.Take("a", kStart).is_news);
  const absl::Duration later = kStart + absl::Seconds(61);
  EXPECT_EQ(rates.Take("a", later).wait, absl::ZeroDuration());
  EXPECT_TRUE(rates.Take("a", later).is_news);
}

TEST(CallRatesTest, AFloodOfIdentitiesSharesWhatOneMay) {
  CallRates rates({.per_second = 1, .at_once = 2, .most = 10});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Passing(rates, absl::StrCat("address/", i), kStart), 2);
  int passed = 0;
  for (int i = 10; i < 1000; ++i) {
    passed += rates.Take(absl::StrCat("address/", i), kStart).wait == absl::ZeroDuration() ? 1 : 0;
  }
  EXPECT_EQ(passed, 2);
  // Those who were quiet long enough are forgotten, so that a new one has its own again.
  EXPECT_EQ(Passing(rates, "address/a", kStart + absl::Seconds(5)), 2);
  EXPECT_EQ(Passing(rates, "address/b", kStart + absl::Seconds(5)), 2);
}

TEST(CallRatesTest, AFloodOfAddressesTakesNoPlaceFromWhoIsProven) {
  CallRates rates({.per_second = 1, .at_once = 2, .most = 10});
  for (int i = 0; i < 1000; ++i) rates.Take(absl::StrCat("address/", i), kStart);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Passing(rates, absl::StrCat("agent/", i), kStart), 2);
  // They are bounded as well.
  EXPECT_EQ(Passing(rates, "agent/10", kStart), 2);
  EXPECT_EQ(Passing(rates, "agent/11", kStart), 0);
}

TEST(CallRatesTest, WhoIsNotProvenCountsByAddress) {
  EXPECT_EQ(RateIdentity({.kind = Caller::Kind::kUser, .name = "ann", .address = "10.0.0.1"}),
            "user/ann");
  EXPECT_EQ(RateIdentity({.address = "10.0.0.1"}), "address/10.0.0.1");
  EXPECT_EQ(RateIdentity({.address = "2001:db8::1:2:3:4"}), "address/2001:db8::");
  EXPECT_EQ(RateIdentity({.address = "unix"}), "address/unix");
}

}  // namespace
}  // namespace fairlead::access
