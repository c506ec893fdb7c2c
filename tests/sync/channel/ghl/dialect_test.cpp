#include "sync/channel/ghl/dialect.h"

#include <gtest/gtest.h>

#include "tests/sync/channel/ghl/leases.h"

namespace clinic::ghl {
namespace {

TEST(Dialect, CalendarsAreSpokenToInTheirOwnVersion) {
    const Dialects usual;
    EXPECT_STREQ(usual.version(Route::contact_create), "2021-07-28");
    EXPECT_STREQ(usual.version(Route::location_read), "2021-07-28");
    EXPECT_STREQ(usual.version(Route::pipelines_read), "2021-07-28");
    EXPECT_STREQ(usual.version(Route::calendars_read), "2021-04-15");
}

TEST(Dialect, ADatedRequestIsSpokenAsItIs) {
    const auto call = put_fields("c1", {{"fStage", "new"}});
    EXPECT_EQ(Dialects{}.spoken(call), call);
}

TEST(Dialect, TheThirdVersionNamesAFieldsValueOtherwise) {
    Dialects some;
    ASSERT_TRUE(some.speak(Module::contacts, "v3"));
    EXPECT_STREQ(some.version(Route::tags_add), "v3");
    EXPECT_STREQ(some.version(Route::calendars_read), "2021-04-15") << "a module for itself";
    for (const auto& call : {put_fields("c1", {{"fStage", "new"}, {"fLast", "none"}}),
                             create_shell(rules(), "p_0123456789ABCDEFGHJKMNPQRS", {}, {{"fStage", "new"}})}) {
        const auto said = some.spoken(call);
        EXPECT_EQ(said.body.find("field_value"), std::string::npos) << said.body;
        EXPECT_NE(said.body.find(R"("fieldValue":"new")"), std::string::npos) << said.body;
        EXPECT_EQ(said.path, call.path);
        const auto allowed = envelope::check_request(rules(), said.route, said.path, said.body);
        EXPECT_TRUE(allowed) << said.body;
    }
    const auto search = search_marker(rules(), "p_0123456789ABCDEFGHJKMNPQRS");
    EXPECT_EQ(some.spoken(search), search);
}

TEST(Dialect, AVersionThatIsNotInTheTableIsRefused) {
    Dialects some;
    EXPECT_EQ(some.speak(Module::contacts, "2019-01-01").error().code, Errc::unsupported);
    EXPECT_STREQ(some.version(Route::contact_create), "2021-07-28");
}

} // namespace
} // namespace clinic::ghl
