#include "daemon/setup_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/asked.h"
#include "daemon/health/store_view.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

constexpr Literal test_event = "E3101";
constexpr int lines_max = 64;
constexpr std::size_t number_bytes_max = 40;

// `after`: what the event's number is above.
Result<Answer> raise_event(records::Store& store, health::Health& health) {
    std::int64_t after = 0;
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        const auto newest = health::newest_event(session);
        CLINIC_TRY(newest);
        after = *newest;
        return {};
    }));
    health.raise(test_event, "info");
    return say({{"after", after}});
}

Result<Answer> look_for_event(records::Store& store, const Question& question) {
    json said;
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        const auto known = health::acknowledged(session, test_event, number(question.args, "after", 0));
        CLINIC_TRY(known);
        said = {{"stored", known->has_value()}, {"acknowledged", known->value_or(false)}};
        return {};
    }));
    return say(std::move(said));
}

Result<json> told_of(records::Session& session, records::PatientId person) {
    const auto last =
        outbox::Outbox::last_said(session, envelope::Destination::crm, person, envelope::Kind::contact_state);
    CLINIC_TRY(last);
    const auto lines = outbox::Ledger::lines_about(session, person, 0, lines_max);
    CLINIC_TRY(lines);
    json attempts = json::array();
    for (const auto& line : *lines)
        attempts.push_back({{"attempt", line.attempt},
                            {"at", base::rfc3339(line.at)},
                            {"route", envelope::name(line.route)},
                            {"result", line.result},
                            {"status", line.status}});
    return json{{"known", true},
                {"delivered", !last->content.empty()},
                {"waits", last->waits()},
                {"attempts", std::move(attempts)}};
}

// Of the marked test person alone: the setup made it, and it is nobody.
Result<Answer> look_for_person(records::Store& store, const Question& question) {
    const std::string number = word(question.args, "number");
    if (!number.starts_with(test_number_mark) || number.size() > number_bytes_max)
        return Error{Errc::refused, "that is no test person of the setup"};
    json said{{"known", false}, {"delivered", false}, {"waits", false}, {"attempts", json::array()}};
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        const auto found = records::find_by_index(session, "number", "csv|" + number);
        CLINIC_TRY(found);
        if (found->empty()) return {};
        auto told = told_of(session, found->front());
        CLINIC_TRY(told);
        said = std::move(*told);
        return {};
    }));
    return say(std::move(said));
}

} // namespace

control::Commands setup_commands(records::Store& store, health::Health& health) {
    return {{"setup-event", {.run = [&](const Question&) { return raise_event(store, health); }}},
            {"setup-event-look", {.run = [&](const Question& question) { return look_for_event(store, question); }}},
            {"setup-person-look", {.run = [&](const Question& question) { return look_for_person(store, question); }}}};
}

} // namespace clinic::daemon
