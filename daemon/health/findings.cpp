#include "daemon/health/findings.h"

#include <algorithm>
#include <array>

#include "daemon/web/words/words.h"

namespace clinic::health {
namespace {

using std::chrono::seconds;

// A reconnect is not shown; what nobody answers has been waited for already. Central ops hears of what lasts.
constexpr seconds link_visible_after{2};
constexpr seconds link_told_after{15};
constexpr std::chrono::hours webhook_fault_shown{24};
constexpr std::int64_t held_up_s_min = 15;
constexpr seconds clock_visible_after{60};
constexpr seconds silence_visible_after{60}; // a box that was off gives its senders time to come back
constexpr seconds told_by_another_way = std::chrono::hours{24 * 36'500};
constexpr std::int64_t waiting_s_max = 3'600;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t expiry_notice_days = 30, expiry_urgent_days = 7;
constexpr int disk_free_percent_min = 10;
constexpr int consistency_percent_min = 99, consistency_percent_low = 95;

bool closed(Mode mode) {
    return serves(mode, Surface::delivery) == Serves::nothing;
}

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool is_link(std::string_view code) {
    return code.starts_with("E21");
}

bool is_set_up(std::string_view code) {
    return code != "not_configured" && code != "unprepared";
}

// Both lanes without a word from anybody. An answer, even a refusal, is a network.
bool no_network(const envelope::TimeState& lanes) {
    return crm_trouble(lanes) == LinkTrouble::unreachable && lanes.mqtt != envelope::LaneState::up &&
           is_one_of(lanes.mqtt_code, {"offline", "timeout", "starting", "stopped", ""});
}

// nullptr: nobody needs to know.
const char* crm_code(LinkTrouble trouble) {
    switch (trouble) {
    case LinkTrouble::none:
    case LinkTrouble::lacking: // E2111 says it, with their names
    case LinkTrouble::throttled: return nullptr;
    case LinkTrouble::unreachable: return "E2103";
    case LinkTrouble::unauthorized: return "E2104";
    case LinkTrouble::faulty: return "E2105";
    case LinkTrouble::untrusted: return "E2107";
    case LinkTrouble::wrong_location: return "E2108";
    case LinkTrouble::unset: return "E2109";
    }
    return nullptr;
}

// The broker is there, and takes no more.
bool is_limit(std::string_view mqtt_code) {
    return is_one_of(mqtt_code, {"quota", "rate", "too_large", "throttled"});
}

seconds visible_after(std::string_view lane_code) {
    return lane_code == "timeout" ? seconds{0} : link_visible_after;
}
Finding link(std::string_view code, seconds after) {
    return {code, Tone::look, 0, after, link_told_after};
}

// What was set up once and is so no more; what was never set up is E2109.
void find_location(const envelope::TimeState& lanes, std::vector<Finding>& found) {
    const auto lost = [](const envelope::LocationFault& one) { return one.lack != envelope::Lack::unset; };
    const auto first = std::find_if(lanes.location.begin(), lanes.location.end(), lost);
    if (first == lanes.location.end()) return;
    found.push_back({"E2111",
                     Tone::look,
                     std::count_if(first, lanes.location.end(), lost),
                     {},
                     link_told_after,
                     envelope::location_name(first->part)});
}

// The newest that were read back: what one of them shows is true of others that were not looked at.
void find_read_backs(const envelope::TimeState& lanes, std::vector<Finding>& found) {
    if (lanes.read_backs.differing > 0)
        found.push_back({"E2112", Tone::look, lanes.read_backs.differing, {}, link_told_after});
}

// What came over the relay's topic and was none of its messages, or holds a word that is not configured here.
void find_webhooks(const Status& status, std::vector<Finding>& found) {
    const auto& heard = status.lanes.webhooks;
    if (!heard || heard->fault_ms == 0) return;
    const base::Micros age = status.at - Timestamp{heard->fault_ms * 1'000};
    if (age < webhook_fault_shown)
        found.push_back({"E2113", Tone::look, heard->refused + heard->bad, {}, link_told_after});
}

// Root causes of the links: a silent program hides its lanes, no network hides GHL and central operations.
void find_links(const Status& status, std::vector<Finding>& found) {
    const auto& lanes = status.lanes;
    if (program_silent(status)) return found.push_back({"E2101", Tone::look, 0, {}, link_told_after});
    if (status.lanes_age_s < 0) return; // just started: it has not spoken yet
    if (no_network(lanes))
        return found.push_back(link("E2102", std::max(visible_after(lanes.crm_code), visible_after(lanes.mqtt_code))));
    if (const char* code = crm_code(crm_trouble(lanes))) found.push_back(link(code, visible_after(lanes.crm_code)));
    find_location(lanes, found);
    find_read_backs(lanes, found);
    find_webhooks(status, found);
    if (lanes.mqtt != envelope::LaneState::up && is_set_up(lanes.mqtt_code))
        found.push_back(link(is_limit(lanes.mqtt_code) ? "E2110" : "E2106", visible_after(lanes.mqtt_code)));
}

void find_basis(const Status& status, std::vector<Finding>& found) {
    if (status.basis_expired) return found.push_back({"E2202", Tone::look});
    if (status.basis == "off") return found.push_back({"E2201", Tone::look});
    if (status.basis_expires_s < 0) return;
    const std::int64_t days = status.basis_expires_s / day_s;
    if (days <= expiry_notice_days)
        found.push_back({"E2203", days <= expiry_urgent_days ? Tone::look : Tone::information, days});
}

// What has differed for less than an hour may be on its way.
void find_consistency(const Consistency& of, std::vector<Finding>& found) {
    if (of.compared < 0 || of.lasting_percent() >= consistency_percent_min) return;
    const bool much = of.lasting_percent() < consistency_percent_low;
    found.push_back({.code = much ? "E2322" : "E2321",
                     .tone = Tone::look,
                     .n = of.lasting,
                     .severity = much ? "critical" : "warn"});
}

void find_queue(const Status& status, bool link_trouble, std::vector<Finding>& found) {
    if (status.crm.dead > 0) found.push_back({"E2301", Tone::look, status.crm.dead});
    const bool released = status.basis != "off" && !status.basis_expired;
    if (status.crm.parked > 0 && !status.dry_run && released && status.clock_trusted)
        found.push_back({"E2302", Tone::information, status.crm.parked});
    if (status.links_waiting > 0) found.push_back({"E2320", Tone::look, status.links_waiting});
    find_consistency(status.consistency, found);
    if (status.crm_full) found.push_back({"E2323", Tone::look});
    if (!link_trouble && released && status.crm.oldest_pending_s > waiting_s_max)
        found.push_back({"E2303", Tone::look, status.crm.pending});
}

void find_store(const Status& status, std::vector<Finding>& found) {
    const auto failures = static_cast<std::int64_t>(status.store.authentication_failures);
    if (failures > 0) found.push_back({"E2007", Tone::not_working, failures});
    if (const auto keys = status.check.people_damaged(); keys > 0)
        found.push_back({.code = "E2019", .tone = Tone::look, .n = keys, .severity = "error"});
    if (!status.store_readable) found.push_back({"E2010", Tone::not_working});
    const bool feeds_balanced = std::all_of(status.feeds.begin(), status.feeds.end(), feed_balanced) &&
                                std::all_of(status.senders.begin(), status.senders.end(), feed_balanced);
    if (!feeds_balanced || !status.crm.balanced()) found.push_back({"E2009", Tone::look});
    if (status.quarantine_items > 0) found.push_back({"E2401", Tone::information, status.quarantine_items});
}

// One line for all of them: what a clinic's network loses is most often not one sender's.
void find_silence(const Status& status, std::vector<Finding>& found) {
    const auto silent = [](const Feed& sender) { return sender.silent; };
    const auto first = std::find_if(status.senders.begin(), status.senders.end(), silent);
    if (first == status.senders.end()) return;
    found.push_back({"E2402", Tone::look, std::count_if(first, status.senders.end(), silent), silence_visible_after,
                     silence_visible_after, first->feed});
}

void find_machine(const Status& status, std::vector<Finding>& found) {
    const auto open_parts = std::count_if(status.containment.begin(), status.containment.end(),
                                          [](const ContainmentPart& part) { return !part.holds; });
    if (open_parts > 0) found.push_back({"E2008", Tone::look, open_parts});
    for (const auto& [code, why] : status.not_served) found.push_back({code, Tone::look});
    if (status.dbus == "lost") found.push_back({"E2016", Tone::information});
    if (status.disk_free_percent < disk_free_percent_min && status.mode != Mode::full)
        found.push_back({"E2006", Tone::look, status.disk_free_percent});
}

// Of a set that has grown old nothing but that no other came: what is in it may have gone. What a need says already is
// left out; and of many as many as there is room for beside clinicd's own, the worst first: what it sees now is not
// pushed out by the hour.
void find_checks(const CheckRound& round, std::vector<Finding>& found) {
    if (is_missed(round)) found.push_back({"E4000", Tone::look, round.missed_s / 3'600});
    if (round.age_s < 0 || is_old(round)) return;
    const std::size_t own = found.size(), room = own < needs_max ? needs_max - own : 1;
    const auto is_found = [&](std::string_view code) {
        return std::any_of(found.begin(), found.end(), [&](const Finding& one) { return one.code == code; });
    };
    for (const auto result : {CheckResult::fail, CheckResult::warn})
        for (std::size_t i = 0; i < round.set.size() && found.size() < own + room; ++i)
            if (const DeclaredCheck& check = declared_checks()[i];
                round.set[i] == result && check.is_told() && !is_found(check.behind.c_str()))
                found.push_back({check.code.c_str(), Tone::look, 0, {}, told_by_another_way});
}

const char* damage(Status::Data data) {
    switch (data) {
    case Status::Data::sound: return "E2011";
    case Status::Data::in_doubt: return "E2002";
    case Status::Data::absent: return "E2015";
    }
    return "E2002";
}

void find_mode(const Status& status, std::vector<Finding>& found) {
    switch (status.mode) {
    case Mode::locked: found.push_back({"E2001", Tone::not_working}); break;
    case Mode::damaged: found.push_back({damage(status.data), Tone::not_working}); break;
    case Mode::full: found.push_back({"E2003", Tone::not_working}); break;
    case Mode::restoring: found.push_back({"E2004", Tone::look}); break;
    case Mode::draining: found.push_back({"E2017", Tone::look}); break;
    case Mode::running:
    case Mode::clock_untrusted: break;
    }
}

Need need(const Finding& finding, Timestamp since) {
    const std::string code{finding.code};
    return {.code = code,
            .what = words::form(code + ".what", finding.n),
            .meaning = words::text(code + ".meaning"),
            .by_itself = words::text(code + ".by_itself"),
            .action = words::text(code + ".action"),
            .since = since,
            .number = finding.n,
            .tone = finding.tone,
            .name = finding.name};
}

bool visible(const Status& status, std::string_view code) {
    return std::any_of(status.needs.begin(), status.needs.end(), [&](const Need& line) { return line.code == code; });
}

bool link_down_visible(const Status& status) {
    constexpr std::array codes{"E2102", "E2103", "E2105", "E2107"};
    return std::any_of(codes.begin(), codes.end(), [&](const char* code) { return visible(status, code); });
}

// What waits behind a gate that a person or the clock has to open.
std::optional<Sentence> gate_closed(const Status& status) {
    if (closed(status.mode)) return Sentence{.tone = Tone::not_working, .key = "ghl.closed"};
    if (status.basis_expired)
        return Sentence{.tone = Tone::look, .key = "ghl.basis_expired", .at = status.basis_expires};
    if (status.basis == "off") return Sentence{.tone = Tone::look, .key = "ghl.basis_off"};
    const bool clock_in_doubt = visible(status, "E2005") || visible(status, "E2012");
    if (clock_in_doubt && status.basis_expires.micros != 0) return Sentence{.tone = Tone::look, .key = "ghl.clock"};
    if (visible(status, "E2108") || visible(status, "E2109"))
        return Sentence{.tone = Tone::look, .key = "ghl.not_set_up"};
    if (visible(status, "E2104")) return Sentence{.tone = Tone::look, .key = "ghl.key_refused"};
    if (status.dry_run) return Sentence{.tone = Tone::information, .key = "ghl.dry_run", .n = status.crm.parked};
    if (crm_trouble(status.lanes) == LinkTrouble::lacking && !program_silent(status))
        return Sentence{.tone = Tone::look, .key = "ghl.fields"};
    return std::nullopt;
}

} // namespace

// A box that has just started gives it time to connect.
bool program_silent(const Status& status) {
    return (status.lanes_age_s < 0 ? status.uptime_s : status.lanes_age_s) >= silence_max.count();
}

LinkTrouble crm_trouble(const envelope::TimeState& lanes) {
    if (lanes.crm == envelope::LaneState::up) return LinkTrouble::none;
    const std::string_view code = lanes.crm_code;
    if (is_one_of(code, {"throttled", "rate_budget"})) return LinkTrouble::throttled;
    if (is_one_of(code, {"unauthorized", "scope", "forbidden", "no_token"})) return LinkTrouble::unauthorized;
    if (code == "not_json" || code.starts_with("http_5")) return LinkTrouble::faulty;
    if (code == "certificate") return LinkTrouble::untrusted;
    if (code == "fields") return LinkTrouble::lacking;
    if (code.starts_with("http_4")) return LinkTrouble::wrong_location; // of the probe, which reads the location
    return is_set_up(code) ? LinkTrouble::unreachable : LinkTrouble::unset;
}

std::optional<Error> mqtt_cause(std::string_view lane_code) {
    constexpr std::array causes{
        std::pair{"timeout", Error{Errc::timeout, "the broker does not answer, and nothing says why",
                                   "see the cable and what stands on the way to it, then the broker itself"}},
        std::pair{"offline", Error{Errc::offline, "no connection to the broker, or its proof is not good",
                                   "see that it runs, and mqtt.host, mqtt.port and mqtt.ca in this box's settings"}},
        std::pair{"unauthorized", Error{Errc::unauthorized, "the broker does not admit this box",
                                        "see this box's certificate and the broker's access list"}},
        std::pair{"taken_over",
                  Error{Errc::conflict, "another box comes to the broker under this box's name (MQTT 0x8E)",
                        "two boxes have one certificate: give the other its own"}},
        std::pair{"quota", Error{Errc::throttled, "this box's quota at the broker is used up (MQTT 0x97)",
                                 "raise the quota, or see what else uses it"}},
        std::pair{"rate", Error{Errc::throttled, "the broker finds that this box speaks too often (MQTT 0x96)",
                                "let it send bursts of 20 messages, and 10 a second"}},
        std::pair{"too_large", Error{Errc::throttled, "the broker finds a message of this box too large (MQTT 0x95)",
                                     "raise its largest packet to 64 KiB"}},
        std::pair{"throttled", Error{Errc::throttled, "the broker is busy (MQTT 0x89)", "see its load"}},
        std::pair{"state_file", Error{Errc::system, "clinic-syncd cannot keep its numbers",
                                      "see the disk and the owner of its state folder"}},
    };
    for (const auto& [code, why] : causes)
        if (lane_code == code) return why;
    return std::nullopt;
}

std::vector<Finding> findings(const Status& status) {
    std::vector<Finding> found;
    find_mode(status, found);
    if (!closed(status.mode)) {
        const std::size_t before = found.size();
        find_links(status, found);
        const bool link_trouble = found.size() > before;
        const bool no_second_source = program_silent(status) || no_network(status.lanes);
        if (status.clock_step_s > 0)
            found.push_back({"E2012", Tone::look, status.clock_step_s / day_s, clock_visible_after});
        else if (!status.clock_trusted && !no_second_source)
            found.push_back({"E2005", Tone::look, 0, clock_visible_after});
        if (status.store_open) {
            find_basis(status, found);
            find_queue(status, link_trouble, found);
            find_store(status, found);
            find_silence(status, found);
        }
    }
    find_machine(status, found);
    find_checks(status.checks, found);
    std::stable_sort(found.begin(), found.end(), [](const Finding& a, const Finding& b) { return a.tone > b.tone; });
    return found;
}

Sentence ghl_answer(const Status& status) {
    if (auto gate = gate_closed(status)) return *gate;
    const auto& books = status.crm;
    const std::int64_t waiting = books.pending + books.leased;
    const std::int64_t oldest_s = books.oldest_pending_s;
    if (visible(status, "E2101")) {
        if (waiting == 0) return {.tone = Tone::look, .key = "ghl.program_idle"};
        return {.tone = Tone::look, .key = "ghl.program", .n = waiting, .age_s = oldest_s};
    }
    if (link_down_visible(status)) {
        if (waiting == 0) return {.tone = Tone::look, .key = "ghl.link_down_idle"};
        return {.tone = Tone::look, .key = "ghl.link_down", .n = waiting, .age_s = oldest_s};
    }
    const bool held_up = oldest_s > held_up_s_min;
    if (held_up && crm_trouble(status.lanes) == LinkTrouble::throttled)
        return {.tone = Tone::information, .key = "ghl.throttled", .n = waiting, .age_s = oldest_s};
    if (oldest_s > 60) {
        const Tone tone = visible(status, "E2303") ? Tone::look : Tone::information;
        return {.tone = tone, .key = "ghl.waiting", .n = waiting, .age_s = oldest_s};
    }
    if (books.dead > 0) return {.tone = Tone::look, .key = "ghl.dead", .n = books.dead};
    if (waiting > 0) return {.tone = Tone::well, .key = "ghl.on_their_way", .n = waiting};
    if (books.parked > 0) return {.tone = Tone::information, .key = "ghl.parked", .n = books.parked};
    if (books.last_delivered_s < 0) return {.tone = Tone::well, .key = "ghl.nothing_yet"};
    return {.tone = Tone::well, .key = "ghl.up_to_date", .age_s = books.last_delivered_s};
}

Watch::Seen Watch::look(const std::vector<Finding>& found, Timestamp now, base::Micros monotonic) {
    // Where one trouble of the links takes the place of another, the page does not go well in between.
    const bool link_shown = std::any_of(lasting_.begin(), lasting_.end(),
                                        [](const auto& known) { return is_link(known.first) && known.second.shown; });
    std::erase_if(lasting_, [&](const auto& known) {
        return std::none_of(found.begin(), found.end(), [&](const Finding& one) { return one.code == known.first; });
    });
    Seen seen;
    for (const Finding& one : found) {
        auto& lasting =
            lasting_.try_emplace(one.code, Lasting{now, monotonic, link_shown && is_link(one.code)}).first->second;
        const auto lasted = monotonic - lasting.since_monotonic;
        lasting.shown = lasting.shown || lasted >= one.visible_after;
        if (!lasting.shown) continue;
        if (!lasting.told && one.tone >= Tone::look && lasted >= one.told_after) {
            seen.news.push_back(one);
            lasting.told = true;
        }
        if (seen.visible.size() < needs_max) seen.visible.push_back(need(one, lasting.since));
    }
    return seen;
}

} // namespace clinic::health
