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

}  // namespace
}  // namespace fairlead::base
