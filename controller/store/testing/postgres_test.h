// What tests on a private PostgreSQL server share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/testing/simulated_clock.h"
#include "controller/store/postgres_store.h"
#include "controller/store/testing/postgres_cluster.h"

namespace fairlead::store {

inline PostgresAddress AddressOf(const std::string& url) {
  const auto address = ParsePostgresAddress(url, "");
  EXPECT_TRUE(address.ok()) << address.status();
  return address.value_or(PostgresAddress{});
}

// Skips aloud where there is no server.
class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    cluster_ = PostgresCluster::Shared(why);
    if (cluster_ == nullptr) GTEST_SKIP() << "SKIPPED: " << why;
    database_ = cluster_->NewDatabase();
  }

  std::unique_ptr<PostgresStore> Open(const std::string& url,
                                      const PostgresStoreOptions& options = {}) {
    auto store = PostgresStore::Open(AddressOf(url), clock_, base::Random::Real(), options);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  absl::Status OpenStatus(const std::string& url) {
    return PostgresStore::Open(AddressOf(url), clock_, base::Random::Real()).status();
  }
  std::unique_ptr<PostgresConnection> Connect(const std::string& url) {
    auto connection = PostgresConnection::Connect(AddressOf(url), {});
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? *std::move(connection) : nullptr;
  }

  PostgresCluster* cluster_ = nullptr;
  std::string database_;
  base::SimulatedClock clock_;
};

}  // namespace fairlead::store
