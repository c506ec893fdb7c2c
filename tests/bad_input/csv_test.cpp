// Mutated CSV files through the import on a real store: each line is in exactly one of the books, or the header is
// refused and nothing of the file is.
#include <gtest/gtest.h>

#include "daemon/intake/csv_import.h"
#include "tests/daemon/intake/desk.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"

namespace clinic::intake {
namespace {

using testing::Desk;

constexpr std::size_t files_a_round = 6, lines_a_file = 40;

struct Kind {
    ImportKind kind;
    std::string header;
    std::vector<std::string> lines;
};

std::vector<Kind> kinds() {
    return {{ImportKind::patients,
             "record_number,family_name,given_name,birth_date,sex,phone,email,active",
             {"N1,Quillfeather,Ottoline,1985-06-15,F,+1 503 555 0199,o@example.org,yes",
              "N2,\"Brack,\nSr.\",Tom,19790102,M,503-555-0100;503-555-0101,,no", "N3,Ünal,,1990,,,,", "N1,,,,,,,"}},
            {ImportKind::appointments,
             "appointment_id,record_number,start,end,status",
             {"A1,N1,2026-12-01T09:00,2026-12-01T09:30,booked", "A2,,2026-12-01T09:00Z,,", "A1,N1,,,cancelled",
              "A3,N2,2026-12-24T23:59+01:00,,no_show"}},
            {ImportKind::consents,
             "record_number,scope,state,given_on,expires_on",
             {"N1,crm_sync,granted,2026-01-01,2027-01-01", "N2,marketing,revoked,,", "N1,reminders,expired,,"}}};
}

TEST(BadCsvLines, AreEachInTheBooks) {
    const auto all = kinds();
    Desk desk;
    desk.open_basis();
    support::Campaign campaign{
        {.name = "bad_csv", .what = "mutated lines", .plain = 6, .most = 600, .weight = files_a_round * lines_a_file}};
    while (const auto seed = campaign.next()) {
        desk.a_day_later();
        support::Mutator mutate{*seed, ",\"\r\n;0129-:TZ+|\xC3\xFC"};
        for (std::size_t file = 0; file < files_a_round; ++file) {
            const Kind& kind = all[file % all.size()];
            std::string text = mutate.below(8) == 0 ? mutate.changed(kind.header, {kind.header}) : kind.header;
            text += '\n';
            for (std::size_t i = 0; i < lines_a_file; ++i) text += mutate.from(kind.lines) + '\n';
            const auto lines = std::count(text.begin(), text.end(), '\n') + std::count(text.begin(), text.end(), '\r');
            const auto before = desk.books(feed_csv);
            const auto report = import_csv(*desk.store, desk.releaser, kind.kind, text, 1'000);
            const auto after = desk.books(feed_csv);
            ASSERT_TRUE(after.balanced());
            if (!report) {
                EXPECT_EQ(report.error().code, Errc::malformed);
                EXPECT_STRNE(report.error().what.c_str(), "");
                EXPECT_STRNE(report.error().remedy.c_str(), "") << report.error().what.c_str();
                // A quote that was put into the header takes lines into it that were not meant to be.
                const int line = report.error().at.line;
                EXPECT_TRUE(line >= 1 && line <= lines + 1) << line << ' ' << report.error().what.c_str();
                EXPECT_EQ(after.received, before.received);
                continue;
            }
            EXPECT_EQ(report->received, report->stored + report->duplicate + report->quarantined + report->refused);
            EXPECT_EQ(after.received - before.received, report->received);
            EXPECT_EQ(after.stored - before.stored, report->stored);
            const auto faults = static_cast<std::int64_t>(report->faults.size());
            EXPECT_EQ(faults, report->quarantined + report->refused) << "a line without its reason";
            for (const auto& fault : report->faults) {
                EXPECT_STRNE(fault.what.c_str(), "");
                EXPECT_STRNE(fault.remedy.c_str(), "") << fault.what.c_str();
                EXPECT_TRUE(fault.line > 1 && fault.line <= lines + 1) << fault.line << ' ' << fault.what.c_str();
            }
        }
    }
}

} // namespace
} // namespace clinic::intake
