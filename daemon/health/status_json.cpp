#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/days.h"
#include "crypto/base/json.h"
#include "daemon/health/findings.h"
#include "daemon/health/health.h"
#include "daemon/health/numbers.h"
#include "daemon/web/words/words.h"

namespace clinic::health {
namespace {

using nlohmann::json;

constexpr int format_version = 1;

const char* name(envelope::LaneState state) {
    switch (state) {
    case envelope::LaneState::up: return "up";
    case envelope::LaneState::paused: return "paused";
    case envelope::LaneState::down: return "down";
    }
    return "down";
}

json time_or_null(Timestamp at) {
    return at.micros == 0 ? json{} : json(base::rfc3339(at));
}
// Good until the end of a day; the moment behind it is the next day's.
json basis(const Status& status) {
    json last_at, last_day;
    if (status.basis_expires.micros != 0) {
        const Timestamp last = status.basis_expires - std::chrono::seconds{1};
        last_at = base::rfc3339(last);
        last_day = base::local_day(last);
    }
    return {{"name", status.basis},
            {"expired", status.basis_expired},
            {"expires", time_or_null(status.basis_expires)},
            {"last_at", std::move(last_at)},
            {"last_day", std::move(last_day)}};
}
json age_or_null(std::int64_t seconds) {
    return seconds < 0 ? json{} : json(seconds);
}

words::Moment moment(const Status& status) {
    return {status.at, status.zone_minutes};
}

json sentence(const Sentence& said, const words::Moment& moment) {
    return {{"state", name(said.tone)},
            {"key", said.key},
            {"n", said.n},
            {"age_s", age_or_null(said.age_s)},
            {"at", time_or_null(said.at)},
            {"text", words::say(said.key, {said.n, said.age_s, said.at}, moment)}};
}

// The three answers of the page, in words.
json answers(const Status& status) {
    const auto now = moment(status);
    const auto count = static_cast<std::int64_t>(status.needs.size());
    json box = sentence({.key = std::string{"box."} + name(status.well)}, now);
    box["state"] = name(status.well);
    box["since"] = base::rfc3339(status.since);
    const Tone first = count == 0 ? Tone::well : status.needs.front().tone;
    return {{"box", std::move(box)},
            {"ghl", sentence(status.ghl, now)},
            {"needs", sentence({first, count == 0 ? "needs.none" : "needs.some", count}, now)}};
}

json needs(const Status& status) {
    json lines = json::array();
    for (const Need& need : status.needs)
        lines.push_back(
            {{"code", need.code},
             {"state", name(need.tone)},
             {"since", base::rfc3339(need.since)},
             {"number", need.number},
             {"what", words::fill(need.what.c_str(), {.n = need.number, .name = need.name}, moment(status))},
             {"meaning", need.meaning.c_str()},
             {"by_itself", need.by_itself.c_str()},
             {"action", need.action.c_str()},
             {"cause", need.cause.c_str()},
             {"remedy", need.remedy.c_str()}});
    return lines;
}

json dead(const std::vector<outbox::DeadCount>& counts) {
    json classes = json::array();
    for (const auto& one : counts)
        classes.push_back({{"class", outbox::name(one.of)},
                           {"letters", one.letters},
                           {"first_at", base::rfc3339(one.first)},
                           {"last_at", base::rfc3339(one.last)}});
    return classes;
}

json intake(const std::vector<Feed>& feeds) {
    json all = json::object();
    for (const Feed& feed : feeds) all[feed.feed] = numbers(feed);
    return all;
}

const char* keeping(const Feed& sender) {
    if (sender.expected_s == 0) return "nothing_expected";
    return sender.silent ? "silent" : "on_time";
}

json feeds(const Status& status) {
    json all = json::object();
    for (const Feed& feed : status.feeds)
        all[feed.feed] = {{"last_message_s", age_or_null(feed.last_message_s)}, {"balanced", feed_balanced(feed)}};
    for (const Feed& sender : status.senders) {
        json one = numbers(sender);
        one.update({{"last_message_s", age_or_null(sender.last_message_s)},
                    {"balanced", feed_balanced(sender)},
                    {"sender_of", "mllp"},
                    {"state", keeping(sender)},
                    {"expected_s", sender.expected_s == 0 ? json{} : json(sender.expected_s)}});
        all[sender.feed] = std::move(one);
    }
    return all;
}

json lane(bool heard, envelope::LaneState state, const std::string& code) {
    const char* said = !heard ? "unknown" : code == "not_configured" || code == "unprepared" ? "unset" : name(state);
    return {{"state", said}, {"code", code}};
}

json location(const envelope::TimeState& lanes) {
    json faults = json::array();
    for (const auto& [part, lack] : lanes.location) faults.push_back({{"part", name(part)}, {"lack", name(lack)}});
    return faults;
}

json webhooks(const Status& status) {
    const auto& heard = status.lanes.webhooks;
    if (!heard) return nullptr;
    const std::int64_t age_s = (status.at - Timestamp{heard->newest_ms * 1'000}).count() / 1'000'000;
    return {{"up", heard->up},
            {"told", heard->told},
            {"looked", heard->looked},
            {"refused", heard->refused},
            {"bad", heard->bad},
            {"newest_s", heard->newest_ms == 0 ? json{} : json(std::max<std::int64_t>(0, age_s))}};
}

json requests(const envelope::TimeState& lanes) {
    if (!lanes.requests) return json{};
    return {{"a_day", lanes.requests->max}, {"left", lanes.requests->left}};
}

json lanes(const Status& status) {
    const bool silent = program_silent(status), heard = status.lanes_age_s >= 0 && !silent;
    return {{"heard_s", age_or_null(status.lanes_age_s)},
            {"program",
             {{"state", heard    ? "up"
                        : silent ? "down"
                                 : "unknown"}}},
            {"crm", lane(heard, status.lanes.crm, status.lanes.crm_code)},
            {"mqtt", lane(heard, status.lanes.mqtt, status.lanes.mqtt_code)},
            {"location", heard ? location(status.lanes) : json::array()},
            {"read_back", {{"read", status.lanes.read_backs.read}, {"differing", status.lanes.read_backs.differing}}},
            {"requests", requests(status.lanes)},
            {"webhooks", webhooks(status)}};
}

json consistency(const Consistency& of) {
    const bool ever = of.compared >= 0;
    return {{"compared_at", time_or_null(of.at)},
            {"compared", ever ? json(of.compared) : json{}},
            {"differing", of.differing},
            {"lasting", of.lasting},
            {"percent", ever ? json(of.percent()) : json{}},
            {"lasting_percent", ever ? json(of.lasting_percent()) : json{}}};
}

json clock(const Status& status) {
    const auto& offset = status.lanes.https_offset_s;
    return {{"trusted", status.clock_trusted},
            {"floor_holds", status.clock_floor_holds},
            {"step_s", status.clock_step_s},
            {"kernel_synchronised", status.lanes.kernel_synchronised},
            {"https_offset_s", offset ? json(*offset) : json{}},
            {"zone_minutes", status.zone_minutes}};
}

json containment(const std::vector<ContainmentPart>& parts) {
    json list = json::array();
    for (const auto& part : parts)
        list.push_back({{"part", part.part.c_str()}, {"holds", part.holds}, {"detail", part.detail.c_str()}});
    const auto held = std::count_if(parts.begin(), parts.end(), [](const auto& part) { return part.holds; });
    return {{"parts", std::move(list)}, {"held", held}, {"all", parts.size()}};
}

json check(const records::CheckPlace& place, Timestamp now) {
    const bool ever = place.last.micros != 0;
    const std::int64_t age_s = ever ? std::max<std::int64_t>(0, (now - place.last).count() / 1'000'000) : -1;
    return {{"running", place.started.micros != 0},
            {"started", time_or_null(place.started)},
            {"last", time_or_null(place.last)},
            {"last_s", age_or_null(age_s)},
            {"sound", place.sound() ? json(*place.sound()) : json{}},
            {"tables_skipped", place.last_skipped},
            {"keys_damaged", place.people_damaged()}};
}

json store(const Status& status) {
    json all = counters(status);
    all.update({{"open", status.store_open},
                {"readable", status.store_readable},
                {"schema_version", status.store.schema_version},
                {"database_bytes", status.store.database_bytes},
                {"wal_bytes", status.store.wal_bytes},
                {"commits", status.store.commits},
                {"jobs", status.store.jobs},
                {"reads", status.store.reads},
                {"reads_cut", status.store.reads_cut},
                {"reads_refused", status.store.reads_refused},
                {"slow_statements", status.store.slow_statements},
                {"cache_rows", status.store.cache_rows},
                {"cache_hits", status.store.cache_hits},
                {"cache_misses", status.store.cache_misses},
                {"check", check(status.check, status.at)}});
    return all;
}

} // namespace

const char* name(Status::Well well) {
    switch (well) {
    case Status::Well::well: return "well";
    case Status::Well::look: return "look";
    case Status::Well::not_working: return "not_working";
    }
    return "not_working";
}

std::string to_json(const Status& status) {
    return base::dump_json({
        {"format", format_version},
        {"box", status.box},
        {"version", status.version},
        {"at", base::rfc3339(status.at)},
        {"uptime_s", status.uptime_s},
        {"mode", name(status.mode)},
        {"ready", ready(status)},
        {"well", name(status.well)},
        {"since", base::rfc3339(status.since)},
        {"answers", answers(status)},
        {"needs", needs(status)},
        {"delivery", status.dry_run ? "dry_run" : "live"},
        {"egress", {{"crm", numbers(status.crm)}}},
        {"queue",
         {{"crm",
           {{"oldest_s", status.crm.oldest_pending_s},
            {"last_delivered_s", age_or_null(status.crm.last_delivered_s)},
            {"last_code", status.crm.last_code},
            {"balanced", status.crm.balanced()},
            {"dead", dead(status.dead)}}}}},
        {"intake", intake(status.feeds)},
        {"feeds", feeds(status)},
        {"lanes", lanes(status)},
        {"data_consistency", consistency(status.consistency)},
        {"basis", basis(status)},
        {"clock", clock(status)},
        {"containment", containment(status.containment)},
        {"checks", to_json(status.checks)},
        {"dbus", status.dbus},
        {"store", store(status)},
    });
}

} // namespace clinic::health
