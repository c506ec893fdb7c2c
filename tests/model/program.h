// One seed: a random program of what the clinic does and what people in GHL do at the same time, with faults, kills and
// clock steps; then quiet; then what does not agree.
//   Threads: one; `meanwhile` is called on it, in the middle of deliveries.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/crm/ownership.h"
#include "tests/model/box.h"
#include "tests/model/model.h"

namespace clinic::model {

struct ProgramCounts {
    int changes = 0, in_ghl = 0, faults = 0, clock_steps = 0, webhooks = 0, lost_webhooks = 0;
};

class Program {
public:
    explicit Program(std::uint64_t seed, Weakness weakness = Weakness::none);

    void run();   // the program
    void quiet(); // nothing happens any more but time, polling, the comparison and its repair
    // What people do in GHL in a calm hour, and what must come of it, one thing after the other.
    void calm_hour();
    void tell_story();                       // each thing that happens is printed; of a seed that is tried alone
    const std::vector<std::string>& wrong(); // all that does not agree; empty: it does

    ProgramCounts counts;
    Box box;

private:
    using Json = nlohmann::json;
    friend class Check;

    int below(int limit) { return std::uniform_int_distribution<int>{0, limit - 1}(random_); }
    bool chance(int percent) { return below(100) < percent; }
    template <class All>
    auto& any(All& all) {
        return *std::next(all.begin(), below(static_cast<int>(all.size())));
    }

    // ---- the clinic
    void clinic_does();
    void register_someone();
    void correct(Patient& patient);
    void book(Patient& patient);
    void change_a_visit(Patient& patient);
    Timestamp booked_in_ghl(const Patient& patient); // the epoch: nothing is
    Timestamp at_a_free_quarter(const Patient& patient, Timestamp start) const;
    void end_a_visit(Patient& patient);
    void merge();
    void consent(Patient& patient);
    void begin_erasing(Patient& patient);
    void go_on_erasing();
    Patient* someone();
    void say(const std::string& message);
    std::string header(const std::string& type);
    static std::string person(const Patient& patient);
    void adt(const std::string& event, const Patient& patient, const std::string& more = "");
    void siu(const std::string& event, const Patient& patient, const std::string& key, const std::string& word);

    // ---- GHL
    void ghl_does();
    std::string some_contact();
    std::string contact_of(const Patient& patient);
    void user_fields(const std::string& contact);
    void user_tags(const std::string& contact);
    void user_stops(const std::string& contact);
    void user_deletes(const std::string& contact);
    void user_deletes_unheard(); // no webhook tells of it
    void user_changes_booking_unheard();
    bool user_changes(const Json& booking, bool moves);
    bool deletes_contact(const std::string& contact);
    bool deletes_case(const Json& opportunity);
    bool deletes_booking(const Json& booking);
    void user_makes_a_lead();
    void user_books(const std::string& contact);
    void user_opportunity(const std::string& contact);
    void user_beside(); // what is ours, or an appointment of the clinic's
    void user_case();
    void user_booking();
    void user_books_over();
    bool user_moves(const std::string& booking, const std::string& start);
    void note_booking(const std::string& id, const std::string& status);
    void webhook(const std::string& type, const Json& object);
    void deliver_webhooks();

    // ---- what goes wrong
    void something_fails();
    void clock_steps();
    void meanwhile(Instant instant);
    std::optional<std::pair<records::PatientId, std::string>> someone_told(); // and their contact
    int recorded(const std::string& contact, crm::Field field);               // in the last hour
    void note(const std::string& what) const;
    void cycle(base::Micros span, bool keep_house);
    bool repair();
    bool settle();          // what waits for a person, as far as it is about bookings
    void close_strangers(); // GHL takes one open opportunity of a contact
    bool something_ends_now() const;

    std::mt19937_64 random_;
    bool story_ = false, calm_ = false, inside_ = false;
    int control_ = 0, keys_ = 0, people_ = 0;
    std::deque<Patient> patients_;
    std::set<std::string> deleted_;                          // contacts that a person deleted in GHL
    std::set<std::string> deleted_cases_, deleted_bookings_; // the same
    std::map<std::string, std::set<std::string>> own_tags_;  // GHL's people's, by contact
    std::set<std::string> leads_;
    std::set<std::string> given_back_;         // contacts of the erased: GHL's people may fill them again
    bool set_back_ = false;                    // the box's clock, ever
    std::map<std::string, Timestamp> touched_; // by GHL's people: our fields, words or do-not-disturb, last; or what is
                                               // beside a contact
    std::set<std::string> called_off_; // bookings that GHL's people ended, whose word counts until a person decides
    std::set<std::string> cases_gone_; // contacts whose case they deleted
    std::map<std::string, std::string> bookings_gone_; // those they deleted, with their contact, whose word counts too
    std::vector<std::string> bookings_, opportunities_;
    std::multimap<Timestamp, envelope::CrmFact> under_way_; // webhooks, by when they come
    std::vector<std::string> wrong_;
};

} // namespace clinic::model
