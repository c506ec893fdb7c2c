// Records come in order, within their bounds, from inside the text, and come to an end.
#include <cassert>

#include "daemon/intake/csv.h"
#include "daemon/intake/csv_lines.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

namespace {

void read_as(intake::ImportKind kind, std::string_view text) {
    intake::CsvReader reader{text};
    const auto header = reader.next();
    if (!header) return;
    const auto columns = intake::CsvColumns::read(kind, *header);
    int line = header->line;
    while (const auto record = reader.next()) {
        assert(record->line > line);
        line = record->line;
        assert(record->broken || record->fields.size() <= intake::csv_columns_max);
        if (columns && !record->broken)
            static_cast<void>(intake::read_line(kind, *columns, *record, {1'795'255'200'000'000}));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    for (const auto kind :
         {intake::ImportKind::patients, intake::ImportKind::appointments, intake::ImportKind::consents})
        read_as(kind, text);
    return 0;
}
