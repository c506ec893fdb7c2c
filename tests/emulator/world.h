// What GHL would hold: documents by kind and id, the search index that lags behind them, and a log to go on from.
//   Units:   milliseconds since the epoch.
//   Errors:  opening the log: those of the file; corrupt when a line before the last is not ours.
//   Threads: one at a time; the service's lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "tests/emulator/exchange.h"
#include "tests/emulator/fields.h"

namespace clinic::emulator {

enum class Kind : std::uint8_t { contact, opportunity, appointment, tag, custom_field };

class World {
public:
    // Without a file nothing outlives the object. With one, every change is a line, and the log is rewritten at start.
    static Result<World> open(const Clock& clock, std::string location, std::vector<CustomField> fields,
                              const std::filesystem::path& log_file);
    World(World&&) noexcept;
    ~World();

    const std::string& location() const;
    const std::vector<CustomField>& fields() const;
    // {"id","name","dataType","options"?}: new, changed, or with "gone" taken away.
    void put_field(const Json& field);
    std::int64_t now_ms() const;
    std::string now_iso() const; // "2026-11-21T10:00:00.000Z"

    const Json* find(Kind kind, std::string_view id) const; // until the next put
    std::vector<const Json*> all(Kind kind) const;          // oldest first
    // With what was deleted and is shown all the same, after the others.
    const Json* shown(Kind kind, std::string_view id) const;
    std::vector<const Json*> all_shown(Kind kind) const;
    // New or changed, by its "id". Search sees it `lag_ms` later.
    void put(Kind kind, const Json& document, std::int64_t lag_ms);
    void erase(Kind kind, std::string_view id, std::int64_t lag_ms);
    std::vector<const Json*> indexed(Kind kind); // contacts, opportunities or bookings, as search knows them by now

    std::int64_t index_lag_ms = 300;
    bool shows_deleted = false; // what is deleted from now on stays in lists and reads, until a restart
    // Each change as it is made; null: not there before, or not after.
    std::function<void(Kind kind, const Json* before, const Json* after)> changed;

private:
    struct Inside;
    explicit World(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

std::string iso_time(std::int64_t ms);
std::string http_date(std::int64_t ms); // "Sat, 21 Nov 2026 10:00:00 GMT"

} // namespace clinic::emulator
