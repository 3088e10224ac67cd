// As whom the client calls, and how users, keys and records look. The commands themselves are
// tested with a real controller: integration/access_itest.cc.
#include "base/file.h"
#include "base/proto_time.h"
#include "cli/config.h"
#include "cli/render/access_text.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AccessTest : public CommandTest {
 protected:
  Environment EnvironmentOf() {
    return {.in = in_,
            .out = out_,
            .err = out_,
            .clock = base::Clock::Real(),
            .variable = [this](const std::string& key) -> std::optional<std::string> {
              const auto found = variables_.find(key);
              return found == variables_.end() ? std::nullopt : std::make_optional(found->second);
            }};
  }
  std::string AuthorizationOf(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"status"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    RunCommand(arguments);
    return controller_.authorization;
  }

  std::istringstream in_;
  std::ostringstream out_;
};

TEST_F(AccessTest, WithoutATokenNoneIsSent) { EXPECT_EQ(AuthorizationOf(), ""); }

TEST_F(AccessTest, VariableGoesBeforeTheSession) {
  ASSERT_TRUE(SaveSession(EnvironmentOf(), controller_.address(), "fls_a").ok());
  EXPECT_EQ(AuthorizationOf(), "Bearer fls_a");
  variables_["FAIRLEAD_TOKEN"] = "flk_b";
  EXPECT_EQ(AuthorizationOf(), "Bearer flk_b");
}

TEST_F(AccessTest, SessionIsOfOneControllerAndReadableByItsUserOnly) {
  const Environment environment = EnvironmentOf();
  ASSERT_TRUE(SaveSession(environment, "other:1", "fls_other").ok());
  EXPECT_EQ(AuthorizationOf(), "");
  ASSERT_TRUE(SaveSession(environment, controller_.address(), "fls_a").ok());
  EXPECT_EQ(AuthorizationOf(), "Bearer fls_a");
  const std::string path = folder_ + "/.config/fairlead/sessions";
  EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::mask,
            std::filesystem::perms(0600));
  ASSERT_TRUE(SaveSession(environment, controller_.address(), "").ok());
  EXPECT_EQ(AuthorizationOf(), "");
  EXPECT_EQ(*base::ReadFile(path), "other:1 fls_other\n");
}

TEST_F(AccessTest, TokenGoesNowhereUnencryptedButOverLoopback) {
  variables_["FAIRLEAD_TOKEN"] = "flk_b";
  for (const std::string address : {"192.0.2.1:7400", "127.example.invalid:7400"}) {
    const Outcome outcome = RunCommand({"status", "--controller", address});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("would go unencrypted to " + address), HasSubstr("--tls-ca")));
  }
}

TEST_F(AccessTest, RefusalSaysHowToLogIn) {
  controller_.error = {grpc::StatusCode::UNAUTHENTICATED, "the session is over"};
  EXPECT_THAT(RunCommand({"status"}).err,
              AllOf(HasSubstr("the session is over"), HasSubstr("fairlead login")));
}

TEST_F(AccessTest, PasswordThatDoesNotComeIsNamed) {
  EXPECT_THAT(RunCommand({"login", "--user", "ann"}).err,
              HasSubstr("standard input ends where a line is expected: Password"));
  input_ = "\n";
  EXPECT_THAT(RunCommand({"user", "add", "ann"}).err, HasSubstr("--no-password"));
}

TEST_F(AccessTest, CommandsBelowACommandHaveHelp) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"user", "add"},
                                                {"user", "list"},
                                                {"key", "create"},
                                                {"audit", "verify"}}) {
    std::vector<std::string> arguments = words;
    arguments.emplace_back("--help");
    const Outcome outcome = RunCommand(arguments);
    EXPECT_EQ(outcome.code, 0) << words[1];
    EXPECT_THAT(outcome.out, HasSubstr("Examples:\n  ")) << words[1];
  }
  EXPECT_EQ(RunCommand({"user"}).code, 1);
}

v1::AuditRecord Record() {
  v1::AuditRecord record;
  record.set_id(7);
  *record.mutable_at() = base::ToProto(absl::FromUnixSeconds(1'700'000'000));
  record.set_caller("user/ann");
  record.set_address("10.0.0.1");
  record.set_method("fairlead.v1.ResourceService.Apply");
  record.set_resource("stack/web");
  record.set_outcome(v1::AUDIT_OUTCOME_DONE);
  record.set_reason("say \"why\", now");
  record.set_diff("-image = a\n+image = b\n");
  record.set_hash(std::string("\x01\xff", 2));
  return record;
}

TEST(AccessTextTest, CsvQuotesWhatItMust) {
  EXPECT_EQ(AuditCsvRow(Record()),
            "7,2023-11-14T22:13:20+00:00,\"user/ann\",\"10.0.0.1\","
            "\"fairlead.v1.ResourceService.Apply\",\"stack/web\",\"done\",\"say \"\"why\"\", now\","
            "\"\",\"-image = a\n+image = b\n\",\"\",\"\",,01ff\r\n");
}

TEST(AccessTextTest, TableShowsTheDifferenceBelowItsRecord) {
  v1::ListAuditResponse response;
  *response.add_records() = Record();
  *response.add_records() = Record();
  response.mutable_records(1)->clear_diff();
  response.mutable_records(1)->set_outcome(v1::AUDIT_OUTCOME_REFUSED);
  response.mutable_records(1)->set_caller("key/\x1b[2J");
  const std::string text =
      RenderAudit(response, {.painter = Painter(), .now = absl::FromUnixSeconds(1'700'000'100)});
  EXPECT_THAT(text, HasSubstr("ResourceService.Apply   stack/web   done"));
  EXPECT_THAT(text, HasSubstr("now\n    -image = a\n    +image = b\n"));
  EXPECT_THAT(text, HasSubstr("refused"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("\x1b")));
}

TEST(AccessTextTest, KeysThatAreOverSaySo) {
  v1::ListKeysResponse response;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  v1::KeyView& expired = *response.add_keys();
  expired.set_name("old");
  *expired.mutable_expires() = base::ToProto(now);
  v1::KeyView& revoked = *response.add_keys();
  revoked.set_name("gone");
  revoked.set_revoked(true);
  v1::KeyView& active = *response.add_keys();
  active.set_name("ci");
  active.set_prefix("flk_0123456789");
  active.add_permissions("stack:web-*:execute");
  const std::string text = RenderKeys(response, {.painter = Painter(), .now = now});
  EXPECT_THAT(text, AllOf(HasSubstr("expired"), HasSubstr("revoked"), HasSubstr("active"),
                          HasSubstr("flk_0123456789_..."), HasSubstr("stack:web-*:execute")));
}

}  // namespace
}  // namespace fairlead::cli
