// clinic-bench-patients fill|ask --records DIR --credential FILE --patients N: a store of so many patients, made
// through the box's own code in large groups, and what it costs to open it and to find something in it. See
// docs/benchmarks.md.
//   fill: patients with names, a phone, a mail, a number, a birth date and an appointment, released to the CRM; nine of
//         ten envelopes are delivered, so that their patients have a contact; the others wait.
//   ask:  the store as clinicd opens it, and as if each person were asked for after a hundred thousand others: with
//         next to no pages kept. Each figure is of a thousand patients at random.
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <semaphore>
#include <thread>

#include "daemon/audit/trail.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/appointments.h"
#include "daemon/records/cache_size.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/patients.h"
#include "daemon/release/releaser.h"
#include "tests/bench/arguments.h"
#include "tests/bench/figures.h"
#include "tests/daemon/release/people.h"

namespace clinic::bench {
namespace {

using envelope::Destination;
using nlohmann::json;
using outbox::Links;
using outbox::Outbox;
using records::PatientId;
using records::PhiText;
using records::Session;
using records::Transaction;

constexpr std::int64_t people_a_job = 5; // what a job changed is kept beside it, in a list that SQLite walks
constexpr std::size_t jobs_a_commit = 8'000;
constexpr std::int64_t asked = 1'000;
constexpr int cold_kib = 64; // sixteen pages: of the next person's none is among them
constexpr base::Micros one_day = std::chrono::hours{24};

template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error().what.c_str());
    return std::move(*result);
}
void must(const Result<void>& result) {
    if (!result) give_up(result.error().what.c_str());
}

// Of that number, always the same.
release::testing::Person person(std::int64_t number) {
    auto made = release::testing::People{static_cast<std::uint64_t>(number)}.next();
    made.number = "MR" + std::to_string(10'000'000 + number);
    return made;
}

records::PatientChange change_of(const release::testing::Person& person) {
    const auto text = [](const std::string& value) { return records::Said<PhiText>::given(PhiText{value}); };
    const auto texts = [](const std::string& value) {
        std::vector<PhiText> one;
        one.emplace_back(value);
        return records::Said<std::vector<PhiText>>::given(std::move(one));
    };
    records::PatientChange change;
    change.identifiers.push_back({"CLINIC", "MR", PhiText{person.number}});
    change.family = text(person.family);
    change.given = text(person.given);
    change.birth_date = text(person.birth_date);
    change.phones = texts(person.phone);
    change.emails = texts(person.email);
    return change;
}

class Box {
public:
    explicit Box(const Arguments& given, records::StoreOptions options) {
        if (!crypto::start()) give_up("libsodium does not start");
        options.folder = given.text("records");
        const auto key = must(crypto::KeySlot::from_credential_file(given.text("credential")));
        const Instant begin = now();
        const std::clock_t cpu = std::clock();
        store_ = must(records::Store::open(options, key, clock_));
        opened_after_ = seconds_between(begin, now());
        opening_cpu_ = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
        releaser_.set_clock_trusted(true);
    }

    double opened_after() const { return opened_after_; }
    double opening_cpu() const { return opening_cpu_; }
    records::Store& store() { return *store_; }
    void wait_until_loaded() {
        while (!store_->identifiers().is_loaded()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }

    void allow_all() {
        must(store_->write([&](Transaction& txn) {
            release::Policy policy;
            policy.basis = release::Basis::baa;
            policy.unlinked = release::Unlinked::shell;
            return releaser_.set_policy(txn, policy);
        }));
    }

    Result<void> add(Transaction& txn, std::int64_t number) {
        const auto why = audit::Trail::append(
            txn, {.actor = audit::Actor::feed, .action = audit::Action::update, .purpose = audit::Purpose::treatment});
        CLINIC_TRY(why);
        const records::Stamp stamp{"BENCH|CLINIC", clock_.now()};
        const auto patient = records::upsert_patient(txn, *why, change_of(person(number)), stamp, false);
        CLINIC_TRY(patient);
        records::AppointmentChange booking;
        booking.key = PhiText{"A" + std::to_string(number)};
        booking.name_space = "CLINIC";
        booking.start = clock_.now() + one_day * (1 + number % 90);
        const auto booked = records::upsert_appointment(txn, *why, patient->id, booking, stamp, false);
        CLINIC_TRY(booked);
        CLINIC_TRY(releaser_.changed(txn, patient->id, booked->id));
        return audit::Trail::add_subject(txn, *why, patient->id);
    }

    // Until one of ten waits.
    Result<void> deliver(Transaction& txn) {
        const auto books = Outbox::books(txn, Destination::crm);
        CLINIC_TRY(books);
        for (std::int64_t left = books->pending - books->released / 10; left > 0; --left) {
            const auto lease = Outbox::lease(txn, Destination::crm, true, {});
            CLINIC_TRY(lease);
            if (!*lease) return {};
            CLINIC_TRY(settle(txn, **lease));
        }
        return {};
    }

    static Result<void> settle(Transaction& txn, const envelope::Lease& lease) {
        envelope::Settle outcome;
        outcome.lease = lease.lease;
        if (lease.create) outcome.contact = "C0ntact" + std::to_string(1'000'000'000'000 + lease.lease);
        const auto settled = Outbox::settle(txn, outcome);
        return settled ? Result<void>{} : settled.error();
    }

private:
    base::SystemClock clock_;
    release::Releaser releaser_{clock_};
    std::unique_ptr<records::Store> store_;
    double opened_after_ = 0, opening_cpu_ = 0;
};

json fill(const Arguments& given) {
    Box box{given,
            {.queue_jobs_max = jobs_a_commit,
             .batch_jobs_max = jobs_a_commit,
             .cache = {.writer_kib = 2'097'152, .readers_kib = 4'096}}}; // what is changed, a page is, once a commit
    box.allow_all();
    const std::int64_t patients = given.number("patients");
    const Instant begin = now();
    std::counting_semaphore<> room{jobs_a_commit};
    for (std::int64_t first = 0; first < patients; first += people_a_job) {
        room.acquire();
        const auto job = [&box, first,
                          end = std::min(patients, first + people_a_job)](Transaction& txn) -> Result<void> {
            for (std::int64_t number = first; number < end; ++number) CLINIC_TRY(box.add(txn, number));
            return box.deliver(txn);
        };
        if (!box.store().post(job, [&room](const Result<void>& kept) {
                must(kept);
                room.release();
            }))
            give_up("the store takes no more jobs");
    }
    for (std::size_t i = 0; i < jobs_a_commit; ++i) room.acquire();
    return {{"patients", patients}, {"seconds", seconds_between(begin, now())}};
}

// By this process so far; a page's 4 KiB is what it asks for at once.
double pages_read() {
    std::ifstream io{"/proc/self/io"};
    std::string name;
    std::int64_t bytes = 0;
    while (io >> name >> bytes && name != "rchar:") {
    }
    return static_cast<double>(bytes) / 4'096;
}

// Each of many patients at random; `ask` answers how many it found.
template <class Ask>
json each(std::int64_t patients, const Ask& ask) {
    Spans spans;
    std::int64_t found = 0;
    std::mt19937_64 random{42};
    const double read_before = pages_read();
    for (std::int64_t i = 0; i < asked; ++i) {
        const auto number = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(patients));
        const auto question = person(number);
        const Instant before = now();
        found += ask(question, number);
        spans.add(seconds_between(before, now()));
    }
    if (found < asked) give_up("a patient of the store was not found");
    const double hits = static_cast<double>(found) / static_cast<double>(asked);
    return {{"p50_us", spans.percentile_ms(50) * 1'000},
            {"p95_us", spans.percentile_ms(95) * 1'000},
            {"pages_read", (pages_read() - read_before) / static_cast<double>(asked)},
            {"found", hits},
            {"p50_us_a_hit", spans.percentile_ms(50) * 1'000 / hits}};
}

json find_all(Box& box, std::int64_t patients) {
    using Asked = release::testing::Person;
    struct Kind {
        Literal name;
        std::string (*value_of)(const Asked&);
    };
    const Kind kinds[]{{"name", [](const Asked& one) { return one.family + ' ' + one.given; }},
                       {"phone", [](const Asked& one) { return one.phone; }},
                       {"email", [](const Asked& one) { return one.email; }},
                       {"birth_date", [](const Asked& one) { return one.birth_date; }},
                       {"number", [](const Asked& one) { return "CLINIC|" + one.number; }},
                       {"number_any", [](const Asked& one) { return one.number; }}};
    json figures;
    for (const auto& [name, value_of] : kinds) {
        figures[name.c_str()] = each(patients, [&](const Asked& one, std::int64_t) {
            std::size_t found = 0;
            must(box.store().read([&](Session& session) -> Result<void> {
                const auto ids = records::find_by_index(session, name, value_of(one));
                CLINIC_TRY(ids);
                found = ids->size();
                return {};
            }));
            return static_cast<std::int64_t>(found);
        });
    }
    return figures;
}

// A pseudonym that came back with an answer, and the contact of its patient.
json find_links(Box& box, std::int64_t patients) {
    std::map<std::int64_t, std::string> pids;
    each(patients, [&](const auto& one, std::int64_t number) {
        must(box.store().write([&](Transaction& txn) -> Result<void> {
            const auto ids = records::find_by_index(txn, "number", "CLINIC|" + one.number);
            CLINIC_TRY(ids);
            const auto pid = Links::pid(txn, Destination::crm, ids->at(0));
            CLINIC_TRY(pid);
            pids[number] = pid->text();
            return {};
        }));
        return 1;
    });
    return {{"pseudonym_and_contact", each(patients, [&](const auto&, std::int64_t number) {
                 must(box.store().read([&](Session& session) -> Result<void> {
                     const auto patient = Links::patient_by_pid(session, pids.at(number));
                     CLINIC_TRY(patient);
                     if (!*patient) give_up("a pseudonym was not found");
                     const auto contact = Links::contact(session, **patient);
                     return contact ? Result<void>{} : contact.error();
                 }));
                 return 1;
             })}};
}

// Within one commit: what a commit costs is another figure.
json lease_some(Box& box) {
    Spans leases, settles;
    must(box.store().write([&](Transaction& txn) -> Result<void> {
        for (int i = 0; i < 300; ++i) {
            const Instant before = now();
            const auto lease = Outbox::lease(txn, Destination::crm, true, {});
            CLINIC_TRY(lease);
            if (!*lease) give_up("nothing waits in the outbox");
            const Instant between = now();
            CLINIC_TRY(Box::settle(txn, **lease));
            leases.add(seconds_between(before, between));
            settles.add(seconds_between(between, now()));
        }
        return {};
    }));
    const auto said = [](const Spans& spans) {
        return json{{"p50_us", spans.percentile_ms(50) * 1'000}, {"p95_us", spans.percentile_ms(95) * 1'000}};
    };
    return {{"lease", said(leases)}, {"settle", said(settles)}};
}

json find_cold(const Arguments& given, std::int64_t patients) {
    Box box{given, {.readers_max = 1, .cache = {.writer_kib = 16'384, .readers_kib = cold_kib}}};
    box.wait_until_loaded();
    return find_all(box, patients);
}

double resident_mib() {
    std::ifstream statm{"/proc/self/statm"};
    std::int64_t all = 0, resident = 0;
    statm >> all >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1'048'576;
}

json ask(const Arguments& given) {
    const std::int64_t patients = given.number("patients");
    const std::filesystem::path records = given.text("records");
    const json first = find_cold(given, patients);
    const Instant begin = now();
    Box box{given, {.cache = records::cache_for(records::memory_kib_here())}};
    box.wait_until_loaded();
    const double loaded = seconds_between(begin, now());
    const double resident = resident_mib();
    json figures = find_all(box, patients);
    figures.update(find_links(box, patients));
    figures.update(lease_some(box));
    const auto bytes = std::filesystem::file_size(records / "records.db");
    return {{"patients", patients},
            {"open_ms", box.opened_after() * 1'000},
            {"open_cpu_ms", box.opening_cpu() * 1'000}, // on a busy machine the better figure
            {"identifiers_s", loaded},
            {"resident_mib", resident},
            {"tokens", box.store().identifiers().size()},
            {"database_bytes_a_patient", bytes / static_cast<std::uint64_t>(patients)},
            {"keystore_bytes", std::filesystem::file_size(records / "keys.db")},
            {"figures", figures},
            {"figures_cold", first}};
}

} // namespace
} // namespace clinic::bench

int main(int count, char** values) {
    using namespace clinic::bench;
    const std::string command = count > 1 ? values[1] : "";
    if (command != "fill" && command != "ask") give_up("fill or ask?");
    const Arguments given{count, values, 2};
    std::puts((command == "fill" ? fill(given) : ask(given)).dump().c_str());
    return 0;
}
