#include "daemon/release/cases.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::release {
namespace {

using envelope::Case;
using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using envelope::Stage;
using outbox::Beside;
using outbox::Besides;
using outbox::Held;
using outbox::LastSaid;

bool says_the_end(const std::string& content) {
    const auto parsed = base::parse_json(content, envelope::envelope_bytes_max, 2);
    return parsed && parsed->value("stage", "") == name(Stage::archived);
}

} // namespace

bool ends_case(const MetadataEnvelope& envelope) {
    return envelope.kind() == Kind::case_state && envelope.text(Field::stage) == name(Stage::archived);
}

Result<std::optional<Besides>> Cases::find() {
    using None = std::optional<Besides>;
    const auto number = Beside::known(txn_, patient_, Kind::case_state);
    CLINIC_TRY(number);
    if (!*number) return None{};
    auto one = Beside::at(txn_, patient_, **number);
    CLINIC_TRY(one);
    return None{std::move(*one)};
}

Result<LastSaid> Cases::last_said(std::int64_t number) {
    return outbox::Outbox::last_said_of(txn_, patient_, Kind::case_state, number);
}

Result<void> Cases::say(Stage stage, Case outcome, std::int64_t number) {
    MetadataEnvelope envelope{Kind::case_state};
    envelope.put(Field::stage, stage).put(Field::outcome, outcome);
    return say_(std::move(envelope), number);
}

Result<void> Cases::tell(Stage stage) {
    if (!options_.told) return {};
    const Case outcome = options_.outcomes.at(static_cast<std::size_t>(stage));
    if (outcome == Case::open) CLINIC_TRY(Beside::number_of(txn_, patient_, Kind::case_state));
    const auto one = find();
    CLINIC_TRY(one);
    if (!*one || (*one)->held != Held::no) return {};
    if (outcome != Case::open && !(*one)->may_be_there()) {
        const auto said = last_said((*one)->number);
        CLINIC_TRY(said);
        if (!said->waits()) return {}; // one that waits to be opened is not any more
    }
    return say(stage, outcome, (*one)->number);
}

Result<void> Cases::close_left() {
    if (!options_.told) return {};
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all)
        if (one.kind == Kind::case_state && one.is_left())
            CLINIC_TRY(say(Stage::archived, Case::abandoned, one.number));
    return {};
}

Result<void> Cases::take_back() {
    if (!options_.told) return {};
    CLINIC_TRY(close_left());
    const auto one = find();
    CLINIC_TRY(one);
    if (!*one || !(*one)->may_be_there()) return {};
    return say(Stage::archived, Case::abandoned, (*one)->number);
}

Result<bool> Cases::any(bool (*is_so)(const Besides& one, const LastSaid& said)) {
    if (!options_.told) return false;
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.kind != Kind::case_state) continue;
        const auto said = last_said(one.number);
        CLINIC_TRY(said);
        if (is_so(one, *said)) return true;
    }
    return false;
}

Result<bool> Cases::something_waits() {
    return any([](const Besides&, const LastSaid& said) { return said.waits(); });
}

Result<bool> Cases::something_stands() {
    return any([](const Besides& one, const LastSaid& said) {
        return one.may_be_there() && (said.waits() || said.unsure || !says_the_end(said.content));
    });
}

Result<void> Cases::doubt() {
    const auto one = find();
    CLINIC_TRY(one);
    return *one ? outbox::Outbox::doubt_of(txn_, patient_, Kind::case_state, (*one)->number) : Result<void>{};
}

} // namespace clinic::release
