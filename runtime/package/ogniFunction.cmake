# ogni_add_function(TARGET [FILES file-or-directory...] [ZIP path])
#
# Makes of the executable TARGET a function that AWS Lambda and Ogni accept: links it statically, so that it needs nothing
# of the system it runs on, and packs it as `bootstrap` (mode 0755) at the root of a zip, with FILES beside it. The zip
# is made with the default target, or by the target TARGET_zip: TARGET.zip in the current binary directory, or ZIP.
# Deploy it with `ogni deploy` or `aws lambda create-function --runtime provided.al2023 --zip-file fileb://…`.
set(ogni_package_script "${CMAKE_CURRENT_LIST_DIR}/ogniPackage.cmake" CACHE INTERNAL "")

function(ogni_add_function target)
  cmake_parse_arguments(FUNCTION "" "ZIP" "FILES" ${ARGN})
  if(FUNCTION_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ogni_add_function(${target}): unknown: ${FUNCTION_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "ogni_add_function(${target}): there is no such target; add_executable comes first")
  endif()
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL "EXECUTABLE")
    message(FATAL_ERROR "ogni_add_function(${target}): the target is no executable")
  endif()
  target_link_options(${target} PRIVATE -static LINKER:--gc-sections)
  _ogni_add_zip(${target} ${target}_zip ALL static "${FUNCTION_ZIP}" "${FUNCTION_FILES}")
endfunction()

# `shared`: what to do with shared libraries. static: refuse them; bundle: pack them; bundle-no-libc: pack them but the
# C library.
function(_ogni_add_zip target name all shared zip files)
  if(NOT zip)
    set(zip "${target}.zip")
  endif()
  get_filename_component(zip "${zip}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  set(paths "")
  set(depends "")
  foreach(file IN LISTS files)
    get_filename_component(path "${file}" ABSOLUTE)
    list(APPEND paths "${path}")
    if(IS_DIRECTORY "${path}")
      file(GLOB_RECURSE inside CONFIGURE_DEPENDS "${path}/*")
      list(APPEND depends ${inside})
    else()
      list(APPEND depends "${path}")
    endif()
  endforeach()
  add_custom_command(OUTPUT "${zip}"
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=$<TARGET_FILE:${target}>" "-DNAME=$<TARGET_FILE_NAME:${target}>" "-DZIP=${zip}"
      "-DFILES=${paths}" -DSHARED=${shared} -P "${ogni_package_script}"
    DEPENDS ${target} ${depends} "${ogni_package_script}" COMMENT "Packing ${zip}" VERBATIM)
  if(all STREQUAL "ALL")
    add_custom_target(${name} ALL DEPENDS "${zip}")
  else()
    add_custom_target(${name} DEPENDS "${zip}")
  endif()
endfunction()
