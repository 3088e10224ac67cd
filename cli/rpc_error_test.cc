#include "cli/rpc_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Describe(const std::string& message, Wire wire) {
  return std::string(DescribeRpcError({grpc::StatusCode::UNAVAILABLE, message},
                                      {.address = "c:7400", .wire = wire}, absl::Seconds(1))
                         .message());
}

TEST(RpcErrorTest, AFailedHandshakeNamesBothCauses) {
  for (const char* message :
       {"failed to connect to all addresses; last error: UNKNOWN: Ssl handshake failed: "
        "SSL_ERROR_SSL: certificate verify failed",
        "Socket closed", "recvmsg:Connection reset by peer"}) {
    EXPECT_THAT(Describe(message, Wire::kEncrypted),
                AllOf(HasSubstr("cannot reach the controller at c:7400: "), HasSubstr("handshake"),
                      HasSubstr("give --tls-ca FILE"), HasSubstr("DATA/tls/ca.crt"),
                      HasSubstr("of --tls-cert"), Not(HasSubstr("Is it running?"))))
        << message;
  }
}

TEST(RpcErrorTest, AClosedPlainConnectionAsksForTheAuthority) {
  EXPECT_THAT(Describe("Socket closed", Wire::kPlain),
              AllOf(HasSubstr("wants TLS: give --tls-ca FILE"), Not(HasSubstr("Is it running?"))));
}

TEST(RpcErrorTest, WhereNobodyListensTheAdviceIsToStartOne) {
  for (const Wire wire : {Wire::kPlain, Wire::kEncrypted}) {
    EXPECT_THAT(Describe("failed to connect to all addresses; last error: UNKNOWN: "
                         "ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
                         wire),
                HasSubstr("c:7400: connection refused. Is it running?"));
  }
}

TEST(RpcErrorTest, WhatAStandbySaysOfTheActiveOneStandsAsItIs) {
  const std::string message =
      "the active controller at b:7400 does not answer (Connection refused); if it has ended, "
      "another takes over within seconds: try again";
  EXPECT_EQ(Describe(message, Wire::kEncrypted), message);
}

TEST(RpcErrorTest, AControllerThatStopsSaysSo) {
  EXPECT_EQ(Describe("Cancelling all calls", Wire::kEncrypted),
            "the controller at c:7400 is stopping: try again once it, or another, is active");
}

}  // namespace
}  // namespace fairlead::cli
