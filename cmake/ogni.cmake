# Settings and helpers that every part shares.
include(GNUInstallDirs)
find_package(Threads REQUIRED)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

option(OGNI_TESTS "Build the tests" ON)
option(OGNI_BENCHMARKS "Build the benchmarks" ON)
option(OGNI_COVERAGE "Count what runs, for scripts/coverage (clang only)" OFF)
option(OGNI_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(OGNI_SANITIZE "" CACHE STRING "Sanitizers for every target, for example address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(LLD ld.lld-19)
if(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(--ld-path=${LLD})
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:Clang>>:-Wno-missing-designated-field-initializers>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # A precompiled header is as good as its contents, whatever the files' times: ccache needs that too.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
if(OGNI_SANITIZE)
  add_compile_options(-fsanitize=${OGNI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${OGNI_SANITIZE})
endif()

if(OGNI_COVERAGE)
  # The counters lie in one file for each program, mapped while it runs: processes that fork, clear their environment or are
  # killed count all the same.
  add_compile_options(-fprofile-instr-generate=${CMAKE_BINARY_DIR}/profile/%m%c.profraw -fcoverage-mapping
    "SHELL:-mllvm -runtime-counter-relocation" -O1 -g0)
  add_link_options(-fprofile-instr-generate)
endif()

# Headers are found as "folder/file.h" from the root of the project.
include_directories(${CMAKE_SOURCE_DIR})
# What generated headers (configure_file, embedded files) are found by.
include_directories(${CMAKE_BINARY_DIR}/generated)

# ogni_part(NAME SOURCES... [PUBLIC lib...]): the static library of one folder, target ogni_NAME.
function(ogni_part name)
  cmake_parse_arguments(PART "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(ogni_${name} STATIC ${PART_SOURCES})
  target_link_libraries(ogni_${name} PUBLIC ${PART_PUBLIC} PRIVATE ${PART_PRIVATE})
endfunction()

# ogni_test(NAME SOURCES... LIBS...): one GoogleTest program in bin/tests, which tests/run finds by its place.
function(ogni_test name)
  if(NOT OGNI_TESTS)
    return()
  endif()
  cmake_parse_arguments(TEST "" "" "SOURCES;LIBS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LIBS} GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/tests)
endfunction()

# ogni_bench(NAME SOURCES... LIBS...): one Google Benchmark program in bin/benchmarks.
function(ogni_bench name)
  if(NOT OGNI_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(BENCH "" "" "SOURCES;LIBS" ${ARGN})
  find_package(benchmark REQUIRED)
  add_executable(${name} ${BENCH_SOURCES})
  target_link_libraries(${name} PRIVATE ${BENCH_LIBS} benchmark::benchmark benchmark::benchmark_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/benchmarks)
endfunction()

# ogni_fuzz(NAME SOURCES... LIBS...): one libFuzzer target in bin/fuzz. Build the libraries with
# OGNI_SANITIZE=address,undefined,fuzzer-no-link so that coverage reaches them.
function(ogni_fuzz name)
  if(NOT OGNI_FUZZ)
    return()
  endif()
  cmake_parse_arguments(FUZZ "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${FUZZ_SOURCES})
  target_link_libraries(${name} PRIVATE ${FUZZ_LIBS})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/fuzz)
endfunction()

# ogni_embed(TARGET FILE VARIABLE): makes FILE's bytes a std::string_view ogni::embedded::VARIABLE,
# in header "embedded/VARIABLE.h". For scripts that a program carries inside itself.
function(ogni_embed target file variable)
  set(directory ${CMAKE_BINARY_DIR}/embedded-${target})  # each target its own: two may embed the same file
  set(header ${directory}/embedded/${variable}.h)
  add_custom_command(OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${header} -DVARIABLE=${variable} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${header})
  target_include_directories(${target} PRIVATE ${directory})
endfunction()
