#include "base/ids.h"

#include <sys/random.h>

#include <cstdlib>

namespace fairlead::base {
namespace {

class RealRandom final : public Random {
 public:
  uint64_t Next() override {
    uint64_t value = 0;
    // getrandom cannot fail for eight bytes once the pool is initialised.
    if (getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) std::abort();
    return value;
  }
};

}  // namespace

Random& Random::Real() {
  static RealRandom random;
  return random;
}

std::string NewId(Random& random, std::size_t length) {
  // Without i, l, o and u, which are easily misread.
  static constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id;
  id.reserve(length);
  uint64_t bits = 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (i % 12 == 0) bits = random.Next();
    id.push_back(kAlphabet[bits & 31]);
    bits >>= 5;
  }
  return id;
}

std::string RandomBytes(Random& random, std::size_t count) {
  std::string bytes;
  bytes.reserve(count);
  uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i, bits >>= 8) {
    if (i % 8 == 0) bits = random.Next();
    bytes.push_back(static_cast<char>(bits & 0xff));
  }
  return bytes;
}

}  // namespace fairlead::base
