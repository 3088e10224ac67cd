/*
 * The action protocol: how an action that the controller decides on is performed by an agent and
 * settled again, while messages are lost and doubled, streams break and either end dies.
 * tools/run_model checks it; docs/testing.md says what holds and what is left out.
 *
 * Two resources, one action wanted of each. Each attempt at it has an id that is never used again;
 * when the agent turns out never to have had it, another attempt follows. Sets of ids are bit
 * masks. An `atomic` is one step: it holds one durable write, and what the code does around that
 * write is lost with it when the process dies in between, as if the step had not begun or the
 * message had not arrived.
 *
 * FAULTS is how many faults there may be, of any kinds, at any moments. Bit r of ONCE is set when
 * the action of resource r is *once*, else it is *ensure*. PLANT is one of the mistakes below: each
 * takes one rule of the protocol away, and some check must notice.
 */
#ifndef FAULTS
#define FAULTS 3
#endif
#ifndef ONCE
#define ONCE 2
#endif
#ifndef PLANT
#define PLANT 0
#endif
/* Mistakes. tools/run_model reads them from here. */
#define EFFECT_BEFORE_INTENT 1          /* the agent acts, then writes the intent */
#define NO_DEDUPLICATION 2              /* a repeated dispatch is performed again */
#define BLIND_ENSURE 3                  /* ensure does not look at what is there */
#define RERUN_ONCE 4                    /* a once action continues after the agent died */
#define FORGET_BEFORE_ACKNOWLEDGED 5    /* the agent forgets what it has sent */
#define OUTCOME_BEFORE_JOURNAL 6        /* old outcomes are said before the journal */
#define SECOND_JOURNAL 7                /* each journal of a session counts, not only the first */
#define DISPATCH_BEFORE_JOURNAL 8       /* a session gets actions before its journal is there */
#define DISPATCH_TO_ANY_SESSION 9       /* also when the loop does not know its journal yet */
#define DISPATCH_BEFORE_DURABLE 10      /* sent, then stored */
#define ACKNOWLEDGE_BEFORE_DURABLE 11   /* acknowledged, then stored */
#define IGNORE_UNKNOWN_OUTCOME 12       /* only what is open in the store is acknowledged */
#define DROP_LOST 13                    /* a once action that never arrived is not sent again */
/* Ids of resource r: r + 2, r + 4, ...; 0 is none. Each stream but the first needs a fault. */
#define IDS (2 * (FAULTS + 3))
#define RESOURCE(id) ((id) % 2)
#define BIT(id) (1 << (id))
#define HAS(set, id) (((set) >> (id)) & 1)
#define IDS_OF(r) ((r) * 10922 + (1 - (r)) * 5461)
#define IS_ONCE(r) HAS(ONCE, r)
#define ONCE_IDS (IS_ONCE(0) * IDS_OF(0) + IS_ONCE(1) * IDS_OF(1))

mtype = { HELLO, WELCOME, GOODBYE, JOURNAL, DISPATCH, OUTCOME, ACKNOWLEDGE };

/* ---- The world. What is wanted is said again until it is durable. */
bool wanted[2];
byte effects[2];           /* how often the effect of resource r was brought about */
byte faults = FAULTS;
bool agent_died;

/* ---- The link: the newest stream, and what travels on it. */
#define QUEUE 8
chan to_controller = [QUEUE] of { mtype, short, short };
chan to_agent = [QUEUE] of { mtype, short, short };
byte stream;               /* its number */
bool linked;               /* the agent has it open */
bool holed;                /* it has lost a message */

/* ---- The agent's disk: the journal. */
short intent;              /* an intent is written and not forgotten, */
short recorded;            /* and the outcome, too */
short succeeded;           /* the outcome is success, else Interrupted; it never changes */

/* ---- The agent's memory: Session's entries by phase. */
bool welcomed;
short running;             /* kRunning */
short waiting;             /* kWaiting */
short unwritten;           /* kOutcomeNotWritten */
short finished;            /* kFinished */
short performed;           /* running; the effect is there, and the session does not know yet */
#define OPEN (running | waiting | unwritten)

/* ---- The controller's disk: the store. */
byte stored_action[2];     /* id of the open ActionRecord of resource r */
bool stored_end[2];        /* its outcome is recorded, */
bool stored_success[2];    /* and it is success */

/* ---- The controller's memory: SessionTable, the Reconciler's queue, Core. */
byte holder;               /* stream of the session that holds the server's name; 0 is none */
bool journal_seen;         /* of that session */
bool closing;              /* the newest stream was told to end */
chan told = [QUEUE] of { mtype, byte, short, short };
byte action[2];            /* Core's running_, by resource */
bool ended[2];
bool success[2];
byte journal_of;           /* the session whose journal was taken in last */
bool dropped[2];           /* only with DROP_LOST */
bool dispatch[2];          /* to be sent once the pass is durable, */
short acknowledge;         /* and these acknowledged */
byte attempt[2];           /* stands for the randomness of ids: survives everything */
mtype:pass = { EVENTS, PERSIST, SEND };
mtype:pass pass = EVENTS;

/* ---- Only for the checks. */
short begun;               /* the agent took it on */
short judged_lost;         /* the controller decided that it never arrived */

#define ENDED(r) (stored_end[r] && !stored_action[r] && \
                  (stored_success[r] && effects[r] == 1 || \
                   !stored_success[r] && IS_ONCE(r) && agent_died))
/* Both actions have one recorded, true outcome, and both journals have forgotten them. */
#define SETTLED (ENDED(0) && ENDED(1) && !intent && !recorded && !(OPEN | finished))
ltl settles { <> [] SETTLED }

/* What goes onto a stream arrives in order; but it may arrive twice, or be lost without a sign,
   which is more than gRPC does. */
inline transmit(queue, what, one, two) {
  assert(nfull(queue));
  if
  :: queue!what, one, two
  :: faults > 0 -> faults--; queue!what, one, two; assert(nfull(queue)); queue!what, one, two
  :: faults > 0 -> faults--; holed = true
  fi
}
inline drain(queue) {
  do :: nempty(queue) -> queue?_, _, _ :: empty(queue) -> break od
}
/* The stream ends with all that is on it. The controller notices later: see OnClosed. */
inline cut() {
  linked = false; welcomed = false; holed = false;
  drain(to_controller); drain(to_agent)
}
/* The smallest id of resource `r` in `set`; IDS or more when there is none. */
inline find(set, r, id) {
  id = 2 + r;
  do :: id < IDS && !HAS(set, id) -> id = id + 2 :: else -> break od
}

/* ==== agent/session.cc and agent/journal.cc; agent/agent.cc carries the commands out in order. */

inline report_outcome(id) {
  if :: welcomed -> transmit(to_controller, OUTCOME, id, 0) :: else fi
}
inline write_outcome(id) {
  recorded = recorded | BIT(id); finished = finished | BIT(id); report_outcome(id)
}
inline forget(id) {
  finished = finished & ~BIT(id); intent = intent & ~BIT(id); recorded = recorded & ~BIT(id)
}

/* Session::OnWelcome: the report first, then on with what a restart has cut. */
inline on_welcome(r, id) {
  welcomed = true;
#if PLANT == OUTCOME_BEFORE_JOURNAL
  for (id : 2 .. IDS - 1) { if :: HAS(finished, id) -> report_outcome(id) :: else fi }
#endif
  transmit(to_controller, JOURNAL, OPEN, finished);
  running = running | waiting; waiting = 0;
  for (r : 0 .. 1) {
    find(unwritten, r, id);
    if :: id < IDS -> unwritten = unwritten & ~BIT(id); write_outcome(id) :: else fi
  }
}

/* Session::OnDispatch, and OnRecorded of the intent. A repeated dispatch begins nothing. */
inline on_dispatch(id) {
  if
  :: !welcomed
#if PLANT != NO_DEDUPLICATION
  :: welcomed && HAS(OPEN, id)
  :: welcomed && HAS(finished, id) -> report_outcome(id)
  :: welcomed && !HAS(OPEN | finished, id) ->
#else
  :: welcomed -> finished = finished & ~BIT(id); performed = performed & ~BIT(id);
#endif
     assert(!HAS(judged_lost, id));
     /* The next action of a resource is decided after the end of the last. */
     assert(!(OPEN & IDS_OF(RESOURCE(id)) & ~BIT(id)));
     begun = begun | BIT(id);
     intent = intent | (PLANT == EFFECT_BEFORE_INTENT -> 0 : BIT(id));
     running = running | BIT(id)
  fi
}

/* Session::OnOutcomeAcknowledged: only now may the agent forget. */
inline on_acknowledge(id) {
  if :: HAS(finished, id) -> assert(stored_action[RESOURCE(id)] != id); forget(id) :: else fi
}

proctype AgentSession() {
  mtype m; short id; byte r;
end:
  do
  /* Connection::Attempt, Session::OnConnected. */
  :: atomic { !linked ->
       stream = stream % (FAULTS + 3) + 1; linked = true; closing = false;
       transmit(to_controller, HELLO, 0, 0) }
  :: atomic { to_agent?m, id, _ ->
       if
       :: m == WELCOME -> on_welcome(r, id)
       :: m == DISPATCH -> on_dispatch(id)
       :: m == ACKNOWLEDGE -> on_acknowledge(id)
       :: m == GOODBYE -> cut()
       fi;
       m = 0; id = 0; r = 0 }
  od
}

/* ==== agent/action_runner.cc and the runtime: one action of a resource at a time. */
proctype Runner(byte resource) {
  byte id;
end:
  do
  /* ActionRunner::Perform. An *ensure* action looks at the engine before it changes anything. */
  :: atomic { running & ~performed & IDS_OF(resource) ->
       find(running & ~performed, resource, id);
       performed = performed | BIT(id);
       effects[resource] =
         (IS_ONCE(resource) || PLANT == BLIND_ENSURE -> effects[resource] + 1 : 1);
       assert(effects[resource] <= 1);
       id = 0 }
  /* Session::OnFinished, and OnRecorded of the outcome. */
  :: atomic { performed & IDS_OF(resource) ->
       find(performed, resource, id);
       performed = performed & ~BIT(id); running = running & ~BIT(id);
       intent = intent | BIT(id);  /* as it is already, but for EFFECT_BEFORE_INTENT */
       succeeded = succeeded | BIT(id);
       write_outcome(id);
#if PLANT == FORGET_BEFORE_ACKNOWLEDGED
       forget(id);
#endif
       id = 0 }
  od
}

/* ==== controller/agents/session_table.cc, agent_registry.cc. */

/* To the session that holds the name: what goes to a stream that is gone is lost with it. */
inline send(what, id) {
  if :: linked && !closing && holder == stream -> transmit(to_agent, what, id, 0) :: else fi
}
/* SessionTable::Part: Goodbye, then the end of the stream. */
inline refuse() {
  transmit(to_agent, GOODBYE, 0, 0);
  holder = 0; journal_seen = false; closing = true
}

proctype SessionTable() {
  mtype m; short a, b;
end:
  do
  :: atomic { to_controller?m, a, b ->
       if
       :: closing
       /* OnHello. An older session that still holds the name is replaced. */
       :: !closing && holder != stream ->
          assert(m == HELLO);  /* an agent says nothing else before its Welcome */
          holder = stream; journal_seen = false; send(WELCOME, 0)
       :: !closing && holder == stream && m == HELLO -> refuse()
       :: !closing && holder == stream && m == JOURNAL ->
          if
#if PLANT != SECOND_JOURNAL
          :: journal_seen
#endif
          :: else -> journal_seen = true; assert(nfull(told)); told!JOURNAL, stream, a, b
          fi
       :: !closing && holder == stream && m == OUTCOME ->
          if
          :: !journal_seen -> refuse()
          :: journal_seen -> assert(nfull(told)); told!OUTCOME, stream, a, 0
          fi
       fi;
       m = 0; a = 0; b = 0 }
  /* OnClosed, some time after the stream has ended. */
  :: atomic { holder != 0 && (holder != stream || !linked) -> holder = 0; journal_seen = false }
  od
}

/* ==== controller/loop/core.cc, core_steps.cc, core_outcome.cc; reconciler.cc around them. */

/* Core::OnOutcome. What is not known any more is acknowledged, too. */
inline on_outcome(id) {
  if
  :: action[RESOURCE(id)] == id ->
     acknowledge = acknowledge | BIT(id); action[RESOURCE(id)] = 0;
     ended[RESOURCE(id)] = true; success[RESOURCE(id)] = HAS(succeeded, id)
  :: else ->
     acknowledge = acknowledge | (PLANT == IGNORE_UNKNOWN_OUTCOME -> 0 : BIT(id))
  fi
}

/* Core::OnJournal. What the agent does not know never arrived and is decided anew (OnLost). */
inline on_journal(session, open, done, r, id) {
  journal_of = session;
  for (r : 0 .. 1) {
    if
    :: action[r] && !HAS(open | done, action[r]) ->
       assert(!HAS(begun, action[r]));
       judged_lost = judged_lost | BIT(action[r]);
       action[r] = 0;
       dropped[r] = (PLANT == DROP_LOST && IS_ONCE(r))
    :: else
    fi
  }
  for (id : 2 .. IDS - 1) { if :: HAS(done, id) -> on_outcome(id) :: else fi }
}

#define OPEN_STEP(r) (wanted[r] && !action[r] && !ended[r] && !dropped[r])
#define CHANGED(r) (action[r] != stored_action[r])
#define TO_DISPATCH (dispatch[0] || dispatch[1])
#define MAY_DISPATCH (pass == SEND || pass == PERSIST && PLANT == DISPATCH_BEFORE_DURABLE)
#define MAY_ACKNOWLEDGE (pass == SEND || pass == PERSIST && PLANT == ACKNOWLEDGE_BEFORE_DURABLE)
/* SessionTable::Find and Dispatch: nothing to a session whose journal is still to be taken in. */
#define REACHED (holder != 0 && (journal_seen || PLANT == DISPATCH_BEFORE_JOURNAL) && \
                 (holder == journal_of || PLANT == DISPATCH_TO_ANY_SESSION || \
                  PLANT == DISPATCH_BEFORE_JOURNAL))

proctype Loop() {
  mtype m; byte session, r; short a, b, id;
end:
  do
  :: atomic { pass == EVENTS && nempty(told) ->
       told?m, session, a, b;
       if :: m == JOURNAL -> on_journal(session, a, b, r, id) :: m == OUTCOME -> on_outcome(a) fi;
       m = 0; session = 0; a = 0; b = 0; r = 0; id = 0 }
  /* Core::Pass: StartRestarts, StartOpenSteps. */
  :: atomic { pass == EVENTS &&
              (OPEN_STEP(0) || OPEN_STEP(1) || acknowledge || CHANGED(0) || CHANGED(1)) ->
       for (r : 0 .. 1) {
         if
         :: OPEN_STEP(r) -> attempt[r]++; action[r] = 2 * attempt[r] + r; dispatch[r] = true
         :: else
         fi;
         assert(action[r] < IDS)
       }
       r = 0; pass = PERSIST }
  /* Reconciler::Persist: one transaction. */
  :: atomic { pass == PERSIST ->
       for (r : 0 .. 1) {
         stored_action[r] = action[r]; stored_end[r] = ended[r]; stored_success[r] = success[r]
       }
       r = 0; pass = SEND }
  /* The rest of Reconciler::PassOnce, one message at a time. */
  :: atomic { MAY_DISPATCH && TO_DISPATCH ->
       r = (dispatch[0] -> 0 : 1);
       dispatch[r] = false;
       if :: REACHED -> send(DISPATCH, action[r]) :: else fi;
       r = 0 }
  :: atomic { MAY_ACKNOWLEDGE && !TO_DISPATCH && acknowledge ->
       id = 2;
       do :: !HAS(acknowledge, id) -> id++ :: HAS(acknowledge, id) -> break od;
       acknowledge = acknowledge & ~BIT(id);
       if :: holder != 0 && journal_seen -> send(ACKNOWLEDGE, id) :: else fi;
       id = 0 }
  :: atomic { pass == SEND && !TO_DISPATCH && !acknowledge -> pass = EVENTS }
  od
}

/* ==== What goes wrong, until it stops. A kill and the next start are one step: while one end is
   away the other goes on as it also does before the next Hello arrives. */

/* agent/journal.cc Journal::Open, agent/session.cc Session::Session. */
inline kill_agent() {
  cut();
  running = 0; performed = 0; finished = recorded; agent_died = true;
  unwritten = intent & ~recorded & (PLANT == RERUN_ONCE -> 0 : ONCE_IDS);
  waiting = intent & ~recorded & ~unwritten
}

/* controller/loop/core.cc Core::Core: what is open in the store may still be under way. */
inline kill_controller(r) {
  cut();
  do :: nempty(told) -> told?_, _, _, _ :: empty(told) -> break od;
  for (r : 0 .. 1) {
    action[r] = stored_action[r]; ended[r] = stored_end[r]; success[r] = stored_success[r];
    dispatch[r] = false
  }
  r = 0; acknowledge = 0; pass = EVENTS;
  holder = 0; journal_seen = false; closing = false; journal_of = 0
}

proctype World() {
  byte r; bool calm;
end:
  do
  :: atomic { !wanted[0] -> wanted[0] = true }
  :: atomic { !wanted[1] -> wanted[1] = true }
  :: atomic { faults > 0 && linked -> faults--; cut() }
  :: atomic { faults > 0 -> faults--; kill_agent() }
  :: atomic { faults > 0 -> faults--; kill_controller(r) }
  :: atomic { !calm -> calm = true; faults = 0 }
  /* A stream that lost something ends sooner or later, if only by keepalive or heartbeat. */
  :: atomic { holed && linked -> cut() }
  od
}

/* When nothing can move any more, all must be settled. */
proctype Rest() { timeout -> assert(SETTLED) }

init { atomic {
  run AgentSession(); run Runner(0); run Runner(1); run SessionTable(); run Loop();
  run World(); run Rest()
} }
