#include "crypto/sealing_session.h"

#include <sys/mman.h>

#include <cassert>

#include "crypto/base/ids.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t memory_bytes = 4'096;

} // namespace

SealingSession::SealingSession(std::uint64_t counts_max) : counts_max_{counts_max} {
    void* memory = mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(memory != MAP_FAILED);
    const int wiped = madvise(memory, memory_bytes, MADV_WIPEONFORK);
    assert(wiped == 0);
    held_ = static_cast<Held*>(memory); // zeros: nothing drawn yet
}

SealingSession::~SealingSession() {
    munmap(held_, memory_bytes);
}

SealingSession::Nonce SealingSession::next() {
    if (!held_->drawn || held_->count == counts_max_) {
        base::random_bytes(held_->id);
        held_->count = 0;
        held_->drawn = true;
    }
    return {held_->id, ++held_->count};
}

} // namespace clinic::crypto
