// A webhook's body, from any bytes: what gets through is a message that the box reads back as the same fact, with
// nothing in it that is not an id, a word of ours or a number.
#include <cassert>

#include "sync/envelope/down_message.h"
#include "sync/relay/webhook.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

namespace {

envelope::WriteRules rules() {
    envelope::WriteRules out;
    out.location = "location1";
    out.fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"};
    out.reads = {{"calendar1"}, {"spring-checkup"}, {"web-form"}};
    return out;
}

bool is_ours(const envelope::CrmContact& contact) {
    for (const auto& one : contact.campaigns)
        if (one != "spring-checkup") return false;
    return (contact.source.empty() || contact.source == "web-form") && contact.stage.size() <= 10 &&
           contact.last.size() <= 7 && contact.next.size() <= 7 && contact.appt_when.size() <= 7;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto webhook = relay::Webhook::read(fuzz::text_of(data, size));
    if (!webhook) return 0;
    const auto fact = webhook->fact(rules());
    if (!fact || !*fact) return 0;
    const envelope::DownMessage message{std::string(32, '0'), **fact};
    const std::string told = envelope::encode(message);
    // what the box's check refuses is not published (Reception)
    const auto heard = envelope::decode_down(told);
    assert(!heard || *heard == message);
    if (const auto* contact = std::get_if<envelope::CrmContact>(&(*fact)->said)) assert(is_ours(*contact));
    return 0;
}
