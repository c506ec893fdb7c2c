// Intake on a real store: messages in, answers out, and a look at what came of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key_slot.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/feed_books.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/appointments.h"
#include "daemon/records/patients.h"
#include "daemon/records/quarantine.h"
#include "daemon/release/releaser.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::intake::testing {

inline std::string joined(const std::vector<std::string>& lines, std::string_view end = "\r") {
    std::string out;
    for (const auto& line : lines) (out += line) += end;
    return out;
}

// "MSH|^~\&|APP|FAC|CE|BOX|<time>||<type>|<id>|P|2.5" and what follows.
inline std::string msh(std::string_view type, std::string_view id, std::string_view at = "20261121100000",
                       std::string_view rest = "P|2.5") {
    std::string out = "MSH|^~\\&|APP|FAC|CE|BOX|";
    ((((((out += at) += "||") += type) += '|') += id) += '|') += rest;
    return out;
}

inline std::string field_of(const std::string& answer, std::string_view segment, int number) {
    for (const auto line : parts(answer, '\r'))
        if (line.substr(0, 3) == segment) return std::string{part(line, line.size() > 3 ? line[3] : '|', number + 1)};
    return {};
}

class Desk {
public:
    // `senders`: those that have a name; they come from anywhere.
    explicit Desk(std::vector<FeedSettings> senders = {}, records::StoreOptions options = {}) {
        setenv("TZ", "UTC", 1); // the clinic's zone, which messages leave out
        tzset();
        EXPECT_TRUE(crypto::start());
        options.folder = folder_ / "records";
        options.make = true;
        auto opened = records::Store::open(
            options, crypto::KeySlot::from_key(crypto::SecureBytes::random(crypto::key_bytes)), clock);
        EXPECT_TRUE(opened);
        store = std::move(*opened);
        releaser.set_clock_trusted(true);
        feeds = *Feeds::make({"0.0.0.0/0"});
        for (auto& sender : senders) name(std::move(sender));
        ingest = std::make_unique<Ingest>(*store, releaser, clock, feeds,
                                          [this](Literal code, Literal) { alerts.emplace_back(code.c_str()); });
    }
    ~Desk() {
        if (store) statements::expect_known(*store);
        store.reset(); // before ingest: it finishes what was posted
    }

    std::string send(const std::string& message, bool damaged = false) {
        std::promise<std::string> answered;
        auto answer = answered.get_future();
        ingest->message(message, damaged, [&answered](std::string text) { answered.set_value(std::move(text)); });
        return answer.get();
    }
    // From an address, with a certificate of those names.
    std::string send_from(const Peer& peer, const std::string& message, Frame::State state = Frame::State::whole) {
        std::promise<std::string> answered;
        auto answer = answered.get_future();
        ingest->message({message, state, std::make_shared<const Peer>(peer)},
                        [&answered](std::string text) { answered.set_value(std::move(text)); });
        return answer.get();
    }
    void name(FeedSettings sender) {
        if (sender.addresses.empty() && sender.certificate.empty()) sender.addresses = {"::/0"};
        EXPECT_TRUE(store->write([&](records::Transaction& txn) { return feeds->put(txn, sender); }));
    }
    std::string send(const std::vector<std::string>& lines) { return send(joined(lines)); }
    std::string code(const std::vector<std::string>& lines) { return field_of(send(lines), "MSA", 1); }
    std::string code(const std::string& message) { return field_of(send(message), "MSA", 1); }

    // What the quarantine keeps for 30 days, and nobody looks through here, does not fill it.
    void a_day_later() {
        clock.advance(std::chrono::hours{24});
        const auto purged = store->write([](records::Transaction& txn) -> Result<void> {
            const auto items = records::purge_quarantine(txn);
            return items ? Result<void>{} : items.error();
        });
        EXPECT_TRUE(purged);
    }

    void open_basis() {
        release::Policy policy;
        policy.basis = release::Basis::baa;
        policy.unlinked = release::Unlinked::shell;
        const auto set = store->write([&](records::Transaction& txn) { return releaser.set_policy(txn, policy); });
        EXPECT_TRUE(set);
    }

    template <class Query>
    auto read(Query query) {
        using Value = typename decltype(query(std::declval<records::Snapshot&>()))::value_type;
        std::optional<Value> out;
        const auto done = store->read([&](records::Snapshot& snapshot) -> Result<void> {
            auto value = query(snapshot);
            if (!value) return value.error();
            out = std::move(*value);
            return {};
        });
        EXPECT_TRUE(done) << done.error().what.c_str();
        return std::move(*out);
    }

    FeedCounts books(Literal feed = feed_mllp) { return books(std::string{feed.c_str()}); }
    FeedCounts books(const std::string& feed) {
        return read([&](records::Snapshot& snapshot) { return feed_counts(snapshot, std::string_view{feed}); });
    }
    std::vector<records::PatientId> find(Literal kind, std::string_view value) {
        return read([&](records::Snapshot& snapshot) { return records::find_by_index(snapshot, kind, value); });
    }
    std::optional<records::PatientId> number(std::string_view value) {
        const auto found = find("number", value);
        EXPECT_LE(found.size(), 1U);
        return found.empty() ? std::nullopt : std::optional{found.front()};
    }
    records::PatientFacts facts(std::string_view number_of_patient) {
        const auto patient = number(number_of_patient);
        EXPECT_TRUE(patient) << number_of_patient;
        if (!patient) return {};
        return read([&](records::Snapshot& snapshot) { return records::patient_facts(snapshot, *patient); });
    }
    std::int64_t count(Literal sql) {
        return read([&](records::Snapshot& snapshot) -> Result<std::int64_t> {
            auto find = snapshot.prepare(sql);
            if (!find) return find.error();
            const auto row = find->step();
            if (!row) return row.error();
            return find->integer(0);
        });
    }
    std::int64_t released() {
        return read([](records::Snapshot& snapshot) -> Result<std::int64_t> {
            const auto books = outbox::Outbox::books(snapshot, envelope::Destination::crm);
            if (!books) return books.error();
            return books->released;
        });
    }
    // What is said of that patient's appointment, or waits to be.
    std::string said_of_appointment(std::string_view number_of_patient) {
        const auto patient = number(number_of_patient);
        EXPECT_TRUE(patient) << number_of_patient;
        return read([&](records::Snapshot& snapshot) -> Result<std::string> {
            const auto said =
                outbox::Outbox::last_said(snapshot, envelope::Destination::crm, *patient, envelope::Kind::appt_state);
            if (!said) return said.error();
            return said->newest();
        });
    }
    std::vector<records::QuarantineItem> quarantine() {
        return read([](records::Snapshot& snapshot) { return records::quarantined(snapshot, 0, 100); });
    }

    fakes::ManualClock clock;
    std::unique_ptr<records::Store> store;
    release::Releaser releaser{clock};
    std::shared_ptr<Feeds> feeds;
    std::unique_ptr<Ingest> ingest;
    std::vector<std::string> alerts;

private:
    fakes::TempFolder folder_;
};

inline std::string pid(const std::string& number, const std::string& name = "Quillfeather^Jane") {
    return "PID|1||" + number + "^^^HOSP^MR||" + name + "||19850615|F|||||(617)555-0142";
}

inline void expect_balanced(const FeedCounts& books) {
    EXPECT_TRUE(books.balanced()) << books.received << " = " << books.stored << " + " << books.quarantined << " + "
                                  << books.refused << " + " << books.duplicate;
}

} // namespace clinic::intake::testing
