// Key slots added and removed: by people, under damage, and under power cuts.
#include "crypto/key_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "crypto/octets.h"
#include "crypto/recovery_words.h"
#include "crypto/store_look.h"
#include "tests/crypto/cut_campaign.h"
#include "tests/crypto/store_fixture.h"
#include "tests/crypto/tamper_fixture.h"

namespace clinic::crypto::tests {
namespace {

constexpr std::int64_t some_time = 1'795'000'000'000'000;

KeySlot words_slot(unsigned char fill) {
    return KeySlot::from_recovery_secret(key_of(fill));
}

KeySlot passphrase_slot(std::string_view text) {
    return KeySlot::from_passphrase(SecureBytes::copy_of(base::as_bytes(text))).value();
}

class KeyTableTest : public StoreTest {
protected:
    void SetUp() override { make_store(); }

    // Opens with that slot, and everything is there.
    void expect_opens(const KeySlot& slot) {
        const auto vfs = open(slot, IfAbsent::fail);
        ASSERT_TRUE(vfs) << vfs.error().what.c_str();
        Connection db{**vfs, database_};
        EXPECT_EQ(db.text("SELECT count(*) FROM t"), "50");
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
    }
    std::uint32_t add(const KeySlot& slot, std::string_view label = "paper") {
        const auto vfs = open(key_slot(), IfAbsent::fail);
        EXPECT_TRUE(vfs);
        return (*vfs)->keys().add(slot, label, some_time).value();
    }
    Bytes superblock(std::size_t which) {
        const auto all = contents(database_);
        const auto at = all.begin() + static_cast<std::ptrdiff_t>(which * superblock_bytes);
        return {at, at + superblock_bytes};
    }
};

TEST_F(KeyTableTest, EachKindOpensTheStoreAndAWrongOneSaysWhat) {
    add(words_slot(0x11));
    add(passphrase_slot("correct horse battery"), "");
    expect_opens(key_slot());
    expect_opens(words_slot(0x11));
    expect_opens(passphrase_slot("correct horse battery"));
    for (const auto& wrong : {key_slot(0x33), words_slot(0x33), passphrase_slot("correct horse batterz")}) {
        const auto vfs = open(wrong, IfAbsent::fail);
        ASSERT_FALSE(vfs);
        EXPECT_EQ(vfs.error().code, Errc::locked);
        EXPECT_STRNE(vfs.error().remedy.c_str(), "");
    }
}

TEST_F(KeyTableTest, TellsOfEachWhatMayBeTold) {
    add(words_slot(0x11), "paper in the safe");
    const auto vfs = open(key_slot(), IfAbsent::fail);
    const auto slots = (*vfs)->keys().slots();
    ASSERT_EQ(slots.size(), 2U);
    EXPECT_EQ(slots[0].kind, SlotKind::machine);
    EXPECT_EQ(slots[0].made_us, 0);
    EXPECT_TRUE(slots[0].in_use);
    EXPECT_EQ(slots[1].kind, SlotKind::recovery);
    EXPECT_EQ(slots[1].label, "paper in the safe");
    EXPECT_EQ(slots[1].made_us, some_time);
    EXPECT_EQ(slots[1].number, 2U);
    EXPECT_FALSE(slots[1].in_use);
    EXPECT_EQ((*vfs)->keys().opened_by(words_slot(0x11)).value(), std::optional{2U});
    EXPECT_EQ((*vfs)->keys().opened_by(words_slot(0x12)).value(), std::nullopt);

    const auto look = look_at_store(folder_.path());
    ASSERT_TRUE(look);
    const auto& seen = look->database->newest()->slots;
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[1].label, "paper in the safe");
    EXPECT_EQ(seen[1].made_us, some_time);
}

TEST_F(KeyTableTest, TheLastOneAndTheOneInUseStay) {
    auto vfs = open(key_slot(), IfAbsent::fail);
    auto& keys = (*vfs)->keys();
    EXPECT_EQ(keys.remove(1, Unattended::may_end).error().code, Errc::refused);
    EXPECT_EQ(keys.remove(9, Unattended::may_end).error().code, Errc::not_found);
    ASSERT_TRUE(keys.add(words_slot(0x11), "paper", some_time));
    EXPECT_EQ(keys.remove(1, Unattended::stays).error().code, Errc::refused);
    ASSERT_TRUE(keys.remove(1, Unattended::may_end));
    EXPECT_EQ(keys.remove(2, Unattended::may_end).error().code, Errc::refused);
    vfs = Error{Errc::refused, "closed"};
    EXPECT_EQ(open_error(key_slot(), IfAbsent::fail), Errc::locked);
    expect_opens(words_slot(0x11));
}

// Of a machine that is gone, as after a new mainboard.
TEST_F(KeyTableTest, AnotherMachinesSlotDoesNotCountAsOneThatOpens) {
    auto vfs = open(key_slot(), IfAbsent::fail);
    auto& keys = (*vfs)->keys();
    const auto gone = keys.add(key_slot(0x77), "", some_time).value();
    const auto paper = keys.add(words_slot(0x11), "paper", some_time).value();
    EXPECT_EQ(keys.remove(paper, Unattended::stays).error().code, Errc::refused) << "the last one of a person";
    ASSERT_TRUE(keys.remove(paper, Unattended::may_end));
    EXPECT_EQ(keys.remove(1, Unattended::may_end).error().code, Errc::refused) << "nothing would open it";
    const auto newer = keys.add(passphrase_slot("correct horse battery"), "", some_time).value();
    ASSERT_TRUE(keys.remove(1, Unattended::may_end));
    EXPECT_EQ(keys.remove(newer, Unattended::may_end).error().code, Errc::refused) << "nor here";
    EXPECT_TRUE(keys.remove(gone, Unattended::stays));
    vfs = Error{Errc::refused, "closed"};
    expect_opens(passphrase_slot("correct horse battery"));
}

TEST_F(KeyTableTest, OnePassphraseTakesThePlaceOfTheOther) {
    add(passphrase_slot("the first passphrase"));
    add(passphrase_slot("the second passphrase"));
    expect_opens(passphrase_slot("the second passphrase"));
    EXPECT_EQ(open_error(passphrase_slot("the first passphrase"), IfAbsent::fail), Errc::locked);
}

TEST_F(KeyTableTest, IsBoundedAndHasAPlaceForAMachine) {
    auto vfs = open(key_slot(), IfAbsent::fail);
    auto& keys = (*vfs)->keys();
    EXPECT_EQ(keys.add(words_slot(1), std::string(33, 'x'), 0).error().code, Errc::malformed);
    EXPECT_EQ(keys.add(words_slot(1), "two\nlines", 0).error().code, Errc::malformed);
    for (unsigned char fill = 1; fill < 15; ++fill) ASSERT_TRUE(keys.add(words_slot(fill), "", 0)) << int{fill};
    EXPECT_EQ(keys.add(words_slot(99), "", 0).error().code, Errc::full);
    ASSERT_TRUE(keys.add(key_slot(0x77), "", 0));
    ASSERT_TRUE(keys.add(key_slot(0x78), "", 0)); // in the place of 0x77
    EXPECT_EQ(keys.slots().size(), superblock_keys_max);
    vfs = Error{Errc::refused, "closed"};
    EXPECT_EQ(open_error(key_slot(0x77), IfAbsent::fail), Errc::locked);
    expect_opens(key_slot(0x78));
    expect_opens(key_slot());
    expect_opens(words_slot(14));
}

// One superblock is damaged: the other has all slots, and the damaged one is written anew with all of them.
TEST_F(KeyTableTest, SurviveTheDamageOfEitherSuperblock) {
    add(words_slot(0x11));
    for (std::size_t which = 0; which < superblocks; ++which) {
        flip(database_, which * superblock_bytes + 700);
        expect_opens(words_slot(0x11));
        flip(database_, (1 - which) * superblock_bytes + 700);
        expect_opens(key_slot());
    }
}

// A removed slot does not come back by the loss of the newer superblock's sync, nor while the older one still has it.
TEST_F(KeyTableTest, ARemovedOneIsRefusedWhileOneSuperblockStillHasIt) {
    const auto number = add(words_slot(0x11));
    const Bytes with = superblock(0);
    auto vfs = open(key_slot(), IfAbsent::fail);
    ASSERT_TRUE((*vfs)->keys().remove(number, Unattended::may_end));
    vfs = Error{Errc::refused, "closed"};
    EXPECT_EQ(open_error(words_slot(0x11), IfAbsent::fail), Errc::locked);
    put_piece(database_, 0, with);
    EXPECT_EQ(open_error(words_slot(0x11), IfAbsent::fail), Errc::locked);
    expect_opens(key_slot()); // and brings the older one up
    EXPECT_NE(superblock(0), with);
}

// The checksum is anyone's to compute; what opens has the right MAC, or it is not used.
TEST_F(KeyTableTest, EveryForgedByteOfASlotIsNoticed) {
    add(words_slot(0x11));
    const Bytes whole = contents(database_);
    int cases = 0;
    for (std::size_t at = 60; at < 64 + 3 * slot_entry_bytes; ++at, ++cases) {
        Bytes head{whole.begin(), whole.begin() + main_head_bytes};
        for (std::size_t which = 0; which < superblocks; ++which) {
            const auto image = std::span{head}.subspan(which * superblock_bytes, superblock_bytes);
            image[at] ^= std::byte{1} << (at % 8);
            std::ranges::copy(digest(image.first(superblock_at::checksum)),
                              image.subspan(superblock_at::checksum).begin());
        }
        for (const auto& slot : {key_slot(), words_slot(0x11)}) {
            const auto forged = open_superblocks(head, slot);
            ASSERT_FALSE(forged) << at;
            EXPECT_TRUE(forged.error().code == Errc::tampered || forged.error().code == Errc::locked) << at;
        }
    }
    EXPECT_GT(cases, 400);
}

// A forged superblock cannot ask for more memory and time than the bounds: it is damaged, and nothing is tried.
TEST_F(KeyTableTest, AForgedCostIsRefusedBeforeItIsPaid) {
    add(passphrase_slot("correct horse battery"));
    const Bytes whole = contents(database_);
    const std::size_t entry = superblock_at::key_table + slot_entry_bytes;
    for (const auto& [passes, kib] : {std::pair{3U, 0x4000'0000U},
                                      {3U, stretch_kib_max + 1},
                                      {passes_max + 1, 65'536U},
                                      {0xFFFF'FFFFU, 65'536U},
                                      {0U, 65'536U},
                                      {3U, 0U}}) {
        Bytes head{whole.begin(), whole.begin() + main_head_bytes};
        for (std::size_t which = 0; which < superblocks; ++which) {
            const auto image = std::span{head}.subspan(which * superblock_bytes, superblock_bytes);
            put_number(image.subspan(entry + slot_entry_at::passes), passes);
            put_number(image.subspan(entry + slot_entry_at::memory_kib), kib);
            std::ranges::copy(digest(image.first(superblock_at::checksum)),
                              image.subspan(superblock_at::checksum).begin());
        }
        const auto forged = open_superblocks(head, passphrase_slot("correct horse battery"));
        ASSERT_FALSE(forged);
        EXPECT_EQ(forged.error().code, Errc::tampered);
    }
}

TEST_F(KeyTableTest, ADamagedSuperblockIsWrittenAnewWhileTheStoreIsOpen) {
    for (const bool with_words : {false, true}) { // of version 1, whose superblocks are wrapped each by itself, and 2
        if (with_words) add(words_slot(0x11));
        for (std::size_t which = 0; which < superblocks; ++which) {
            const auto vfs = open(key_slot(), IfAbsent::fail);
            ASSERT_TRUE(vfs);
            EXPECT_EQ((*vfs)->keys().mend().value(), 0) << "both are whole";
            flip(database_, which * superblock_bytes + 70);
            EXPECT_EQ((*vfs)->keys().mend().value(), 1);
            EXPECT_EQ((*vfs)->keys().mend().value(), 0);
        }
        const Bytes whole = contents(database_);
        for (std::size_t which = 0; which < superblocks; ++which) {
            flip(database_, (1 - which) * superblock_bytes + 70); // the other alone has to do
            expect_opens(key_slot());
            if (with_words) expect_opens(words_slot(0x11));
            put_piece(database_, 0, whole);
        }
    }
}

// A build that knows version 1 alone looks at the version before anything else, and names it.
TEST_F(KeyTableTest, AStoreIsOfVersionOneUntilItNeedsTheOther) {
    const auto version = [&](std::size_t which) {
        const Bytes image = superblock(which);
        return get_number<std::uint32_t>(std::span{image}.subspan(superblock_at::version));
    };
    EXPECT_EQ(version(0), 1U);
    EXPECT_EQ(version(1), 1U);
    add(words_slot(0x11));
    EXPECT_EQ(version(0), 2U);
    EXPECT_EQ(version(1), 2U);
}

// A script of changes; a state is the labels of the slots after so many of them.
class SlotChanges final : public CutWorkload {
public:
    enum class Kind : std::uint8_t { add, remove, mend };
    struct Change {
        Kind kind;
        unsigned char which; // the words; of a mend, the superblock that is damaged before it
    };

    void prepare(const std::filesystem::path& folder) override {
        const auto vfs = SealedVfs::open(folder / "records.db", key_slot(), IfAbsent::create);
        ASSERT_TRUE(vfs);
        ASSERT_TRUE((*vfs)->keys().add(words_slot(1), label(1), some_time));
    }

    void run(const std::filesystem::path& folder, const FaultDisk& disk) override {
        auto vfs = SealedVfs::open(folder / "records.db", key_slot(), IfAbsent::fail);
        ASSERT_TRUE(vfs);
        for (const Change& change : script) {
            ASSERT_TRUE(make((*vfs)->keys(), change, folder));
            done_.push_back(disk.events());
        }
    }

    Bounds bounds(std::size_t events) const override {
        const int sure = static_cast<int>(std::ranges::upper_bound(done_, events) - done_.begin());
        return {sure, std::min(sure + 1, static_cast<int>(std::size(script)))};
    }

    Found judge(const std::filesystem::path& folder, Bounds bounds) override {
        const auto vfs = SealedVfs::open(folder / "records.db", key_slot(), IfAbsent::fail);
        if (!vfs) return {.wrong = std::string{"it does not open: "} + vfs.error().what.c_str()};
        auto& keys = (*vfs)->keys();
        std::set<std::string> found;
        for (const auto& slot : keys.slots())
            if (slot.kind == SlotKind::recovery) found.insert(slot.label);
        for (int n = bounds.at_least; n <= bounds.at_most; ++n) {
            if (state_after(n) != found) continue;
            for (unsigned char which = 1; which <= 6; ++which) {
                const auto opens = keys.opened_by(words_slot(which));
                if (!opens || opens->has_value() != found.contains(label(which)))
                    return {.wrong = "the words of " + label(which) + " are not those of its slot"};
            }
            if (n < static_cast<int>(std::size(script)) && !make(keys, script[n], folder))
                return {.wrong = "it does not go on"};
            return {.commits = n};
        }
        return {.wrong = "the slots are those of no moment: " + std::to_string(found.size())};
    }

private:
    static constexpr Change script[] = {{Kind::add, 2},  {Kind::add, 3},    {Kind::mend, 0},   {Kind::remove, 2},
                                        {Kind::mend, 1}, {Kind::add, 4},    {Kind::remove, 1}, {Kind::mend, 1},
                                        {Kind::add, 5},  {Kind::remove, 4}, {Kind::remove, 5}, {Kind::add, 6},
                                        {Kind::mend, 0}, {Kind::add, 1},    {Kind::remove, 3}};

    static std::string label(unsigned char which) { return "paper " + std::to_string(which); }
    static std::set<std::string> state_after(int changes) {
        std::set<std::string> labels{label(1)};
        for (const Change& change : std::span{script}.first(static_cast<std::size_t>(changes)))
            if (change.kind == Kind::add)
                labels.insert(label(change.which));
            else if (change.kind == Kind::remove)
                labels.erase(label(change.which));
        return labels;
    }
    static bool make(KeyTable& keys, const Change& change, const std::filesystem::path& folder) {
        if (change.kind == Kind::mend) {
            damage(folder / "records.db", change.which);
            const auto mended = keys.mend();
            return mended && *mended == 1;
        }
        if (change.kind == Kind::add)
            return keys.add(words_slot(change.which), label(change.which), some_time).has_value();
        for (const auto& slot : keys.slots())
            if (slot.label == label(change.which)) return keys.remove(slot.number, Unattended::stays).has_value();
        return false;
    }

    static void damage(const std::filesystem::path& database, std::size_t which) {
        const base::UniqueFd file{::open(database.c_str(), O_RDWR | O_CLOEXEC)};
        const auto at = static_cast<off_t>(which * superblock_bytes + 300);
        std::byte one{};
        ASSERT_EQ(::pread(file.get(), &one, 1, at), 1);
        one ^= std::byte{1};
        ASSERT_EQ(::pwrite(file.get(), &one, 1, at), 1);
    }

    std::vector<std::size_t> done_;
};

TEST(KeySlotPowerCut, AChangeOfTheSlotsHoldsWholeOrNotAtAll) {
    cut_rounds({.name = "power_cuts_key_slots", .what = "cuts", .plain = 4, .most = 200, .weight = 200},
               [](std::uint64_t) { return SlotChanges{}; });
}

TEST(KeySlotPowerCut, ADiskThatOnlyPretendsToSyncIsFoundOut) {
    int wrong = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SlotChanges workload;
        wrong += cut_power(workload, seed, 100, [](const DiskEvent&) { return true; }).wrong;
    }
    EXPECT_GT(wrong, 0);
}

} // namespace
} // namespace clinic::crypto::tests
