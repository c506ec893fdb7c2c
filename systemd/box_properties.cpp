#include "systemd/box_properties.h"

#include <array>
#include <cerrno>
#include <string_view>

namespace clinic::systemd {
namespace {

int put(sd_bus_message* into, const std::string& text) {
    return sd_bus_message_append(into, "s", text.c_str());
}

int put(sd_bus_message* into, bool yes) {
    return sd_bus_message_append(into, "b", static_cast<int>(yes));
}

// A container of the rows that `row` appends one by one.
template <class Rows, class Row>
int put_all(sd_bus_message* into, char type, const char* of, const Rows& rows, const Row& row) {
    int code = sd_bus_message_open_container(into, type, of);
    for (const auto& one : rows)
        if (code >= 0) code = row(one);
    return code < 0 ? code : sd_bus_message_close_container(into);
}

int put(sd_bus_message* into, const std::vector<std::string>& words) {
    return put_all(into, 'a', "s", words, [&](const std::string& word) { return put(into, word); });
}

int put(sd_bus_message* into, const Numbers& numbers) {
    return put_all(into, 'a', "{sx}", numbers,
                   [&](const auto& one) { return sd_bus_message_append(into, "{sx}", one.first.c_str(), one.second); });
}

int put(sd_bus_message* into, const Books& books) {
    return put_all(into, 'a', "{sa{sx}}", books, [&](const auto& one) {
        int code = sd_bus_message_open_container(into, 'e', "sa{sx}");
        if (code >= 0) code = put(into, one.first);
        if (code >= 0) code = put(into, one.second);
        return code < 0 ? code : sd_bus_message_close_container(into);
    });
}

template <auto Member>
int append(sd_bus_message* into, const BoxFacts& facts) {
    return put(into, facts.*Member);
}
template <auto Member>
bool differs(const BoxFacts& before, const BoxFacts& now) {
    return before.*Member != now.*Member;
}

struct Property {
    const char* name;
    int (*append)(sd_bus_message* into, const BoxFacts& facts);
    bool (*differs)(const BoxFacts& before, const BoxFacts& now);
};

template <auto Member>
constexpr Property property(const char* name) {
    return {name, append<Member>, differs<Member>};
}

constexpr std::array properties{
    property<&BoxFacts::version>("Version"),     property<&BoxFacts::mode>("Mode"),
    property<&BoxFacts::well>("Well"),           property<&BoxFacts::ready>("Ready"),
    property<&BoxFacts::basis>("Basis"),         property<&BoxFacts::clock_trusted>("ClockTrusted"),
    property<&BoxFacts::contained>("Contained"), property<&BoxFacts::needs>("Needs"),
    property<&BoxFacts::egress>("Egress"),       property<&BoxFacts::intake>("Intake"),
    property<&BoxFacts::counters>("Counters"),
};

} // namespace

int append_property(const char* name, const BoxFacts& facts, sd_bus_message* into) {
    for (const auto& one : properties)
        if (std::string_view{one.name} == name) return one.append(into, facts);
    return -ENOENT;
}

int append_words(sd_bus_message* into, const std::vector<std::string>& words) {
    return put(into, words);
}

std::vector<const char*> changed_properties(const BoxFacts& before, const BoxFacts& now) {
    std::vector<const char*> changed;
    for (const auto& one : properties)
        if (one.differs(before, now)) changed.push_back(one.name);
    return changed;
}

} // namespace clinic::systemd
