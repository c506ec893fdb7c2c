// Whether the box, GHL, the model and the ledger agree, when all is quiet. Each disagreement is a line of the program's
// `wrong_`.
#pragma once

#include <nlohmann/json.hpp>

#include "daemon/crm/objects.h"
#include "tests/model/program.h"

namespace clinic::model {

class Check {
public:
    explicit Check(Program& program) : program_{program}, box_{program.box} {}
    void all();

private:
    using Json = nlohmann::json;
    struct Known {                        // of a patient, as the box has it
        bool found = false, told = false; // they may be told, and their contact is there and filled
        records::PatientId id;
        std::string pid, contact;
        records::PatientFacts facts;
    };
    void say(const std::string& what) { program_.wrong_.push_back(what); }
    Known known(const Patient& patient);
    void books();
    void chain();
    void ledger();
    void nobody_is_named();
    void people();
    void one_of(const Patient& patient);
    void consents(const Patient& patient, const Known& known);
    bool is_untouched(const Json& contact) const;
    void told(const Patient& patient, const Known& known, const Json& contact);
    void emptied(const std::string& who, const Json& contact);
    bool is_nobodys_any_more(const std::string& contact);
    bool is_filled_again(const std::string& contact) const;
    bool is_a_persons(const std::string& contact) const;
    void beside();
    void cases();
    void case_of(const Patient& patient, const Known& known, const std::vector<const Json*>& shown);
    void ended_case(const Json& opportunity);
    void bookings();
    void differing_bookings();
    void booking_of(const Patient& patient, const Known& known, const Visit& visit,
                    const std::vector<const Json*>& ours);
    void shows(const std::string& who, const Visit& visit, const Json& booking);
    void called_off(const Json& booking);
    const Known* owner_of_case(const std::string& name);
    std::optional<records::AppointmentId> appointment_of(const std::string& title);
    bool is_theirs(const std::string& id) const; // GHL's people were the last to change it
    bool is_held(const Known& known, const Json* ours) const;
    void of_the_merged();
    void every_contact();
    bool is_out_of_the_window(const Json& object) const;
    void what_was_seen();
    void what_was_deleted();
    bool is_looked_for(const envelope::CrmAppointment& booked) const;
    std::optional<crm::Object> seen(envelope::CrmKind kind, const std::string& id);

    Program& program_;
    Box& box_;
    Json state_;
    std::map<std::string, const Json*> contacts_; // of GHL, by id
    std::map<std::string, std::string> linked_;   // contact to pid, of those who are there
    std::vector<std::pair<const Patient*, Known>> there_;
};

} // namespace clinic::model
