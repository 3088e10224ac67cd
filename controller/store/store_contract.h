// What every Store must do; instantiated by the test of each implementation.
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreContractTest, SqliteFactory);
//
// A factory makes `std::unique_ptr<Store> Make()`: an empty store, or none to skip.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/store/limits.h"
#include "controller/store/store.h"

namespace fairlead::store {

inline v1::InventoryEntry Inventory(const std::string& resource, const std::string& hash = "h") {
  v1::InventoryEntry entry;
  entry.set_resource(resource);
  entry.set_server("edge-1");
  entry.set_applied_hash(hash);
  entry.mutable_applied()->set_name(resource);
  (*entry.mutable_section_hash())["image"] = "abc";
  return entry;
}

inline v1::FailedSpec Failed(const std::string& resource, const std::string& hash) {
  v1::FailedSpec spec;
  spec.set_resource(resource);
  spec.set_spec_hash(hash);
  return spec;
}

inline v1::Hold HoldOf(const std::string& resource, const std::string& why = "maintenance") {
  v1::Hold hold;
  hold.set_resource(resource);
  hold.set_why(why);
  return hold;
}

inline v1::ActionRecord ActionOf(const std::string& id) {
  v1::ActionRecord record;
  record.mutable_action()->set_id(id);
  record.mutable_action()->set_resource("deployment/web");
  record.mutable_action()->mutable_start();
  record.set_server("edge-1");
  return record;
}

inline v1::SyncRecord SyncOf(const std::string& name, const std::string& revision = "4f2a91c") {
  v1::SyncRecord record;
  record.set_name(name);
  record.set_revision(revision);
  record.set_good_revision("good");
  return record;
}

inline v1::OriginRecord OriginOf(const std::string& resource, const std::string& origin = "api") {
  v1::OriginRecord record;
  record.set_resource(resource);
  record.set_origin(origin);
  return record;
}

inline v1::Approval ApprovalOf(const std::string& resource, const std::string& who = "ann") {
  v1::Approval approval;
  approval.set_resource(resource);
  approval.set_who(who);
  return approval;
}

inline v1::AttemptRecord AttemptOf(const std::string& resource, uint32_t attempts = 1) {
  v1::AttemptRecord record;
  record.set_resource(resource);
  record.set_attempts(attempts);
  return record;
}

inline v1::SpecRecord SpecOf(const std::string& resource, const std::string& hash, int64_t at,
                             const std::string& reason = "") {
  v1::SpecRecord record;
  record.set_resource(resource);
  record.set_spec_hash(hash);
  record.mutable_at()->set_seconds(at);
  record.set_reason(reason);
  return record;
}

inline v1::Run RunOf(const std::string& id, int64_t created, v1::RunState state,
                     const std::string& resource = "procedure/nightly") {
  v1::Run run;
  run.set_id(id);
  run.set_resource(resource);
  run.mutable_created_at()->set_seconds(created);
  run.set_state(state);
  run.add_stages()->add_executions()->set_request_id(id);
  return run;
}

inline v1::ScheduleRecord ScheduleOf(const std::string& resource, int64_t last) {
  v1::ScheduleRecord record;
  record.set_resource(resource);
  record.mutable_last()->set_seconds(last);
  return record;
}

inline v1::Event EventOf(uint64_t id, const std::string& resource = "deployment/web") {
  v1::Event event;
  event.set_id(id);
  event.set_resource(resource);
  event.set_type("step-started");
  event.set_message(absl::StrCat("event ", id));
  return event;
}

inline v1::JoinToken JoinTokenOf(const std::string& id, uint32_t uses = 0) {
  v1::JoinToken token;
  token.set_id(id);
  token.set_secret_hash(std::string("\0\xff'", 3));
  token.set_uses(uses);
  return token;
}

inline v1::AgentCertificate CertificateOf(const std::string& serial, bool revoked = false) {
  v1::AgentCertificate certificate;
  certificate.set_serial(serial);
  certificate.set_server("edge-1");
  certificate.set_revoked(revoked);
  return certificate;
}

inline v1::LocalUser UserOf(const std::string& name, bool disabled = false) {
  v1::LocalUser user;
  user.set_name(name);
  user.set_disabled(disabled);
  return user;
}

inline v1::SecretRecord SecretOf(const std::string& name, const std::string& ciphertext) {
  v1::SecretRecord secret;
  secret.set_name(name);
  secret.set_key_id("k1");
  secret.set_ciphertext(ciphertext);
  return secret;
}

inline v1::ApiKey KeyOf(const std::string& id, const std::string& name = "ci") {
  v1::ApiKey key;
  key.set_id(id);
  key.set_name(name);
  return key;
}

inline v1::SessionRecord SessionOf(const std::string& id, const std::string& user = "ann") {
  v1::SessionRecord session;
  session.set_id(id);
  session.set_user(user);
  // Present without a group.
  session.mutable_claimed();
  return session;
}

inline v1::AuditRecord AuditOf(uint64_t id, int64_t at = 0) {
  v1::AuditRecord record;
  record.set_id(id);
  record.mutable_at()->set_seconds(at);
  record.set_hash(std::string("\0\xff'", 3));
  return record;
}

// Records compared by their text, which gtest prints on a difference.
template <typename Record>
std::vector<std::string> Texts(const std::vector<Record>& records) {
  std::vector<std::string> texts;
  for (const Record& record : records) texts.push_back(record.ShortDebugString());
  return texts;
}

template <typename Record>
std::vector<uint64_t> Ids(const std::vector<Record>& records) {
  std::vector<uint64_t> ids;
  for (const Record& record : records) ids.push_back(record.id());
  return ids;
}

template <typename Factory>
class StoreContractTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (store_ == nullptr) GTEST_SKIP() << "SKIPPED: the database of these tests is not there";
  }
  StoreImage Load() {
    absl::StatusOr<StoreImage> image = store_->Load();
    EXPECT_TRUE(image.ok()) << image.status();
    return image.ok() ? *std::move(image) : StoreImage();
  }
  void Apply(const StoreBatch& batch) {
    const absl::Status status = store_->Apply(batch);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<uint64_t> EventIds(const EventFilter& filter) {
    const auto events = store_->ListEvents(filter);
    EXPECT_TRUE(events.ok()) << events.status();
    return events.ok() ? Ids(*events) : std::vector<uint64_t>();
  }

  std::vector<uint64_t> AuditIds(const AuditFilter& filter) {
    const auto records = store_->ListAudit(filter);
    EXPECT_TRUE(records.ok()) << records.status();
    return records.ok() ? Ids(*records) : std::vector<uint64_t>();
  }

  std::vector<std::string> History(const std::string& resource) {
    const auto records = store_->ListHistory(resource);
    EXPECT_TRUE(records.ok()) << records.status();
    return records.ok() ? Texts(*records) : std::vector<std::string>();
  }

  std::vector<std::string> RunIds(const RunFilter& filter) {
    const auto runs = store_->ListRuns(filter);
    EXPECT_TRUE(runs.ok()) << runs.status();
    std::vector<std::string> ids;
    if (runs.ok()) {
      for (const v1::Run& run : *runs) ids.push_back(run.id());
    }
    return ids;
  }

  Factory factory_;
  std::unique_ptr<Store> store_ = factory_.Make();
};
TYPED_TEST_SUITE_P(StoreContractTest);

TYPED_TEST_P(StoreContractTest, IsEmptyAtFirst) {
  const StoreImage image = this->Load();
  EXPECT_TRUE(image.settings.empty());
  EXPECT_TRUE(image.inventory.empty());
  EXPECT_TRUE(image.failed_specs.empty());
  EXPECT_TRUE(image.holds.empty());
  EXPECT_TRUE(image.actions.empty());
  EXPECT_TRUE(image.syncs.empty());
  EXPECT_TRUE(image.origins.empty());
  EXPECT_TRUE(image.approvals.empty());
  EXPECT_TRUE(image.runs.empty());
  EXPECT_TRUE(image.schedules.empty());
  EXPECT_THAT(this->RunIds({}), ::testing::IsEmpty());
  EXPECT_THAT(this->History("stack/a"), ::testing::IsEmpty());
  EXPECT_EQ(image.last_event_id, 0u);
  EXPECT_THAT(this->EventIds({}), ::testing::IsEmpty());
}

TYPED_TEST_P(StoreContractTest, GivesBackWhatWasPutInOrderOfKey) {
  StoreBatch batch;
  batch.put_settings = {{"installation", "abc"}, {"hash-key", std::string("\0\xff'\n", 4)}};
  batch.put_inventory = {Inventory("stack/b"), Inventory("deployment/a")};
  batch.put_failed_specs = {Failed("stack/b", "h2"), Failed("stack/b", "h1"), Failed("a", "h9")};
  batch.put_holds = {HoldOf("stack/b"), HoldOf("deployment/\"a' \xc3\xa4")};
  batch.put_actions = {ActionOf("2"), ActionOf("1")};
  batch.put_syncs = {SyncOf("main"), SyncOf("edge")};
  batch.put_origins = {OriginOf("stack/b"), OriginOf("deployment/a", "bootstrap")};
  batch.append_events = {EventOf(7)};
  this->Apply(batch);

  const StoreImage image = this->Load();
  EXPECT_EQ(image.settings, batch.put_settings);
  EXPECT_EQ(Texts(image.inventory),
            Texts<v1::InventoryEntry>({Inventory("deployment/a"), Inventory("stack/b")}));
  EXPECT_EQ(
      Texts(image.failed_specs),
      Texts<v1::FailedSpec>({Failed("a", "h9"), Failed("stack/b", "h1"), Failed("stack/b", "h2")}));
  EXPECT_EQ(Texts(image.holds),
            Texts<v1::Hold>({HoldOf("deployment/\"a' \xc3\xa4"), HoldOf("stack/b")}));
  EXPECT_EQ(Texts(image.actions), Texts<v1::ActionRecord>({ActionOf("1"), ActionOf("2")}));
  EXPECT_EQ(Texts(image.syncs), Texts<v1::SyncRecord>({SyncOf("edge"), SyncOf("main")}));
  EXPECT_EQ(Texts(image.origins),
            Texts<v1::OriginRecord>({OriginOf("deployment/a", "bootstrap"), OriginOf("stack/b")}));
  EXPECT_EQ(image.last_event_id, 7u);
}

TYPED_TEST_P(StoreContractTest, PutReplacesTheRecordOfTheSameKey) {
  this->Apply({.put_settings = {{"k", "old"}},
               .put_inventory = {Inventory("stack/a", "old")},
               .put_holds = {HoldOf("stack/a", "old")},
               .put_syncs = {SyncOf("main", "old")},
               .put_origins = {OriginOf("stack/a", "old")}});
  this->Apply({.put_settings = {{"k", "new"}},
               .put_inventory = {Inventory("stack/a", "new")},
               .put_holds = {HoldOf("stack/a", "new")},
               .put_syncs = {SyncOf("main", "new")},
               .put_origins = {OriginOf("stack/a", "new")}});
  const StoreImage image = this->Load();
  EXPECT_EQ(image.settings.at("k"), "new");
  EXPECT_EQ(Texts(image.inventory), Texts<v1::InventoryEntry>({Inventory("stack/a", "new")}));
  EXPECT_EQ(Texts(image.holds), Texts<v1::Hold>({HoldOf("stack/a", "new")}));
  EXPECT_EQ(Texts(image.syncs), Texts<v1::SyncRecord>({SyncOf("main", "new")}));
  EXPECT_EQ(Texts(image.origins), Texts<v1::OriginRecord>({OriginOf("stack/a", "new")}));
}

TYPED_TEST_P(StoreContractTest, DeletesByKeyAndNothingElse) {
  this->Apply({.put_inventory = {Inventory("stack/a"), Inventory("stack/b")},
               .put_holds = {HoldOf("stack/a"), HoldOf("stack/b")},
               .put_actions = {ActionOf("1"), ActionOf("2")},
               .put_syncs = {SyncOf("a"), SyncOf("b")},
               .put_origins = {OriginOf("stack/a"), OriginOf("stack/b")}});
  this->Apply({.delete_inventory = {"stack/a"},
               .delete_holds = {"stack/a"},
               .delete_actions = {"1"},
               .delete_syncs = {"a"},
               .delete_origins = {"stack/a"}});
  const StoreImage image = this->Load();
  EXPECT_EQ(Texts(image.inventory), Texts<v1::InventoryEntry>({Inventory("stack/b")}));
  EXPECT_EQ(Texts(image.holds), Texts<v1::Hold>({HoldOf("stack/b")}));
  EXPECT_EQ(Texts(image.actions), Texts<v1::ActionRecord>({ActionOf("2")}));
  EXPECT_EQ(Texts(image.syncs), Texts<v1::SyncRecord>({SyncOf("b")}));
  EXPECT_EQ(Texts(image.origins), Texts<v1::OriginRecord>({OriginOf("stack/b")}));
}

TYPED_TEST_P(StoreContractTest, DeletingWhatIsNotThereIsNoError) {
  this->Apply({.delete_inventory = {"stack/a"},
               .delete_failed_specs = {{"stack/a", "h"}, {"stack/a", ""}},
               .delete_holds = {"stack/a"},
               .delete_actions = {"1"},
               .delete_syncs = {"a"},
               .delete_origins = {"stack/a"}});
  EXPECT_TRUE(this->Load().inventory.empty());
}

TYPED_TEST_P(StoreContractTest, DeletesFailedSpecsByHashOrAllOfAResource) {
  this->Apply({.put_failed_specs = {Failed("a", "1"), Failed("a", "2"), Failed("b", "1"),
                                    Failed("b", "2"), Failed("b", "3")}});
  this->Apply({.delete_failed_specs = {{"a", "2"}, {"b", ""}}});
  EXPECT_EQ(Texts(this->Load().failed_specs), Texts<v1::FailedSpec>({Failed("a", "1")}));
}

TYPED_TEST_P(StoreContractTest, KeepsOneApprovalOfAResource) {
  this->Apply({.put_approvals = {ApprovalOf("stack/b"), ApprovalOf("stack/a", "old")}});
  this->Apply({.put_approvals = {ApprovalOf("stack/a", "new")}});
  EXPECT_EQ(Texts(this->Load().approvals),
            Texts<v1::Approval>({ApprovalOf("stack/a", "new"), ApprovalOf("stack/b")}));
  this->Apply({.delete_approvals = {"stack/a", "stack/c"}});
  EXPECT_EQ(Texts(this->Load().approvals), Texts<v1::Approval>({ApprovalOf("stack/b")}));
}

TYPED_TEST_P(StoreContractTest, ListsTheNewestSpecFirstAndOneOfEachHash) {
  this->Apply({.put_history = {SpecOf("stack/a", "h1", 10), SpecOf("stack/a", "h2", 20),
                               SpecOf("stack/b", "h1", 5)}});
  this->Apply({.put_history = {SpecOf("stack/a", "h1", 30, "again")}});
  EXPECT_EQ(this->History("stack/a"), Texts<v1::SpecRecord>({SpecOf("stack/a", "h1", 30, "again"),
                                                             SpecOf("stack/a", "h2", 20)}));
  this->Apply({.delete_history = {"stack/a"}});
  EXPECT_THAT(this->History("stack/a"), ::testing::IsEmpty());
  EXPECT_EQ(this->History("stack/b"), Texts<v1::SpecRecord>({SpecOf("stack/b", "h1", 5)}));
}

TYPED_TEST_P(StoreContractTest, KeepsABoundedNumberOfSpecsAndTheNewestOnes) {
  for (int i = 0; i < 50; ++i) {
    this->Apply({.put_history = {SpecOf("stack/a", absl::StrCat("h", i), i)}});
  }
  const std::vector<std::string> kept = this->History("stack/a");
  ASSERT_EQ(kept.size(), kSpecsKept);
  EXPECT_EQ(kept.front(), SpecOf("stack/a", "h49", 49).ShortDebugString());
}

TYPED_TEST_P(StoreContractTest, DeletesComeBeforePutsInOneBatch) {
  this->Apply({.put_failed_specs = {Failed("a", "old")}, .put_holds = {HoldOf("a", "old")}});
  this->Apply({.put_failed_specs = {Failed("a", "new")},
               .delete_failed_specs = {{"a", ""}},
               .put_holds = {HoldOf("a", "new")},
               .delete_holds = {"a"}});
  const StoreImage image = this->Load();
  EXPECT_EQ(Texts(image.failed_specs), Texts<v1::FailedSpec>({Failed("a", "new")}));
  EXPECT_EQ(Texts(image.holds), Texts<v1::Hold>({HoldOf("a", "new")}));
}

TYPED_TEST_P(StoreContractTest, FailedApplyLeavesNothingAndTheStoreUsable) {
  this->Apply({.put_holds = {HoldOf("a", "old")}, .append_events = {EventOf(1)}});
  // The repeated event id fails after everything else is written.
  const absl::Status status = this->store_->Apply({.put_settings = {{"k", "v"}},
                                                   .put_inventory = {Inventory("stack/a")},
                                                   .put_holds = {HoldOf("a", "new")},
                                                   .append_events = {EventOf(2), EventOf(1)}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  StoreImage image = this->Load();
  EXPECT_TRUE(image.settings.empty());
  EXPECT_TRUE(image.inventory.empty());
  EXPECT_EQ(Texts(image.holds), Texts<v1::Hold>({HoldOf("a", "old")}));
  EXPECT_EQ(image.last_event_id, 1u);
  this->Apply({.put_settings = {{"k", "v"}}, .append_events = {EventOf(2)}});
  EXPECT_EQ(this->Load().last_event_id, 2u);
}

TYPED_TEST_P(StoreContractTest, ListsTheNewestEventsOldestFirst) {
  this->Apply({.append_events = {EventOf(1, "a"), EventOf(2, "b"), EventOf(3, "a")}});
  this->Apply({.append_events = {EventOf(4, "b"), EventOf(9, "a")}});
  EXPECT_THAT(this->EventIds({}), ::testing::ElementsAre(1, 2, 3, 4, 9));
  EXPECT_THAT(this->EventIds({.resource = "", .limit = 2}), ::testing::ElementsAre(4, 9));
  EXPECT_THAT(this->EventIds({.resource = "a", .limit = 2}), ::testing::ElementsAre(3, 9));
  EXPECT_THAT(this->EventIds({.resource = "b"}), ::testing::ElementsAre(2, 4));
  EXPECT_THAT(this->EventIds({.resource = "c"}), ::testing::IsEmpty());
  EXPECT_THAT(this->EventIds({.resource = "", .limit = 0}), ::testing::IsEmpty());
}

TYPED_TEST_P(StoreContractTest, EventsComeBackWhole) {
  this->Apply({.append_events = {EventOf(5)}});
  const auto events = this->store_->ListEvents({});
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_EQ(Texts(*events), Texts<v1::Event>({EventOf(5)}));
}

TYPED_TEST_P(StoreContractTest, KeepsABoundedNumberOfEventsAndTheNewestOnes) {
  constexpr uint64_t kAppended = kEventsKept + 3 * kEventsBetweenTrims;
  for (uint64_t id = 1; id <= kAppended;) {
    StoreBatch batch;
    for (int i = 0; i < 50; ++i) batch.append_events.push_back(EventOf(id++));
    this->Apply(batch);
  }
  const std::vector<uint64_t> ids = this->EventIds({.resource = "", .limit = 1'000'000});
  EXPECT_GE(ids.size(), kEventsKept);
  EXPECT_LE(ids.size(), kEventsKept + kEventsBetweenTrims);
  EXPECT_EQ(ids.back(), kAppended);
  EXPECT_EQ(ids.front(), kAppended - ids.size() + 1);
  EXPECT_EQ(this->Load().last_event_id, kAppended);
}

TYPED_TEST_P(StoreContractTest, TakesCallsFromSeveralThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string key = absl::StrCat("stack/", t, "-", i);
        EXPECT_TRUE(this->store_->Apply({.put_inventory = {Inventory(key)}}).ok());
        EXPECT_TRUE(this->store_->Load().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(this->Load().inventory.size(), 80u);
}

TYPED_TEST_P(StoreContractTest, LoadsRunsThatHaveNotEndedAndListsAllNewestFirst) {
  this->Apply(
      {.put_runs = {RunOf("b", 20, v1::RUN_STATE_RUNNING), RunOf("a", 10, v1::RUN_STATE_WAITING),
                    RunOf("c", 30, v1::RUN_STATE_RUNNING, "procedure/other")}});
  const v1::Run ended = RunOf("c", 30, v1::RUN_STATE_INTERRUPTED, "procedure/other");
  this->Apply({.put_runs = {ended}});
  EXPECT_EQ(Texts(this->Load().runs), Texts<v1::Run>({RunOf("a", 10, v1::RUN_STATE_WAITING),
                                                      RunOf("b", 20, v1::RUN_STATE_RUNNING)}));
  EXPECT_THAT(this->RunIds({}), ::testing::ElementsAre("c", "b", "a"));
  EXPECT_THAT(this->RunIds({.limit = 1}), ::testing::ElementsAre("c"));
  EXPECT_THAT(this->RunIds({.resource = "procedure/nightly"}), ::testing::ElementsAre("b", "a"));
  EXPECT_EQ(Texts(*this->store_->ListRuns({.id = "c"})), Texts<v1::Run>({ended}));
}

TYPED_TEST_P(StoreContractTest, KeepsABoundedNumberOfEndedRunsAndAllOthers) {
  this->Apply({.put_runs = {RunOf("open", 1, v1::RUN_STATE_RUNNING),
                            RunOf("other", 1, v1::RUN_STATE_FAILED, "procedure/other")}});
  for (int i = 0; i < 40; ++i) {
    this->Apply({.put_runs = {RunOf(absl::StrCat("r", 10 + i), 10 + i, v1::RUN_STATE_SUCCEEDED)}});
  }
  const std::vector<std::string> kept = this->RunIds({.resource = "procedure/nightly"});
  ASSERT_EQ(kept.size(), kRunsKept + 1);
  EXPECT_EQ(kept.front(), "r49");
  EXPECT_EQ(kept.back(), "open");
  EXPECT_THAT(this->RunIds({.resource = "procedure/other"}), ::testing::ElementsAre("other"));
}

TYPED_TEST_P(StoreContractTest, KeepsOneRecordOfASchedule) {
  this->Apply({.put_schedules = {ScheduleOf("procedure/b", 1), ScheduleOf("procedure/a", 1)}});
  this->Apply({.put_schedules = {ScheduleOf("procedure/b", 2)}});
  EXPECT_EQ(
      Texts(this->Load().schedules),
      Texts<v1::ScheduleRecord>({ScheduleOf("procedure/a", 1), ScheduleOf("procedure/b", 2)}));
  this->Apply({.delete_schedules = {"procedure/a", "procedure/c"}});
  EXPECT_EQ(Texts(this->Load().schedules),
            Texts<v1::ScheduleRecord>({ScheduleOf("procedure/b", 2)}));
}

TYPED_TEST_P(StoreContractTest, KeepsOneRecordOfWhatWasMade) {
  v1::BuildRecord build;
  build.set_resource("build/api");
  build.set_image("api:1.0.0");
  v1::RepoRecord repo;
  repo.set_resource("repo/site");
  repo.set_commit("4f2a91c");
  v1::ProcedureRecord procedure;
  procedure.set_resource("procedure/migrate");
  (*procedure.mutable_dependent_hash())["deployment/web"] = "h";
  this->Apply({.put_builds = {build}, .put_repos = {repo}, .put_procedures = {procedure}});
  build.set_image("api:1.0.1");
  this->Apply({.put_builds = {build}});
  EXPECT_EQ(Texts(this->Load().builds), Texts<v1::BuildRecord>({build}));
  EXPECT_EQ(Texts(this->Load().repos), Texts<v1::RepoRecord>({repo}));
  EXPECT_EQ(Texts(this->Load().procedures), Texts<v1::ProcedureRecord>({procedure}));
  this->Apply({.delete_made = {"repo/site", "procedure/migrate", "build/other"}});
  EXPECT_EQ(Texts(this->Load().builds), Texts<v1::BuildRecord>({build}));
  EXPECT_TRUE(this->Load().repos.empty());
  EXPECT_TRUE(this->Load().procedures.empty());
}

TYPED_TEST_P(StoreContractTest, KeepsIdentitiesByKindAndKey) {
  // The same key in each kind.
  this->Apply({.put_join_tokens = {JoinTokenOf("b"), JoinTokenOf("a")},
               .put_agent_certificates = {CertificateOf("b"), CertificateOf("a")},
               .put_users = {UserOf("b"), UserOf("a")},
               .put_api_keys = {KeyOf("b"), KeyOf("a")},
               .put_secrets = {SecretOf("PW", std::string("\0\1", 2)), SecretOf("A", "x")}});
  this->Apply({.put_join_tokens = {JoinTokenOf("a", 1)},
               .put_agent_certificates = {CertificateOf("a", true)},
               .put_users = {UserOf("a", true)},
               .put_api_keys = {KeyOf("a", "cd")}});
  StoreImage image = this->Load();
  EXPECT_EQ(Texts(image.join_tokens),
            Texts<v1::JoinToken>({JoinTokenOf("a", 1), JoinTokenOf("b")}));
  EXPECT_EQ(Texts(image.agent_certificates),
            Texts<v1::AgentCertificate>({CertificateOf("a", true), CertificateOf("b")}));
  EXPECT_EQ(Texts(image.users), Texts<v1::LocalUser>({UserOf("a", true), UserOf("b")}));
  EXPECT_EQ(Texts(image.api_keys), Texts<v1::ApiKey>({KeyOf("a", "cd"), KeyOf("b")}));

  this->Apply({.delete_join_tokens = {"a"},
               .delete_agent_certificates = {"b", "none"},
               .put_users = {UserOf("b", true)},
               .delete_users = {"b"}});
  image = this->Load();
  EXPECT_EQ(Texts(image.join_tokens), Texts<v1::JoinToken>({JoinTokenOf("b")}));
  EXPECT_EQ(Texts(image.agent_certificates),
            Texts<v1::AgentCertificate>({CertificateOf("a", true)}));
  EXPECT_EQ(Texts(image.users), Texts<v1::LocalUser>({UserOf("a", true), UserOf("b", true)}));
  EXPECT_EQ(image.api_keys.size(), 2u);
  EXPECT_EQ(Texts(image.secrets),
            Texts<v1::SecretRecord>({SecretOf("A", "x"), SecretOf("PW", std::string("\0\1", 2))}));
  this->Apply({.delete_api_keys = {"a", "b"}, .delete_secrets = {"A"}});
  EXPECT_EQ(this->Load().secrets.size(), 1u);
  EXPECT_TRUE(this->Load().api_keys.empty());
}

TYPED_TEST_P(StoreContractTest, KeepsSessionsUntilTheyAreDeleted) {
  this->Apply({.put_sessions = {SessionOf("b"), SessionOf("a")}});
  this->Apply({.put_sessions = {SessionOf("b", "bob"), SessionOf("c")}, .delete_sessions = {"c"}});
  EXPECT_EQ(Texts(this->Load().sessions),
            Texts<v1::SessionRecord>({SessionOf("a"), SessionOf("b", "bob"), SessionOf("c")}));
  this->Apply({.delete_users = {"b"}, .delete_sessions = {"a", "none"}});
  EXPECT_EQ(Texts(this->Load().sessions),
            Texts<v1::SessionRecord>({SessionOf("b", "bob"), SessionOf("c")}));
}

TYPED_TEST_P(StoreContractTest, AppendsAuditRecordsAndNeverChangesOne) {
  this->Apply({.append_audit = {AuditOf(1, 10), AuditOf(2, 20)}});
  this->Apply({.append_audit = {AuditOf(3, 30), AuditOf(4, 40)}});
  const absl::Status again =
      this->store_->Apply({.put_users = {UserOf("ann")}, .append_audit = {AuditOf(5), AuditOf(2)}});
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists) << again;
  EXPECT_TRUE(this->Load().users.empty());
  EXPECT_EQ(Texts(*this->store_->ListAudit({.after_id = 1, .limit = 1})),
            Texts<v1::AuditRecord>({AuditOf(2, 20)}));
  EXPECT_THAT(this->AuditIds({}), ::testing::ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(this->AuditIds({.limit = 2}), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(this->AuditIds({.limit = 2, .newest = true}), ::testing::ElementsAre(3, 4));
  EXPECT_THAT(this->AuditIds({.after_id = 1, .since = absl::FromUnixSeconds(30)}),
              ::testing::ElementsAre(3, 4));
}

TYPED_TEST_P(StoreContractTest, RemovesOldAuditRecordsOnly) {
  this->Apply({.append_audit = {AuditOf(1), AuditOf(2), AuditOf(3)}});
  this->Apply({.trim_audit_through = 2, .append_audit = {AuditOf(4)}});
  EXPECT_THAT(this->AuditIds({}), ::testing::ElementsAre(3, 4));
  this->Apply({.trim_audit_through = 99});
  EXPECT_THAT(this->AuditIds({}), ::testing::IsEmpty());
}

TYPED_TEST_P(StoreContractTest, KeepsOneFailedAttemptOfAResource) {
  this->Apply({.put_attempts = {AttemptOf("stack/b"), AttemptOf("stack/a")}});
  this->Apply({.put_attempts = {AttemptOf("stack/b", 2)}});
  EXPECT_EQ(Texts(this->Load().attempts),
            Texts<v1::AttemptRecord>({AttemptOf("stack/a"), AttemptOf("stack/b", 2)}));
  this->Apply({.delete_attempts = {"stack/a", "stack/c"}});
  EXPECT_EQ(Texts(this->Load().attempts), Texts<v1::AttemptRecord>({AttemptOf("stack/b", 2)}));
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreContractTest, IsEmptyAtFirst, GivesBackWhatWasPutInOrderOfKey,
    PutReplacesTheRecordOfTheSameKey, DeletesByKeyAndNothingElse, DeletingWhatIsNotThereIsNoError,
    DeletesFailedSpecsByHashOrAllOfAResource, KeepsOneApprovalOfAResource,
    ListsTheNewestSpecFirstAndOneOfEachHash, KeepsABoundedNumberOfSpecsAndTheNewestOnes,
    DeletesComeBeforePutsInOneBatch, FailedApplyLeavesNothingAndTheStoreUsable,
    ListsTheNewestEventsOldestFirst, EventsComeBackWhole,
    KeepsABoundedNumberOfEventsAndTheNewestOnes, LoadsRunsThatHaveNotEndedAndListsAllNewestFirst,
    KeepsABoundedNumberOfEndedRunsAndAllOthers, KeepsOneRecordOfASchedule,
    KeepsOneRecordOfWhatWasMade, KeepsIdentitiesByKindAndKey, KeepsSessionsUntilTheyAreDeleted,
    AppendsAuditRecordsAndNeverChangesOne, RemovesOldAuditRecordsOnly,
    KeepsOneFailedAttemptOfAResource, TakesCallsFromSeveralThreads);

}  // namespace fairlead::store
