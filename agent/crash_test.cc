// The agent may die at any point of an action: the next one finishes it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "agent/engine_json.h"
#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Cuts the engine off at every change of an action in turn, before the change and behind it, and
// runs the action again in a new agent.
class CrashTest : public RuntimeFixture, public ::testing::WithParamInterface<bool> {
 protected:
  // `prepare` brings the world before `action`; `check` what must be true at the end. Returns
  // how many cuts there were.
  int CutEverywhere(const std::function<void()>& prepare, const v1::Action& action,
                    const std::function<void()>& check) {
    int cuts = 0;
    for (bool cut = true; cut && cuts < 50; ++cuts) {
      Clean();
      prepare();
      engine_.BreakAfter(cuts, GetParam());
      Run(action);
      cut = engine_.Revive();
      RestartAgent();
      SCOPED_TRACE(testing::Message() << "cut at change " << cuts);
      const v1::ActionOutcome outcome = Run(action);
      EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
      check();
      if (HasFailure()) break;
    }
    return cuts;
  }

 private:
  void Clean() {
    engine_.WatchName("");
    for (const char* name : {"web", "web.fairlead-old", "web.fairlead-new", "Web", "weB"}) {
      if (!engine_.IdOf(name).empty()) engine_.RemoveByHand(name);
    }
  }
};

TEST_P(CrashTest, FirstCreateEnds) {
  const int cuts = CutEverywhere([] {}, Apply("a1", "one"),
                                 [&] {
                                   EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
                                   EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:one");
                                 });
  EXPECT_GE(cuts, 2);
}

TEST_P(CrashTest, ReplacementEnds) {
  std::string old_id;
  const int cuts = CutEverywhere(
      [&] { old_id = Run(Apply("a1", "one")).container_id(); }, Apply("a2", "two"),
      [&] {
        EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
        EXPECT_EQ(engine_.IdOf("web.fairlead-old"), old_id);
        EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:two");
        EXPECT_EQ(engine_.RestartPolicyOf("web.fairlead-old"), "no");
      });
  EXPECT_GE(cuts, 5);
}

TEST_P(CrashTest, ReplacementAfterAFailedAttemptEnds) {
  std::string first;
  CutEverywhere(
      [&] {
        first = Run(Apply("a1", "one")).container_id();
        Run(Apply("a2", "two"));
      },
      Apply("a3", "three"),
      [&] {
        EXPECT_EQ(engine_.IdOf("web.fairlead-old"), first);
        EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:three");
      });
}

TEST_P(CrashTest, RollbackEnds) {
  std::string old_id;
  const int cuts = CutEverywhere(
      [&] {
        old_id = Run(Apply("a1", "one")).container_id();
        Run(Apply("a2", "two"));
      },
      Finish("f1", v1::FinishReplacement::KEEP_OLD),
      [&] {
        EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
        EXPECT_EQ(engine_.IdOf("web"), old_id);
        EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
      });
  EXPECT_GE(cuts, 4);
}

TEST_P(CrashTest, KeepingTheNewOneEnds) {
  std::string new_id;
  CutEverywhere(
      [&] {
        Run(Apply("a1", "one"));
        new_id = Run(Apply("a2", "two")).container_id();
      },
      Finish("f1", v1::FinishReplacement::KEEP_NEW),
      [&] {
        EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
        EXPECT_EQ(engine_.IdOf("web"), new_id);
      });
}

TEST_P(CrashTest, RemovalEnds) {
  v1::Action remove = ActionOf("r1");
  remove.mutable_remove();
  CutEverywhere(
      [&] {
        Run(Apply("a1", "one"));
        Run(Apply("a2", "two"));
      },
      remove, [&] { EXPECT_THAT(engine_.Containers(), IsEmpty()); });
}

TEST_P(CrashTest, StartingFirstEnds) {
  std::string old_id;
  const int cuts = CutEverywhere(
      [&] {
        old_id = Run(ApplyFirst("a1", "one")).container_id();
        engine_.WatchName("web");
      },
      ApplyFirst("a2", "two"),
      [&] {
        EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-new running"));
        EXPECT_EQ(engine_.IdOf("web"), old_id);
        EXPECT_EQ(engine_.LabelOf("web.fairlead-new", kSpecHashLabel), "v1:k1:two");
        EXPECT_THAT(engine_.Gaps(), IsEmpty());
      });
  EXPECT_GE(cuts, 3);
}

TEST_P(CrashTest, PassingTheNameOnEnds) {
  std::string new_id;
  const int cuts = CutEverywhere(
      [&] {
        Run(ApplyFirst("a1", "one"));
        new_id = Run(ApplyFirst("a2", "two")).container_id();
        engine_.WatchName("web");
      },
      Finish("f1", v1::FinishReplacement::KEEP_NEW),
      [&] {
        EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
        EXPECT_EQ(engine_.IdOf("web"), new_id);
        EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
        EXPECT_THAT(engine_.Gaps(), IsEmpty());
      });
  EXPECT_GE(cuts, 8);
}

// The controller may change its mind wherever the name is by then.
TEST_P(CrashTest, GoingBackEndsFromEveryPointOfPassingTheNameOn) {
  for (int cut = 0; cut < 6; ++cut) {
    SCOPED_TRACE(testing::Message() << "passed on until change " << cut);
    std::string old_id;
    CutEverywhere(
        [&] {
          old_id = Run(ApplyFirst("a1", "one")).container_id();
          Run(ApplyFirst("a2", "two"));
          engine_.BreakAfter(cut, GetParam());
          Run(Finish("f1", v1::FinishReplacement::KEEP_NEW));
          EXPECT_TRUE(engine_.Revive());
        },
        Finish("f2", v1::FinishReplacement::KEEP_OLD),
        [&] {
          EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
          EXPECT_EQ(engine_.IdOf("web"), old_id);
          EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
        });
  }
}

// So may what is declared.
TEST_P(CrashTest, AnotherSpecEndsFromEveryPointOfPassingTheNameOn) {
  for (int cut = 0; cut < 6; ++cut) {
    SCOPED_TRACE(testing::Message() << "passed on until change " << cut);
    CutEverywhere(
        [&] {
          Run(ApplyFirst("a1", "one"));
          Run(ApplyFirst("a2", "two"));
          engine_.BreakAfter(cut, GetParam());
          Run(Finish("f1", v1::FinishReplacement::KEEP_NEW));
          EXPECT_TRUE(engine_.Revive());
        },
        ApplyFirst("a3", "three"),
        [&] {
          const bool beside = !engine_.IdOf("web.fairlead-new").empty();
          EXPECT_EQ(engine_.LabelOf(beside ? "web.fairlead-new" : "web", kSpecHashLabel),
                    "v1:k1:three");
          EXPECT_EQ(engine_.Containers().size(), 2u);
        });
  }
}

TEST_P(CrashTest, RemovalDuringTheOverlapEnds) {
  v1::Action remove = ActionOf("r1");
  remove.mutable_remove();
  CutEverywhere(
      [&] {
        Run(ApplyFirst("a1", "one"));
        Run(ApplyFirst("a2", "two"));
      },
      remove, [&] { EXPECT_THAT(engine_.Containers(), IsEmpty()); });
}

// What a failed start had to undo is undone by the next attempt, whatever that is.
TEST_P(CrashTest, AFailedStartIsUndoneByTheNextAttempt) {
  for (int cut = 0; cut < 12; ++cut) {
    SCOPED_TRACE(testing::Message() << "cut at change " << cut);
    for (const char* name : {"web", "web.fairlead-old"}) {
      if (!engine_.IdOf(name).empty()) engine_.RemoveByHand(name);
    }
    const std::string old_id = Run(Apply("a1", "one")).container_id();
    engine_.start_fails = true;
    engine_.BreakAfter(cut, GetParam());
    Run(Apply("a2", "two"));
    engine_.Revive();
    RestartAgent();
    EXPECT_EQ(Run(Apply("a2", "two")).status(), v1::ACTION_STATUS_FAILED);
    engine_.start_fails = false;
    EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
    EXPECT_EQ(engine_.IdOf("web"), old_id);
    EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
  }
}

INSTANTIATE_TEST_SUITE_P(Cut, CrashTest, ::testing::Bool(), [](const auto& param) {
  return param.param ? "BehindTheChange" : "BeforeTheChange";
});

}  // namespace
}  // namespace fairlead::agent
