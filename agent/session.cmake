# The agent's session, its program and their tests. Included by CMakeLists.txt.
fairlead_library(agent
  SOURCES action_runner.cc agent.cc applied_store.cc autonomous_heal.cc caretaker.cc connection.cc
          enrolment.cc instance.cc journal.cc log_runner.cc session.cc tls_trust.cc
  PUBLIC fairlead::base fairlead::api
  PRIVATE fairlead::api_grpc fairlead::resources PkgConfig::libsodium)

# The program needs the whole engine side.
if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/docker_reporter.h")
  fairlead_binary(fairlead-agent
    SOURCES main.cc
    LINK fairlead::agent fairlead::agent_engine fairlead::resources CLI11::CLI11)
endif()

if(FAIRLEAD_TESTS)
  fairlead_test(agent_test
    SOURCES agent_test.cc autonomous_heal_test.cc caretaker_test.cc instance_test.cc journal_test.cc
            session_test.cc
    LINK fairlead::agent fairlead::api_grpc
    LABEL component)
endif()
