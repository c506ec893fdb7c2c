// Errors are values here: an Error holds compile-time text, a code and a place, and has no room
// for run-time text, so patient data cannot ride in it.
#pragma once

#include <cassert>
#include <cstdint>
#include <utility>
#include <variant>

namespace clinic::base {

// Text that was written in the source. Only a string literal converts.
class Literal {
public:
    consteval Literal(const char* text) : text_{text} {}
    constexpr const char* c_str() const { return text_; }

private:
    const char* text_;
};

// What a caller decides by. The text beside it is for people.
enum class Errc {
    malformed,    // the input breaks its own format
    refused,      // understood, and the answer is no
    not_found,    // what was named is not there
    conflict,     // it is there, and differs
    unauthorized, // who asks may not; or our credential is not accepted
    offline,      // nobody answers
    throttled,    // asked to slow down
    unknown,      // sent, and what happened is not known
    full,         // a named bound is reached, or the disk is
    locked,       // the key is missing or wrong
    tampered,     // authentication of stored bytes failed
    corrupt,      // authentic and still not what it must be
    newer,        // written by a later version than this
    busy,         // somebody is at work on it; it may be had later
    timeout,
    unsupported,
    system, // a call of the operating system failed; `native` is errno
};

const char* name(Errc code);

// Where in the input; never its content. Counted from 1, 0 = does not apply.
struct Place {
    int line = 0;
    int segment = 0;
    int field = 0;
    int offset = 0;
};

struct Error {
    Errc code;
    Literal what;
    Literal remedy = "";
    Place at = {};
    int native = 0;
};

// Shaped like std::expected<T, Error>, so that it can become it.
template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;
    Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}
    Result(Error error) : state_{std::in_place_index<1>, error} {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() & {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }
    const T& value() const& {
        assert(has_value());
        return *std::get_if<0>(&state_);
    }
    T&& value() && {
        assert(has_value());
        return std::move(*std::get_if<0>(&state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    const Error& error() const {
        assert(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;
    Result() = default;
    Result(Error error) : state_{std::in_place_index<1>, error} {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    const Error& error() const {
        assert(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<std::monostate, Error> state_;
};

// `CLINIC_TRY(expression);` hands an error on to the caller. The name is new each time, so that a lambda inside the
// expression may use it as well.
#define CLINIC_TRY(expression) CLINIC_TRY_COUNTED(expression, __COUNTER__)
#define CLINIC_TRY_COUNTED(expression, number) CLINIC_TRY_NUMBERED(expression, number)
#define CLINIC_TRY_NUMBERED(expression, number) CLINIC_TRY_AS(expression, clinic_try_##number)
#define CLINIC_TRY_AS(expression, result)                                                                              \
    do {                                                                                                               \
        if (auto&& result = (expression); !result) return result.error();                                              \
    } while (false)

} // namespace clinic::base

namespace clinic {
using base::Errc;
using base::Error;
using base::Literal;
using base::Place;
using base::Result;
} // namespace clinic
