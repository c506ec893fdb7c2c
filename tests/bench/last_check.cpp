// clinic-bench-last-check --folder DIR [--patients N]: what the last check of one attempt costs, in a store of so many
// people. `clean`: a request as the lane builds it. `suspect`: a contact id that nobody issued, 64 characters that may
// be anything. `worst`: 8 KiB of base64, more than the write rules ever let through to this point.
#include <cstdio>
#include <filesystem>

#include "daemon/records/store.h"
#include "daemon/release/last_check.h"
#include "tests/bench/arguments.h"
#include "tests/bench/figures.h"
#include "tests/daemon/release/people.h"

namespace clinic::bench {
namespace {

using envelope::Attempt;
using envelope::Route;
using release::testing::People;

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::int64_t people_a_job = 500;

const envelope::WriteRules& rules() {
    static const envelope::WriteRules rules{.location = "ve9EPM428h8vShlRW1KT",
                                            .fields = {"fPid00000000000000A1", "fStage0000000000000A",
                                                       "fLast00000000000000A", "fNext00000000000000A",
                                                       "fAppt00000000000000A", "fWhen00000000000000A"}};
    return rules;
}

void fill(records::Store& store, People& people, std::int64_t count, const Clock& clock) {
    for (std::int64_t done = 0; done < count; done += people_a_job) {
        const auto kept = store.write([&](records::Transaction& txn) -> Result<void> {
            for (std::int64_t i = 0; i < std::min(people_a_job, count - done); ++i)
                CLINIC_TRY(
                    txn.identifiers().replace(txn, records::PatientId::make(clock.now()), people.next().values()));
            return {};
        });
        if (!kept) give_up(kept.error().what.c_str());
    }
}

template <class Check>
Spans timed(int times, const Check& check) {
    Spans spans;
    for (int i = 0; i < times; ++i) {
        const Instant before = now();
        check();
        spans.add(seconds_between(before, now()));
    }
    return spans;
}

nlohmann::json measure(const records::IdentifierIndex& identifiers, People& people) {
    const std::string pid = envelope::Pseudonym::random('p').text(), contact = people.from(alphabet, 20);
    const release::Allowed allowed{{pid, contact}};
    const Attempt create{
        1, Route::contact_create, "/contacts/",
        R"({"locationId":")" + rules().location + R"(","firstName":")" + pid +
            R"(","source":"clinic-edge","dnd":true,"tags":["ce-new-patient"],"customFields":[{"id":")" +
            rules().fields.pid + R"(","field_value":")" + pid + R"("},{"id":")" + rules().fields.stage +
            R"(","field_value":"new"}]})"};
    int odd = 0;
    const Spans clean = timed(2'000, [&] { odd += last_check(identifiers, rules(), create, allowed) ? 0 : 1; });
    if (odd > 0) give_up("a clean attempt was blocked");
    const Spans suspect = timed(200, [&] {
        const Attempt strange{1, Route::tags_add, "/contacts/" + people.from(alphabet, 64) + "/tags",
                              R"({"tags":["ce-returning"]})"};
        if (last_check(identifiers, rules(), strange, allowed)) give_up("a contact of nobody's went through");
    });
    const Spans worst = timed(
        10, [&] { odd += identifiers.found_in(people.from(alphabet, envelope::attempt_body_bytes_max), {}) ? 1 : 0; });
    return {{"tokens", identifiers.size()},
            {"clean_us", clean.percentile_ms(50) * 1'000},
            {"clean_p99_us", clean.percentile_ms(99) * 1'000},
            {"suspect_us", suspect.percentile_ms(50) * 1'000},
            {"suspect_p99_us", suspect.percentile_ms(99) * 1'000},
            {"worst_us", worst.percentile_ms(100) * 1'000},
            {"worst_found", odd}};
}

nlohmann::json last_check_costs(const Arguments& given) {
    const auto folder = std::filesystem::path{given.text("folder")} / "last-check";
    std::filesystem::remove_all(folder);
    const base::SystemClock clock;
    if (!crypto::start()) give_up("libsodium does not start");
    nlohmann::json out;
    {
        auto opened = records::Store::open({.folder = folder, .make = true},
                                           crypto::KeySlot::from_key(crypto::SecureBytes::random(32)), clock);
        if (!opened) give_up(opened.error().what.c_str());
        People people{1};
        const std::int64_t few = 1'000, patients = given.number("patients", 100'000);
        fill(**opened, people, few, clock);
        const auto of_few = measure((*opened)->identifiers(), people);
        fill(**opened, people, patients - few, clock);
        out = measure((*opened)->identifiers(), people);
        out["patients"] = patients;
        out["of_1000_patients"] = of_few;
    }
    std::filesystem::remove_all(folder);
    return out;
}

} // namespace
} // namespace clinic::bench

int main(int count, char** values) {
    std::puts(clinic::bench::last_check_costs(clinic::bench::Arguments{count, values, 1}).dump().c_str());
    return 0;
}
