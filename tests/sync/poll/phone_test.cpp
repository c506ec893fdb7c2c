#include "sync/poll/phone.h"

#include <gtest/gtest.h>

namespace clinic::poll {
namespace {

TEST(Phones, AreE164AndAsTheyAreDialledAtHome) {
    for (const char* shown :
         {"+14155552671", "(415) 555-2671", "415.555.2671", "1 415 555 2671", "+1 (415) 555-2671 x9"}) {
        EXPECT_EQ(read_phone(shown, "US").e164, "+14155552671") << shown;
        EXPECT_EQ(read_phone(shown, "US").national, "4155552671") << shown;
    }
    EXPECT_EQ(read_phone("+442079460958", "US").e164, "+442079460958");
    EXPECT_EQ(read_phone("+442079460958", "US").national, "") << "another country's";
    EXPECT_EQ(read_phone("020 7946 0958", "GB").e164, "+442079460958");
    EXPECT_EQ(read_phone("020 7946 0958", "GB").national, "02079460958");
    EXPECT_EQ(read_phone("0151 23456789", "DE").e164, "+4915123456789");
}

TEST(Phones, WhatIsNoneIsEmpty) {
    for (const char* shown :
         {"", "n/a", "12", "call Anna", "+1415555267199999", "0000000000000000000000000000000000000000000"})
        EXPECT_EQ(read_phone(shown, "US").e164, "") << shown;
    EXPECT_TRUE(is_country("DE"));
    EXPECT_FALSE(is_country("XX"));
    EXPECT_FALSE(is_country("us"));
}

TEST(Emails, AreInSmallLettersOrEmpty) {
    EXPECT_EQ(read_email(" Mara.O'Hara+Clinic@Example.ORG "), "mara.o'hara+clinic@example.org");
    for (const char* bad : {"", "mara", "@x", "x@", "a@b@c", "a b@c", "\"a\"@b", "m\xC3\xA4ra@example.org"})
        EXPECT_EQ(read_email(bad), "") << bad;
}

} // namespace
} // namespace clinic::poll
