# Compiler settings for our own code; every target of ours links fairlead_options.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  # Precompiled headers need these sloppiness settings to be cacheable.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

add_library(fairlead_options INTERFACE)
target_compile_options(fairlead_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers)
target_include_directories(fairlead_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(fairlead_options INTERFACE FAIRLEAD_VERSION="${FAIRLEAD_VERSION}")
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU")
  # ccache needs it for precompiled headers.
  target_compile_options(fairlead_options INTERFACE -fpch-preprocess)
  # gcc 12 reports these falsely for inlined std::string moves at -O2; clang checks them instead.
  target_compile_options(fairlead_options INTERFACE -Wno-array-bounds -Wno-restrict
                         -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(fairlead_options INTERFACE -Wthread-safety -Wreserved-identifier
                         -Wzero-as-null-pointer-constant)
  # It reports what libstdc++ 12 allows itself inside std::stable_sort; gcc tells of our own.
  target_compile_options(fairlead_options INTERFACE -Wno-deprecated-declarations)
endif()
if(FAIRLEAD_WERROR)
  target_compile_options(fairlead_options INTERFACE -Werror)
endif()
