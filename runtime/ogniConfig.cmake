include(CMakeFindDependencyMacro)
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/ogniTargets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/ogniFunction.cmake")
