// A box and the GHL that it writes to, in one process and in simulated time. Real: the store on its files, intake,
// release, outbox, gate, reconciler, housekeeping, the commands, egress.sock, clinic-syncd's worker, prober, polling,
// budget and HTTPS client, and the emulator behind TLS. Not the programs: their threads are turned by hand, one step at
// a time, so that a seed says what happens.
//   Units:   `clock` is the box's own, which can be wrong; GHL's and the clinic's stand in `truth`.
//   Threads: one drives; the store's, egress.sock's and the emulator's only answer it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/control/control_server.h"
#include "daemon/egress/egress_server.h"
#include "daemon/health/health.h"
#include "daemon/housekeeping.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "sync/channel/ghl/ghl_channel.h"
#include "sync/lane/board.h"
#include "sync/lane/keeper.h"
#include "sync/lane/lane.h"
#include "sync/lane/worker.h"
#include "sync/poll/poller.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::model {

// Where a delivery stands when something else happens.
enum class Instant : std::uint8_t { before_question, after_verdict, before_settlement };

// What the harness does wrong on purpose, so that the test is seen to find it. Never the product.
enum class Weakness : std::uint8_t {
    none,
    no_look_up,       // a create of unknown outcome is made again without looking for it
    unsent_delivered, // now and then a write is called answered that was never sent
    unasked,          // now and then a write is sent that clinicd was not asked about
    blind,            // nothing is polled, compared or heard
    forgets_commits,  // a killed clinicd comes back with the files of some time ago
    beside_unlooked,  // the first, of what is beside a contact
};

inline constexpr const char* by_somebody = "Somebody";  // the name of an opportunity that GHL's people make
inline constexpr const char* by_people = "Appointment"; // the title of a booking that GHL's people make

// What the settings have told beside the contacts: opportunities, and bookings that live in GHL or are made there too.
enum class Beside : std::uint8_t { nothing, cases, bookings_told, all };

// clinicd's parts, joined as doors.cpp joins them.
struct Clinicd {
    Clinicd(const std::filesystem::path& records, const std::filesystem::path& socket,
            const envelope::WriteRules& rules, outbox::Coalesce coalesce, const Clock& clock);
    ~Clinicd();
    std::string take(const std::string& message); // MSA-1
    void write(const records::Store::Job& job);

    health::Health health;
    std::shared_ptr<intake::Feeds> feeds;
    release::Releaser releaser;
    std::unique_ptr<records::Store> opened; // moved on into `store`
    egress::Gate gate;
    intake::Ingest ingest;
    std::unique_ptr<records::Store> store;
    egress::EgressServer egress;
    daemon::Housekeeping housekeeping;
    control::Commands commands;
};

class Box;

// Between the worker and GHL's channel: what may happen in the middle of a delivery, and the weaknesses.
class Between final : public lane::Channel {
public:
    Between(ghl::GhlChannel& channel, Box& box) : channel_{channel}, box_{box} {}
    lane::Delivery deliver(const envelope::Lease& lease, lane::Gate& gate, std::stop_token stop) override;
    lane::Delivery probe(lane::Gate& gate, std::stop_token stop) override { return channel_.probe(gate, stop); }

private:
    lane::Delivery not_sent(const envelope::Lease& lease, lane::Gate& gate);
    ghl::GhlChannel& channel_;
    Box& box_;
};

// clinic-syncd's parts, as its main.cpp makes them.
struct Syncd {
    explicit Syncd(Box& box);
    std::unique_ptr<ghl::GhlClient> client;
    lane::RateBudget budget;
    lane::Board board;
    ghl::GhlChannel channel;
    Between between;
    lane::Lane lane;
    lane::Prober prober;
    lane::Worker worker;
    poll::Marks marks;
    poll::Poller poller;
    lane::EgressClient teller; // of the reporter and of what the relay tells
};

struct BoxOptions {
    outbox::Coalesce coalesce{};
    base::Micros answer_time = std::chrono::milliseconds{130}; // of GHL: slower than the flow of the budget
    std::optional<poll::Hours> hours;
    std::chrono::milliseconds call_max{200}; // real time: what a fault that never answers costs
    Beside beside = Beside::nothing;
    bool oauth = false; // an app's grant, whose access tokens end within the hour; or a private integration token
};

class Box {
public:
    explicit Box(BoxOptions options = {});
    ~Box();

    // ---- time
    void pass(base::Micros span);
    void step_clock(base::Micros by); // the box's alone
    void set_clock_right();
    Timestamp true_time() const { return truth.now(); }

    // ---- the settings
    bool tells_cases() const { return !rules.pipeline.id.empty(); }
    bool tells_bookings() const { return rules.bookings; }
    bool makes_bookings() const { return !rules.booking_calendar.empty(); }

    // ---- the programs
    void kill_clinicd(); // its files as they are at this instant; what was in memory is gone
    void kill_syncd();   // where it stands; made again when its call is over
    void start_syncd();
    bool syncd_lives() const { return !dead_; }

    // ---- a second of both: reports, probes, delivers what is due
    void turn();
    poll::Poller::Round poll();               // when it comes, and as the lane allows; and what is read until the next
    void compare();                           // a full comparison, to its end
    bool tell(const envelope::CrmFact& fact); // as clinic-relay's link does
    control::Answer ask(const char* command, const nlohmann::json& args);

    // ---- GHL
    emulator::Answer by_hand(const std::string& method, const std::string& target, const nlohmann::json& body);
    // `over`: also where something is booked already.
    emulator::Answer book_by_hand(const std::string& contact, const std::string& start, bool over = false);
    emulator::Answer open_opportunity_by_hand(const std::string& contact);
    std::string quarter_after(base::Micros ahead) const; // the quarter of an hour that then has begun, as GHL writes it
    nlohmann::json ghl_state();
    void fault(emulator::Fault fault, int count);
    void knob(const char* name, int value);
    struct Heard {
        std::string method, target, body;
        Timestamp at{};
    };
    std::vector<Heard> heard() const;

    const std::filesystem::path in_memory = memory(); // power cuts have their own tests: nothing waits for a disk here
    fakes::TempFolder folder;
    fakes::ManualClock clock, truth;
    envelope::WriteRules rules;
    BoxOptions options;
    std::unique_ptr<emulator::Emulator> ghl;
    std::unique_ptr<Clinicd> clinicd;
    std::unique_ptr<Syncd> syncd;

    bool synchronised = true; // the kernel's word about the box's clock
    Weakness weakness = Weakness::none;
    std::function<void(Instant)> meanwhile; // called in the middle of deliveries
    std::function<void(const Heard&)> heard_one;
    std::function<bool()> weak_now; // whether a weakness shows this time
    int kills = 0, deliveries = 0;

private:
    friend class Between;
    friend struct Syncd;
    std::filesystem::path records() const { return folder.path() / ("records" + std::to_string(life_)); }
    static std::filesystem::path memory();
    void let_the_app_in(); // as a person does, in a browser
    void copy_records(const std::filesystem::path& to) const;

    bool dead_ = false; // clinic-syncd was killed in the middle of a call
    int life_ = 0;
    mutable std::mutex mutex_; // guards `heard_`
    std::vector<Heard> heard_;
};

bool is_poll(const Box::Heard& heard);     // a page that the polling reads
bool is_of_grant(const Box::Heard& heard); // for a token: nothing of a patient's is asked, and no ledger has it

} // namespace clinic::model
