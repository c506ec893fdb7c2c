// What must not compile: patient data and bare values in what leaves.
#include <gtest/gtest.h>

#include <concepts>
#include <string>

#include "daemon/records/types.h"
#include "daemon/release/decide.h"
#include "sync/envelope/envelope.h"

namespace clinic::release {
namespace {

using envelope::Field;
using envelope::MetadataEnvelope;

template <class Value>
concept Leaves = requires(MetadataEnvelope& out, Value value) {
    out.put(Field::stage, std::forward<Value>(value));
};

static_assert(Leaves<envelope::Stage> && Leaves<const envelope::Pseudonym&> &&
              Leaves<envelope::TimeBucket>); // the concept can say yes
static_assert(!Leaves<records::PhiText&> && !Leaves<records::PhiText>);
static_assert(!Leaves<std::string> && !Leaves<const char*> && !Leaves<const char (&)[5]> && !Leaves<std::string_view>);
static_assert(!Leaves<int> && !Leaves<std::int64_t> && !Leaves<double> && !Leaves<bool>);
static_assert(!Leaves<Timestamp> && !Leaves<records::PatientId> && !Leaves<records::AppointmentId>);
static_assert(!std::is_constructible_v<envelope::Pseudonym, std::string>);
static_assert(!std::is_constructible_v<envelope::Word, const char*> &&
              !std::is_default_constructible_v<envelope::Word>);

// What the decision looks at and what it answers hold no text of a person.
template <class Facts>
concept HasPatientText = requires(const Facts& facts) {
    facts.family;
}
|| requires(const Facts& facts) {
    facts.identifiers;
};
static_assert(!HasPatientText<records::PatientFacts> && !HasPatientText<ContactState> && !HasPatientText<ApptState>);
static_assert(HasPatientText<records::PatientChange>);

TEST(ReleasePromises, AreCheckedByTheCompiler) {
    SUCCEED();
}

} // namespace
} // namespace clinic::release
