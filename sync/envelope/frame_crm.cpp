#include "sync/envelope/frame_crm.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/envelope/frame.h"

namespace clinic::envelope {
namespace {

static_assert(quarter_max == crm_ms_max / quarter_ms);
constexpr std::int64_t requests_max = 100'000;
constexpr std::size_t email_bytes_max = 254;

bool is_id_or_empty(std::string_view text) {
    return text.empty() || is_contact_id(text);
}
bool is_pid_or_empty(std::string_view text) {
    return text.empty() || is_pseudonym(text, 'p');
}
template <class Enum>
bool is_word_or_empty(std::string_view text) {
    return text.empty() || text == "none" || value_of<Enum>(text).has_value();
}
bool is_time_or_empty(std::string_view text) {
    return text.empty() || TimeBucket::parse(text).has_value();
}
bool is_campaign_or_empty(std::string_view text) {
    return text.empty() || is_campaign(text);
}
bool is_e164_or_empty(std::string_view text) {
    return text.empty() || (text.size() >= 8 && text.size() <= 16 && text[0] == '+' && text[1] != '0' &&
                            only(text.substr(1), "", false, false, true));
}
bool is_dialled_or_empty(std::string_view text) {
    return text.empty() || (text.size() >= 4 && text.size() <= 16 && only(text, "", false, false, true));
}
// As far as it is compared: one '@' between two parts, small letters, no space, no quote, no backslash.
bool is_email_or_empty(std::string_view text) {
    if (text.empty()) return true;
    const auto at = text.find('@');
    return text.size() <= email_bytes_max && at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
           text.find('@', at + 1) == std::string_view::npos && only(text, "@._-+%'!#$&*/=?^`{|}~", false, true, true);
}

ObjectWriter frame(const char* name) {
    ObjectWriter writer;
    writer.integer("v", 1).text("frame", name);
    return writer;
}

std::vector<std::string> all_quoted(const std::vector<std::string>& texts) {
    std::vector<std::string> out;
    out.reserve(texts.size());
    for (const auto& text : texts) out.push_back(envelope::quoted(text));
    return out;
}

void put(ObjectWriter& writer, const std::monostate&) {
    writer.boolean("deleted", true);
}
void put(ObjectWriter& writer, const CrmContact& contact) {
    std::vector<std::string> tags;
    for (const Word word : contact.tags) tags.push_back(quoted(word.text()));
    writer.text("pid", contact.pid)
        .text("stage", contact.stage)
        .text("last", contact.last)
        .text("next", contact.next)
        .text("appt_status", contact.appt_status)
        .text("appt_when", contact.appt_when)
        .boolean("dnd", contact.dnd)
        .list("tags", tags)
        .list("campaigns", all_quoted(contact.campaigns))
        .text("source", contact.source);
}
void put(ObjectWriter& writer, const CrmAppointment& booked) {
    writer.text("contact", booked.contact)
        .text("calendar", booked.calendar)
        .text("status", name_of(booked.status))
        .integer("from_quarter", booked.from_quarter)
        .integer("until_quarter", booked.until_quarter);
}
void put(ObjectWriter& writer, const CrmOpportunity& one) {
    writer.text("contact", one.contact)
        .text("pipeline", one.pipeline)
        .text("stage", one.stage)
        .text("status", name_of(one.status));
}
void put(ObjectWriter& writer, const CrmLocation& location) {
    writer.text("zone", location.zone);
}

CrmContact read_contact(ObjectReader& reader) {
    CrmContact out{.pid = reader.text("pid", is_pid_or_empty),
                   .stage = reader.text("stage", is_word_or_empty<Stage>),
                   .last = reader.text("last", is_time_or_empty),
                   .next = reader.text("next", is_time_or_empty),
                   .appt_status = reader.text("appt_status", is_word_or_empty<ApptStatus>),
                   .appt_when = reader.text("appt_when", is_time_or_empty),
                   .dnd = reader.boolean("dnd"),
                   .tags = {},
                   .campaigns = {},
                   .source = {}};
    for (const auto& text : reader.texts("tags", vocabulary.size())) {
        const auto word = Word::parse(text);
        reader.require(word.has_value(), "a tag is not of the approved vocabulary");
        if (!word) continue;
        reader.require(out.tags.empty() || out.tags.back() < *word, "tags out of order, or one twice");
        out.tags.push_back(*word);
    }
    for (auto& text : reader.texts("campaigns", campaigns_max)) {
        reader.require(is_campaign(text), "a campaign is not of its form");
        reader.require(out.campaigns.empty() || out.campaigns.back() < text, "campaigns out of order, or one twice");
        out.campaigns.push_back(std::move(text));
    }
    out.source = reader.text("source", is_campaign_or_empty);
    return out;
}

CrmAppointment read_appointment(ObjectReader& reader) {
    CrmAppointment out{.contact = reader.text("contact", is_id_or_empty),
                       .calendar = reader.text("calendar", is_contact_id),
                       .status = reader.choice<Booking>("status"),
                       .from_quarter = reader.integer("from_quarter", 0, quarter_max),
                       .until_quarter = reader.integer("until_quarter", 0, quarter_max)};
    reader.require(out.from_quarter < out.until_quarter && out.until_quarter - out.from_quarter <= slot_quarters_max,
                   "a slot that ends before it begins, or is longer than 14 days");
    return out;
}

CrmOpportunity read_opportunity(ObjectReader& reader) {
    return {.contact = reader.text("contact", is_id_or_empty),
            .pipeline = reader.text("pipeline", is_contact_id),
            .stage = reader.text("stage", is_id_or_empty),
            .status = reader.choice<Case>("status")};
}

void read_said(ObjectReader& reader, CrmFact& fact) {
    if (reader.has("deleted")) return reader.require(reader.boolean("deleted"), "deleted is said, or not at all");
    switch (fact.kind) {
    case CrmKind::contact: fact.said = read_contact(reader); break;
    case CrmKind::appointment: fact.said = read_appointment(reader); break;
    case CrmKind::opportunity: fact.said = read_opportunity(reader); break;
    case CrmKind::location: fact.said = CrmLocation{reader.text("zone", is_zone)}; break;
    }
}

// The location is not looked for, and what is not looked for is of the first kind.
void require_kind(ObjectReader& reader, CrmKind kind, const std::string& id) {
    reader.require(kind == CrmKind::contact || (kind != CrmKind::location && !id.empty()), "a kind without its id");
}

void put_content(ObjectWriter& writer, const CrmFact& fact) {
    writer.text("kind", name_of(fact.kind));
    std::visit([&](const auto& one) { put(writer, one); }, fact.said);
}

} // namespace

const char* name(CrmKind kind) {
    return name_of(kind);
}
const char* name(Booking status) {
    return name_of(status);
}
const char* name(Case status) {
    return name_of(status);
}
const char* name(Taken taken) {
    return name_of(taken);
}
const char* name(Match match) {
    return name_of(match);
}
const char* name(WalkStep step) {
    return name_of(step);
}

bool is_campaign(std::string_view text) {
    return !text.empty() && text.size() <= 32 && text[0] != '-' && only(text, "-", false, true, true);
}

bool is_zone(std::string_view text) {
    return !text.empty() && text.size() <= 40 && only(text, "_+/-", true, true, true);
}

std::string content_of(const CrmFact& fact) {
    ObjectWriter writer;
    put_content(writer, fact);
    return writer.str();
}

Result<CrmFact> fact_from(std::string_view content) {
    constexpr std::size_t content_bytes_max = 4'096;
    const auto parsed = base::parse_json(content, content_bytes_max, 3);
    if (!parsed) return parsed.error();
    ObjectReader reader{*parsed};
    CrmFact fact;
    fact.kind = reader.choice<CrmKind>("kind");
    read_said(reader, fact);
    CLINIC_TRY(reader.done());
    return fact;
}

std::string write(const CrmFact& fact) {
    ObjectWriter writer = frame("crm_fact");
    writer.text("id", fact.id).integer("updated_ms", fact.updated_ms).integer("read_ms", fact.read_ms);
    put_content(writer, fact);
    return writer.str();
}

CrmFact read_crm_fact(ObjectReader& reader) {
    CrmFact fact{.id = reader.text("id", is_contact_id),
                 .kind = CrmKind::contact,
                 .updated_ms = reader.integer("updated_ms", 0, crm_ms_max),
                 .read_ms = reader.integer("read_ms", 1, crm_ms_max),
                 .said = {}};
    fact.kind = reader.choice<CrmKind>("kind");
    read_said(reader, fact);
    return fact;
}

std::string write(const MatchProbe& probe) {
    return frame("match_probe")
        .text("contact", probe.contact)
        .text("phone", probe.phone)
        .text("national", probe.national)
        .text("email", probe.email)
        .str();
}

MatchProbe read_match_probe(ObjectReader& reader) {
    MatchProbe probe{.contact = reader.text("contact", is_contact_id),
                     .phone = reader.text("phone", is_e164_or_empty),
                     .national = reader.text("national", is_dialled_or_empty),
                     .email = reader.text("email", is_email_or_empty)};
    reader.require(!probe.phone.empty() || !probe.email.empty(), "a probe without phone and e-mail");
    reader.require(!probe.phone.empty() || probe.national.empty(), "a national form without its number");
    return probe;
}

std::string write(const CrmPolled& polled) {
    return frame("crm_polled")
        .text("code", polled.code)
        .integer("requests", polled.requests)
        .integer("opportunities_ms", polled.opportunities_ms)
        .integer("bookings_ms", polled.bookings_ms)
        .str();
}

CrmPolled read_crm_polled(ObjectReader& reader) {
    return {.code = reader.text("code", is_code),
            .requests = reader.integer("requests", 0, requests_max),
            .opportunities_ms = reader.integer("opportunities_ms", 0, crm_ms_max),
            .bookings_ms = reader.integer("bookings_ms", 0, crm_ms_max)};
}

std::string write(const CrmWalk& walk) {
    return frame("crm_walk")
        .integer("walk", walk.walk)
        .integer("reached_ms", walk.reached_ms)
        .boolean("whole", walk.whole)
        .text("kind", name_of(walk.kind))
        .text("looked", walk.looked)
        .boolean("absent", walk.absent)
        .integer("requests", walk.requests)
        .str();
}

CrmWalk read_crm_walk(ObjectReader& reader) {
    CrmWalk walk{.walk = reader.integer("walk", 0, integer_max),
                 .reached_ms = reader.integer("reached_ms", 0, crm_ms_max),
                 .whole = reader.boolean("whole"),
                 .kind = reader.choice<CrmKind>("kind"),
                 .looked = reader.text("looked", is_id_or_empty),
                 .absent = reader.boolean("absent"),
                 .requests = reader.integer("requests", 0, requests_max)};
    reader.require(walk.walk > 0 || (walk.reached_ms == 0 && !walk.whole), "pages that no walk asked for");
    reader.require(walk.looked.empty() ? !walk.absent : !walk.whole, "what is read by itself is a step of its own");
    require_kind(reader, walk.kind, walk.looked);
    return walk;
}

std::string write(const FactTaken& taken) {
    return frame("fact_taken").text("taken", name_of(taken.taken)).boolean("probe", taken.probe).str();
}

FactTaken read_fact_taken(ObjectReader& reader) {
    return {.taken = reader.choice<Taken>("taken"), .probe = reader.boolean("probe")};
}

std::string write(const Matched& matched) {
    return frame("matched").text("match", name_of(matched.match)).str();
}

Matched read_matched(ObjectReader& reader) {
    return {.match = reader.choice<Match>("match")};
}

std::string write(const PollTerms& terms) {
    return frame("poll_terms").boolean("probing", terms.probing).str();
}

PollTerms read_poll_terms(ObjectReader& reader) {
    return {.probing = reader.boolean("probing")};
}

std::string write(const WalkTerms& terms) {
    return frame("walk_terms")
        .text("step", name_of(terms.step))
        .integer("walk", terms.walk)
        .integer("from_ms", terms.from_ms)
        .boolean("quiet", terms.quiet)
        .text("kind", name_of(terms.kind))
        .text("id", terms.id)
        .str();
}

WalkTerms read_walk_terms(ObjectReader& reader) {
    WalkTerms terms{.step = reader.choice<WalkStep>("step"),
                    .walk = reader.integer("walk", 0, integer_max),
                    .from_ms = reader.integer("from_ms", 0, crm_ms_max),
                    .quiet = reader.boolean("quiet"),
                    .kind = reader.choice<CrmKind>("kind"),
                    .id = reader.text("id", is_id_or_empty)};
    reader.require((terms.step == WalkStep::look) != terms.id.empty(), "an id stands with a look, and only there");
    require_kind(reader, terms.kind, terms.id);
    reader.require(terms.step != WalkStep::read || terms.walk > 0, "pages without a walk");
    return terms;
}

} // namespace clinic::envelope
