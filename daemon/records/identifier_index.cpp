#include "daemon/records/identifier_index.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "crypto/seal.h"
#include "daemon/records/text_views.h"
#include "daemon/records/token_counts.h"

namespace clinic::records {
namespace {

constexpr std::size_t letters_min = 5; // shorter ones count only as a whole value or token
constexpr std::size_t digits_min = 6;
constexpr std::size_t window_max = 64;     // a longer identifier is known by its first 64 letters or digits
constexpr std::size_t short_names_max = 4; // names of a person that are tried in every order

enum class Form : std::uint8_t { letters = 1, digits, whole };

struct Row {
    IdentifierKind kind;
    Form form;
    std::size_t length; // letters or digits; 0 for a whole value
    std::uint64_t token;
    friend auto operator<=>(const Row&, const Row&) = default;
};

static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));

class TokenKeys {
public:
    explicit TokenKeys(const crypto::SecureBytes& index_key)
        : keys_{crypto::derive(index_key, 1, "lastchk1"), crypto::derive(index_key, 2, "lastchk1"),
                crypto::derive(index_key, 3, "lastchk1")} {}

    std::uint64_t token(Form form, std::string_view value) const {
        const auto* key =
            reinterpret_cast<const unsigned char*>(keys_[static_cast<std::size_t>(form) - 1].bytes().data());
        std::uint64_t out = 0;
        crypto_shorthash(reinterpret_cast<unsigned char*>(&out), reinterpret_cast<const unsigned char*>(value.data()),
                         value.size(), key);
        return out;
    }

private:
    std::array<crypto::SecureBytes, 3> keys_; // one a form, so that tokens of two forms never mean the same
};

// The rows of one person's identifiers.
class RowMaker {
public:
    explicit RowMaker(const TokenKeys& keys) : keys_{keys} {}

    void add(const IdentifierValue& identifier) {
        switch (identifier.kind) {
        case IdentifierKind::name: return name(identifier.value);
        case IdentifierKind::phone: return phone(identifier.value);
        case IdentifierKind::email: return email(identifier.value);
        case IdentifierKind::number: return number(identifier.value);
        case IdentifierKind::date: return date(identifier.value);
        }
    }

    // Short parts become long together: "Li" and "Wu" are LIWU and WULI.
    void add_joined_names() {
        std::sort(short_names_.begin(), short_names_.end());
        const std::size_t count = std::min(short_names_.size(), short_names_max);
        for (std::size_t a = 0; a < count; ++a) {
            for (std::size_t b = 0; b < count; ++b) {
                if (a == b) continue;
                const std::string pair = short_names_[a] + short_names_[b];
                text(IdentifierKind::name, pair);
                for (std::size_t c = 0; c < count; ++c) {
                    if (c != a && c != b) text(IdentifierKind::name, pair + short_names_[c]);
                }
            }
        }
    }

    std::set<Row> take() { return std::move(rows_); }

private:
    void put(IdentifierKind kind, Form form, std::size_t length, std::string_view value) {
        rows_.insert({kind, form, length, keys_.token(form, value)});
    }

    bool letters(IdentifierKind kind, std::string_view value) {
        const LetterStream stream = letters_of(value);
        if (stream.size() < letters_min) return false;
        const std::size_t length = std::min(stream.size(), window_max);
        put(kind, Form::letters, length, stream.window(0, length));
        return true;
    }

    bool digits(IdentifierKind kind, std::string_view value) {
        const std::string stream = digits_of(value);
        if (stream.size() < digits_min) return false;
        const std::size_t length = std::min(stream.size(), window_max);
        put(kind, Form::digits, length, std::string_view{stream}.substr(0, length));
        return true;
    }

    void whole(IdentifierKind kind, std::string_view value) {
        if (const std::string text = folded(value); !text.empty()) put(kind, Form::whole, 0, text);
    }

    void text(IdentifierKind kind, std::string_view value) {
        if (!letters(kind, value)) whole(kind, value);
    }

    void name(std::string_view value) {
        for (const std::string& spelling : {std::string{value}, with_umlauts_spelled(value)}) {
            text(IdentifierKind::name, spelling);
            for (const std::string& word : tokens_of(spelling)) text(IdentifierKind::name, word);
        }
        if (const LetterStream stream = letters_of(value); stream.size() > 0 && stream.size() < letters_min) {
            short_names_.push_back(stream.bytes);
        }
    }

    // With and without a country code: +1 by rule, others by the two lengths that are usual.
    void phone(std::string_view value) {
        const std::string all = digits_of(value);
        if (!digits(IdentifierKind::phone, all)) return whole(IdentifierKind::phone, all);
        const std::string_view view{all};
        if (all.size() > 10) digits(IdentifierKind::phone, view.substr(all.size() - 10));
        if (value.find('+') == std::string_view::npos || all.front() == '1') return;
        for (const std::size_t code : {2U, 3U}) {
            if (all.size() >= code + 7) digits(IdentifierKind::phone, view.substr(code));
        }
    }

    void email(std::string_view value) {
        text(IdentifierKind::email, value);
        const std::string_view local = value.substr(0, value.find('@'));
        letters(IdentifierKind::email, local);
        digits(IdentifierKind::email, local);
    }

    void number(std::string_view value) {
        const bool by_letters = letters(IdentifierKind::number, value);
        const bool by_digits = digits(IdentifierKind::number, value);
        if (!by_letters && !by_digits) whole(IdentifierKind::number, value);
        const std::string all = digits_of(value);
        const std::size_t zeros = all.find_first_not_of('0');
        if (by_digits && zeros != 0 && zeros != std::string::npos)
            digits(IdentifierKind::number, std::string_view{all}.substr(zeros));
    }

    void date(std::string_view value) {
        const std::string all = digits_of(value);
        if (all.size() < 8) {
            if (!digits(IdentifierKind::date, all)) whole(IdentifierKind::date, all);
            if (all.size() == 6) digits(IdentifierKind::date, all.substr(4) + all.substr(0, 4));
            return;
        }
        const std::string year = all.substr(0, 4), month = all.substr(4, 2), day = all.substr(6, 2);
        const auto bare = [](const std::string& two) { return two.front() == '0' ? two.substr(1) : two; };
        for (const auto& [m, d] : {std::pair{month, day}, std::pair{bare(month), bare(day)}}) {
            for (const std::string& form : {year + m + d, m + d + year, d + m + year})
                digits(IdentifierKind::date, form);
        }
    }

    const TokenKeys& keys_;
    std::set<Row> rows_;
    std::vector<std::string> short_names_;
};

} // namespace

struct IdentifierIndex::State {
    explicit State(const crypto::SecureBytes& index_key) : keys{index_key} {}

    TokenKeys keys;
    mutable std::shared_mutex mutex;
    bool loaded = false;
    // A token is there as often as patients have it; equal names stay until the last of them goes.
    std::array<TokenCounts, 3> tokens;                                 // by form
    std::array<std::array<std::int64_t, window_max + 1>, 3> lengths{}; // rows of that length, by form

    void add(const Row& row) { count(row, 1); }
    void drop(const Row& row) { count(row, -1); }
    void count(const Row& row, std::int32_t by) {
        const auto form = static_cast<std::size_t>(row.form) - 1;
        tokens[form].add(row.token, by);
        lengths[form][row.length] += by;
    }

    bool has(Form form, std::string_view value) const {
        return tokens[static_cast<std::size_t>(form) - 1].contains(keys.token(form, value));
    }

    std::vector<std::size_t> lengths_of(Form form) const {
        std::vector<std::size_t> present;
        const auto& counts = lengths[static_cast<std::size_t>(form) - 1];
        for (std::size_t length = 1; length < counts.size(); ++length) {
            if (counts[length] > 0) present.push_back(length);
        }
        return present;
    }

    bool letters_in(const LetterStream& stream) const {
        for (const std::size_t length : lengths_of(Form::letters)) {
            for (std::size_t at = 0; at + length <= stream.size(); ++at) {
                if (has(Form::letters, stream.window(at, length))) return true;
            }
        }
        return false;
    }

    bool digits_in(std::string_view stream) const {
        for (const std::size_t length : lengths_of(Form::digits)) {
            for (std::size_t at = 0; at + length <= stream.size(); ++at) {
                if (has(Form::digits, stream.substr(at, length))) return true;
            }
        }
        return false;
    }

    bool anywhere_in(std::string_view view) const {
        const LetterStream letters = letters_of(view);
        if (letters_in(letters) || letters_in(reversed(letters))) return true;
        std::string digits = digits_of(view);
        if (digits_in(digits)) return true;
        std::ranges::reverse(digits);
        return digits_in(digits);
    }

    bool whole_in(std::string_view value) const {
        if (tokens[static_cast<std::size_t>(Form::whole) - 1].size() == 0) return false;
        for (const std::string& view : whole_views_of(value)) {
            if (const std::string text = folded(view); !text.empty() && has(Form::whole, text)) return true;
            for (const std::string& token : tokens_of(view)) {
                if (has(Form::whole, token)) return true;
            }
        }
        return false;
    }
};

namespace {

Result<void> each_row(Statement& rows, const std::function<void(const Row&)>& each) {
    while (true) {
        auto more = rows.step();
        if (!more) return more.error();
        if (!*more) return {};
        const std::int64_t form = rows.integer(1);
        const std::int64_t length = rows.integer(2);
        if (form < 1 || form > 3 || length < 0 || length > static_cast<std::int64_t>(window_max)) {
            return Error{Errc::corrupt, "an identifier token has a form or length that is not ours"};
        }
        each({static_cast<IdentifierKind>(rows.integer(0)), static_cast<Form>(form), static_cast<std::size_t>(length),
              static_cast<std::uint64_t>(rows.integer(3))});
    }
}

Result<std::vector<Row>> rows_of(Transaction& txn, PatientId patient) {
    auto rows = txn.prepare("SELECT kind, form, length, token FROM identifier_token WHERE patient = ?");
    if (!rows) return rows.error();
    rows->bind(patient);
    std::vector<Row> out;
    CLINIC_TRY(each_row(*rows, [&](const Row& row) { out.push_back(row); }));
    return out;
}

// `sql` takes the patient and then a row's columns.
Result<void> with_each(Transaction& txn, Literal sql, PatientId patient, const std::vector<Row>& rows) {
    auto change = txn.prepare(sql);
    if (!change) return change.error();
    for (const Row& row : rows) {
        change->bind(patient, static_cast<int>(row.kind), static_cast<int>(row.form),
                     static_cast<std::int64_t>(row.length), static_cast<std::int64_t>(row.token));
        CLINIC_TRY(change->run());
    }
    return {};
}

} // namespace

IdentifierIndex::IdentifierIndex(const crypto::SecureBytes& index_key) : state_{std::make_unique<State>(index_key)} {}
IdentifierIndex::~IdentifierIndex() = default;

Result<std::optional<std::int64_t>> IdentifierIndex::load(Session& snapshot, std::int64_t after,
                                                          std::int64_t rows_max) {
    auto stored = snapshot.prepare("SELECT kind, form, length, token, rowid FROM identifier_token"
                                   " WHERE rowid > ? ORDER BY rowid LIMIT ?");
    if (!stored) return stored.error();
    stored->bind(after, rows_max);
    std::vector<Row> rows;
    std::optional<std::int64_t> last;
    CLINIC_TRY(each_row(*stored, [&](const Row& row) {
        rows.push_back(row);
        last = stored->integer(4);
    }));
    const std::unique_lock lock{state_->mutex};
    for (const Row& row : rows) state_->add(row);
    if (static_cast<std::int64_t>(rows.size()) < rows_max) {
        state_->loaded = true;
        last.reset();
    }
    return last;
}

bool IdentifierIndex::is_loaded() const {
    const std::shared_lock lock{state_->mutex};
    return state_->loaded;
}

Result<void> IdentifierIndex::replace(Transaction& txn, PatientId patient, const std::vector<IdentifierValue>& values) {
    RowMaker maker{state_->keys};
    for (const IdentifierValue& value : values) maker.add(value);
    maker.add_joined_names();
    const std::set<Row> rows = maker.take();
    const auto stored = rows_of(txn, patient);
    if (!stored) return stored.error();
    const std::set<Row> before{stored->begin(), stored->end()};
    // Most changes are of one value: the rows of the others lie on other pages, and stay as they are.
    std::vector<Row> gone, added;
    std::ranges::set_difference(before, rows, std::back_inserter(gone));
    std::ranges::set_difference(rows, before, std::back_inserter(added));
    CLINIC_TRY(with_each(txn,
                         "DELETE FROM identifier_token"
                         " WHERE patient = ? AND kind = ? AND form = ? AND length = ? AND token = ?",
                         patient, gone));
    CLINIC_TRY(with_each(txn,
                         "INSERT INTO identifier_token (patient, kind, form, length, token) VALUES (?, ?, ?, ?, ?)",
                         patient, added));
    txn.on_commit([state = state_.get(), gone = std::move(gone), added = std::move(added)] {
        const std::unique_lock lock{state->mutex};
        for (const Row& row : gone) state->drop(row);
        for (const Row& row : added) state->add(row);
    });
    return {};
}

Result<void> IdentifierIndex::remove(Transaction& txn, PatientId patient) {
    auto rows = rows_of(txn, patient);
    if (!rows) return rows.error();
    if (rows->empty()) return {};
    auto erase = txn.prepare("DELETE FROM identifier_token WHERE patient = ?");
    if (!erase) return erase.error();
    erase->bind(patient);
    CLINIC_TRY(erase->run());
    txn.on_commit([state = state_.get(), rows = std::move(*rows)] {
        const std::unique_lock lock{state->mutex};
        for (const Row& row : rows) state->drop(row);
    });
    return {};
}

bool IdentifierIndex::found_in(std::string_view text, const std::vector<std::string_view>& values) const {
    const Views views = views_of(text);
    if (views.too_many) return true; // too much to tell: no is the safe answer
    const std::shared_lock lock{state_->mutex};
    for (const std::string& view : views.texts) {
        if (state_->anywhere_in(view)) return true;
    }
    if (state_->whole_in(text)) return true;
    for (const std::string_view value : values) {
        if (state_->whole_in(value)) return true;
    }
    return false;
}

std::size_t IdentifierIndex::size() const {
    const std::shared_lock lock{state_->mutex};
    return state_->tokens[0].size() + state_->tokens[1].size() + state_->tokens[2].size();
}

} // namespace clinic::records
