// The polling against an emulated GHL, with a clinicd that writes down what it is told.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/secure_bytes.h"
#include "sync/envelope/crm_reads.h"
#include "sync/lane/board.h"
#include "sync/poll/poller.h"
#include "tests/emulator/emulator_fixture.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::poll {

using namespace std::chrono_literals;
using emulator::Json;
using envelope::CrmFact;
using envelope::Request;
using envelope::WalkStep;
using envelope::WalkTerms;

class Polling : public emulator::GhlEmulator {
protected:
    void SetUp() override {
        signal(SIGPIPE, SIG_IGN);
        ASSERT_TRUE(crypto::start());
        client->post("/_faults", R"({"knob":"index_lag_ms","value":0})");
        client->post("/_faults", R"({"knob":"rate_per_10s","value":100000})");
        rules.location = emulator::location;
        rules.fields = {emulator::field_ce_pid,  emulator::field_ce_stage,       emulator::field_ce_last,
                        emulator::field_ce_next, emulator::field_ce_appt_status, emulator::field_ce_appt_when};
        rules.reads = {.calendars = {emulator::calendar_id}, .campaigns = {"spring"}, .sources = {"website"}};
        std::ofstream{folder / "token"} << emulator::token;
        ghl::ClientOptions how;
        how.host = "127.0.0.1";
        how.port = static_cast<std::uint16_t>(emulator->port());
        how.ca = emulator::certificate().authority;
        how.token_file = folder / "token";
        ghl_client = std::move(*ghl::GhlClient::make(how, clock));
        limits.per_second = limits.per_second_max = limits.burst = 10'000;
        budget.emplace(clock, limits);
        channel.emplace(*ghl_client, rules, *budget);
        egress.emplace(folder / "egress.sock", [this](const Request& request) { return answer(request); });
        lane_.probed(std::nullopt);
        open();
    }
    // A clinic-syncd that starts: its marks are read from the file.
    void open(int page = 100, std::size_t bookings_max = 50'000) {
        marks.emplace(std::move(
            *Marks::open({folder / "poll.sealed", crypto::KeySlot::from_key(key()), "poll test"}, rules.location)));
        PollOptions how{.egress = folder / "egress.sock"};
        how.page = page;
        how.bookings_max = bookings_max;
        how.walk_pause = {};
        how.hours = hours;
        poller.emplace(how, rules, lane_, *channel, *marks, clock);
    }
    static crypto::SecureBytes key() {
        return crypto::SecureBytes::copy_of(
            std::as_bytes(std::span{std::string_view{"0123456789abcdef0123456789abcdef"}}));
    }
    std::optional<envelope::Reply> answer(const Request& request) {
        if (const auto* attempt = std::get_if<envelope::Attempt>(&request)) {
            if (attempt->route == failing) client->post("/_faults", R"({"fault":"html-body","count":1})");
            return envelope::Verdict{++attempts, envelope::Answer::go, ""};
        }
        if (std::holds_alternative<CrmFact>(request)) {
            if (refuse) return envelope::Refused{"busy"};
            return envelope::FactTaken{envelope::Taken::stored, probing};
        }
        if (std::holds_alternative<envelope::MatchProbe>(request)) {
            if (refuse_probes) return envelope::Refused{"busy"};
            return envelope::Matched{envelope::Match::none};
        }
        if (std::holds_alternative<envelope::CrmPolled>(request)) return envelope::PollTerms{probing};
        if (const auto* walk = std::get_if<envelope::CrmWalk>(&request)) return walks ? walks(*walk) : WalkTerms{};
        return envelope::Settled{};
    }
    // The facts that a round tells, and no others.
    std::vector<CrmFact> round() {
        const auto before = egress->seen<CrmFact>().size();
        last = poller->round({});
        auto all = egress->seen<CrmFact>();
        return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
    }
    std::vector<std::string> ids(envelope::CrmKind kind) {
        std::vector<std::string> out;
        for (const auto& fact : round())
            if (fact.kind == kind) out.push_back(fact.id);
        return out;
    }
    std::string lead(const std::string& name, const std::string& phone = "") {
        clock.advance(std::chrono::milliseconds{10});
        Json contact{{"firstName", name}, {"tags", {"spring"}}, {"source", "website"}};
        if (!phone.empty()) contact["phone"] = phone;
        Json body = contact;
        body["locationId"] = emulator::location;
        return json(send("POST", "/contacts/", body))["contact"]["id"];
    }
    std::string open_case(const std::string& contact) {
        return json(send("POST", "/opportunities/",
                         {{"pipelineId", emulator::pipeline_id},
                          {"locationId", emulator::location},
                          {"name", "Somebody"},
                          {"pipelineStageId", emulator::stage_ids[0]},
                          {"status", "open"},
                          {"contactId", contact}}))["opportunity"]["id"];
    }
    envelope::CrmPolled polled() { return egress->seen<envelope::CrmPolled>().back(); }
    std::string book(const std::string& contact, const std::string& start) {
        return json(send("POST", "/calendars/events/appointments",
                         {{"calendarId", emulator::calendar_id},
                          {"locationId", emulator::location},
                          {"contactId", contact},
                          {"startTime", start},
                          {"title", "Appointment"}}))["id"];
    }

    envelope::WriteRules rules;
    std::unique_ptr<ghl::GhlClient> ghl_client;
    lane::RateLimits limits;
    std::optional<lane::RateBudget> budget;
    std::optional<ghl::GhlChannel> channel;
    lane::Board board{clock};
    lane::Lane lane_{clock, board};
    std::atomic<std::int64_t> attempts{0};
    std::atomic<bool> probing{false}, refuse{false}, refuse_probes{false};
    std::optional<envelope::Route> failing; // GHL answers it with a fault
    std::optional<Hours> hours;
    std::function<WalkTerms(const envelope::CrmWalk&)> walks; // what clinicd answers to each step
    std::optional<support::ScriptedEgress> egress;
    std::optional<Marks> marks;
    std::optional<Poller> poller;
    Poller::Round last;
};

} // namespace clinic::poll
