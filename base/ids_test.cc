#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace fairlead::base {
namespace {

TEST(IdsTest, HasTheLengthAndDoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewId(Random::Real());
    EXPECT_EQ(id.size(), 16u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
  EXPECT_EQ(NewId(Random::Real(), 30).size(), 30u);
}

class Steps final : public Random {
 public:
  uint64_t Next() override { return next_ += 0x0101010101010101; }

 private:
  uint64_t next_ = 0x0706050403020100 - 0x0101010101010101;
};

TEST(RandomBytesTest, TakesEachNumberWhole) {
  Steps steps;
  EXPECT_EQ(RandomBytes(steps, 11), std::string("\0\1\2\3\4\5\6\7\1\2\3", 11));
  EXPECT_EQ(RandomBytes(steps, 2), "\2\3");
  EXPECT_EQ(RandomBytes(steps, 0), "");
}

TEST(RandomBytesTest, TheMachinesDoNotRepeat) {
  EXPECT_EQ(RandomBytes(Random::Real(), 32).size(), 32u);
  EXPECT_NE(RandomBytes(Random::Real(), 32), RandomBytes(Random::Real(), 32));
}

}  // namespace
}  // namespace fairlead::base
