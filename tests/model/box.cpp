#include "tests/model/box.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "daemon/compare_commands.h"
#include "daemon/crm/bookings.h"
#include "daemon/crm/walks.h"
#include "daemon/erase_commands.h"
#include "daemon/link_commands.h"
#include "daemon/sync_commands.h"
#include "sync/channel/ghl/plan.h"
#include "tests/daemon/egress/egress_fixture.h"
#include "tests/daemon/intake/desk.h"
#include "tests/emulator/emulator_fixture.h"
#include "tests/emulator/oauth.h"

namespace clinic::model {
namespace {

crypto::SecureBytes key() {
    return crypto::SecureBytes::copy_of(std::as_bytes(std::span{std::string_view{"0123456789abcdef0123456789abcdef"}}));
}

envelope::WriteRules rules_of_the_emulator(Beside beside) {
    envelope::WriteRules rules;
    rules.location = emulator::location;
    rules.fields = {emulator::field_ce_pid,  emulator::field_ce_stage,       emulator::field_ce_last,
                    emulator::field_ce_next, emulator::field_ce_appt_status, emulator::field_ce_appt_when};
    rules.reads = {.calendars = {emulator::calendar_id}, .campaigns = {"spring"}, .sources = {"website"}};
    const auto& stages = emulator::stage_ids;
    if (beside == Beside::cases || beside == Beside::all)
        rules.pipeline = {emulator::pipeline_id,
                          {stages[0], stages[0], stages[1], stages[2], stages[2], "", stages[3]}};
    rules.bookings = beside == Beside::bookings_told || beside == Beside::all;
    if (beside == Beside::all) rules.booking_calendar = emulator::calendar_id;
    return rules;
}

std::unique_ptr<records::Store> open_store(const std::filesystem::path& folder, const Clock& clock) {
    auto opened = records::Store::open({.folder = folder, .make = !std::filesystem::exists(folder / "records.db")},
                                       crypto::KeySlot::from_key(key()), clock);
    EXPECT_TRUE(opened) << opened.error().what.c_str();
    return std::move(*opened);
}

base::UniqueFd listen_again(const std::filesystem::path& socket) {
    std::filesystem::remove(socket);
    return egress::listen_on(socket);
}

poll::PollOptions poll_options(const std::filesystem::path& egress, const BoxOptions& options) {
    poll::PollOptions how{.egress = egress, .hours = options.hours};
    how.walk_pause = {};
    return how;
}

lane::WorkerOptions worker_options(const std::filesystem::path& egress, lane::RateBudget& budget) {
    lane::WorkerOptions how{.egress = egress, .budget = &budget};
    how.lease_wait = how.empty_pause = std::chrono::milliseconds{0};
    return how;
}

ghl::ChannelTimes channel_times() {
    ghl::ChannelTimes times;
    times.budget_wait_max = {}; // a wait would be of real time, and the clock stands meanwhile
    return times;
}

// Where a grant's tokens are kept.
std::optional<lane::SealedFile> grant_file(const Box& box) {
    if (!box.options.oauth) return std::nullopt;
    return lane::SealedFile{box.folder / "grant.sealed", crypto::KeySlot::from_key(key()), "clinic-syncd GHL grant 1"};
}

std::unique_ptr<ghl::GhlClient> make_client(const Box& box) {
    ghl::ClientOptions how;
    how.host = "127.0.0.1";
    how.port = static_cast<std::uint16_t>(box.ghl->port());
    how.ca = emulator::certificate().authority;
    how.token_file = box.folder / "token";
    how.call_max = box.options.call_max;
    if (box.options.oauth)
        how.oauth = {.client_id = emulator::app_id,
                     .client_secret_file = box.folder / "app_secret",
                     .redirect_uri = emulator::redirect,
                     .location = emulator::location};
    return std::move(*ghl::GhlClient::make(how, box.clock, grant_file(box)));
}

poll::Marks open_marks(const Box& box) {
    return std::move(*poll::Marks::open(
        {box.folder / "poll.sealed", crypto::KeySlot::from_key(key()), "clinic-syncd polling 1"}, emulator::location));
}

// In the middle of a delivery the worker asks here first, and something may happen on either side of the question.
class Watched final : public lane::Gate {
public:
    Watched(lane::Gate& gate, Box& box) : gate_{gate}, box_{box} {}
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override {
        const bool write =
            attempt.route == envelope::Route::contact_fields || attempt.route == envelope::Route::tags_add;
        if (write && box_.weakness == Weakness::unasked && box_.weak_now())
            return envelope::Verdict{1, envelope::Answer::go, ""};
        if (box_.meanwhile) box_.meanwhile(Instant::before_question);
        if (!box_.syncd_lives()) return Error{Errc::offline, "killed"};
        auto said = gate_.ask(attempt);
        if (box_.meanwhile) box_.meanwhile(Instant::after_verdict);
        if (!box_.syncd_lives()) return Error{Errc::offline, "killed"};
        return said;
    }

private:
    lane::Gate& gate_;
    Box& box_;
};

} // namespace

// A worker that believes what it has not done.
lane::Delivery Between::not_sent(const envelope::Lease& lease, lane::Gate& gate) {
    lane::Delivery out;
    out.settle.lease = lease.lease;
    for (const auto& call : ghl::writes(box_.rules, lease, lease.contact)) {
        const auto said = gate.ask({lease.lease, call.route, call.path, call.body});
        if (!said || said->answer != envelope::Answer::go) {
            out.abandoned = true;
            return out;
        }
        out.settle.steps.push_back({said->attempt, envelope::StepOutcome::Result::answered, 200});
    }
    return out;
}

lane::Delivery Between::deliver(const envelope::Lease& lease, lane::Gate& gate, std::stop_token stop) {
    ++box_.deliveries;
    Watched watched{gate, box_};
    envelope::Lease taken = lease;
    if (box_.weakness == Weakness::no_look_up && lease.look_up_first && lease.contact.empty()) {
        taken.look_up_first = false;
        taken.unsure_ms = 0;
        taken.create = true;
    }
    if (box_.weakness == Weakness::beside_unlooked && envelope::is_beside(lease.envelope->kind()) &&
        lease.look_up_first && lease.create) {
        taken.look_up_first = false;
        taken.unsure_ms = 0;
    }
    const bool lies = box_.weakness == Weakness::unsent_delivered && !lease.contact.empty() &&
                      !envelope::is_beside(lease.envelope->kind()) && box_.weak_now();
    auto out = lies ? not_sent(taken, watched) : channel_.deliver(taken, watched, stop);
    if (box_.meanwhile) box_.meanwhile(Instant::before_settlement);
    if (!box_.syncd_lives()) out.abandoned = true;
    return out;
}

Clinicd::Clinicd(const std::filesystem::path& records, const std::filesystem::path& socket,
                 const envelope::WriteRules& rules, outbox::Coalesce coalesce, const Clock& clock)
    : health{{.box = "box-1", .version = "0.1.0", .records = records}, clock},
      feeds{*intake::Feeds::make({"0.0.0.0/0"})}, releaser{clock, coalesce}, opened{open_store(records, clock)},
      gate{{.rules = rules}, opened->identifiers(), releaser}, ingest{*opened, releaser, clock, feeds,
                                                                      [](Literal, Literal) {}},
      store{std::move(opened)}, egress{listen_again(socket), {}, gate, *store, releaser, health, clock},
      housekeeping{*store, releaser, *feeds, health, clock} {
    releaser.ask_clock([this] { return health.clock_trusted(); });
    releaser.tell_cases({.told = !rules.pipeline.id.empty()});
    releaser.tell_bookings({rules.bookings, !rules.booking_calendar.empty()}, crm::find_booking);
    health.attach(*store);
    store->on_change([this] {
        egress.wake();
        health.changed();
    });
    EXPECT_TRUE(egress.start());
    commands = daemon::erase_commands(*store, releaser);
    commands.merge(daemon::compare_commands(*store, releaser, health));
    commands.merge(daemon::sync_commands(*store, health));
    commands.merge(daemon::link_commands(*store, releaser));
}

Clinicd::~Clinicd() {
    store->on_change({});
    health.detach();
}

std::string Clinicd::take(const std::string& message) {
    std::promise<std::string> answered;
    auto answer = answered.get_future();
    ingest.message(message, false, [&answered](std::string text) { answered.set_value(std::move(text)); });
    return intake::testing::field_of(answer.get(), "MSA", 1);
}

void Clinicd::write(const records::Store::Job& job) {
    const auto done = store->write(job);
    EXPECT_TRUE(done) << done.error().what.c_str();
}

Syncd::Syncd(Box& box)
    : client{make_client(box)}, budget{box.clock}, board{box.clock}, channel{*client,         box.rules, budget,
                                                                             channel_times(), nullptr,   &board},
      between{channel, box}, lane{box.clock, board}, prober{box.folder / "egress.sock", box.rules, lane, channel},
      worker{worker_options(box.folder / "egress.sock", budget), box.rules, lane, between}, marks{open_marks(box)},
      poller{poll_options(box.folder / "egress.sock", box.options), box.rules, lane, channel, marks, box.clock},
      teller{box.folder / "egress.sock"} {}

std::filesystem::path Box::memory() {
    std::error_code none;
    if (std::filesystem::is_directory("/dev/shm", none)) setenv("TMPDIR", "/dev/shm", 1);
    return std::filesystem::temp_directory_path();
}

bool is_poll(const Box::Heard& heard) {
    return (heard.target == "/contacts/search" && heard.body.find("dateUpdated") != std::string::npos) ||
           heard.target == "/opportunities/search" || heard.target.starts_with("/calendars/events?");
}

bool is_of_grant(const Box::Heard& heard) {
    return heard.target.starts_with("/oauth/");
}

Box::Box(BoxOptions how) : rules{rules_of_the_emulator(how.beside)}, options{how} {
    signal(SIGPIPE, SIG_IGN);
    setenv("TZ", "UTC", 1); // the clinic's zone
    tzset();
    EXPECT_TRUE(crypto::start());
    std::ofstream{folder / "token"} << emulator::token;
    emulator::Options far;
    far.certificate = emulator::certificate().certificate;
    far.key = emulator::certificate().key;
    far.service.token = emulator::token;
    far.service.heard = [this](const emulator::Request& request) {
        pass(options.answer_time);
        const std::lock_guard lock{mutex_};
        heard_.push_back({request.method, request.target, request.body, truth.now()});
        if (heard_one) heard_one(heard_.back());
    };
    ghl = std::move(*emulator::Emulator::start(far, truth));
    clinicd = std::make_unique<Clinicd>(records(), folder / "egress.sock", rules, options.coalesce, clock);
    clinicd->write([&](records::Transaction& txn) {
        release::Policy policy;
        policy.basis = release::Basis::baa;
        policy.unlinked = release::Unlinked::shell;
        return clinicd->releaser.set_policy(txn, policy);
    });
    start_syncd();
    if (options.oauth) let_the_app_in();
}

void Box::let_the_app_in() {
    constexpr int life_s = 3'000;
    std::ofstream{folder / "app_secret"} << emulator::app_secret;
    knob("oauth_life_s", life_s);
    for (int tries = 0; tries < 20; ++tries) { // on a busy machine an answer may come after `call_max`
        const auto allowed = ghl->service().answer({"POST", "/_oauth", {}, R"({"do":"allow"})"});
        if (syncd->client->authorize(nlohmann::json::parse(allowed.body)["code"], {})) return;
    }
    ADD_FAILURE() << "the app is not let in";
}

Box::~Box() {
    syncd.reset();
    if (clinicd) statements::expect_known(*clinicd->store);
    clinicd.reset();
}

void Box::pass(base::Micros span) {
    clock.advance(span);
    truth.advance(span);
}

void Box::step_clock(base::Micros by) {
    clock.set(clock.now() + by);
}

void Box::set_clock_right() {
    clock.set(truth.now());
}

void Box::copy_records(const std::filesystem::path& to) const {
    std::filesystem::remove_all(to);
    std::filesystem::copy(records(), to, std::filesystem::copy_options::recursive);
}

void Box::kill_clinicd() {
    ++kills;
    const auto before = records(), older = folder / "older";
    const auto next = folder.path() / ("records" + std::to_string(life_ + 1));
    copy_records(next);
    clinicd.reset();
    if (weakness == Weakness::forgets_commits && std::filesystem::exists(older)) {
        std::filesystem::remove_all(next);
        std::filesystem::copy(older, next, std::filesystem::copy_options::recursive);
    }
    std::filesystem::remove_all(before);
    ++life_;
    clinicd = std::make_unique<Clinicd>(records(), folder / "egress.sock", rules, options.coalesce, clock);
}

void Box::kill_syncd() {
    ++kills;
    dead_ = true;
}

void Box::start_syncd() {
    syncd.reset();
    syncd = std::make_unique<Syncd>(*this);
    dead_ = false;
}

void Box::turn() {
    if (dead_) start_syncd();
    if (weakness == Weakness::forgets_commits && weak_now()) copy_records(folder / "older");
    auto state = syncd->board.said();
    state.kernel_synchronised = synchronised;
    if (!syncd->teller.connected()) (void)syncd->teller.connect();
    (void)syncd->teller.ask_for<envelope::Settled>(state, std::chrono::seconds{10});
    if (syncd->lane.probe_in().count() <= 0) (void)syncd->prober.probe({});
    if (syncd->lane.up() && syncd->budget.room().wait.count() == 0) (void)syncd->worker.turn({});
    if (dead_) start_syncd();
}

poll::Poller::Round Box::poll() {
    if (weakness == Weakness::blind || !syncd->lane.up()) return {"closed", 0};
    auto made = syncd->poller.round({});
    if (made.code.empty()) syncd->poller.walk({}, clock.monotonic() + std::chrono::minutes{5});
    return made;
}

void Box::compare() {
    if (weakness == Weakness::blind) return;
    ask("sync-compare", nlohmann::json::object());
    for (int i = 0; i < 100; ++i) {
        bool open = false;
        EXPECT_TRUE(clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
            const auto walk = crm::Walks::under_way(session);
            CLINIC_TRY(walk);
            open = walk->has_value();
            return {};
        }));
        if (!open) return;
        pass(std::chrono::seconds{30});
        turn();
        poll();
    }
    ADD_FAILURE() << "the comparison does not end";
}

bool Box::tell(const envelope::CrmFact& fact) {
    if (weakness == Weakness::blind) return false;
    if (!syncd->teller.connected() && !syncd->teller.connect()) return false;
    return syncd->teller.ask_for<envelope::FactTaken>(fact, std::chrono::seconds{10}).has_value();
}

control::Answer Box::ask(const char* command, const nlohmann::json& args) {
    auto answer = clinicd->commands.at(command).run({.args = args, .body = {}, .asker = 0});
    if (!answer) return {.exit = 2, .data = nullptr};
    return std::move(*answer);
}

emulator::Answer Box::by_hand(const std::string& method, const std::string& target, const nlohmann::json& body) {
    return ghl->service().by_hand(method, target, body);
}

emulator::Answer Box::book_by_hand(const std::string& contact, const std::string& start, bool over) {
    return by_hand("POST", "/calendars/events/appointments",
                   {{"calendarId", emulator::calendar_id},
                    {"locationId", rules.location},
                    {"contactId", contact},
                    {"startTime", start},
                    {"ignoreFreeSlotValidation", over},
                    {"title", by_people}});
}

emulator::Answer Box::open_opportunity_by_hand(const std::string& contact) {
    return by_hand("POST", "/opportunities/",
                   {{"pipelineId", emulator::pipeline_id},
                    {"locationId", rules.location},
                    {"name", by_somebody},
                    {"pipelineStageId", emulator::stage_ids[0]},
                    {"status", "open"},
                    {"contactId", contact}});
}

std::string Box::quarter_after(base::Micros ahead) const {
    return emulator::iso_time((true_time() + ahead).micros / 1'000 / 900'000 * 900'000);
}

nlohmann::json Box::ghl_state() {
    return nlohmann::json::parse(ghl->service().answer({"GET", "/_state", {}, ""}).body);
}

void Box::fault(emulator::Fault fault, int count) {
    const nlohmann::json body{{"fault", emulator::name(fault)}, {"count", count}};
    EXPECT_EQ(ghl->service().answer({"POST", "/_faults", {}, body.dump()}).status, 200);
}

void Box::knob(const char* name, int value) {
    const nlohmann::json body{{"knob", name}, {"value", value}};
    EXPECT_EQ(ghl->service().answer({"POST", "/_faults", {}, body.dump()}).status, 200);
}

std::vector<Box::Heard> Box::heard() const {
    const std::lock_guard lock{mutex_};
    return heard_;
}

} // namespace clinic::model
