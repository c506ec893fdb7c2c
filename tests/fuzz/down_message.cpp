// What a box hears on its topic, from any bytes: a message that passes says the same when it is written again, and its
// fact is a frame that clinicd reads as the same fact.
#include <cassert>

#include "sync/envelope/crm_strip.h"
#include "sync/envelope/down_message.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    const auto message = envelope::decode_down(bytes);
    if (!message) return 0;
    assert(bytes.size() <= envelope::down_bytes_max && envelope::encode(*message) == bytes);
    const auto read = envelope::decode_request(envelope::encode(envelope::Request{message->fact}));
    const auto* fact = read ? std::get_if<envelope::CrmFact>(&*read) : nullptr;
    assert(fact != nullptr && *fact == message->fact);
    envelope::WriteRules rules;
    rules.location = "location1";
    rules.reads = {{"calendar1"}, {"spring-checkup"}, {"web-form"}};
    if (!envelope::is_configured(*fact, rules)) return 0;
    if (const auto* booked = std::get_if<envelope::CrmAppointment>(&fact->said))
        assert(booked->calendar == "calendar1");
    if (fact->kind == envelope::CrmKind::location) assert(fact->id == "location1");
    return 0;
}
