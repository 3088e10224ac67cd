#include "controller/store/testing/fake_store.h"

#include "controller/store/store_contract.h"

namespace fairlead::store {
namespace {

struct FakeFactory {
  std::unique_ptr<Store> Make() { return std::make_unique<FakeStore>(); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, StoreContractTest, FakeFactory);

TEST(FakeStoreTest, ApplyFailsWhenToldAndLeavesNothing) {
  FakeStore store;
  store.apply_fails = true;
  EXPECT_EQ(store.Apply({.put_holds = {HoldOf("a")}}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(store.Load()->holds.empty());
  EXPECT_EQ(store.applied, 0u);
  store.apply_fails = false;
  EXPECT_TRUE(store.Apply({.put_holds = {HoldOf("a")}}).ok());
  EXPECT_EQ(store.Load()->holds.size(), 1u);
  EXPECT_EQ(store.applied, 1u);
}

}  // namespace
}  // namespace fairlead::store
