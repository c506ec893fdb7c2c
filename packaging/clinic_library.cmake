# One folder, one target, one purpose. A target may include what it links and nothing else;
# tests/house reads the graph written here and checks every include against it.

set(CLINIC_SANITIZE "" CACHE STRING "asan (address+undefined), tsan, coverage, or empty")
set_property(GLOBAL PROPERTY CLINIC_GRAPH "")
# Set for what stands below tests/: undefined behaviour is looked for in what ships, which halves the build.
define_property(TARGET PROPERTY CLINIC_TESTS_CODE INITIALIZE_FROM_VARIABLE CLINIC_TESTS_CODE)

# The flags of every target of ours: warnings are errors, asserts stay in, hardening on.
add_library(clinic_flags INTERFACE)
add_library(clinic::flags ALIAS clinic_flags)
target_include_directories(clinic_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(clinic_flags INTERFACE
    -Wall -Wextra -Wpedantic -Werror
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow> # of files compiled in one go, one may shadow another's name
    -Wconversion -Wsign-conversion -Wnon-virtual-dtor
    -Wold-style-cast -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough
    -Wno-missing-field-initializers
    -UNDEBUG -D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fno-omit-frame-pointer -g1)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 warns of string concatenation by mistake (GCC bug 105651).
    target_compile_options(clinic_flags INTERFACE -fstack-clash-protection -fcf-protection=full -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
    # It crashes on some calls of a consteval constructor. What ships is compiled by GCC, which checks them.
    target_compile_definitions(clinic_flags INTERFACE consteval=constexpr)
endif()
target_link_options(clinic_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(CLINIC_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Less optimised, GCC 12 sees uninitialized values in its own variant and function (GCC bug 105562).
    target_compile_options(clinic_flags INTERFACE -Wno-maybe-uninitialized)
endif()
if(CLINIC_SANITIZE STREQUAL "asan")
    # What ships also says where it has been: the fuzz targets are built of the same objects.
    target_compile_options(clinic_flags INTERFACE -fsanitize=address -fno-sanitize-recover=all
        $<$<NOT:$<BOOL:$<TARGET_PROPERTY:CLINIC_TESTS_CODE>>>:-fsanitize=undefined,fuzzer-no-link>)
    target_link_options(clinic_flags INTERFACE -fsanitize=address,undefined)
elseif(CLINIC_SANITIZE STREQUAL "tsan")
    target_compile_options(clinic_flags INTERFACE -fsanitize=thread)
    target_link_options(clinic_flags INTERFACE -fsanitize=thread)
elseif(CLINIC_SANITIZE STREQUAL "coverage")
    # Not inlined: a line counts where it stands.
    target_compile_options(clinic_flags INTERFACE --coverage -fprofile-update=atomic -fno-inline)
    target_link_options(clinic_flags INTERFACE --coverage)
else()
    target_compile_options(clinic_flags INTERFACE
        $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
endif()

function(clinic_note_graph target)
    cmake_parse_arguments(arg "" "" "LINKS;USES" ${ARGN})
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
    string(REPLACE ";" " " links "${arg_LINKS}")
    string(REPLACE ";" " " uses "${arg_USES}")
    set_property(GLOBAL APPEND PROPERTY CLINIC_GRAPH "${target}|${folder}|${links}|${uses}")
endfunction()

# clinic_library(name SOURCES … LINKS what our headers name USES what only our .cpp files name)
function(clinic_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINKS;USES" ${ARGN})
    if(arg_SOURCES)
        add_library(clinic_${name} STATIC ${arg_SOURCES})
        target_link_libraries(clinic_${name} PUBLIC clinic::flags ${arg_LINKS} PRIVATE ${arg_USES})
    else()
        add_library(clinic_${name} INTERFACE)
        target_link_libraries(clinic_${name} INTERFACE clinic::flags ${arg_LINKS} ${arg_USES})
    endif()
    add_library(clinic::${name} ALIAS clinic_${name})
    clinic_note_graph(clinic_${name} LINKS ${arg_LINKS} USES ${arg_USES})
endfunction()

# clinic_program(name SOURCES … USES …): an executable of the folder it stands in. All of it but main.cpp is compiled once,
# for the program and for its tests, which link name_parts.
function(clinic_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
    set(main ${arg_SOURCES})
    list(REMOVE_ITEM arg_SOURCES main.cpp)
    if(arg_SOURCES AND NOT arg_SOURCES STREQUAL main)
        set(main main.cpp)
        add_library(${name}_parts OBJECT ${arg_SOURCES})
        target_link_libraries(${name}_parts PUBLIC clinic::flags ${arg_USES})
    endif()
    add_executable(${name} ${main})
    target_link_libraries(${name} PRIVATE clinic::flags $<TARGET_NAME_IF_EXISTS:${name}_parts> ${arg_USES})
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_options(${name} PRIVATE -pie)
    clinic_note_graph(${name} LINKS ${arg_USES})   # nobody reads a program's headers but itself
endfunction()

# clinic_test(folder_name SOURCES … USES …): GoogleTest, found by CTest case by case, labelled with the name.
function(clinic_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
    add_executable(${name}_test ${arg_SOURCES})
    target_link_libraries(${name}_test PRIVATE clinic::flags ${arg_USES} GTest::gtest GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 LABELS ${name})
endfunction()

function(clinic_write_graph)
    get_property(lines GLOBAL PROPERTY CLINIC_GRAPH)
    string(REPLACE ";" "\n" text "${lines}")
    file(WRITE "${CMAKE_BINARY_DIR}/link-graph.txt" "${text}\n")
endfunction()
