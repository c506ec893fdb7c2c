#include "crypto/aes256_gcm.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/sealing_session.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace clinic::crypto {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, base::FreedBy<EVP_CIPHER_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, base::FreedBy<EVP_CIPHER_free>>;
using Library = std::unique_ptr<OSSL_LIB_CTX, base::FreedBy<OSSL_LIB_CTX_free>>;

constexpr std::size_t epoch_bytes = 4;
constexpr std::size_t count_at = epoch_bytes + sizeof(SessionId);
static_assert(count_at + sizeof(std::uint64_t) == nonce_bytes);

// A store holds pieces of as many sessions as it was opened times; one whose key is not at hand costs 2 or 3 us, one
// that is at hand 1 KiB of memory.
constexpr std::size_t sessions_kept_max = 1'024;

// One of our own: what the machine's openssl.cnf switches off does not count here.
OSSL_LIB_CTX* library() {
    static const Library own{OSSL_LIB_CTX_new()};
    return own.get();
}

using GcmNonce = std::array<std::byte, 12>;

// The epoch is in it, as it is in XChaCha20's: a piece whose trailer names another one does not open.
GcmNonce gcm_nonce(std::uint32_t epoch, std::uint64_t count) {
    GcmNonce made{};
    put_number(std::span{made}, epoch);
    put_number(std::span{made}.subspan(epoch_bytes), count);
    return made;
}

// Contexts with a session's key in them, on loan. OpenSSL wipes a context when it is freed.
class Sessions {
public:
    explicit Sessions(SecureBytes key)
        : cipher_{EVP_CIPHER_fetch(library(), "AES-256-GCM", nullptr)}, key_{std::move(key)} {
        assert(cipher_ != nullptr && key_.size() == key_bytes);
    }

    Context take(const SessionId& session) {
        {
            const std::scoped_lock lock{mutex_};
            auto& free = of(session).free;
            if (!free.empty()) {
                Context taken = std::move(free.back());
                free.pop_back();
                return taken;
            }
        }
        return make(session);
    }

    // Dropped where there is no memory to keep it.
    void give_back(const SessionId& session, Context context) noexcept {
        try {
            const std::scoped_lock lock{mutex_};
            of(session).free.push_back(std::move(context));
        } catch (const std::bad_alloc&) {
            context.reset();
        }
    }

    SealingSession::Nonce next_nonce() {
        const std::scoped_lock lock{mutex_};
        return sealing_.next();
    }

private:
    struct Kept {
        SessionId session;
        std::vector<Context> free;
    };

    // The newest in use stands first, and the one that nobody asked for longest goes.
    Kept& of(const SessionId& session) {
        if (!kept_.empty() && kept_.front().session == session) return kept_.front();
        if (const auto found = places_.find(session); found != places_.end()) {
            kept_.splice(kept_.begin(), kept_, found->second);
            return kept_.front();
        }
        if (kept_.size() == sessions_kept_max) {
            places_.erase(kept_.back().session);
            kept_.pop_back();
        }
        std::list<Kept> made;
        made.push_front({session, {}});
        places_.emplace(session, made.begin()); // without memory for it nothing has changed
        kept_.splice(kept_.begin(), made);
        return kept_.front();
    }

    Context make(const SessionId& session) const {
        static constexpr std::array<unsigned char, crypto_generichash_blake2b_PERSONALBYTES> purpose{
            'c', 'l', 'i', 'n', 'i', 'c', '-', 'a', 'e', 's', '-', 'g', 'c', 'm'};
        SecureBytes own = SecureBytes::zeroed(key_bytes);
        const int derived =
            crypto_generichash_blake2b_salt_personal(octets(own.bytes()), own.size(), octets(session), session.size(),
                                                     octets(key_.bytes()), key_.size(), nullptr, purpose.data());
        assert(derived == 0);
        Context made{EVP_CIPHER_CTX_new()};
        if (!made || EVP_CipherInit_ex2(made.get(), cipher_.get(), octets(own.bytes()), nullptr, 1, nullptr) != 1)
            throw std::bad_alloc{};
        return made;
    }

    const Cipher cipher_;
    const SecureBytes key_;
    std::mutex mutex_;
    SealingSession sealing_;
    std::list<Kept> kept_;
    std::map<SessionId, std::list<Kept>::iterator> places_;
};

// On loan for one piece, with its nonce set. The key stays: on our processors it is the same for both directions.
class Lent {
public:
    Lent(Sessions& sessions, std::uint32_t epoch, const SealingSession::Nonce& nonce, bool sealing)
        : sessions_{sessions}, session_{nonce.session}, context_{sessions.take(session_)} {
        const GcmNonce own = gcm_nonce(epoch, nonce.count);
        const int ready = EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, octets(own), sealing ? 1 : 0, nullptr);
        assert(ready == 1);
    }
    ~Lent() { sessions_.give_back(session_, std::move(context_)); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

    void associate(std::span<const std::byte> bytes) const { update(nullptr, bytes); }
    void update(std::byte* out, std::span<const std::byte> in) const {
        int done = 0;
        const int ok = EVP_CipherUpdate(context_.get(), out == nullptr ? nullptr : octets(out), &done, octets(in),
                                        static_cast<int>(in.size()));
        assert(ok == 1 && static_cast<std::size_t>(done) == in.size());
    }
    // False: not authentic, when opening.
    [[nodiscard]] bool finish() const {
        std::array<unsigned char, EVP_MAX_BLOCK_LENGTH> none{};
        int done = 0;
        return EVP_CipherFinal_ex(context_.get(), none.data(), &done) == 1;
    }
    void tag(int control, std::byte* tag) const {
        const int ok = EVP_CIPHER_CTX_ctrl(context_.get(), control, static_cast<int>(tag_bytes), tag);
        assert(ok == 1);
    }

private:
    Sessions& sessions_;
    const SessionId session_;
    Context context_;
};

class Aes256Gcm final : public Aead {
public:
    Aes256Gcm(SecureBytes key, std::uint32_t epoch) : sessions_{std::move(key)}, epoch_{epoch} {}

    void seal(std::span<const std::byte> plain, std::span<const std::byte> associated,
              std::span<std::byte> sealed) const override {
        assert(sealed.size() == plain.size() + trailer_bytes);
        const auto nonce = sessions_.next_nonce();
        const auto written = sealed.subspan(plain.size(), nonce_bytes);
        put_number(written, epoch_);
        std::ranges::copy(nonce.session, written.subspan(epoch_bytes).begin());
        put_number(written.subspan(count_at), nonce.count);

        const Lent context{sessions_, epoch_, nonce, true};
        context.associate(associated);
        context.update(sealed.data(), plain);
        const bool done = context.finish();
        assert(done);
        context.tag(EVP_CTRL_AEAD_GET_TAG, sealed.last(tag_bytes).data());
    }

    bool open(std::span<const std::byte> sealed, std::span<const std::byte> associated,
              std::span<std::byte> plain) const override {
        assert(sealed.size() == plain.size() + trailer_bytes);
        const bool opened = open_at(sealed, associated, plain);
        if (!opened) std::ranges::fill(plain, std::byte{0});
        return opened;
    }

private:
    bool open_at(std::span<const std::byte> sealed, std::span<const std::byte> associated,
                 std::span<std::byte> plain) const {
        const auto read = sealed.subspan(plain.size(), nonce_bytes);
        if (get_number<std::uint32_t>(read) != epoch_) return false;
        SealingSession::Nonce nonce{.session = {}, .count = get_number<std::uint64_t>(read.subspan(count_at))};
        std::ranges::copy(read.subspan(epoch_bytes, nonce.session.size()), nonce.session.begin());

        std::array<std::byte, tag_bytes> tag{};
        std::ranges::copy(sealed.last(tag_bytes), tag.begin());
        const Lent context{sessions_, epoch_, nonce, false};
        context.associate(associated);
        context.update(plain.data(), sealed.first(plain.size()));
        context.tag(EVP_CTRL_AEAD_SET_TAG, tag.data());
        return context.finish();
    }

    mutable Sessions sessions_;
    const std::uint32_t epoch_;
};

} // namespace

std::unique_ptr<Aead> make_aes256_gcm(SecureBytes key, std::uint32_t epoch) {
    return std::make_unique<Aes256Gcm>(std::move(key), epoch);
}

bool processor_has_aes() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
#elif defined(__aarch64__)
    const unsigned long has = getauxval(AT_HWCAP);
    return (has & HWCAP_AES) != 0 && (has & HWCAP_PMULL) != 0;
#else
    return false;
#endif
}

} // namespace clinic::crypto
