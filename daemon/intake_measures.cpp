#include "daemon/intake_measures.h"

namespace clinic::daemon {
namespace {

std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

constexpr Literal counter = "counter", gauge = "gauge";

} // namespace

std::vector<health::Measure> measures(const intake::MllpNumbers& mllp, const intake::IngestNumbers& ingest) {
    constexpr Literal refused = "clinic_mllp_connections_refused_total", ended = "clinic_mllp_connections_ended_total",
                      faulty = "clinic_mllp_frames_faulty_total";
    constexpr Literal refused_help = "Connections turned away at the MLLP ports, by reason.",
                      ended_help = "MLLP connections that we ended, by reason.",
                      faulty_help = "MLLP frames that were not as they should be, by fault.";
    return {
        {"clinic_mllp_connections", gauge, "Open MLLP connections.", number(mllp.open)},
        {"clinic_mllp_connections_accepted_total", counter, "MLLP connections let in.", number(mllp.accepted)},
        {"clinic_mllp_tls_handshakes_total", counter, "MLLP connections by TLS whose certificate was good.",
         number(mllp.secured)},
        {refused, counter, refused_help, number(mllp.refused_address), "reason=\"address\""},
        {refused, counter, refused_help, number(mllp.refused_full), "reason=\"full\""},
        {refused, counter, refused_help, number(mllp.refused_certificate), "reason=\"certificate\""},
        {ended, counter, ended_help, number(mllp.not_mllp), "reason=\"not_mllp\""},
        {ended, counter, ended_help, number(mllp.junk), "reason=\"junk\""},
        {ended, counter, ended_help, number(mllp.timed_out), "reason=\"timed_out\""},
        {ended, counter, ended_help, number(mllp.tls_failed), "reason=\"tls\""},
        {"clinic_mllp_received_bytes_total", counter, "Bytes read at the MLLP ports.", number(mllp.bytes)},
        {"clinic_mllp_junk_bytes_total", counter, "Bytes outside of MLLP frames.", number(mllp.junk_bytes)},
        {"clinic_mllp_frames_total", counter, "MLLP frames that were answered or will be.", number(mllp.frames)},
        {"clinic_mllp_answers_total", counter, "Answers sent to MLLP senders.", number(mllp.answers)},
        {faulty, counter, faulty_help, number(mllp.bare_ends), "fault=\"bare_end\""},
        {faulty, counter, faulty_help, number(mllp.damaged), "fault=\"damaged\""},
        {faulty, counter, faulty_help, number(mllp.oversized), "fault=\"oversized\""},
        {faulty, counter, faulty_help, number(mllp.lost), "fault=\"lost\""},
        {"clinic_intake_unsupported_total", counter, "Messages refused for their type or event.", ingest.unsupported},
        {"clinic_intake_ids_reused_total", counter, "Control ids that came again with another body.",
         ingest.ids_reused},
        {"clinic_intake_late_total", counter, "Messages that came when newer things were known.", ingest.late},
        {"clinic_intake_character_sets_assumed_total", counter, "Messages whose character set was a guess.",
         ingest.character_sets_assumed},
    };
}

health::Expected expected_of(const intake::Feeds& feeds, const health::Feed& sender, Timestamp now) {
    const auto table = feeds.table();
    const intake::FeedSettings* settings = table->named(sender.feed);
    if (settings == nullptr) return {};
    const auto last =
        sender.last_message_s < 0 ? std::nullopt : std::optional{now - std::chrono::seconds{sender.last_message_s}};
    return {settings->expected.within.count(), intake::is_silent(settings->expected, last, now)};
}

} // namespace clinic::daemon
