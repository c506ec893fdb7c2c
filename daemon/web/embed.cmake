# cmake -DOUTPUT=assets.cpp -DFILES="a;b" -P embed.cmake: files as C++, named without their folder.
set(data "")
set(rows "")
set(index 0)
foreach(path IN LISTS FILES)
    get_filename_component(name "${path}" NAME)
    file(READ "${path}" hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND data "constexpr char file_${index}[] = {${bytes}};\n")
    string(APPEND rows "    {\"${name}\", {file_${index}, ${size}}},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUTPUT}" "#include \"daemon/web/assets.h\"

namespace clinic::web {
namespace {
${data}constexpr File all[] = {
${rows}};
} // namespace

std::span<const File> files() { return all; }

} // namespace clinic::web
")
