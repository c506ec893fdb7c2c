#include "sync/envelope/down_message.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/frame_crm.h"

namespace clinic::envelope {
namespace {

constexpr int depth_max = 4;

bool is_message_id(std::string_view text) {
    return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

std::string down_topic(std::string_view box) {
    return "clinic/" + std::string{box} + "/down/v1/crm_fact";
}

std::string encode(const DownMessage& message) {
    return ObjectWriter{}
        .integer("v", 1)
        .text("msg_id", message.id)
        .text("type", "crm_fact")
        .written("data", write(message.fact))
        .str();
}

Result<DownMessage> decode_down(std::string_view bytes) {
    const auto parsed = base::parse_json(bytes, down_bytes_max, depth_max);
    if (!parsed) return parsed.error();
    ObjectReader reader{*parsed};
    DownMessage message;
    reader.integer("v", 1, 1);
    message.id = reader.text("msg_id", is_message_id);
    reader.exactly("type", "crm_fact");
    reader.object("data", [&](ObjectReader& data) {
        data.integer("v", 1, 1);
        data.exactly("frame", "crm_fact");
        message.fact = read_crm_fact(data);
    });
    CLINIC_TRY(reader.done());
    if (encode(message) != bytes) return Error{Errc::refused, "a message that is written in another way"};
    return message;
}

} // namespace clinic::envelope
