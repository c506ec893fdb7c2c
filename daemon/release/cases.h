// A patient's opportunity in a pipeline of GHL ("case"): what is said of it, and how it is taken back.
//   Errors:  those of the store and the outbox.
//   Threads: the store's (all take its session).
//   Source:  docs/release.md, "Cases".
#pragma once

#include <array>

#include "daemon/outbox/beside.h"
#include "daemon/release/say_beside.h"

namespace clinic::release {

using Outcomes = std::array<envelope::Case, 7>; // by Stage
inline constexpr Outcomes usual_outcomes{envelope::Case::open,     envelope::Case::open, envelope::Case::open,
                                         envelope::Case::open,     envelope::Case::open, envelope::Case::lost,
                                         envelope::Case::abandoned};

struct CaseOptions {   // "ghl.pipeline" of the settings
    bool told = false; // there is one
    Outcomes outcomes = usual_outcomes;
};

// It takes a case back: nothing else says that stage.
bool ends_case(const envelope::MetadataEnvelope& envelope);

// One patient's case inside one transaction. Without a pipeline there is none.
class Cases {
public:
    Cases(records::Transaction& txn, records::PatientId patient, const CaseOptions& options, SayBeside say)
        : txn_{txn}, patient_{patient}, options_{options}, say_{std::move(say)} {}

    // An outcome that is not open is said of one that is there, or may be, alone.
    Result<void> tell(envelope::Stage stage);
    // One that we have made, or may have made, is ended.
    Result<void> take_back();
    // So is what was left at a contact that is the patient's no more.
    Result<void> close_left();
    Result<bool> something_waits();
    // It is not ended yet, or not sure to be.
    Result<bool> something_stands();
    // GHL does not hold what was said of it.
    Result<void> doubt();

private:
    // Of the patient's own, and of those that were left.
    Result<bool> any(bool (*is_so)(const outbox::Besides& one, const outbox::LastSaid& said));
    Result<std::optional<outbox::Besides>> find();
    Result<outbox::LastSaid> last_said(std::int64_t number);
    Result<void> say(envelope::Stage stage, envelope::Case outcome, std::int64_t number);

    records::Transaction& txn_;
    records::PatientId patient_;
    const CaseOptions& options_;
    const SayBeside say_;
};

} // namespace clinic::release
