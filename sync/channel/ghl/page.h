// What is kept of a page of GHL's: facts of the allow-list, and, where probing is allowed, phone and e-mail for as long
// as the page is worked on. Everything else is dropped by the parser: never materialised, stored or logged.
//   Bounds:  a body as of every answer (answer.h); 1,000 things a page.
//   Threads: pure.
//   Source:  facts/ghl-api §3.1, §3.3, §3.4, §6.1; docs/crm.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/envelope/frame.h"

namespace clinic::ghl {

// As GHL shows them; wiped when it goes.
struct Person {
    std::string contact, phone, email;
    Person() = default;
    Person(Person&&) noexcept = default;
    Person& operator=(Person&&) noexcept = default;
    Person(const Person&) = delete;
    Person& operator=(const Person&) = delete;
    ~Person();
};

struct Page {
    bool whole = false;     // it is what was asked for; otherwise nothing of it counts
    std::size_t things = 0; // those that were left out too
    std::vector<envelope::CrmFact> facts;
    std::vector<Person> people;
};

struct PageRules {
    const envelope::WriteRules& rules;
    std::int64_t read_ms = 0;
    bool with_people = false;
};

// Of location_read, what is read by its id, contacts_changed, opportunities_page or calendar_events.
Page read_page(envelope::Route route, std::string_view body, const PageRules& how);

} // namespace clinic::ghl
