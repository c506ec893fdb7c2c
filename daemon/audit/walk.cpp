#include "daemon/audit/walk.h"

#include <algorithm>

#include "daemon/audit/link.h"

namespace clinic::audit {
namespace {

constexpr int links_a_snapshot = 1'000;

} // namespace

const Gap* Verified::unsaid() const {
    const auto found = std::ranges::find(gaps, 0, &Gap::said_by);
    return found == gaps.end() ? nullptr : &*found;
}

void mark_said(std::vector<Gap>& gaps, const std::vector<Gap>& said) {
    for (Gap& gap : gaps) {
        const auto by =
            std::ranges::find_if(said, [&](const Gap& one) { return one.first <= gap.first && gap.last <= one.last; });
        if (by == said.end()) continue;
        gap.said_by = by->said_by;
        gap.said_at = by->said_at;
    }
}

// The first link behind a gap is proven only if it was written when the gap was there: it says so.
void Walk::take(const Link& link, bool is_proven) {
    if (gap_from_ == 0 && (!is_proven || link.number != newest_ + 1)) gap_from_ = newest_ + 1;
    if (is_proven && gap_from_ != 0) end_gap(link.number - 1);
    newest_ = link.number;
    if (link.kind == Kind::entry) ++entries_;
    if (is_proven && link.kind == Kind::lost && said_.size() < gaps_max)
        said_.push_back({link.refers, link.actor_id, link.number, link.at});
}

void Walk::end_gap(std::int64_t last) {
    if (gaps_.size() == gaps_max)
        gaps_.back().last = last;
    else
        gaps_.push_back({gap_from_, last});
    gap_from_ = 0;
}

Result<bool> Walk::go_on(records::Session& session, int links_max) {
    auto rows = session.prepare(links_after);
    CLINIC_TRY(rows);
    rows->bind(newest_, links_max);
    if (!hash_) hash_ = before_the_first(session);
    for (int walked = 0; walked < links_max; ++walked) {
        const auto row = rows->step();
        CLINIC_TRY(row);
        if (!*row) {
            CLINIC_TRY(look_at_the_end(session));
            return true;
        }
        Link link = to_link(*rows);
        auto subjects = read_subjects(session, link.number);
        CLINIC_TRY(subjects);
        link.subjects = std::move(subjects->ids);
        const auto stored = read_hash(*rows, 9);
        take(link, subjects->whole && fits(link) && stored == hash_of(*hash_, link));
        hash_ = stored;
    }
    return false;
}

// Numbers that were given and whose links are not there, and subjects of links that never were.
Result<void> Walk::look_at_the_end(records::Session& session) {
    const auto end = end_of(session);
    CLINIC_TRY(end);
    if (end->given > newest_ && gap_from_ == 0) gap_from_ = newest_ + 1;
    if (gap_from_ != 0) end_gap(end->given);
    auto strays = session.prepare("SELECT EXISTS (SELECT 1 FROM audit_subject WHERE link < 1)");
    CLINIC_TRY(strays);
    const auto row = strays->step();
    CLINIC_TRY(row);
    if (strays->integer(0) != 0) gaps_.insert(gaps_.begin(), Gap{});
    return {};
}

Verified Walk::verified() const {
    Verified out{entries_, hash_ ? crypto::hex(*hash_) : std::string{}, gaps_};
    mark_said(out.gaps, said_);
    return out;
}

Result<Verified> walk_through(records::Store& store) {
    Walk walk;
    for (bool ended = false; !ended;) {
        CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
            const auto done = walk.go_on(session, links_a_snapshot);
            CLINIC_TRY(done);
            ended = *done;
            return {};
        }));
    }
    return walk.verified();
}

} // namespace clinic::audit
