// What must not compile, as facts that the compiler checks.
#include <gtest/gtest.h>

#include <concepts>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

#include "daemon/records/phi.h"
#include "daemon/records/types.h"

namespace clinic::records {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
    out << value;
};
template <class T, class Other>
concept ComparableWith = requires(const T& value, const Other& other) {
    value == other;
}
|| requires(const T& value, const Other& other) {
    value < other;
};
template <class T>
concept HasAFieldToRead = requires(const T& value) {
    value.value_;
}
|| requires(const T& value) {
    value.value();
};
template <class T>
concept RevealedWithoutDisclosure = requires(const T& value) {
    reveal(value);
};
template <class T, class Why>
concept RevealedBy = requires(const T& value, const Why& why) {
    reveal(value, why);
};

static_assert(Streamable<std::string> && ComparableWith<std::string, std::string>); // the concepts can say yes

static_assert(!Streamable<PhiText>);
static_assert(!Streamable<Phi<std::int64_t>>);
static_assert(!std::is_copy_constructible_v<PhiText> && !std::is_copy_assignable_v<PhiText>);
static_assert(std::is_nothrow_move_constructible_v<PhiText>);
static_assert(!ComparableWith<PhiText, std::string>);
static_assert(!ComparableWith<PhiText, const char*>);
static_assert(!ComparableWith<PhiText, PhiText>);
static_assert(!std::is_convertible_v<PhiText, std::string>);
static_assert(!std::is_convertible_v<PhiText, std::string_view>);
static_assert(!std::is_constructible_v<std::string, PhiText>);
static_assert(!std::is_convertible_v<std::string, PhiText>); // into it only by name
static_assert(!HasAFieldToRead<PhiText>);
static_assert(!RevealedWithoutDisclosure<PhiText>);
static_assert(RevealedBy<PhiText, Disclosure>);
static_assert(!RevealedBy<PhiText, std::int64_t>);
static_assert(!RevealedBy<PhiText, const char*>);

static_assert(!std::is_default_constructible_v<Disclosure>);
static_assert(!std::is_constructible_v<Disclosure, std::int64_t>);
static_assert(!std::is_aggregate_v<Disclosure>);

static_assert(!std::is_convertible_v<PatientId, AppointmentId>);
static_assert(!ComparableWith<PatientId, AppointmentId>);
static_assert(!std::is_copy_constructible_v<Identifier> && !std::is_copy_constructible_v<PatientChange>);

// Facts for release hold no patient data type at all, so they may be copied.
static_assert(std::is_copy_constructible_v<PatientFacts>);

TEST(Promises, AreCheckedByTheCompiler) {
    SUCCEED();
}

TEST(Words, LeadBackToTheirValues) {
    for (int i = 0; i <= static_cast<int>(AppointmentStatus::entered_in_error); ++i) {
        const auto status = static_cast<AppointmentStatus>(i);
        EXPECT_EQ(appointment_status(name(status)), status);
    }
    for (const auto scope : {ConsentScope::crm_sync, ConsentScope::reminders, ConsentScope::marketing})
        EXPECT_EQ(consent_scope(name(scope)), scope);
    for (const auto state : {ConsentState::granted, ConsentState::revoked, ConsentState::expired})
        EXPECT_EQ(consent_state(name(state)), state);
    EXPECT_FALSE(appointment_status("Booked"));
    EXPECT_TRUE(is_open(AppointmentStatus::rescheduled));
    EXPECT_FALSE(is_open(AppointmentStatus::no_show));
}

} // namespace
} // namespace clinic::records
