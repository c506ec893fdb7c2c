// CSV by RFC 4180: commas, quotes, line ends of any kind, a byte-order mark; UTF-8, else Windows-1252.
//   Bounds:  file_bytes_max, lines_max, record_bytes_max, columns_max.
//   Errors:  a record that breaks the format is `broken`, and reading goes on at the next line.
//   Threads: one; views point into the text that was given.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::intake {

inline constexpr std::size_t csv_bytes_max = 67'108'864;
inline constexpr int csv_records_max = 1'000'000;
inline constexpr std::size_t csv_record_bytes_max = 65'536;
inline constexpr std::size_t csv_columns_max = 64;

struct CsvRecord {
    int line = 0;         // where it begins, from 1
    std::string_view raw; // without its line end
    std::vector<std::string> fields;
    bool broken = false; // a quote out of place or not closed, a NUL, or longer than the bounds
};

class CsvReader {
public:
    explicit CsvReader(std::string_view text);
    std::optional<CsvRecord> next(); // lines without any character are skipped

private:
    std::optional<std::size_t> read_field(std::size_t at, std::string& field) const;
    CsvRecord read_record();

    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 1;
};

} // namespace clinic::intake
