// GHL's answers: ids that are kept are plain, and a time to wait is bounded.
#include <cassert>

#include "sync/channel/ghl/answer.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    ghl::Exchange exchange;
    exchange.result = ghl::Exchange::Result::answered;
    const ghl::Expected expected{{{"STAGE", "new"}}, {"ce-returning"}, {"ce-recall-due"}};
    const ghl::Sought sought{"opportunities", "name", "p_22222222222222222222222222", "abcDEF123"};
    exchange.answer = ghl::read_answer(bytes, "PID", "p_1", &expected, &sought);
    const auto is_id = [](const std::string& id) { return id.empty() || envelope::is_contact_id(id); };
    assert(is_id(exchange.answer.contact) && is_id(exchange.answer.duplicate_of));
    for (const std::string& id : exchange.answer.marked) assert(!id.empty() && is_id(id));
    assert(is_id(exchange.answer.object));
    for (const std::string& id : exchange.answer.objects) assert(!id.empty() && is_id(id));
    const auto& listed = exchange.answer.listed;
    assert(is_id(listed.created));
    if (listed.fields)
        for (const auto& field : *listed.fields)
            assert(!field.id.empty() && is_id(field.id) && field.name.size() <= 64);
    if (listed.pipelines)
        for (const auto& pipeline : *listed.pipelines) assert(is_id(pipeline.id) && pipeline.name.size() <= 64);
    for (const int status : {200, 400, 401, 422, 429, 503}) {
        exchange.status = status;
        assert(ghl::judge(exchange).code.size() <= 32);
    }
    const auto wait = ghl::retry_after(bytes, 1'795'255'200);
    assert(wait.count() >= 0 && wait <= std::chrono::hours{1});
    return 0;
}
