// What clinic-relay tells a box: one fact of GHL's, stripped, as it is published to clinic/{box}/down/v1/crm_fact.
//   Form:    docs/mqtt.md, "What a box hears". One written form: other bytes than `encode` would write are refused.
//   Bounds:  down_bytes_max. The id is the same however often one webhook comes: receivers drop what they have seen.
//   Threads: values; any.
#pragma once

#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "sync/envelope/crm.h"

namespace clinic::envelope {

inline constexpr std::size_t down_bytes_max = 4'096;

struct DownMessage {
    std::string id; // 32 hexadecimal digits
    CrmFact fact;
    friend bool operator==(const DownMessage&, const DownMessage&) = default;
};

std::string down_topic(std::string_view box); // clinic/{box}/down/v1/crm_fact
std::string encode(const DownMessage& message);
// Errors: malformed, full, refused with the rule that was broken.
Result<DownMessage> decode_down(std::string_view bytes);

} // namespace clinic::envelope
