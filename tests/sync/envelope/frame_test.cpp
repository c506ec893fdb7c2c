#include "sync/envelope/frame.h"

#include <gtest/gtest.h>

#include "tests/sync/envelope/samples.h"

namespace clinic::envelope {
namespace {

TEST(Frame, EveryRequestSurvivesTheRoundTrip) {
    for (const Request& request : samples::requests()) {
        const std::string bytes = encode(request);
        const auto read = decode_request(bytes);
        ASSERT_TRUE(read) << bytes << ": " << read.error().what.c_str();
        EXPECT_EQ(read->index(), request.index());
        EXPECT_EQ(encode(*read), bytes);
    }
}

TEST(Frame, EveryReplySurvivesTheRoundTrip) {
    for (const Reply& reply : samples::replies()) {
        const std::string bytes = encode(reply);
        const auto read = decode_reply(bytes);
        ASSERT_TRUE(read) << bytes << ": " << read.error().what.c_str();
        EXPECT_EQ(read->index(), reply.index());
        EXPECT_EQ(encode(*read), bytes);
    }
}

TEST(Frame, LeaseCarriesWhatTheBoxKnows) {
    const auto read = decode_reply(encode(Reply{samples::lease()}));
    ASSERT_TRUE(read);
    const auto& lease = std::get<Lease>(*read);
    EXPECT_EQ(lease.lease, 9);
    EXPECT_EQ(lease.envelope->encode(), samples::contact_state().encode());
    EXPECT_EQ(lease.contact, "abcDEF123");
    EXPECT_FALSE(lease.create);
    EXPECT_TRUE(lease.look_up_first);
    EXPECT_EQ(lease.unsure_ms, 59'000);
    ASSERT_TRUE(lease.prior_tags);
    EXPECT_EQ(lease.prior_tags->front().text(), std::string{"returning"});
    EXPECT_EQ(lease.tries, 2);
}

TEST(Frame, TagsThatAreNotKnownAreNotNone) {
    auto lease = samples::lease();
    lease.prior_tags.reset();
    EXPECT_FALSE(std::get<Lease>(*decode_reply(encode(Reply{lease}))).prior_tags);
    lease.prior_tags.emplace();
    EXPECT_TRUE(std::get<Lease>(*decode_reply(encode(Reply{lease}))).prior_tags);
}

TEST(Frame, BodyKeepsItsBytes) {
    const std::string body = "{\"a\":\"\\\\ \\\" \xC3\xA9\xEF\xBC\xA1\x01\x1F\x7F/\"}";
    const auto read = decode_request(encode(Request{Attempt{9, Route::contact_create, "/contacts/", body}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(std::get<Attempt>(*read).body, body);
}

TEST(Frame, LargestBodyFits) {
    const std::string body(attempt_body_bytes_max, '\x01');
    EXPECT_TRUE(decode_request(encode(Request{Attempt{9, Route::contact_create, "/contacts/", body}})));
    EXPECT_FALSE(decode_request(encode(Request{Attempt{9, Route::contact_create, "/contacts/", body + "x"}})));
}

TEST(Frame, RequestMayHaveSpacesAndAnyOrder) {
    EXPECT_TRUE(decode_request(R"({ "frame": "lease", "wait_ms": 0, "destination": "crm", "v": 1 })"));
}

TEST(Frame, ReplyMayNot) {
    EXPECT_TRUE(decode_reply(R"({"v":1,"frame":"settled","known":true})"));
    EXPECT_FALSE(decode_reply(R"({"v":1,"frame":"settled","known": true})"));
    EXPECT_FALSE(decode_reply(R"({"v":1,"known":true,"frame":"settled"})"));
}

TEST(Frame, RefusesBadRequests) {
    const std::string long_code(33, 'a'), long_path = "/" + std::string(256, 'a');
    const std::string settle = R"({"v":1,"frame":"settle","lease":9,"outcome":"retry","code":"x","retry_after_ms":0,)"
                               R"("counts_against":false,"contact":"","steps":)";
    std::string steps;
    for (int i = 1; i <= 17; ++i)
        steps += (i > 1 ? "," : "") + (R"({"attempt":)" + std::to_string(i)) + R"(,"result":"unknown","status":0})";
    const std::vector<std::string> bad = {
        "",
        "{}",
        "[]",
        "null",
        "7",
        R"({"v":1})",
        R"({"frame":"device"})",
        R"({"v":2,"frame":"device"})",
        R"({"v":1,"frame":"devices"})",
        R"({"v":1,"frame":"command"})",
        R"({"v":1,"frame":"match_probe","phone":"5551234567"})",
        R"({"v":1,"frame":"device","extra":1})",
        R"({"v":1,"frame":"device","frame":"device"})",
        R"({"v":1,"frame":"verdict","attempt":1,"answer":"go","code":""})",
        R"({"v":1,"frame":"lease","destination":"crm"})",
        R"({"v":1,"frame":"lease","destination":"mail","wait_ms":0})",
        R"({"v":1,"frame":"lease","destination":0,"wait_ms":0})",
        R"({"v":1,"frame":"lease","destination":"crm","wait_ms":-1})",
        R"({"v":1,"frame":"lease","destination":"crm","wait_ms":20001})",
        R"({"v":1,"frame":"lease","destination":"crm","wait_ms":1.5})",
        R"({"v":1,"frame":"attempt","lease":-1,"route":"contact_create","path":"/contacts/","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":0,"route":"contact_create","path":"/contacts/","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"location_read","path":"/locations/a","body":""})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"notes","path":"/contacts/","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"contacts","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"/contacts/?q=anna","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"/contacts/../x","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"/contacts/%41","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":")" + long_path + R"(","body":"{}"})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"/contacts/","body":{}})",
        R"({"v":1,"frame":"attempt","lease":3,"route":"contact_create","path":"/contacts/","body":"{}","token":"x"})",
        settle + "[]",
        settle + R"([{"attempt":0,"result":"unknown","status":0}]})",
        settle + R"([{"attempt":1,"result":"answered","status":0}]})",
        settle + R"([{"attempt":1,"result":"answered","status":600}]})",
        settle + R"([{"attempt":1,"result":"unknown","status":200}]})",
        settle + R"([{"attempt":1,"result":"lost","status":0}]})",
        settle + R"([{"attempt":1,"result":"unknown","status":0},{"attempt":1,"result":"unknown","status":0}]})",
        settle + R"([{"attempt":1,"result":"unknown","status":0,"body":"x"}]})",
        settle + "[" + steps + "]}",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":"","retry_after_ms":5,"counts_against":false,"contact":"","steps":[]})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":"","retry_after_ms":0,"counts_against":true,"contact":"","steps":[]})",
        R"({"v":1,"frame":"settle","lease":0,"outcome":"delivered","code":"","retry_after_ms":0,"counts_against":false,"contact":"abc","steps":[]})",
        R"({"v":1,"frame":"settle","lease":0,"outcome":"delivered","code":"","retry_after_ms":0,"counts_against":false,"contact":"","steps":[],"next":"crm"})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":"","retry_after_ms":0,"counts_against":false,"contact":"","steps":[],"next":""})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":"Anna Muster","retry_after_ms":0,"counts_against":false,"contact":"","steps":[]})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":")" + long_code +
            R"(","retry_after_ms":0,"counts_against":false,"contact":"","steps":[]})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"delivered","code":"","retry_after_ms":0,"counts_against":false,"contact":"a b","steps":[]})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"retry","code":"","retry_after_ms":86400001,"counts_against":false,"contact":"","steps":[]})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"retry","code":"","retry_after_ms":0,"counts_against":0,"contact":"","steps":[]})",
        R"({"v":1,"frame":"time_state","kernel_synchronised":true,"https_offset_s":null,"crm":"up","crm_code":"","mqtt":"up","mqtt_code":""})",
        R"({"v":1,"frame":"time_state","kernel_synchronised":true,"https_offset_s":99999999999,"crm":"up","crm_code":"","mqtt":"up","mqtt_code":""})",
        R"({"v":1,"frame":"time_state","kernel_synchronised":true,"crm":"up","crm_code":"","mqtt":"sideways","mqtt_code":""})",
        R"({"v":1,"frame":"time_state","kernel_synchronised":true,"crm":"up","crm_code":"a-b","mqtt":"up","mqtt_code":""})",
        R"({"v":1,"frame":"device_ack","event":-1})",
        R"({"v":1,"frame":"device_ack","event":9007199254740992})",
        R"({"v":1,"frame":"device_ack","event":18446744073709551615})",
        std::string(frame_bytes_max + 1, ' '),
    };
    for (const std::string& bytes : bad) {
        const auto read = decode_request(bytes);
        ASSERT_FALSE(read) << bytes.substr(0, 300);
        EXPECT_EQ(read.error().code, Errc::refused);
    }
}

// Each change makes a good reply one that must not cross.
struct BadReply {
    const char* what;
    Reply reply;
};

template <class T, class Change>
Reply changed(T frame, Change change) {
    change(frame);
    return frame;
}

TEST(Frame, RefusesBadReplies) {
    const Lease lease = samples::lease();
    const Device device = samples::device();
    const std::vector<BadReply> bad = {
        {"a contact id with a space", changed(lease, [](Lease& one) { one.contact = "Anna M"; })},
        {"a contact id that is too long", changed(lease, [](Lease& one) { one.contact = std::string(65, 'a'); })},
        {"an old contact without a merge", changed(lease, [](Lease& one) { one.old_contact = "abc"; })},
        {"create beside a contact", changed(lease, [](Lease& one) { one.create = true; })},
        {"a wait beyond a day", changed(lease, [](Lease& one) { one.unsure_ms = 86'400'001; })},
        {"tries below zero", changed(lease, [](Lease& one) { one.tries = -1; })},
        {"an incomplete envelope",
         changed(lease, [](Lease& one) { one.envelope = MetadataEnvelope{Kind::contact_suppress}; })},
        {"a consent beside a state", changed(lease, [](Lease& one) { one.also = samples::consent_state(); })},
        {"two of one kind", changed(lease, [](Lease& one) { one.also = samples::contact_state(); })},
        {"the state of another",
         changed(lease,
                 [](Lease& one) { one.also = samples::appt_state().put(Field::pid, samples::pseudonym('p', '9')); })},
        {"a second trace of one envelope", changed(samples::joint(), [](Lease& one) { one.also.reset(); })},
        {"the same trace twice", changed(samples::joint(), [](Lease& one) { one.also_trace = one.trace; })},
        {"an object with a state", changed(lease, [](Lease& one) { one.object = "opp1"; })},
        {"an object with a space", changed(samples::beside(), [](Lease& one) { one.object = "Anna M"; })},
        {"an opportunity of nobody's", changed(samples::beside(), [](Lease& one) { one.contact.clear(); })},
        {"one to create where there is one", changed(samples::beside(), [](Lease& one) { one.create = true; })},
        {"leave to lift beside known tags", changed(lease, [](Lease& one) { one.may_lift = true; })},
        {"heard after it waited", changed(samples::traced(), [](Lease& one) { one.heard_us = -1; })},
        {"heard beyond an hour", changed(samples::traced(), [](Lease& one) { one.heard_us = heard_us_max + 1; })},
        {"the other heard beyond an hour",
         changed(samples::joint(), [](Lease& one) { one.also_heard_us = heard_us_max + 1; })},
        {"a go without a line", Verdict{0, Answer::go, ""}},
        {"a dry run without a line", Verdict{0, Answer::dry, ""}},
        {"a code in words", Verdict{1, Answer::no, "not allowed"}},
        {"a refusal in words", Refused{"PID-5: bad name"}},
        {"another mode", changed(device, [](Device& one) { one.mode = "sleeping"; })},
        {"another basis", changed(device, [](Device& one) { one.basis = "yes"; })},
        {"a version with a name", changed(device, [](Device& one) { one.version = "1.2.3-anna"; })},
        {"a version of two parts", changed(device, [](Device& one) { one.version = "1.2"; })},
        {"a version that ends early", changed(device, [](Device& one) { one.version = "1.2."; })},
        {"a queue beyond its bound", changed(device, [](Device& one) { one.queue = 1'000'001; })},
        {"free space in fine steps", changed(device, [](Device& one) { one.disk_free_percent = 83; })},
        {"more than the whole disk", changed(device, [](Device& one) { one.disk_free_percent = 105; })},
        {"time that runs backwards", changed(device, [](Device& one) { one.uptime_s = -1; })},
        {"a feed with a system's name", changed(device, [](Device& one) { one.feeds[0].feed = "Dentrix1"; })},
        {"a feed twice", changed(device, [](Device& one) { one.feeds[1].feed = "mllp"; })},
        {"too many feeds", changed(device,
                                   [](Device& one) {
                                       for (char c = 'a'; c < 'i'; ++c)
                                           one.feeds.push_back({.feed = std::string(1, c)});
                                   })},
        {"an event code in words", changed(device, [](Device& one) { one.events[0].code = "EAnna"; })},
        {"a severity of nobody's list", changed(device, [](Device& one) { one.events[0].severity = "fatal"; })},
        {"events out of order", changed(device, [](Device& one) { one.events[1].number = 1; })},
        {"an event after 2100", changed(device, [](Device& one) { one.events[0].at_ms = 4'102'444'800'001; })},
    };
    for (const BadReply& one : bad) EXPECT_FALSE(decode_reply(encode(one.reply))) << one.what;
    for (const char* bytes :
         {"", "{}", R"({"v":1,"frame":"lease","lease":0,"contact":"abc"})", R"({"v":1,"frame":"lease","lease":4})",
          R"({"v":1,"frame":"sealed_blob"})", R"({"v":1,"frame":"device"})", R"({"v":1,"frame":"settled","known":1})"})
        EXPECT_FALSE(decode_reply(bytes)) << bytes;
}

} // namespace
} // namespace clinic::envelope
