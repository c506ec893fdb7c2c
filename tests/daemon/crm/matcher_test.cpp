// Exact, or a person's choice; nothing is guessed and nothing kept.
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

class CrmMatching : public Crm {
protected:
    PatientId person(const std::string& number, const std::string& phone, const std::string& email = "",
                     bool test_traffic = false) {
        PatientId id;
        clinic.clock.advance(base::Micros{1'000'000});
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto why = release::testing::Clinic::disclose(txn);
            CLINIC_TRY(why);
            records::PatientChange change;
            change.identifiers.push_back({"CLINIC", "MR", records::PhiText{std::string{number}}});
            std::vector<records::PhiText> phones, emails;
            phones.emplace_back(std::string{phone});
            change.phones = records::Said<std::vector<records::PhiText>>::given(std::move(phones));
            if (!email.empty()) {
                emails.emplace_back(std::string{email});
                change.emails = records::Said<std::vector<records::PhiText>>::given(std::move(emails));
            }
            const auto upserted = records::upsert_patient(txn, *why, change, clinic.stamp(), test_traffic);
            CLINIC_TRY(upserted);
            id = upserted->id;
            return clinic.releaser.changed(txn, id, std::nullopt);
        });
        return id;
    }
    std::vector<PatientId> offer_of(const std::string& id) {
        std::vector<PatientId> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto object = find(txn, CrmKind::contact, id);
            CLINIC_TRY(object);
            auto found = offered(txn, (*object)->row);
            CLINIC_TRY(found);
            out = std::move(*found);
            return {};
        });
        return out;
    }
};

TEST_F(CrmMatching, AContactThatIsNobodysIsAskedAboutOnce) {
    auto fact = contact(lead);
    EXPECT_TRUE(take(fact).probe);
    EXPECT_TRUE(take(fact).probe) << "its probe was lost";
    EXPECT_EQ(match(lead, "+15550199999"), Match::none);
    EXPECT_FALSE(take(fact).probe);
    person("N1", "555 010 2031");
    EXPECT_EQ(match(lead, "+15550102031"), Match::refused) << "no trying of number after number";
    fact.read_ms += 1;
    fact.said = CrmContact{.source = "website"};
    EXPECT_FALSE(take(fact).probe) << "GHL has not changed it since";
    EXPECT_TRUE(take(contact(lead)).probe) << "it may have another number now";
}

// Whoever has clinic-syncd could invent contacts without end, and a number for each.
TEST_F(CrmMatching, NumberAfterNumberIsTriedOnlySoOftenADayAndEachTryIsInTheChain) {
    person("N1", "555 010 2031");
    options.probes_per_day = 24;
    reconciler.emplace(options, clinic.releaser);
    const auto entries = [&] {
        std::int64_t newest = 0;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = audit::Trail::newest(txn);
            CLINIC_TRY(found);
            newest = *found;
            return {};
        });
        return newest;
    };
    const auto id = [](int i) { return "GHLinvented" + std::to_string(i); };
    const auto before = entries();
    int asked = 0;
    for (; take(contact(id(asked))).probe && asked < 100; ++asked)
        ASSERT_EQ(match(id(asked), "+155501990" + std::to_string(10 + asked)), Match::none);
    EXPECT_EQ(asked, 24);
    EXPECT_EQ(entries() - before, asked);
    EXPECT_EQ(match(id(asked), "+15550102031"), Match::refused);
    clinic.clock.advance(std::chrono::hours{1});
    EXPECT_TRUE(take(contact(id(asked))).probe);
    EXPECT_EQ(match(id(asked), "+15550102031"), Match::linked);
}

// The usual order of a set-up: GHL is read before a legal basis is set.
TEST_F(CrmMatching, AContactThatWasSeenBeforeProbesWereAllowedIsAskedAboutThen) {
    clinic.set_basis(release::Basis::off);
    auto fact = contact(lead);
    EXPECT_FALSE(take(fact).probe);
    clinic.set_basis(release::Basis::baa, clinic.in_days(300));
    fact.read_ms += 1;
    EXPECT_TRUE(take(fact).probe);
}

TEST_F(CrmMatching, OneNumberOfOnePersonIsALink) {
    const auto patient = person("N1", "(555) 010-2031");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102031"), Match::linked);
    EXPECT_EQ(contact_of(patient), lead);
    EXPECT_FALSE(take(contact(lead)).probe);
    EXPECT_EQ(match(lead, "+15550102031"), Match::linked);
}

TEST_F(CrmMatching, AForeignNumberIsFoundAsItIsDialledToo) {
    const auto patient = person("N1", "020 7946 0958");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+442079460958"), Match::none);
    take(contact(lead));
    EXPECT_EQ(match(lead, "+442079460958", "", "02079460958"), Match::linked);
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(CrmMatching, AnEmailInAnyCaseIsALink) {
    const auto patient = person("N1", "555 010 2031", "Mara.Quillfeather@Example.org");
    take(contact(lead));
    EXPECT_EQ(match(lead, "", "mara.quillfeather@example.org"), Match::linked);
    EXPECT_EQ(contact_of(patient), lead);
}

TEST_F(CrmMatching, TheNumberOfAFamilyIsNeverGuessed) {
    const auto mother = person("N1", "555 010 2031", "mara@example.org"), child = person("N2", "555 010 2031");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102031", "mara@example.org"), Match::choice);
    auto offer = offer_of(lead);
    EXPECT_EQ(offer, (std::vector{std::min(mother, child), std::max(mother, child)}));
    EXPECT_TRUE(contact_of(mother).empty());
    EXPECT_FALSE(take(contact(lead)).probe) << "a person is asked";
}

TEST_F(CrmMatching, NumberAndEmailOfTwoPeopleAreAChoice) {
    person("N1", "555 010 2031");
    person("N2", "555 010 2032", "b@example.org");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102031", "b@example.org"), Match::choice);
}

TEST_F(CrmMatching, WhoHasAContactAlreadyIsAChoice) {
    person("N1", "555 010 2031");
    take(contact("GHLfirst"));
    EXPECT_EQ(match("GHLfirst", "+15550102031"), Match::linked);
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102031"), Match::choice);
}

// Linked to this one, what takes them back would go here, and the one that was made would say it for good.
TEST_F(CrmMatching, WhoMayHaveAContactByACreateWithoutAnAnswerIsAChoiceWhateverWaits) {
    for (const bool taken_back : {false, true}) {
        const std::string number = taken_back ? "1" : "2";
        const auto patient = person("N" + number, "555 010 203" + number);
        create_without_answer(patient);
        if (taken_back) clinic.consent(patient, records::ConsentScope::crm_sync, records::ConsentState::revoked);
        const std::string met = "GHLmet" + number;
        take(contact(met));
        EXPECT_EQ(match(met, "+1555010203" + number), Match::choice);
        EXPECT_EQ(offer_of(met), std::vector{patient});
    }
}

TEST_F(CrmMatching, TestTrafficIsNobody) {
    person("N1", "555 010 2031", "", true);
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102031"), Match::none);
}

TEST_F(CrmMatching, NothingIsAskedInOffAndDeid) {
    person("N1", "555 010 2031");
    for (const auto basis : {release::Basis::off, release::Basis::deid}) {
        clinic.set_basis(basis);
        EXPECT_FALSE(take(contact(lead)).probe);
        EXPECT_EQ(match(lead, "+15550102031"), Match::refused);
    }
}

TEST_F(CrmMatching, NothingIsAskedWhileTheEndOfTheBasisCannotBeTold) {
    clinic.releaser.set_clock_trusted(false);
    EXPECT_FALSE(take(contact(lead)).probe);
}

TEST_F(CrmMatching, AContactThatNobodyHasSeenIsRefused) {
    EXPECT_EQ(match("GHLunseen", "+15550102031"), Match::refused);
}

TEST_F(CrmMatching, ALeadWithDoNotDisturbThatTurnsOutAPatientEndsTheConsents) {
    const auto patient = person("N1", "555 010 2031");
    take(contact(lead, {.dnd = true}));
    EXPECT_EQ(match(lead, "+15550102031"), Match::linked);
    EXPECT_TRUE(revoked(patient, records::ConsentScope::reminders));
}

} // namespace
} // namespace clinic::crm
