# cmake -DCATALOGUE=en.json -DOUTPUT=catalogue.cpp -P embed.cmake: the catalogue as C++, sorted by key.
file(READ "${CATALOGUE}" json)
string(JSON count LENGTH "${json}")
math(EXPR last "${count} - 1")
set(keys)
foreach(index RANGE ${last})
    string(JSON key MEMBER "${json}" ${index})
    list(APPEND keys "${key}")
endforeach()
list(SORT keys COMPARE STRING CASE SENSITIVE)
set(rows "")
foreach(key IN LISTS keys)
    string(JSON text GET "${json}" "${key}")
    string(APPEND rows "    {Literal{\"${key}\"}, Literal{R\"words(${text})words\"}},\n")
endforeach()
file(WRITE "${OUTPUT}" "#include \"daemon/web/words/catalogue.h\"

namespace clinic::words {
namespace {
constexpr Entry entries[] = {
${rows}};
} // namespace

std::span<const Entry> catalogue() { return entries; }

} // namespace clinic::words
")
