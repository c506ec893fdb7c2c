// Patient data has a type. It moves and does not copy; it cannot be printed, compared with text or serialised.
// It is opened by one function, and that asks for a Disclosure: an entry of the audit chain, already written.
// `grep -rn 'reveal('` is the audit of the code.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <utility>

namespace clinic::audit {
class Trail;
}

namespace clinic::records {

// One audit entry; it may cover a request (a list is one entry with its subjects).
// Made by audit::Trail alone, inside the transaction that writes the entry.
class Disclosure {
public:
    std::int64_t entry() const { return entry_; }

private:
    friend class clinic::audit::Trail;
    explicit Disclosure(std::int64_t entry) : entry_{entry} {}
    std::int64_t entry_;
};

template <class T>
class Phi {
public:
    Phi() = default;
    explicit Phi(T value) : value_{std::move(value)} {}
    Phi(Phi&&) noexcept = default;
    Phi& operator=(Phi&&) noexcept = default;
    Phi(const Phi&) = delete;
    Phi& operator=(const Phi&) = delete;
    friend std::ostream& operator<<(std::ostream&, const Phi&) = delete;

private:
    template <class U>
    friend const U& reveal(const Phi<U>&, const Disclosure&);
    T value_{};
};

template <class T>
const T& reveal(const Phi<T>& phi, const Disclosure&) {
    return phi.value_;
}

} // namespace clinic::records
