#include "crypto/base/log.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace clinic::base {
namespace {

// One line of at most 480 bytes; what does not fit is cut off at the end.
class Line {
public:
    void put(const char* text) {
        const std::size_t length = std::strlen(text);
        const std::size_t room = sizeof text_ - 1 - size_;
        const std::size_t part = length < room ? length : room;
        std::memcpy(text_ + size_, text, part);
        size_ += part;
    }
    void put(std::int64_t value) {
        char digits[24];
        *std::to_chars(digits, digits + sizeof digits - 1, value).ptr = '\0';
        put(digits);
    }
    void put(std::initializer_list<Fact> facts) {
        for (const auto& fact : facts) {
            put(" ");
            put(fact.key.c_str());
            put("=");
            put(fact.value);
        }
    }
    void put(const Error& error) {
        put(error.what.c_str());
        if (*error.remedy.c_str() != '\0') {
            put("; ");
            put(error.remedy.c_str());
        }
        put(" code=");
        put(name(error.code));
        if (error.native != 0) put({{"native", error.native}});
        if (error.at.line != 0) put({{"line", error.at.line}});
        if (error.at.segment != 0) put({{"segment", error.at.segment}});
        if (error.at.field != 0) put({{"field", error.at.field}});
    }
    void write_out() {
        text_[size_++] = '\n';
        [[maybe_unused]] const auto put = ::write(STDERR_FILENO, text_, size_); // nowhere left to tell of a failure
    }

private:
    char text_[480];
    std::size_t size_ = 0;
};

Line begin(Level level, Literal area) {
    Line line;
    line.put("<");
    line.put(static_cast<std::int64_t>(level));
    line.put(">");
    line.put(area.c_str());
    line.put(": ");
    return line;
}

} // namespace

void log(Level level, Literal area, Literal what, std::initializer_list<Fact> facts) {
    Line line = begin(level, area);
    line.put(what.c_str());
    line.put(facts);
    line.write_out();
}

void log(Level level, Literal area, const Error& error, std::initializer_list<Fact> facts) {
    Line line = begin(level, area);
    line.put(error);
    line.put(facts);
    line.write_out();
}

void log(Level level, Literal area, const Error& error, const NetworkAddress& from, std::initializer_list<Fact> facts) {
    char text[INET6_ADDRSTRLEN] = "";
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool is_version_4 = std::equal(mapped.begin(), mapped.end(), from.begin());
    inet_ntop(is_version_4 ? AF_INET : AF_INET6, from.data() + (is_version_4 ? mapped.size() : 0), text, sizeof text);
    Line line = begin(level, area);
    line.put(error);
    line.put(" from=");
    line.put(text);
    line.put(facts);
    line.write_out();
}

} // namespace clinic::base
