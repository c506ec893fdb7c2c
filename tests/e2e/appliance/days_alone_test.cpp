// A clinic whose line is dead for days, under a real systemd. In the order in which they stand, on one machine.
#include <set>

#include "tests/e2e/appliance/on_machine.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class DaysAlone : public OnSetUpMachine {
protected:
    static json books() { return box().status().at("egress").at("crm"); }
    static json need(const std::string& code) {
        for (const auto& one : box().status().value("needs", json::array()))
            if (one.value("code", "") == code) return one;
        return nullptr;
    }
};

// Taken in all the time, kept over the restarts of five days, and delivered once each when the line is back.
TEST_F(DaysAlone, NothingIsLostAndAllOfItIsDeliveredOnce) {
    const std::vector<std::string> both{"clinicd", "clinic-syncd"};
    ASSERT_TRUE(becomes("running"));
    ASSERT_EQ(box().send(next_message()), "AA");
    ASSERT_TRUE(eventually([] { return books().at("pending") == 0 && books().at("leased") == 0; }, patience_s));
    const auto known = box().persons_at_ghl();
    const auto stored = box().stored();
    box().pull_cable();
    ASSERT_TRUE(eventually([] { return !need("E2102").is_null() || !need("E2103").is_null(); }, patience_s))
        << box().status();
    const auto code = need("E2102").is_null() ? "E2103" : "E2102";
    const std::string since = need(code).value("since", "");
    EXPECT_EQ(since.size(), std::string{"2026-11-27T00:00:00Z"}.size()) << since;

    int sent = 0;
    const auto a_days_messages = [&] {
        for (int i = 0; i < 3; ++i, ++sent) ASSERT_EQ(box().send(next_message()), "AA");
    };
    a_days_messages();
    EXPECT_EQ(need(code).value("since", ""), since) << "the page says since when";
    for (const char* day : {"+1d", "+3d", "+5d"}) { // a power cut in each of these nights
        set_clock(both, day);
        ASSERT_TRUE(box().serves()) << day;
        a_days_messages();
        EXPECT_TRUE(page_is_served());
        EXPECT_EQ(books().at("delivered").get<std::size_t>() + books().at("pending").get<std::size_t>() +
                      books().at("leased").get<std::size_t>() + books().at("parked").get<std::size_t>() +
                      books().at("superseded").get<std::size_t>(),
                  books().at("released").get<std::size_t>())
            << books();
        EXPECT_EQ(books().at("dead"), 0) << books();
    }
    EXPECT_EQ(box().stored() - stored, sent);
    EXPECT_EQ(box().ask("systemctl is-system-running"), "running") << box().in("systemctl --failed").out;

    box().plug_in_again("+5d");
    // Five days without a word of the time: the two sources agree, or a person says that it is right.
    if (!eventually([] { return mode() == "running"; }, 60)) {
        EXPECT_EQ(box().in("clinicctl clock confirm").exit, 0) << box().status()["clock"];
    }
    EXPECT_TRUE(becomes("running")) << box().status();
    const auto all_has_left = [] { // in one look: what was parked a moment ago is pending in the next
        const auto now = books();
        return now.at("pending") == 0 && now.at("leased") == 0 && now.at("parked") == 0;
    };
    EXPECT_TRUE(eventually(all_has_left, patience_s)) << books();
    EXPECT_EQ(box().persons_at_ghl(), known + static_cast<std::size_t>(sent)) << "each of them once";
    EXPECT_EQ(books().at("dead"), 0);
    std::set<std::string> names;
    for (const auto& contact : box().ghl().value("contacts", json::array()))
        EXPECT_TRUE(names.insert(contact.value("firstName", "")).second) << "nobody twice";
    EXPECT_NE(box().heard_by_ops("clinic/+/up/v1/metrics", 1).find("\"mode\":\"running\""), std::string::npos);
    EXPECT_TRUE(eventually([] { return need("E2102").is_null() && need("E2103").is_null(); }, patience_s));
    EXPECT_EQ(box().in("clinicctl audit verify").exit, 0);
}

} // namespace
} // namespace clinic::e2e
