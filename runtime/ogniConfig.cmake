include("${CMAKE_CURRENT_LIST_DIR}/ogniTargets.cmake")
