#include "daemon/options.h"

#include <pwd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "sync/envelope/rules_options.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;

constexpr std::size_t options_bytes_max = 65'536;
// A whole number, and what to say of anything else.
struct Range {
    std::uint64_t least, most;
    const char* refusal;
};
constexpr Range night{0, 24, "is no hour: 0 to 23, or 24: never by itself"};
constexpr Range slots{1, 1'000, "is a number from 1 to 1,000"};
constexpr Range half_a_day{0, 43'200'000, // two such spans are a lease frame's bound
                           "is not a whole number of milliseconds up to 43200000, half a day"};
constexpr Range an_hour{0, 3'600'000, "is not a whole number of milliseconds up to 3600000, an hour"};
constexpr Range message_bytes{intake::frame_bytes_lowest, intake::frame_bytes_highest,
                              "is not a whole number of bytes from 65536 to 10485760, 64 KiB to 10 MiB"};
static_assert(message_bytes.least == 65'536 && message_bytes.most == 10'485'760, "the words say so");
constexpr uid_t uid_max = std::numeric_limits<uid_t>::max() - 1; // the last one means "no user"

// The C library takes a zone that it does not find for UTC, and every local time would be hours off.
bool is_zone(const std::string& name) {
    if (name == "UTC") return true; // needs no table
    if (name.empty() || name.front() == '/' || name.find("..") != std::string::npos) return false;
    const char* elsewhere = std::getenv("TZDIR"); // where the C library looks
    const std::filesystem::path tables = elsewhere != nullptr ? elsewhere : "/usr/share/zoneinfo";
    std::error_code none;
    return std::filesystem::is_regular_file(tables / name, none);
}

// Of a number, or of a user of this machine by name: a package cannot know the number that its user got.
std::optional<uid_t> user_of(const json& value) {
    if (value.is_string()) {
        const passwd* user = getpwnam(value.get_ref<const std::string&>().c_str());
        return user == nullptr ? std::nullopt : std::optional{user->pw_uid};
    }
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > uid_max) return std::nullopt;
    return value.get<uid_t>();
}

// Reads one object of the file: what is not asked for is unknown, what is asked for and not there is missing.
class Section {
public:
    Section(const json& object, std::string path, int& faults)
        : object_{object}, path_{std::move(path)}, faults_{faults} {
        if (!object.is_object()) fault("", "is not an object of settings");
    }
    ~Section() {
        if (!object_.is_object()) return;
        for (const auto& [key, value] : object_.items())
            if (!known_.contains(key)) fault(key.c_str(), "is unknown");
    }
    template <class T>
    void read(const char* key, T& into) {
        known_.insert(key);
        const auto found = object_.find(key);
        if (found == object_.end()) return fault(key, "is missing");
        convert(key, *found, into);
    }
    template <class T>
    void read_optional(const char* key, T& into) {
        known_.insert(key);
        if (const auto found = object_.find(key); found != object_.end()) convert(key, *found, into);
    }
    template <class Number>
    void read_optional(const char* key, Number& into, const Range& range) {
        known_.insert(key);
        const auto found = object_.find(key);
        if (found == object_.end()) return;
        const auto value = found->is_number_unsigned() ? std::optional{found->get<std::uint64_t>()} : std::nullopt;
        if (!value || *value < range.least || *value > range.most) return fault(key, range.refusal);
        into = static_cast<Number>(*value);
    }
    void read_zone(const char* key, std::string& into) {
        read(key, into);
        if (!into.empty() && !is_zone(into)) fault(key, "is not a zone of this machine's tz database");
    }
    const json* section_if_any(const char* key) {
        known_.insert(key);
        const auto found = object_.find(key);
        return found == object_.end() ? nullptr : &*found;
    }
    const json& section(const char* key) {
        static const json nothing = json::object();
        known_.insert(key);
        const auto found = object_.find(key);
        if (found != object_.end()) return *found;
        fault(key, "is missing");
        return nothing;
    }

    void fault(const char* key, const char* what) const {
        std::fprintf(stderr, "<3>options: %s%s %s\n", path_.c_str(), key, what);
        ++faults_;
    }

private:
    void convert(const char* key, const json& value, std::string& into) {
        if (value.is_string() && !value.get_ref<const std::string&>().empty())
            into = value.get<std::string>();
        else
            fault(key, "is not a text, or is empty");
    }
    void convert(const char* key, const json& value, std::vector<std::string>& into) {
        if (!value.is_array() ||
            !std::all_of(value.begin(), value.end(), [](const json& one) { return one.is_string(); }))
            return fault(key, "is not a list of texts");
        into = value.get<std::vector<std::string>>();
    }
    void convert(const char* key, const json& value, std::optional<uid_t>& into) {
        into = user_of(value);
        if (!into) fault(key, "is not a user of this machine");
    }
    void convert(const char* key, const json& value, std::vector<uid_t>& into) {
        if (!value.is_array()) return fault(key, "is not a list of users");
        for (const json& one : value) {
            const auto user = user_of(one);
            if (!user) return fault(key, "names one that is not a user of this machine");
            into.push_back(*user);
        }
    }
    void convert(const char* key, const json& value, std::filesystem::path& into) {
        if (value.is_string() && value.get_ref<const std::string&>().starts_with('/'))
            into = value.get<std::string>();
        else
            fault(key, "is not an absolute path");
    }
    const json& object_;
    std::string path_;
    std::set<std::string> known_;
    int& faults_;
};

void read_ghl(const json& from, Options& options, int& faults) {
    Section ghl{from, "ghl.", faults};
    ghl.read("location", options.ghl.location);
    ghl.read("tag_prefix", options.ghl.tag_prefix);
    ghl.read_optional("index_lag_ms", options.index_lag_ms, half_a_day);
    ghl.read_optional("late_ms", options.late_ms, half_a_day);
    ghl.read_optional("slots_at_once", options.slots_at_once, slots);
    ghl.read_optional("compare_hour", options.compare_hour, night);
    ghl.read_optional("coalesce_ms", options.coalesce_ms, an_hour);
    ghl.read_optional("coalesce_quiet_ms", options.coalesce_quiet_ms, an_hour);
    if (const json* lists = ghl.section_if_any("reads")) {
        Section reads{*lists, "ghl.reads.", faults};
        reads.read_optional("calendars", options.ghl.reads.calendars);
        reads.read_optional("campaigns", options.ghl.reads.campaigns);
        reads.read_optional("sources", options.ghl.reads.sources);
    }
    if (const json* said = ghl.section_if_any("pipeline")) {
        auto pipeline = envelope::read_pipeline(*said, options.outcomes, "docs/ghl.md");
        if (pipeline)
            options.ghl.pipeline = std::move(*pipeline);
        else
            ghl.fault("pipeline", pipeline.error().what.c_str());
    }
    if (const json* bookings = ghl.section_if_any("bookings"))
        if (const auto read = envelope::read_bookings(*bookings, options.ghl, "docs/ghl.md"); !read)
            ghl.fault("bookings", read.error().what.c_str());
    const json* named = ghl.section_if_any("fields");
    if (named == nullptr) return; // until `clinicctl ghl prepare`: nothing is handed out
    Section fields{*named, "ghl.fields.", faults};
    auto& ids = options.ghl.fields;
    fields.read("pid", ids.pid);
    fields.read("stage", ids.stage);
    fields.read("last", ids.last);
    fields.read("next", ids.next);
    fields.read("appt_status", ids.appt_status);
    fields.read("appt_when", ids.appt_when);
}

void read_delivery(Section& top, Options& options) {
    std::string delivery = "live";
    top.read_optional("delivery", delivery);
    options.dry_run = delivery == "dry-run";
    if (delivery != "live" && !options.dry_run) top.fault("delivery", "is neither live nor dry-run");
}

void read_all(const json& file, Options& options, int& faults) {
    Section top{file, "", faults};
    top.read("box", options.box);
    top.read_zone("zone", options.zone);
    top.read("records", options.records);
    top.read("credential", options.credential);
    top.read_optional("user", options.user);
    top.read_optional("peer", options.peer);
    top.read("operators", options.operators);
    Section console{top.section("console"), "console.", faults};
    console.read("certificate", options.console_certificate);
    console.read("key", options.console_key);
    console.read_optional("authority", options.console_authority);
    console.read_optional("names", options.console_names);
    Section mllp{top.section("mllp"), "mllp.", faults};
    mllp.read("allow", options.mllp_allow);
    mllp.read_optional("message_bytes_max", options.mllp_message_bytes_max, message_bytes);
    if (const json* from = mllp.section_if_any("tls")) {
        Section tls{*from, "mllp.tls.", faults};
        tls.read("certificate", options.mllp_certificate);
        tls.read("key", options.mllp_key);
        tls.read("client_ca", options.mllp_client_ca);
    }
    if (const json* from = top.section_if_any("support")) {
        Section support{*from, "support.", faults};
        support.read("key", options.support_key);
    }
    read_delivery(top, options);
    if (const json* from = top.section_if_any("ghl")) read_ghl(*from, options, faults);
}

} // namespace

std::optional<Options> read_options(const std::filesystem::path& file) {
    const auto text = base::read_text(file, options_bytes_max);
    const auto refuse = [&](const char* what, const char* remedy) {
        std::fprintf(stderr, "<3>options: %s: %s; %s\n", file.c_str(), what, remedy);
        return std::nullopt;
    };
    if (!text) return refuse(text.error().what.c_str(), "put the settings file back; clinicd starts with it by itself");
    const auto parsed = base::parse_json(*text, options_bytes_max, 4);
    if (!parsed) return refuse(parsed.error().what.c_str(), "mend the file; clinicd starts with it by itself");
    Options options;
    int faults = 0;
    read_all(*parsed, options, faults);
    if (faults != 0) return refuse("settings that cannot be used are named above", "mend them");
    return options;
}

std::vector<std::string> wait_for_restart(const Options& running, const Options& read) {
    std::vector<std::string> names;
    const auto look = [&](const char* name, const auto&... members) {
        if (((running.*members != read.*members) || ...)) names.emplace_back(name);
    };
    look("box", &Options::box);
    look("zone", &Options::zone);
    look("records", &Options::records);
    look("credential", &Options::credential);
    look("user", &Options::user);
    look("peer", &Options::peer);
    look("operators", &Options::operators);
    look("console", &Options::console_certificate, &Options::console_key, &Options::console_authority,
         &Options::console_names);
    look("mllp.message_bytes_max", &Options::mllp_message_bytes_max);
    look("mllp.tls", &Options::mllp_certificate, &Options::mllp_key, &Options::mllp_client_ca);
    look("delivery", &Options::dry_run);
    look("ghl", &Options::ghl, &Options::index_lag_ms, &Options::late_ms, &Options::coalesce_ms,
         &Options::coalesce_quiet_ms, &Options::slots_at_once, &Options::compare_hour, &Options::outcomes);
    return names;
}

} // namespace clinic::daemon
