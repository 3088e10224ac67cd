// Waiting for the real world: the only place of the tree where a test polls.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace fairlead::integration {

// Polls `condition` until it holds. DeadlineExceeded naming `what` after `patience`.
absl::Status WaitFor(absl::string_view what, const std::function<bool()>& condition,
                     absl::Duration patience = absl::Seconds(30),
                     absl::Duration pause = absl::Milliseconds(25));

// OK when `condition` holds during all of `span`; FailedPrecondition naming `what` otherwise.
absl::Status HoldsFor(absl::string_view what, const std::function<bool()>& condition,
                      absl::Duration span);

// For ASSERT_OK and EXPECT_OK: the failure prints the status.
testing::AssertionResult IsOk(const char* expression, const absl::Status& status);

}  // namespace fairlead::integration

#define ASSERT_OK(expr) ASSERT_PRED_FORMAT1(::fairlead::integration::IsOk, expr)
#define EXPECT_OK(expr) EXPECT_PRED_FORMAT1(::fairlead::integration::IsOk, expr)
