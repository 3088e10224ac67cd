#include "controller/loop/source_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/mutex.h"
#include "controller/loop/sync_poller.h"
#include "resources/problem_codes.h"
#include "sync/git/fetch.h"
#include "sync/git/testing/git_origin.h"

namespace fairlead::loop {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// Everything that a snapshot says, as text.
std::string TextOf(const sync::SourceSnapshot& snapshot) {
  std::string text = absl::StrCat(snapshot.revision, " ", snapshot.prune_blocker, "\n");
  for (const auto& file : snapshot.files) {
    absl::StrAppend(&text, file->path, "\n");
    for (const resources::Declaration& declaration : file->declarations) {
      absl::StrAppend(&text, "  ", declaration.id.ToString(), " ",
                      declaration.spec == nullptr ? "spoilt" : declaration.spec->description(),
                      "\n");
    }
  }
  for (const auto& [id, files] : snapshot.stack_files) {
    absl::StrAppend(&text, id.ToString(), ":");
    for (const v1::StackFile& file : *files) {
      absl::StrAppend(&text, " ", file.path(), "=", file.content());
    }
    absl::StrAppend(&text, "\n");
  }
  for (const auto& [id, problems] : snapshot.stack_problems) {
    for (const v1::Problem& problem : problems) {
      absl::StrAppend(&text, id.ToString(), " ", problem.message(), "\n");
    }
  }
  return text;
}

std::string Variable(absl::string_view name, absl::string_view description = "") {
  return absl::StrCat("[[variable]]\nname = \"", name, "\"\ndescription = \"", description, "\"\n");
}

v1::Problem ClosedProblem(const std::string& path) {
  v1::Problem problem;
  problem.set_file(path);
  problem.set_code(resources::kEncryptedFileCode);
  problem.set_message("no key");
  return problem;
}

class FetchObserver : public Observer {
 public:
  explicit FetchObserver(std::function<void()> on_fetched) : on_fetched_(std::move(on_fetched)) {}
  void OnFetched(const std::string& /*sync*/, absl::Duration /*took*/,
                 const absl::Status& outcome) override {
    EXPECT_TRUE(outcome.ok()) << outcome;
    on_fetched_();
  }

 private:
  const std::function<void()> on_fetched_;
};

class SourceLoaderTest : public ::testing::Test {
 protected:
  SourceLoaderTest() {
    auto mirror = git::Mirror::Open(folder_.path() + "/mirror");
    EXPECT_TRUE(mirror.ok()) << mirror.status();
    mirror_ = *std::move(mirror);
    loader_ = MakeLoader();
    spec_.set_include_resources(true);
    spec_.set_include_variables(true);
  }

  std::unique_ptr<SourceLoader> MakeLoader() {
    return std::make_unique<SourceLoader>(
        "main", *mirror_,
        [this](const RepoQuestion& question) {
          const auto known = answers_.find(question.url);
          return known == answers_.end() ? RepoAnswer{.problem = "is being fetched"}
                                         : known->second;
        },
        [this](const std::string& path, absl::string_view content) {
          decrypted_.push_back(path);
          resources::ParsedFile file;
          file.path = path;
          const bool is_closed = closed_.contains(path);
          file.variables["SECRET"] = {is_closed ? "" : std::string(content), true,
                                      is_closed ? "no key" : ""};
          if (is_closed) file.problems.push_back(ClosedProblem(path));
          return file;
        });
  }
  void FetchOrigin() {
    const absl::Status fetched = git::Fetch({.url = origin_.url(),
                                             .directory = folder_.path() + "/mirror",
                                             .reference = "main",
                                             .helper_program = FETCH_HELPER_PROGRAM},
                                            nullptr);
    ASSERT_TRUE(fetched.ok()) << fetched;
  }
  std::shared_ptr<const sync::SourceSnapshot> Load(const std::string& good_revision = "") {
    FetchOrigin();
    auto snapshot = loader_->Load(spec_, "main", good_revision);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *snapshot : std::make_shared<const sync::SourceSnapshot>();
  }
  // By a loader that has read nothing before.
  std::string LoadedAnew(const std::string& good_revision = "") {
    const std::unique_ptr<SourceLoader> fresh = MakeLoader();
    auto snapshot = fresh->Load(spec_, "main", good_revision);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? TextOf(**snapshot) : "";
  }

  git::TemporaryFolder folder_;
  git::GitOrigin origin_{folder_.path() + "/origin"};
  std::unique_ptr<git::Mirror> mirror_;
  std::unique_ptr<SourceLoader> loader_;
  // Of other repositories, by address.
  std::map<std::string, RepoAnswer> answers_;
  // Paths, in order.
  std::vector<std::string> decrypted_;
  // Paths of those that cannot be decrypted now.
  std::set<std::string> closed_;
  v1::ResourceSync spec_;
};

TEST_F(SourceLoaderTest, DecryptsFilesOfSecretsWhenTheyChangeOnly) {
  origin_.Write("a.toml", Variable("a"));
  origin_.Write("in/s.sops.env", "first");
  origin_.Write("in/other.env", "nothing");
  const std::string good = origin_.CommitFile("t.env.age", "second");
  const auto first = Load();
  EXPECT_THAT(decrypted_, UnorderedElementsAre("in/s.sops.env", "t.env.age"));
  ASSERT_EQ(first->files.size(), 3u);
  EXPECT_EQ(first->files[1]->variables.at("SECRET").value, "first");
  EXPECT_THAT(first->prune_blocker, IsEmpty());
  decrypted_.clear();
  origin_.CommitFile("a.toml", Variable("a", "new"));
  EXPECT_EQ(Load(good)->files[1], first->files[1]);
  EXPECT_THAT(decrypted_, IsEmpty());
  origin_.CommitFile("in/s.sops.env", "third");
  EXPECT_EQ(Load(good)->files[1]->variables.at("SECRET").value, "third");
  EXPECT_THAT(decrypted_, ElementsAre("in/s.sops.env"));
  origin_.Git({"rm", "-q", "in/s.sops.env"});
  origin_.CommitAll("gone");
  EXPECT_EQ(Load(good)->files.size(), 2u);
}

TEST_F(SourceLoaderTest, TriesAFileOfSecretsThatIsClosedAgainWithEachLoad) {
  origin_.Write("a.toml", Variable("a"));
  origin_.Write("good.sops.env", "open");
  origin_.CommitFile("t.env.age", "second");
  closed_ = {"t.env.age"};
  const auto first = Load();
  EXPECT_EQ(ClosedFiles(*first), "t.env.age no key\n");
  // Neither the same revision nor one that leaves the file alone keeps the failure.
  for (const bool is_new : {false, true}) {
    if (is_new) origin_.CommitFile("a.toml", Variable("a", "new"));
    decrypted_.clear();
    Load();
    EXPECT_THAT(decrypted_, ElementsAre("t.env.age"));
  }
  closed_.clear();
  const auto open = Load();
  EXPECT_EQ(open->files[2]->variables.at("SECRET").value, "second");
  EXPECT_EQ(open->files[1], first->files[1]);
  EXPECT_THAT(ClosedFiles(*open), IsEmpty());
  decrypted_.clear();
  Load();
  EXPECT_THAT(decrypted_, IsEmpty());
}

TEST_F(SourceLoaderTest, ThePollerHandsTheSameRevisionOnOnceItsSecretsAreOpen) {
  const std::string commit = origin_.CommitFile("t.env.age", "second");
  base::Mutex mutex;
  base::CondVar changed;
  bool is_closed = true;
  int fetches = 0;
  std::vector<SnapshotPointer> handed;
  FetchObserver observer([&] {
    base::MutexLock lock(mutex);
    ++fetches;
    changed.SignalAll();
  });
  SyncPoller poller(
      {.directory = folder_.path() + "/syncs",
       .repo_directory = folder_.path() + "/repositories",
       .helper_program = FETCH_HELPER_PROGRAM,
       .decrypt =
           [&](const std::string& path, absl::string_view content) {
             base::MutexLock lock(mutex);
             resources::ParsedFile file;
             file.path = path;
             if (is_closed) {
               file.problems.push_back(ClosedProblem(path));
             } else {
               file.variables["SECRET"] = {std::string(content), true, ""};
             }
             return file;
           }},
      base::Clock::Real(), base::Random::Real(), observer,
      [&](SnapshotPointer snapshot, const v1::SyncRecord&) {
        base::MutexLock lock(mutex);
        handed.push_back(std::move(snapshot));
        changed.SignalAll();
      },
      [](const std::string& sync, const absl::Status& why) {
        ADD_FAILURE() << sync << ": " << why;
      });
  const auto wait = [&](const auto& condition) {
    base::MutexLock lock(mutex);
    while (!condition() && changed.WaitFor(mutex, absl::Seconds(60))) {
    }
    EXPECT_TRUE(condition());
  };
  spec_.set_url(origin_.url());
  spec_.set_branch("main");
  spec_.mutable_fetch_timeout()->set_seconds(60);
  poller.SetSyncs({{"main", spec_}});
  wait([&] { return handed.size() == 1; });

  // One poll that finds it closed as before, and the next one.
  poller.Trigger("main");
  wait([&] { return fetches == 2; });
  {
    base::MutexLock lock(mutex);
    is_closed = false;
  }
  poller.Trigger("main");
  wait([&] { return handed.size() == 2; });

  poller.Shutdown();
  EXPECT_THAT(ClosedFiles(*handed[0]), HasSubstr("t.env.age"));
  EXPECT_EQ(handed[0]->revision, commit);
  EXPECT_EQ(handed[1]->revision, commit);
  EXPECT_EQ(handed[1]->files[0]->variables.at("SECRET").value, "second");
}

TEST_F(SourceLoaderTest, ReadsOnlyWhatChangedAgain) {
  origin_.Write("a.toml", Variable("a"));
  origin_.Write("b.toml", Variable("b"));
  origin_.CommitAll("two");
  const auto first = Load();
  origin_.CommitFile("b.toml", Variable("b", "new"));
  const auto second = Load();
  ASSERT_EQ(second->files.size(), 2u);
  EXPECT_EQ(second->files[0], first->files[0]);
  EXPECT_NE(second->files[1], first->files[1]);
  EXPECT_EQ(second->files[1]->declarations[0].spec->description(), "new");
}

TEST_F(SourceLoaderTest, NamesTheFileThatHeldResourcesAndHoldsNoneNow) {
  origin_.Write("a.toml", Variable("a"));
  origin_.Write("other.toml", "[tool]\nx = 1\n");
  const std::string good = origin_.CommitFile("b.toml", Variable("b"));
  EXPECT_THAT(Load()->prune_blocker, IsEmpty());
  origin_.CommitFile("b.toml", "# all gone\n");
  EXPECT_THAT(Load(good)->prune_blocker,
              HasSubstr(absl::StrCat("b.toml held resources at ", good.substr(0, 7))));
  // Later revisions are compared with the good one still.
  origin_.CommitFile("a.toml", Variable("a", "later"));
  EXPECT_THAT(Load(good)->prune_blocker, HasSubstr("b.toml held resources"));
  origin_.Git({"rm", "-q", "b.toml"});
  origin_.CommitAll("b is removed on purpose");
  EXPECT_THAT(Load(good)->prune_blocker, IsEmpty());
}

TEST_F(SourceLoaderTest, AFileThatCannotBeReadKeepsWhatItHeldAsInvalid) {
  origin_.Write("a.toml", absl::StrCat(Variable("a"), Variable("moved")));
  const std::string good = origin_.CommitFile("b.toml", Variable("b"));
  Load();
  origin_.Write("a.toml", absl::StrCat(Variable("a"), "[[variable\n"));
  origin_.CommitFile("b.toml", absl::StrCat(Variable("b"), Variable("moved")));
  const auto snapshot = Load(good);
  ASSERT_EQ(snapshot->files.size(), 2u);
  EXPECT_TRUE(snapshot->files[0]->spoilt);
  ASSERT_EQ(snapshot->files[0]->declarations.size(), 1u) << "what has moved is declared there";
  const resources::Declaration& held = snapshot->files[0]->declarations[0];
  EXPECT_EQ(held.id.ToString(), "variable/a");
  EXPECT_EQ(held.spec, nullptr);
  ASSERT_EQ(held.problems.size(), 1u);
  EXPECT_EQ(held.problems[0].file(), "a.toml");
  EXPECT_GT(held.position.line, 1u);
  EXPECT_THAT(snapshot->prune_blocker, HasSubstr("a.toml held resources"));
  EXPECT_EQ(TextOf(*snapshot), LoadedAnew(good));
  EXPECT_THAT(Load("")->files[0]->declarations, IsEmpty()) << "nobody knows what it held";
}

TEST_F(SourceLoaderTest, SaysThatTheSourceHoldsNoResource) {
  origin_.CommitFile("readme.md", "nothing yet\n");
  EXPECT_EQ(Load()->prune_blocker, "the source holds no resource");
}

TEST_F(SourceLoaderTest, APathThatIsGoneIsAnErrorThatNamesIt) {
  origin_.CommitFile("fleet/a.toml", Variable("a"));
  spec_.add_resource_path("fleet");
  ASSERT_EQ(Load()->files.size(), 1u);
  origin_.Git({"mv", "fleet", "servers"});
  origin_.CommitAll("moved");
  FetchOrigin();
  const auto snapshot = loader_->Load(spec_, "main", "");
  EXPECT_TRUE(absl::IsNotFound(snapshot.status())) << snapshot.status();
  EXPECT_THAT(std::string(snapshot.status().message()), HasSubstr("\"fleet\""));
}

TEST_F(SourceLoaderTest, LinksOutOfTheTreeAreNotFollowed) {
  const std::string secret = folder_.path() + "/secret";
  std::ofstream(secret) << Variable("geheim");
  origin_.Write("a.toml", "[[stack]]\nname = \"web\"\n[stack.config]\nrun_directory = \"web\"\n");
  origin_.Write("web/compose.yaml", "services: {}\n");
  std::filesystem::create_symlink(secret, origin_.path() + "/b.toml");
  std::filesystem::create_symlink(secret, origin_.path() + "/web/.env");
  origin_.CommitAll("links");
  const auto snapshot = Load();
  EXPECT_THAT(TextOf(*snapshot), AllOf(HasSubstr("stack/web: compose.yaml=services: {}\n\n"),
                                       Not(HasSubstr("geheim")), Not(HasSubstr(".env"))));
  ASSERT_EQ(snapshot->files.size(), 2u);
  ASSERT_EQ(snapshot->files[1]->problems.size(), 1u);
  EXPECT_EQ(snapshot->files[1]->problems[0].code(), "symbolic-link");
}

TEST_F(SourceLoaderTest, AnotherDialectReadsEverythingAgain) {
  origin_.CommitFile("a.toml", "[[deployment]]\nname = \"a\"\n");
  EXPECT_TRUE(Load()->files[0]->declarations[0].spec->deploy());
  spec_.set_dialect(v1::DIALECT_KOMODO);
  EXPECT_FALSE(Load()->files[0]->declarations[0].spec->deploy());
}

// Law: what is patched equals what is read whole, whatever the commits did.
TEST_F(SourceLoaderTest, PatchedEqualsReadWholeOverRandomCommits) {
  constexpr unsigned kSeed = 20250607;
  SCOPED_TRACE(absl::StrCat("seed ", kSeed));
  std::mt19937 random(kSeed);
  const auto pick = [&random](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n));
  };
  const auto stack = [](int i) {
    return absl::StrCat("[[stack]]\nname = \"s", i, "\"\nconfig.run_directory = \"stacks/s", i,
                        "\"\n");
  };
  for (int i = 0; i < 40; ++i) {
    origin_.Write(absl::StrCat("fleet/", i, ".toml"), Variable(absl::StrCat("v", i)));
  }
  for (int i = 0; i < 4; ++i) {
    origin_.Write(absl::StrCat("fleet/s", i, ".toml"), stack(i));
    origin_.Write(absl::StrCat("stacks/s", i, "/compose.yaml"), "services: {}\n");
  }
  std::string good = origin_.CommitAll("start");
  for (int round = 0; round < 30; ++round) {
    for (int edits = 1 + pick(3); edits > 0; --edits) {
      const std::string file = absl::StrCat("fleet/", pick(45), ".toml");
      const std::string stack_folder = absl::StrCat("stacks/s", pick(4));
      const std::filesystem::path root = origin_.path();
      switch (pick(7)) {
        case 0:
          origin_.Write(file, Variable(absl::StrCat("v", round), absl::StrCat("round ", round)));
          break;
        case 1:
          std::filesystem::remove_all(root / file);
          break;
        case 2:
          origin_.Write(file, "# nothing\n");
          break;
        case 3:
          origin_.Write(stack_folder + "/compose.yaml", absl::StrCat("# ", round, "\n"));
          break;
        case 4:
          std::filesystem::remove_all(root / stack_folder);
          break;
        case 5:
          // A folder in place of a file.
          std::filesystem::remove_all(root / file);
          origin_.Write(file + "/inner.toml", Variable(absl::StrCat("inner", round)));
          break;
        default:
          origin_.Write(stack_folder + "/extra/x.env", absl::StrCat("A=", round, "\n"));
      }
    }
    origin_.Git({"add", "-A"});
    origin_.Git({"commit", "-q", "--allow-empty", "-m", "round"});
    const auto patched = Load(good);
    ASSERT_EQ(TextOf(*patched), LoadedAnew(good)) << "round " << round;
    if (patched->prune_blocker.empty()) good = patched->revision;
  }
}

// A stack with an own repository, and one that shares it by name.
constexpr char kForeignStacks[] =
    "[[repo]]\nname = \"infra\"\nconfig.url = \"file:///infra\"\n"
    "[[stack]]\nname = \"api\"\nconfig.url = \"file:///infra\"\nconfig.run_directory = \"api\"\n"
    "[[stack]]\nname = \"web\"\nconfig.linked_repo = \"infra\"\nconfig.commit = \"ignored\"\n";

RepoAnswer AnswerOf(const std::string& commit, const std::string& content) {
  auto files = std::make_shared<std::vector<v1::StackFile>>(1);
  files->front().set_path("compose.yaml");
  files->front().set_content(content);
  return {.commit = commit, .files = std::move(files)};
}

TEST_F(SourceLoaderTest, AsksForTheFilesOfOtherRepositories) {
  origin_.CommitFile("stacks.toml", kForeignStacks);

  const auto waiting = Load();

  EXPECT_THAT(TextOf(*waiting), HasSubstr("stack/api is being fetched"));
  ASSERT_EQ(loader_->questions().size(), 2u);
  const RepoQuestion& root = *loader_->questions().begin();
  EXPECT_EQ(root.url, "file:///infra");
  EXPECT_EQ(root.reference, "main") << "that of the repo, not of the stack";
  EXPECT_THAT(root.place.paths, IsEmpty()) << "in its root everything belongs to the stack";
  EXPECT_EQ(loader_->questions().rbegin()->place.prefix, "api/");

  answers_["file:///infra"] = AnswerOf("1111111111", "services: {}");
  const auto answered = Load();
  EXPECT_THAT(TextOf(*answered), AllOf(HasSubstr("stack/api: compose.yaml=services: {}"),
                                       HasSubstr("stack/web: compose.yaml=services: {}")));
  EXPECT_EQ(answered->other_sources.at({"stack", "web"}),
            "its files are those of file:///infra at main, now 1111111");

  answers_["file:///infra"] = AnswerOf("2222222222", "services: {db: {}}");
  EXPECT_THAT(TextOf(*Load()), HasSubstr("stack/web: compose.yaml=services: {db: {}}"))
      << "nothing of the sync's own files has changed";
}

TEST_F(SourceLoaderTest, ALinkedRepoThatIsNotThereIsAnErrorOfItsStackAlone) {
  origin_.CommitFile("stacks.toml", absl::StrCat(Variable("A"),
                                                 "[[stack]]\nname = \"web\"\n"
                                                 "config.linked_repo = \"infra\"\n"));
  const auto snapshot = Load();
  EXPECT_THAT(TextOf(*snapshot),
              HasSubstr("stack/web linked_repo \"infra\" is not declared by the same sync"));
  EXPECT_THAT(loader_->questions(), IsEmpty());
}

TEST_F(SourceLoaderTest, WhatIsOnlyAPointerIsAnErrorOfItsStackAlone) {
  const auto stack = [](const std::string& name) {
    return absl::StrCat("[[stack]]\nname = \"", name, "\"\n[stack.config]\nrun_directory = \"",
                        name, "\"\n");
  };
  origin_.Write("stacks.toml", absl::StrCat(stack("lfs"), stack("sub"), stack("well")));
  for (const char* name : {"lfs", "sub", "well"}) {
    origin_.Write(absl::StrCat(name, "/compose.yaml"), "services: {}\n");
  }
  origin_.Write("lfs/model.bin",
                "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n");
  const std::string commit = origin_.CommitAll("one");
  origin_.Git(
      {"update-index", "--add", "--cacheinfo", absl::StrCat("160000,", commit, ",sub/module")});
  origin_.Git({"commit", "-qm", "module"});
  const auto snapshot = Load();

  const auto problem = [&](const std::string& name) {
    const auto found = snapshot->stack_problems.find({"stack", name});
    return found == snapshot->stack_problems.end() ? "" : found->second.front().message();
  };
  EXPECT_THAT(problem("lfs"), HasSubstr("model.bin is in git LFS, which is not fetched"));
  EXPECT_THAT(problem("sub"), HasSubstr("sub/module is a submodule, which is not fetched"));
  EXPECT_EQ(problem("well"), "");
  EXPECT_TRUE(snapshot->stack_files.contains({"stack", "well"}));
  EXPECT_FALSE(snapshot->stack_files.contains({"stack", "lfs"}));

  origin_.CommitFile("lfs/model.bin", "the model itself");
  EXPECT_TRUE(Load()->stack_files.contains({"stack", "lfs"}));
}

}  // namespace
}  // namespace fairlead::loop
