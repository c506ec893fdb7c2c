#include "daemon/intake/csv.h"

#include <algorithm>

#include "daemon/intake/text_encoding.h"

namespace clinic::intake {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF", line_ends = "\r\n", plain_ends = ",\r\n";

// Past the line end at `at`: CRLF, LF or CR.
std::size_t past_line_end(std::string_view text, std::size_t at) {
    if (at >= text.size()) return text.size();
    return text.substr(at, 2) == "\r\n" ? at + 2 : at + 1;
}

int count_lines(std::string_view text) {
    int lines = 0;
    for (std::size_t at = text.find_first_of(line_ends); at < text.size(); at = text.find_first_of(line_ends, at)) {
        at = past_line_end(text, at);
        ++lines;
    }
    return lines;
}

} // namespace

CsvReader::CsvReader(std::string_view text) : text_{text} {
    if (text_.substr(0, byte_order_mark.size()) == byte_order_mark) text_.remove_prefix(byte_order_mark.size());
}

std::optional<CsvRecord> CsvReader::next() {
    while (at_ < text_.size() && line_ends.find(text_[at_]) != std::string_view::npos) {
        at_ = past_line_end(text_, at_);
        ++line_;
    }
    if (at_ >= text_.size()) return std::nullopt;
    const std::size_t begin = at_;
    CsvRecord record = read_record();
    if (record.broken) { // to the end of its first line, whatever a quote would have joined to it
        at_ = std::min(text_.find_first_of(line_ends, begin), text_.size());
        record.fields.clear();
    }
    record.raw = text_.substr(begin, at_ - begin);
    record.line = line_;
    line_ += count_lines(record.raw) + (at_ < text_.size() ? 1 : 0);
    at_ = past_line_end(text_, at_);
    return record;
}

// Leaves `at_` at the line end after the record, or at the end of the text.
CsvRecord CsvReader::read_record() {
    CsvRecord record;
    const std::size_t begin = at_;
    for (;;) {
        std::string field;
        const auto end = read_field(at_, field);
        if (!end || *end - begin > csv_record_bytes_max || record.fields.size() == csv_columns_max ||
            field.find('\0') != std::string::npos) {
            record.broken = true;
            return record;
        }
        record.fields.push_back(is_utf8(field) ? std::move(field) : windows_1252_to_utf8(field));
        at_ = *end;
        if (at_ >= text_.size() || text_[at_] != ',') return record;
        ++at_;
    }
}

// Where the field ends: at a comma, a line end or the end of the text. nullopt: its quotes are wrong.
std::optional<std::size_t> CsvReader::read_field(std::size_t at, std::string& field) const {
    if (at >= text_.size() || text_[at] != '"') {
        const std::size_t end = std::min(text_.find_first_of(plain_ends, at), text_.size());
        field = text_.substr(at, end - at);
        return field.find('"') == std::string::npos ? std::optional{end} : std::nullopt;
    }
    const std::size_t begin = at;
    for (++at;;) {
        const std::size_t quote = text_.find('"', at);
        if (quote == std::string_view::npos || quote - begin > csv_record_bytes_max) return std::nullopt;
        field += text_.substr(at, quote - at);
        at = quote + 1;
        if (at >= text_.size() || plain_ends.find(text_[at]) != std::string_view::npos) return at;
        if (text_[at] != '"') return std::nullopt;
        field.push_back('"');
        ++at;
    }
}

} // namespace clinic::intake
