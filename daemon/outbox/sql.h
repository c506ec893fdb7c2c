// A statement in one line: bound, run, read, and reset on every way out.
#pragma once

#include "daemon/records/store.h"

namespace clinic::outbox {

template <class... Values>
Result<void> execute(records::Session& session, Literal sql, const Values&... values) {
    auto statement = session.prepare(sql);
    if (!statement) return statement.error();
    return statement->bind(values...).run();
}

// Reads the first row, where there is one.
template <class Read, class... Values>
Result<bool> first_row(records::Session& session, Literal sql, Read read, const Values&... values) {
    auto statement = session.prepare(sql);
    if (!statement) return statement.error();
    auto found = statement->bind(values...).step();
    if (found && *found) read(*statement);
    return found;
}

template <class Read, class... Values>
Result<void> each_row(records::Session& session, Literal sql, Read read, const Values&... values) {
    auto statement = session.prepare(sql);
    if (!statement) return statement.error();
    statement->bind(values...);
    for (;;) {
        const auto found = statement->step();
        CLINIC_TRY(found);
        if (!*found) return {};
        read(*statement);
    }
}

template <class Enum>
constexpr std::int64_t number(Enum value) {
    return static_cast<std::int64_t>(value);
}

inline crypto::Bytes copy(std::span<const std::byte> bytes) {
    return {bytes.begin(), bytes.end()};
}

} // namespace clinic::outbox
