// Webhooks for tests of the parts: signed as HighLevel signs, by keys of the test's own.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cassert>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "crypto/base/owned.h"
#include "crypto/listener/head.h"
#include "sync/envelope/frame.h"

namespace clinic::relay::test {

inline std::string base64(const unsigned char* bytes, std::size_t size) {
    std::string out((size + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
    return out;
}

class Signer {
public:
    static Signer ed25519() { return Signer{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr}; }
    static Signer rsa(std::size_t bits = 2'048) {
        return Signer{EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), EVP_sha256()};
    }
    std::string public_key() const {
        unsigned char* der = nullptr;
        const int size = i2d_PUBKEY(key_.get(), &der);
        std::string out = base64(der, static_cast<std::size_t>(size));
        OPENSSL_free(der);
        return out;
    }
    void write_pem(const std::filesystem::path& file) const {
        const std::unique_ptr<std::FILE, base::FreedBy<std::fclose>> out{std::fopen(file.c_str(), "w")};
        [[maybe_unused]] const int written = PEM_write_PUBKEY(out.get(), key_.get());
        assert(written == 1);
    }
    std::string sign(const std::string& body) const {
        const std::unique_ptr<EVP_MD_CTX, base::FreedBy<EVP_MD_CTX_free>> signing{EVP_MD_CTX_new()};
        unsigned char signature[512];
        std::size_t size = sizeof signature;
        EVP_DigestSignInit(signing.get(), nullptr, digest_, nullptr, key_.get());
        EVP_DigestSign(signing.get(), signature, &size, reinterpret_cast<const unsigned char*>(body.data()),
                       body.size());
        return base64(signature, size);
    }

private:
    Signer(EVP_PKEY* key, const EVP_MD* digest) : key_{key}, digest_{digest} {}
    std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>> key_;
    const EVP_MD* digest_;
};

inline listener::Head head(std::vector<std::pair<std::string, std::string>> fields) {
    return {"POST", "/ghl/webhooks", "HTTP/1.1", std::move(fields)};
}

inline constexpr const char* app = "CEapp000000000000001";
inline constexpr const char* location = "CEdemoLocation000001";

inline envelope::WriteRules rules() {
    envelope::WriteRules out;
    out.location = location;
    out.fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"};
    out.reads = {{"calendar1"}, {"spring-checkup"}, {"web-form"}};
    return out;
}

// 2026-11-21T10:00:00Z, as ManualClock begins.
inline nlohmann::json contact(const std::string& id = "contact1") {
    return {{"type", "ContactUpdate"},
            {"appId", app},
            {"locationId", location},
            {"webhookId", "wh-1"},
            {"timestamp", "2026-11-21T09:59:58.000Z"},
            {"id", id},
            {"firstName", "Zyxwvarabella"},
            {"lastName", "Quillfeatherstone"},
            {"email", "zyxw.quill@mailbox-canary.example"},
            {"phone", "+4915730918273645"},
            {"dateOfBirth", "1957-03-21"},
            {"source", "web-form"},
            {"dnd", true},
            {"tags", {"ce-recall-due", "spring-checkup", "Quillfeatherstone", "ce-Quillfeatherstone"}},
            {"customFields",
             {{{"id", "fStage"}, {"value", "active"}},
              {{"id", "fLast"}, {"value", "Zyxwvarabella"}},
              {{"id", "other"}, {"value", "Zyxwvarabella"}}}}};
}

} // namespace clinic::relay::test
