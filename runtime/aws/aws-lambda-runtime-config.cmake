# find_package(aws-lambda-runtime) for functions that were written for aws-lambda-cpp: the target
# AWS::aws-lambda-runtime on Ogni's library, and
#
#   aws_lambda_package_target(TARGET [NO_LIBC])
#
# whose target aws-lambda-package-TARGET makes TARGET.zip in the current binary directory, with the shared libraries that
# TARGET needs; NO_LIBC leaves the C library to the system that the function runs on.
include(CMakeFindDependencyMacro)
find_dependency(ogni PATHS "${CMAKE_CURRENT_LIST_DIR}/../ogni")
include("${CMAKE_CURRENT_LIST_DIR}/aws-lambda-runtime-targets.cmake")

function(aws_lambda_package_target target)
  cmake_parse_arguments(PACKAGE "NO_LIBC" "" "" ${ARGN})
  if(PACKAGE_NO_LIBC)
    _ogni_add_zip(${target} aws-lambda-package-${target} NO bundle-no-libc "" "")
  else()
    _ogni_add_zip(${target} aws-lambda-package-${target} NO bundle "" "")
  endif()
endfunction()
