#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "crypto/certificates/openssl.h"

namespace clinic::certificates {
namespace {

constexpr std::size_t dns_bytes_max = 253;

bool is_dns_name(std::string_view name) {
    if (name.empty() || name.size() > dns_bytes_max || name.front() == '.' || name.back() == '.') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '*';
    });
}

struct Address {
    std::array<unsigned char, 16> bytes{};
    int size = 0; // 0: none
};

Address address_of(const std::string& text) {
    Address found;
    if (inet_pton(AF_INET, text.c_str(), found.bytes.data()) == 1)
        found.size = 4;
    else if (inet_pton(AF_INET6, text.c_str(), found.bytes.data()) == 1)
        found.size = 16;
    return found;
}

std::string text_of(const unsigned char* bytes, int size) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (size != 4 && size != 16) return {};
    inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text.data(), text.size());
    return text.data();
}

void sort_once(std::vector<std::string>& words) {
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
}

bool add(GENERAL_NAMES* to, int type, const void* bytes, std::size_t size) {
    std::unique_ptr<GENERAL_NAME, base::FreedBy<GENERAL_NAME_free>> name{GENERAL_NAME_new()};
    std::unique_ptr<ASN1_STRING, base::FreedBy<ASN1_STRING_free>> value{type == GEN_DNS ? ASN1_IA5STRING_new()
                                                                                        : ASN1_OCTET_STRING_new()};
    if (!name || !value || ASN1_STRING_set(value.get(), bytes, static_cast<int>(size)) != 1) return false;
    GENERAL_NAME_set0_value(name.get(), type, value.release());
    return sk_GENERAL_NAME_push(to, name.get()) > 0 && name.release() != nullptr;
}

} // namespace

bool Names::holds(const Names& others) const {
    const auto all_in = [](const std::vector<std::string>& some, const std::vector<std::string>& all) {
        return std::all_of(some.begin(), some.end(),
                           [&](const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); });
    };
    return all_in(others.dns, dns) && all_in(others.addresses, addresses);
}

Result<Names> tidy(Names names) {
    for (auto& name : names.dns) {
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (!is_dns_name(name)) return Error{Errc::malformed, "a name is no DNS name", "letters, digits, - and ."};
    }
    for (auto& address : names.addresses) {
        const auto known = address_of(address);
        if (known.size == 0) return Error{Errc::malformed, "an address is neither IPv4 nor IPv6"};
        address = text_of(known.bytes.data(), known.size);
    }
    sort_once(names.dns);
    sort_once(names.addresses);
    return names;
}

Result<AltNames> alternatives(const Names& names) {
    AltNames all{GENERAL_NAMES_new()};
    if (!all) return out_of_memory;
    for (const auto& name : names.dns)
        if (!add(all.get(), GEN_DNS, name.data(), name.size())) return out_of_memory;
    for (const auto& address : names.addresses) {
        const auto known = address_of(address);
        if (!add(all.get(), GEN_IPADD, known.bytes.data(), static_cast<std::size_t>(known.size))) return out_of_memory;
    }
    return all;
}

Names names_in(const GENERAL_NAMES* names) {
    Names found;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        int type = 0;
        const auto* value =
            static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type));
        if (type != GEN_DNS && type != GEN_IPADD) continue;
        const unsigned char* bytes = ASN1_STRING_get0_data(value);
        const int size = ASN1_STRING_length(value);
        if (type == GEN_DNS)
            found.dns.emplace_back(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
        else
            found.addresses.push_back(text_of(bytes, size));
    }
    std::sort(found.dns.begin(), found.dns.end());
    std::sort(found.addresses.begin(), found.addresses.end());
    return found;
}

} // namespace clinic::certificates
