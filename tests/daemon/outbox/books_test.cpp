// Ten thousand random operations beside a model that is too simple to be wrong.
#include <algorithm>
#include <map>
#include <random>

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

struct ModelRow {
    std::size_t who;
    Kind kind;
    State state;
    Timestamp due{};
    int counted = 0;
    bool withdrawn = false;
    int delivered = 0;       // the how-manieth delivery
    std::int64_t joined = 0; // leased: with this one's lease; 0: its own
};

// The rules of the header, over a plain map, and over what of it is one patient's. All patients are linked.
class Model {
public:
    using Rows = std::map<std::int64_t, ModelRow>; // which do not move
    Rows rows;

    std::int64_t in(State state) const {
        std::int64_t count = 0;
        for (const auto& [id, row] : rows) count += row.state == state ? 1 : 0;
        return count;
    }
    void push(std::int64_t id, std::size_t who, Kind kind, State state, Timestamp now) {
        Timestamp due = now;
        for (const auto* one : of_[who])
            if (one->second.state == State::pending) due = std::max(due, one->second.due);
        for (auto* one : of_[who]) {
            ModelRow& row = one->second;
            if ((row.state == State::pending || row.state == State::parked) && replaces(kind, row.kind))
                row.state = State::superseded;
        }
        const auto [made, is_new] = rows.emplace(id, ModelRow{.who = who, .kind = kind, .state = state, .due = due});
        ASSERT_TRUE(is_new);
        of_[who].push_back(&*made);
    }
    // Whether this lease is one that may be handed out now.
    bool may_lease(std::int64_t id, Timestamp now) const {
        const ModelRow& row = rows.at(id);
        if (row.state != State::pending || row.due > now) return false;
        return std::ranges::none_of(of_.at(row.who), [&](const auto* one) {
            const State state = one->second.state;
            return state == State::leased || (state == State::pending && one->first < id);
        });
    }
    // What goes along with it: the other state, where that is next and neither was refused.
    std::optional<std::int64_t> beside(std::int64_t id, Timestamp now) const {
        const ModelRow& row = rows.at(id);
        const auto& all = of_.at(row.who);
        const auto next = std::ranges::find_if(
            all, [&](const auto* one) { return one->first > id && one->second.state == State::pending; });
        if (next == all.end()) return std::nullopt;
        const ModelRow& other = (*next)->second;
        const bool both =
            row.kind != other.kind && row.kind != Kind::contact_suppress && other.kind != Kind::contact_suppress;
        if (!both || row.counted + other.counted > 0 || other.due > now) return std::nullopt;
        return (*next)->first;
    }
    void lease(std::int64_t id, std::optional<std::int64_t> also) {
        rows.at(id).state = State::leased;
        rows.at(id).joined = 0;
        if (!also) return;
        rows.at(*also).state = State::leased;
        rows.at(*also).joined = id;
    }
    std::vector<std::int64_t> all_of(std::int64_t lease) const {
        std::vector<std::int64_t> all{lease};
        for (const auto* one : of_.at(rows.at(lease).who))
            if (one->second.state == State::leased && one->second.joined == lease) all.push_back(one->first);
        return all;
    }
    bool any_leasable(Timestamp now) const {
        return std::ranges::any_of(rows, [&](const auto& one) { return may_lease(one.first, now); });
    }
    void give_back(std::int64_t id, State to, Timestamp due) {
        ModelRow& row = rows.at(id);
        if (row.withdrawn)
            row.state = State::withdrawn;
        else if (to != State::dead && replaced(id))
            row.state = State::superseded;
        else
            row.state = to;
        row.due = due;
        if (row.state == State::pending) hold_younger(id);
    }
    void deliver(std::int64_t id) {
        rows.at(id).state = State::delivered;
        rows.at(id).delivered = ++deliveries_;
    }
    bool replaced(std::int64_t id) const {
        const ModelRow& row = rows.at(id);
        return std::ranges::any_of(of_.at(row.who), [&](const auto* one) {
            const ModelRow& other = one->second;
            const bool suppressed = row.kind == Kind::contact_suppress && other.kind == Kind::contact_state;
            if (one->first <= id || !(replaces(other.kind, row.kind) || suppressed)) return false;
            const bool waits =
                other.state == State::pending || other.state == State::leased || other.state == State::parked;
            return waits || (other.state == State::delivered && !unsaid(other));
        });
    }
    void hold_younger(std::int64_t id) {
        const ModelRow& row = rows.at(id);
        for (auto* one : of_[row.who])
            if (one->first > id && one->second.state == State::pending)
                one->second.due = std::max(one->second.due, row.due);
    }

private:
    static bool replaces(Kind kind, Kind older) {
        return kind == older || (kind == Kind::contact_suppress && older != Kind::consent_state);
    }
    // What was delivered and then taken back by its opposite is no longer remembered.
    bool unsaid(const ModelRow& row) const {
        const bool suppress = row.kind == Kind::contact_suppress;
        return std::ranges::any_of(of_.at(row.who), [&](const auto* one) {
            const ModelRow& other = one->second;
            return other.delivered > row.delivered && suppress == (other.kind != Kind::contact_suppress);
        });
    }
    std::map<std::size_t, std::vector<Rows::value_type*>> of_; // by patient, oldest first
    int deliveries_ = 0;
};

class TheBooks : public OutboxTest {
protected:
    static constexpr std::size_t patients = 12;
    static constexpr int operations = 10'000;

    void prepare() {
        for (std::size_t i = 0; i < patients; ++i) {
            who_.push_back(patient(std::to_string(i)));
            link(who_.back(), "c" + std::to_string(i));
        }
    }
    int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }
    std::optional<std::int64_t> any(State state) {
        std::vector<std::int64_t> ids;
        for (const auto& [id, row] : model_.rows)
            if (row.state == state && (state != State::leased || row.joined == 0)) ids.push_back(id);
        if (ids.empty()) return std::nullopt;
        return ids[static_cast<std::size_t>(below(static_cast<int>(ids.size())))];
    }

    void push_one(Transaction& txn) {
        const auto index = static_cast<std::size_t>(below(patients));
        const PatientId id = who_[index];
        const bool parked = below(8) == 0;
        const int what = below(5);
        const auto envelope = what < 2   ? contact_state(txn, id, static_cast<Stage>(below(7)))
                              : what < 4 ? appt_state(txn, id, static_cast<envelope::ApptStatus>(below(8)))
                                         : suppress(txn, id);
        const auto row = Outbox::push(txn, Destination::crm, id, envelope,
                                      parked ? std::optional<std::string_view>{"clock"} : std::nullopt);
        ASSERT_TRUE(row);
        model_.push(*row, index, envelope.kind(), parked ? State::parked : State::pending, txn.now());
    }
    void lease_one(Transaction& txn) {
        const auto lease = Outbox::lease(txn, Destination::crm, true, unsure_for);
        ASSERT_TRUE(lease);
        ASSERT_EQ(lease->has_value(), model_.any_leasable(txn.now()));
        if (!*lease) return;
        ASSERT_TRUE(model_.may_lease((*lease)->lease, txn.now())) << (*lease)->lease;
        const auto also = model_.beside((*lease)->lease, txn.now());
        ASSERT_EQ((*lease)->also.has_value(), also.has_value());
        joint_ += also ? 1 : 0;
        model_.lease((*lease)->lease, also);
    }
    void settle_one(Transaction& txn) {
        const auto id = any(State::leased);
        if (!id) return;
        envelope::Settle settle{.lease = *id, .code = "code", .contact = "", .steps = {}};
        const int how = below(10);
        if (how >= 6) settle.outcome = how < 9 ? envelope::Outcome::retry : envelope::Outcome::dead;
        if (settle.outcome == envelope::Outcome::retry) {
            settle.retry_after_ms = below(3) * 1'000;
            settle.counts_against = below(3) == 0;
        }
        for (const auto one : model_.all_of(*id)) {
            ModelRow& row = model_.rows.at(one);
            row.counted += settle.counts_against ? 1 : 0;
            const bool dead = settle.outcome == envelope::Outcome::dead || row.counted >= 2;
            if (settle.outcome == envelope::Outcome::delivered)
                model_.deliver(one);
            else
                model_.give_back(one, dead ? State::dead : State::pending,
                                 txn.now() + milliseconds{settle.retry_after_ms});
        }
        const auto settled = Outbox::settle(txn, settle);
        ASSERT_TRUE(settled && settled->known);
    }
    void park_or_kill_one(Transaction& txn) {
        const auto id = any(State::leased);
        if (!id) return;
        const bool park = below(2) == 0;
        for (const auto one : model_.all_of(*id)) {
            model_.give_back(one, park ? State::parked : State::dead, txn.now());
            ASSERT_TRUE(park ? Outbox::park(txn, one, "clock") : Outbox::kill(txn, one, "blocked"));
        }
    }
    void withdraw_one(Transaction& txn) {
        const auto index = static_cast<std::size_t>(below(patients));
        for (auto& [id, row] : model_.rows) {
            if (row.who != index) continue;
            if (row.state == State::leased)
                row.withdrawn = true;
            else if (row.state < State::delivered)
                row.state = State::withdrawn;
        }
        ASSERT_TRUE(Outbox::withdraw(txn, who_[index], "consent_revoked"));
    }
    void unpark_all(Transaction& txn) {
        for (auto& [id, row] : model_.rows)
            if (row.state == State::parked) row.state = State::pending, row.due = txn.now();
        ASSERT_TRUE(Outbox::unpark(txn, "clock"));
    }
    void release_all(Transaction& txn) {
        for (auto& [id, row] : model_.rows)
            if (row.state == State::leased) model_.give_back(id, State::pending, txn.now());
        for (auto& [id, row] : model_.rows)
            if (row.state == State::pending) row.due = std::min(row.due, txn.now());
        ASSERT_TRUE(Outbox::release_leases(txn, std::nullopt));
    }
    void retry_one(Transaction& txn) {
        const auto id = any(State::dead);
        if (!id) return;
        ModelRow& row = model_.rows.at(*id);
        row.counted = 0;
        model_.give_back(*id, State::pending, txn.now());
        ASSERT_TRUE(Outbox::retry_dead(txn, *id));
    }
    void one(Transaction& txn) {
        const int what = below(100);
        if (what < 30)
            push_one(txn);
        else if (what < 60)
            lease_one(txn);
        else if (what < 85)
            settle_one(txn);
        else if (what < 89)
            park_or_kill_one(txn);
        else if (what < 91)
            withdraw_one(txn);
        else if (what < 93)
            unpark_all(txn);
        else if (what < 95)
            release_all(txn);
        else if (what < 98)
            retry_one(txn);
        else
            clock_.advance(seconds{1});
    }
    void compare(Transaction& txn) {
        const auto books = Outbox::books(txn, Destination::crm);
        ASSERT_TRUE(books);
        ASSERT_TRUE(books->balanced());
        ASSERT_EQ(books->released, static_cast<std::int64_t>(model_.rows.size()));
        ASSERT_EQ(books->pending, model_.in(State::pending));
        ASSERT_EQ(books->leased, model_.in(State::leased));
        ASSERT_EQ(books->parked, model_.in(State::parked));
        ASSERT_EQ(books->dead, model_.in(State::dead));
        ASSERT_EQ(books->delivered, model_.in(State::delivered));
        ASSERT_EQ(books->superseded, model_.in(State::superseded));
        ASSERT_EQ(books->withdrawn, model_.in(State::withdrawn));
        ASSERT_EQ(books->discarded, 0);
    }

    Model model_;
    std::vector<PatientId> who_;
    int joint_ = 0; // leases of two
    std::mt19937 random_{20261121};
};

TEST_F(TheBooks, BalanceAfterTenThousandRandomOperations) {
    prepare();
    for (int done = 0; done < operations && !HasFatalFailure(); done += 50) {
        in([&](Transaction& txn) -> Result<void> {
            for (int i = 0; i < 50 && !HasFatalFailure(); ++i) one(txn);
            compare(txn);
            return {};
        });
        if (done % 1'000 == 0) expect_books();
    }
    expect_books();
    const Books all = books();
    EXPECT_GT(all.delivered, 500);
    EXPECT_GT(all.superseded, 500);
    EXPECT_GT(all.withdrawn, 50);
    EXPECT_GT(joint_, 100);
}

} // namespace
} // namespace clinic::outbox
