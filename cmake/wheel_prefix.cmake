# SPDX-License-Identifier: Apache-2.0
# For ROS 2 from Python wheels only, passed as -DCMAKE_PROJECT_INCLUDE=cmake/wheel_prefix.cmake; a normal
# ROS 2 does not need it and CMakeLists.txt does not know it.
#
# A virtual environment that holds the wheels is an ament prefix. Two things keep CMake from using it:
# nobody has sourced a setup file, and the exported Python generator targets name include folders of the
# machine that built the wheels.
cmake_minimum_required(VERSION 3.22)

find_package(Python3 REQUIRED COMPONENTS Interpreter Development NumPy)

if("$ENV{AMENT_PREFIX_PATH}" STREQUAL "")
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c "import sys; print(sys.prefix)"
    OUTPUT_VARIABLE wheel_prefix OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY
  )
  set(ENV{AMENT_PREFIX_PATH} "${wheel_prefix}")
  list(PREPEND CMAKE_PREFIX_PATH "${wheel_prefix}")
endif()

function(drop_missing_include_folders)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    if(NOT target MATCHES "__rosidl_generator_py$")
      continue()
    endif()
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set(present)
    foreach(folder IN LISTS folders)
      if(EXISTS "${folder}")
        list(APPEND present "${folder}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${present}")
  endforeach()
endfunction()

cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL drop_missing_include_folders)
