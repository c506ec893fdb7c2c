#include <algorithm>
#include <string_view>

#include "daemon/health/health.h"

namespace clinic::health {
namespace {

// Text format 0.0.4: HELP and TYPE once, before the first sample of a family. Label values are our own words, but
// the box's name and version come from configuration and are escaped.
class Writer {
public:
    void family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        ((text_ += "# HELP ").append(name) += ' ').append(help) += '\n';
        ((text_ += "# TYPE ").append(name) += ' ').append(type) += '\n';
    }
    void sample(std::string_view labels, std::int64_t value) { part("", labels, value); }
    void part(std::string_view suffix, std::string_view labels, std::int64_t value) {
        (text_ += name_) += suffix;
        if (!labels.empty()) (text_ += '{').append(labels) += '}';
        (text_ += ' ') += std::to_string(value);
        text_ += '\n';
    }
    void single(std::string_view name, std::string_view type, std::string_view help, std::int64_t value) {
        family(name, type, help);
        sample("", value);
    }
    // Prometheus' base unit, from microseconds.
    void seconds(std::string_view name, std::string_view help, std::int64_t micros) {
        family(name, "gauge", help);
        part_in_seconds("", micros);
    }
    void part_in_seconds(std::string_view suffix, std::int64_t micros) { part_in_millionths(suffix, micros); }
    // From 0 to 1, of more than none.
    void ratio(std::string_view name, std::string_view help, std::uint64_t part, std::uint64_t all) {
        family(name, "gauge", help);
        part_in_millionths("", static_cast<std::int64_t>(part * million / all));
    }
    std::string take() { return std::move(text_); }

private:
    static constexpr std::int64_t million = 1'000'000;
    void part_in_millionths(std::string_view suffix, std::int64_t value) {
        const std::string part = std::to_string(million + value % million).substr(1); // six digits
        (((text_ += name_) += suffix) += ' ').append(std::to_string(value / million)).append(".").append(part) += '\n';
    }
    std::string text_;
    std::string name_;
};

std::string label(std::string_view name, std::string_view value) {
    std::string text{name};
    text += "=\"";
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
    return text += '"';
}

void put_books(Writer& out, const outbox::Books& books) {
    const std::string crm = label("destination", "crm");
    out.family("clinic_egress_released_total", "counter", "Envelopes released for a destination.");
    out.sample(crm, books.released);
    out.family("clinic_egress_envelopes", "gauge",
               "Released envelopes by where they are now; their sum is the released total.");
    const std::pair<const char*, std::int64_t> states[] = {
        {"pending", books.pending},     {"leased", books.leased},
        {"delivered", books.delivered}, {"superseded", books.superseded},
        {"withdrawn", books.withdrawn}, {"parked", books.parked},
        {"dead", books.dead},           {"discarded", books.discarded}};
    for (const auto& [state, count] : states) out.sample(crm + "," + label("state", state), count);
    out.family("clinic_egress_oldest_pending_seconds", "gauge", "Age of the oldest pending envelope.");
    out.sample(crm, books.oldest_pending_s);
}

void put_feeds(Writer& out, const std::vector<Feed>& feeds) {
    out.family("clinic_intake_received_total", "counter", "Messages received.");
    for (const Feed& feed : feeds) out.sample(label("feed", feed.feed), feed.received);
    out.family("clinic_intake_messages_total", "counter",
               "Messages by what became of them; their sum is the received total.");
    for (const Feed& feed : feeds) {
        const std::string name = label("feed", feed.feed) + ",";
        out.sample(name + label("result", "stored"), feed.stored);
        out.sample(name + label("result", "quarantined"), feed.quarantined);
        out.sample(name + label("result", "refused"), feed.refused);
        out.sample(name + label("result", "duplicate"), feed.duplicate);
    }
    out.family("clinic_intake_last_message_age_seconds", "gauge", "Age of the newest message; -1 when there was none.");
    for (const Feed& feed : feeds) out.sample(label("feed", feed.feed), feed.last_message_s);
}

// Apart from the feeds' own, so that a sum over feeds counts nothing twice.
void put_senders(Writer& out, const std::vector<Feed>& senders) {
    if (senders.empty()) return;
    out.family("clinic_sender_messages_total", "counter",
               "Messages of a named sender by what became of them; they are in its feed's count too.");
    for (const Feed& sender : senders) {
        const std::string name = label("sender", sender.feed) + ",";
        out.sample(name + label("result", "stored"), sender.stored);
        out.sample(name + label("result", "quarantined"), sender.quarantined);
        out.sample(name + label("result", "refused"), sender.refused);
        out.sample(name + label("result", "duplicate"), sender.duplicate);
    }
    out.family("clinic_sender_last_message_age_seconds", "gauge",
               "Age of a named sender's newest message; -1 when there was none.");
    for (const Feed& sender : senders) out.sample(label("sender", sender.feed), sender.last_message_s);
    out.family("clinic_sender_silent", "gauge",
               "1 when a named sender has been silent for longer than is expected of it; -1: nothing is expected.");
    for (const Feed& sender : senders)
        out.sample(label("sender", sender.feed),
                   sender.expected_s == 0 ? -1 : static_cast<std::int64_t>(sender.silent));
}

// Of a histogram, "sum" (in microseconds) and "count" stand where the others have a bound.
void put_histogram(Writer& out, const Measure& one) {
    const std::string_view labels = one.labels.c_str();
    if (labels == "sum")
        out.part_in_seconds("_sum", one.value);
    else
        out.part(labels == "count" ? "_count" : "_bucket", labels == "count" ? "" : labels, one.value);
}

void put_measures(Writer& out, const std::vector<Measure>& measures) {
    std::string_view family;
    for (const Measure& one : measures) {
        if (family != one.name.c_str()) out.family(one.name.c_str(), one.type.c_str(), one.help.c_str());
        family = one.name.c_str();
        if (std::string_view{one.type.c_str()} == "histogram")
            put_histogram(out, one);
        else
            out.sample(one.labels.c_str(), one.value);
    }
}

void put_dead(Writer& out, const Status& status) {
    out.single("clinic_dry_run", "gauge", "1 while nothing is sent to GHL and the ledger says what would be.",
               status.dry_run);
    if (status.dead.empty()) return;
    out.family("clinic_dead_letters", "gauge", "What was set aside, by what there is to do about it.");
    for (const auto& one : status.dead) out.sample(label("class", outbox::name(one.of)), one.letters);
}

void put_webhooks(Writer& out, const Status& status) {
    const auto& heard = status.lanes.webhooks;
    if (!heard) return;
    out.single("clinic_webhooks_up", "gauge", "1 while what clinic-relay tells is listened to.", heard->up);
    out.family("clinic_webhooks_total", "counter", "What clinic-relay told, since the start of clinic-syncd.");
    out.sample(label("result", "told"), heard->told);
    out.sample(label("result", "looked"), heard->looked);
    out.sample(label("result", "refused"), heard->refused);
    out.sample(label("result", "bad"), heard->bad);
    out.single("clinic_webhooks_newest_age_seconds", "gauge", "Age of the newest; -1: none was heard.",
               heard->newest_ms == 0 ? -1 : (status.at - Timestamp{heard->newest_ms * 1'000}).count() / 1'000'000);
}

void put_links(Writer& out, const Status& status) {
    out.family("clinic_lane_up", "gauge", "1 when the lane is up, as clinic-syncd last said.");
    out.sample(label("lane", "crm"), status.lanes_age_s >= 0 && status.lanes.crm == envelope::LaneState::up);
    out.sample(label("lane", "mqtt"), status.lanes_age_s >= 0 && status.lanes.mqtt == envelope::LaneState::up);
    out.single("clinic_lanes_said_age_seconds", "gauge", "Age of clinic-syncd's last word; -1 when it has not spoken.",
               status.lanes_age_s);
    out.single("clinic_clock_trusted", "gauge", "1 when the time is confirmed by a time server, by GHL or by a person.",
               status.clock_trusted);
    out.single("clinic_dbus_up", "gauge", "1 while the box is on the system bus by its name.", status.dbus == "up");
    out.family("clinic_containment_holds", "gauge", "1 when the part of the containment holds, as the kernel answers.");
    for (const auto& part : status.containment) out.sample(label("part", part.part.c_str()), part.holds);
}

void put_requests(Writer& out, const envelope::TimeState& lanes) {
    if (!lanes.requests) return;
    out.single("clinic_ghl_requests_a_day", "gauge", "Requests that GHL allows the location a day.",
               lanes.requests->max);
    out.single("clinic_ghl_requests_left", "gauge", "Of those, how many the day still has, in steps of a hundredth.",
               lanes.requests->left);
}

void put_consistency(Writer& out, const Consistency& of) {
    out.single(
        "clinic_ghl_data_consistency_percent", "gauge",
        "Of the contacts that were compared, how many are as they were meant, whole percent; -1: never compared.",
        of.compared < 0 ? -1 : of.percent());
    out.single("clinic_ghl_contacts_compared", "gauge", "Linked contacts of the newest full comparison; -1: none yet.",
               of.compared);
    out.family("clinic_ghl_contacts_differing", "gauge",
               "Contacts that differ now, and of those for more than an hour.");
    out.sample(label("since", "now"), of.differing);
    out.sample(label("since", "hour"), of.lasting);
}

void put_checks(Writer& out, const CheckRound& round) {
    out.single("clinic_checks_age_seconds", "gauge", "Age of the newest results of the checks; -1: none were told.",
               round.age_s);
    if (round.age_s < 0) return;
    out.family("clinic_checks", "gauge", "Checks by their newest result.");
    for (const auto result :
         {CheckResult::ok, CheckResult::suppressed, CheckResult::not_known, CheckResult::warn, CheckResult::fail})
        out.sample(label("result", name(result)), std::count(round.set.begin(), round.set.end(), result));
}

void put_store(Writer& out, const Status& status) {
    const auto signed_of = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    out.single("clinic_store_open", "gauge", "1 when the records are open.", status.store_open);
    out.single("clinic_store_commits_total", "counter", "Group commits since start.", signed_of(status.store.commits));
    out.single("clinic_store_jobs_total", "counter", "Jobs of the writer since start.", signed_of(status.store.jobs));
    out.single("clinic_store_jobs_failed_total", "counter", "Jobs that were undone since start.",
               signed_of(status.store.jobs_failed));
    out.single("clinic_store_authentication_failures_total", "counter",
               "Pages and frames that failed their seal since start.", signed_of(status.store.authentication_failures));
    out.single("clinic_store_reads_total", "counter", "Snapshots read since start.", signed_of(status.store.reads));
    out.single("clinic_store_reads_cut_total", "counter", "Snapshots that were ended because they lasted too long.",
               signed_of(status.store.reads_cut));
    out.single("clinic_store_reads_refused_total", "counter", "Reads that found no reader free in time.",
               signed_of(status.store.reads_refused));
    out.seconds("clinic_store_longest_read_seconds", "The longest snapshot since start.", status.store.longest_read_us);
    out.single("clinic_store_slow_statements_total", "counter", "Statements that were slow, told in the log or not.",
               signed_of(status.store.slow_statements));
    out.single("clinic_store_cache_hits_total", "counter", "Pseudonymous rows served from memory.",
               signed_of(status.store.cache_hits));
    out.single("clinic_store_cache_misses_total", "counter", "Pseudonymous rows read from the database.",
               signed_of(status.store.cache_misses));
    if (const auto looked_up = status.store.cache_hits + status.store.cache_misses; looked_up > 0)
        out.ratio("clinic_store_cache_hit_ratio", "Pseudonymous rows served from memory, of all that were looked up.",
                  status.store.cache_hits, looked_up);
    out.single("clinic_store_cache_rows", "gauge", "Pseudonymous rows in memory.", status.store.cache_rows);
    out.single("clinic_store_database_bytes", "gauge", "Size of the database file.", status.store.database_bytes);
    out.single("clinic_store_wal_bytes", "gauge", "Size of the write-ahead log.", status.store.wal_bytes);
    out.single("clinic_store_free_key_slots", "gauge", "Patient keys in reserve.", status.store.free_key_slots);
    const bool checked = status.check.last.micros != 0;
    out.single("clinic_store_check_age_seconds", "gauge", "Since the newest whole check of the store ended; -1: never.",
               checked ? std::max<std::int64_t>(0, (status.at - status.check.last).count() / 1'000'000) : -1);
    out.single("clinic_store_check_sound", "gauge",
               "1 when that check found nothing, 0 when it did; -1: never checked, or not all of it.",
               status.check.sound() ? static_cast<std::int64_t>(*status.check.sound()) : -1);
    out.single("clinic_store_check_keys_damaged", "gauge", "People's keys that are known not to open.",
               status.check.people_damaged());
    out.single("clinic_store_check_running", "gauge", "1 while a check is under way.",
               status.check.started.micros != 0);
    out.single("clinic_store_check_tables_skipped", "gauge", "Tables of that check that were too busy to be checked.",
               status.check.last_skipped);
    out.single("clinic_store_reserve_bytes", "gauge", "Held on the records' disk for when it is full.",
               status.store.reserve_bytes);
    out.single("clinic_telemetry_dropped_total", "counter",
               "Events and time stamps that found no room or were more than their bound, since start.",
               status.telemetry_dropped);
    out.single("clinic_patients", "gauge", "Patients kept; merged ones count once.", status.patients);
    out.single("clinic_quarantine_items", "gauge", "Messages in quarantine.", status.quarantine_items);
    out.single("clinic_audit_entries", "gauge", "Links of the audit chain.", status.audit_entries);
    out.single("clinic_disk_free_percent", "gauge", "Free space of the records' file system.",
               status.disk_free_percent);
}

void put_state(Writer& out, const Status& status) {
    out.family("clinic_build_info", "gauge", "The box and its version.");
    out.sample(label("box", status.box) + "," + label("version", status.version), 1);
    out.single("clinic_uptime_seconds", "gauge", "Since the start of clinicd.", status.uptime_s);
    out.family("clinic_mode", "gauge", "1 for the mode that holds.");
    for (const Mode mode : {Mode::running, Mode::locked, Mode::damaged, Mode::full, Mode::clock_untrusted,
                            Mode::restoring, Mode::draining})
        out.sample(label("mode", name(mode)), status.mode == mode);
    out.single("clinic_well", "gauge", "0 well, 1 needs a look, 2 not working.",
               static_cast<std::int64_t>(status.well));
    out.family("clinic_need", "gauge", "What needs a person, by code (docs/events.md).");
    for (const Need& need : status.needs) out.sample(label("code", need.code), 1);
}

} // namespace

std::string to_metrics(const Status& status) {
    Writer out;
    put_state(out, status);
    put_books(out, status.crm);
    put_dead(out, status);
    put_feeds(out, status.feeds);
    put_senders(out, status.senders);
    put_measures(out, status.measures);
    put_links(out, status);
    put_webhooks(out, status);
    put_requests(out, status.lanes);
    put_consistency(out, status.consistency);
    put_checks(out, status.checks);
    put_store(out, status);
    return out.take();
}

} // namespace clinic::health
