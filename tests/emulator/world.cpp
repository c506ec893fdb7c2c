#include "tests/emulator/world.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/base/log.h"
#include "crypto/base/owned.h"

namespace clinic::emulator {
namespace {

constexpr std::size_t log_bytes_max = 512U << 20U;
constexpr std::size_t line_bytes_max = 1U << 20U;
constexpr int document_depth_max = 12;
constexpr std::array<const char*, 5> kind_names{"contact", "opportunity", "appointment", "tag", "custom_field"};

std::optional<Kind> kind_of(const std::string& name) {
    for (std::size_t i = 0; i < kind_names.size(); ++i)
        if (name == kind_names.at(i)) return static_cast<Kind>(i);
    return std::nullopt;
}

struct Table {
    std::map<std::string, std::uint64_t, std::less<>> order; // id to place
    std::map<std::uint64_t, Json> rows;                      // place to document
    std::uint64_t next = 0;

    void put(const std::string& id, const Json& document) {
        const auto [at, fresh] = order.try_emplace(id, next);
        if (fresh) ++next;
        rows[at->second] = document;
    }
    void erase(std::string_view id) {
        const auto at = order.find(id);
        if (at == order.end()) return;
        rows.erase(at->second);
        order.erase(at);
    }
    std::vector<const Json*> all() const {
        std::vector<const Json*> out;
        for (const auto& [place, document] : rows) out.push_back(&document);
        return out;
    }
};

using Tables = std::array<Table, kind_names.size()>;

std::string log_line(Kind kind, const Json& document) {
    return base::dump_json({{"kind", kind_names.at(static_cast<std::size_t>(kind))}, {"put", document}}) + "\n";
}

std::string erase_line(Kind kind, std::string_view id) {
    return base::dump_json({{"kind", kind_names.at(static_cast<std::size_t>(kind))}, {"erase", id}}) + "\n";
}

bool is_searched(Kind kind) {
    return kind == Kind::contact || kind == Kind::opportunity || kind == Kind::appointment;
}

bool replay(std::string_view line, Tables& tables) {
    const auto parsed = base::parse_json(line, line_bytes_max, document_depth_max);
    if (!parsed || !parsed->is_object() || !parsed->contains("kind") || !(*parsed)["kind"].is_string()) return false;
    const auto kind = kind_of((*parsed)["kind"]);
    if (!kind) return false;
    Table& table = tables.at(static_cast<std::size_t>(*kind));
    if (parsed->contains("erase") && (*parsed)["erase"].is_string()) {
        table.erase((*parsed)["erase"].get_ref<const std::string&>());
        return true;
    }
    if (!parsed->contains("put") || !(*parsed)["put"].is_object() || !(*parsed)["put"].contains("id")) return false;
    table.put((*parsed)["put"]["id"], (*parsed)["put"]);
    return true;
}

// A kill may leave the last line short; any other strange line means that this is not our file.
Result<void> replay_all(std::string_view text, Tables& tables) {
    int number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = text.find('\n');
        const bool last = end == std::string_view::npos;
        const bool good = replay(text.substr(0, end), tables);
        if (!good && !last)
            return Error{Errc::corrupt, "state log: not a line of ours", "name another file", {.line = number}};
        text.remove_prefix(last ? text.size() : end + 1);
    }
    return {};
}

} // namespace

struct World::Inside {
    struct Pending {
        std::int64_t at_ms;
        Kind kind;
        std::string id;
        std::optional<Json> document; // empty: erased
    };
    const Clock* clock;
    std::string location;
    std::vector<CustomField> fields;
    Tables tables;
    Tables index; // of the kinds that are searched
    Tables deleted;
    std::deque<Pending> pending;
    base::UniqueFd log;

    Table& table(Kind kind) { return tables.at(static_cast<std::size_t>(kind)); }

    void write(const std::string& line) {
        if (!log) return;
        if (::write(log.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            base::log(base::Level::error, "emulator", "state log: write failed");
    }

    Result<void> open_log(const std::filesystem::path& file) {
        const auto before = base::read_text(file, log_bytes_max);
        if (before) {
            CLINIC_TRY(replay_all(*before, tables));
        } else if (before.error().code != Errc::not_found) {
            return before.error();
        }
        std::string compact;
        for (std::size_t kind = 0; kind < tables.size(); ++kind)
            for (const Json* document : tables.at(kind).all()) compact += log_line(static_cast<Kind>(kind), *document);
        CLINIC_TRY(base::write_durable(file, base::as_bytes(compact), 0600));
        log.reset(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
        if (!log) return Error{Errc::system, "state log: open failed", "", {}, errno};
        return {};
    }

    void catch_up(std::int64_t now) {
        for (; !pending.empty() && pending.front().at_ms <= now; pending.pop_front()) {
            const Pending& change = pending.front();
            Table& known = index.at(static_cast<std::size_t>(change.kind));
            if (change.document)
                known.put(change.id, *change.document);
            else
                known.erase(change.id);
        }
    }
};

namespace {

// A field that was made, changed or taken away since.
void place(std::vector<CustomField>& fields, const Json& given) {
    std::erase_if(fields, [&](const CustomField& one) { return one.id == given["id"]; });
    if (given.value("gone", false)) return;
    fields.push_back({given["id"], given["name"], given["dataType"],
                      given.value("options", Json::array()).get<std::vector<std::string>>()});
}

} // namespace

World::World(std::unique_ptr<Inside> inside) : inside_{std::move(inside)} {}
World::World(World&&) noexcept = default;
World::~World() = default;

Result<World> World::open(const Clock& clock, std::string location, std::vector<CustomField> fields,
                          const std::filesystem::path& log_file) {
    auto inside = std::make_unique<Inside>();
    inside->clock = &clock;
    inside->location = std::move(location);
    inside->fields = std::move(fields);
    if (!log_file.empty()) CLINIC_TRY(inside->open_log(log_file));
    inside->index = inside->tables;
    for (const Json* field : inside->table(Kind::custom_field).all()) place(inside->fields, *field);
    return World{std::move(inside)};
}

const std::string& World::location() const {
    return inside_->location;
}
const std::vector<CustomField>& World::fields() const {
    return inside_->fields;
}
void World::put_field(const Json& field) {
    put(Kind::custom_field, field, 0);
    place(inside_->fields, field);
}
std::int64_t World::now_ms() const {
    return inside_->clock->now().micros / 1000;
}
std::string World::now_iso() const {
    return iso_time(now_ms());
}

const Json* World::find(Kind kind, std::string_view id) const {
    const Table& table = inside_->table(kind);
    const auto at = table.order.find(id);
    return at == table.order.end() ? nullptr : &table.rows.at(at->second);
}

std::vector<const Json*> World::all(Kind kind) const {
    return inside_->table(kind).all();
}

const Json* World::shown(Kind kind, std::string_view id) const {
    if (const Json* found = find(kind, id)) return found;
    const Table& table = inside_->deleted.at(static_cast<std::size_t>(kind));
    const auto at = table.order.find(id);
    return at == table.order.end() ? nullptr : &table.rows.at(at->second);
}

std::vector<const Json*> World::all_shown(Kind kind) const {
    auto out = all(kind);
    for (const Json* one : inside_->deleted.at(static_cast<std::size_t>(kind)).all()) out.push_back(one);
    return out;
}

void World::put(Kind kind, const Json& document, std::int64_t lag_ms) {
    const std::string id = document["id"];
    const Json* found = changed ? find(kind, id) : nullptr;
    const Json before = found == nullptr ? Json{} : *found;
    inside_->table(kind).put(id, document);
    if (changed) changed(kind, before.is_null() ? nullptr : &before, &document);
    inside_->write(log_line(kind, document));
    if (is_searched(kind)) inside_->pending.push_back({now_ms() + lag_ms, kind, id, document});
}

void World::erase(Kind kind, std::string_view id, std::int64_t lag_ms) {
    Json before = *find(kind, id);
    inside_->table(kind).erase(id);
    inside_->write(erase_line(kind, id));
    if (changed) changed(kind, &before, nullptr);
    std::optional<Json> left;
    if (shows_deleted) {
        before["deleted"] = true;
        before[kind == Kind::opportunity ? "updatedAt" : "dateUpdated"] = now_iso();
        inside_->deleted.at(static_cast<std::size_t>(kind)).put(std::string{id}, before);
        left = std::move(before);
    }
    if (is_searched(kind)) inside_->pending.push_back({now_ms() + lag_ms, kind, std::string{id}, std::move(left)});
}

std::vector<const Json*> World::indexed(Kind kind) {
    inside_->catch_up(now_ms());
    return inside_->index.at(static_cast<std::size_t>(kind)).all();
}

std::string iso_time(std::int64_t ms) {
    const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 8> millis{};
    std::snprintf(millis.data(), millis.size(), ".%03dZ", static_cast<int>(ms % 1000));
    return std::string{text.data(), length} + millis.data();
}

std::string http_date(std::int64_t ms) {
    const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

} // namespace clinic::emulator
