#include "daemon/records/salvage/restore.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/base/log.h"
#include "crypto/file_system.h"
#include "crypto/store_image.h"
#include "daemon/audit/trail.h"
#include "daemon/records/restoring.h"
#include "daemon/records/salvage/folders.h"
#include "daemon/records/salvage/mend.h"
#include "daemon/records/salvage/salvage.h"
#include "daemon/records/store.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* copy_name = "restored.new";
constexpr std::string_view aside_name = "replaced-"; // and a number
constexpr std::size_t mark_bytes_max = 8'192;
constexpr std::uintmax_t spare_bytes = 8'000'000; // beside the copy
constexpr int replaced_max = 1'000;

// What changes its place, in this order: no database lies beside the WAL of another. The keys are put in place only
// where there are none that can be used; the lock's file and the reserve are the folder's.
constexpr std::array parts{"records.db-wal", "records.db", "salvage.sealed", "keys.db"};
constexpr std::array left_behind{"closed-in-order", "make-store"}; // true of what lay there, and not of this

struct Coming {
    std::string name;
    std::uint64_t inode = 0; // which stays the same when the name changes
};
// What the mark says once the copy is whole: what comes in, and where the old ones go.
struct Moving {
    std::string from, replaced;
    std::vector<Coming> coming;
    bool keeps_keys = false;
};

std::uint64_t inode_of(const fs::path& path) {
    struct stat about {};
    return lstat(path.c_str(), &about) == 0 ? about.st_ino : 0; // 0: it is not there
}

bool is_there(const fs::path& path) {
    return inode_of(path) != 0;
}

Result<void> rename_to(const fs::path& from, const fs::path& to) {
    if (std::rename(from.c_str(), to.c_str()) == 0) return {};
    return system_error("a file of the store cannot be put in place");
}

class Restoring {
public:
    Restoring(fs::path records, fs::path from, const crypto::KeySlot& slot, const Clock& clock)
        : records_{std::move(records)}, from_{std::move(from)}, slot_{slot}, clock_{clock} {}

    Result<Restored> run() {
        out_.went_on = is_there(mark());
        auto moving = moving_of_before();
        CLINIC_TRY(moving);
        if (!*moving) {
            auto copied = copy();
            if (!copied) return give_up(copied.error());
            *moving = std::move(*copied);
        }
        CLINIC_TRY(put_in_place(**moving));
        CLINIC_TRY(base::remove_durable(mark()));
        if (is_there(records_ / (*moving)->replaced)) out_.replaced = (*moving)->replaced;
        const auto now_there = crypto::look_at_store(records_);
        CLINIC_TRY(now_there);
        if (now_there->database && now_there->database->newest() != nullptr)
            out_.store = now_there->database->newest()->store;
        return std::move(out_);
    }

private:
    fs::path mark() const { return records_ / records::restoring_name; }
    fs::path copy_folder() const { return records_ / copy_name; }
    std::string source() const {
        std::error_code none;
        return fs::weakly_canonical(from_, none).string();
    }

    Result<void> write_mark(const json& said) const {
        return base::write_durable(mark(), base::as_bytes(base::dump_json(said)), 0600);
    }

    // Of one that was cut off after its copy was whole. The mark is believed where it says what we write, and nothing
    // else.
    Result<std::optional<Moving>> moving_of_before() {
        const auto text = base::read_text(mark(), mark_bytes_max);
        if (!text && text.error().code == Errc::not_found) return std::optional<Moving>{};
        CLINIC_TRY(text);
        const auto said = base::parse_json(*text, mark_bytes_max, 4);
        if (said && said->is_object() && said->value("step", json{}) == "copying") return std::optional<Moving>{};
        auto moving = said ? read_moving(*said) : std::nullopt;
        if (!moving)
            return Error{Errc::tampered, "the file restoring says nothing that we have written",
                         "look at the records' folder, and take the file away when all of a store lies there"};
        if (moving->from != source())
            return Error{Errc::conflict, "one that was begun with another folder is not done yet",
                         "run it with that folder; the file restoring names it"};
        return moving;
    }

    static bool is_aside(const std::string& name) {
        return name.size() > aside_name.size() && name.size() < aside_name.size() + 5 && name.starts_with(aside_name) &&
               std::all_of(name.begin() + aside_name.size(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    }

    std::optional<Moving> read_moving(const json& said) {
        if (!said.is_object() || said.value("step", json{}) != "moving") return std::nullopt;
        const json from = said.value("from", json{}), replaced = said.value("replaced", json{}),
                   coming = said.value("coming", json{}), keeps = said.value("keeps_keys", json{}),
                   closed = said.value("basis_closed", json{});
        if (!from.is_string() || !replaced.is_string() || !is_aside(replaced) || !coming.is_object() ||
            !keeps.is_boolean() || !closed.is_boolean())
            return std::nullopt;
        Moving out{.from = from, .replaced = replaced, .coming = {}, .keeps_keys = keeps};
        for (const auto& [name, inode] : coming.items()) {
            if (std::ranges::find(parts, name) == parts.end() || !inode.is_number_unsigned()) return std::nullopt;
            out.coming.push_back({name, inode});
        }
        out_.basis_closed = closed;
        out_.keys_of_the_copy = !out.keeps_keys;
        return out;
    }

    // Nothing has changed its name yet: it is as it was.
    Error give_up(const Error& why) const {
        std::error_code none;
        fs::remove_all(copy_folder(), none);
        if (const auto gone = base::remove_durable(mark()); !gone)
            base::log(base::Level::warning, "restore: the file restoring stays", gone.error());
        return why;
    }

    Result<Moving> copy() {
        CLINIC_TRY(apart());
        const auto checked = checked_whole(from_);
        CLINIC_TRY(checked);
        out_.store = checked->store;
        CLINIC_TRY(judge());
        CLINIC_TRY(write_mark({{"step", "copying"}}));
        CLINIC_TRY(copy_files());
        const auto keeps_keys = keep_keys(checked->keys.slots);
        CLINIC_TRY(keeps_keys);
        out_.keys_of_the_copy = !*keeps_keys;
        CLINIC_TRY(checked_whole(copy_folder()));
        CLINIC_TRY(say_so(*keeps_keys));
        CLINIC_TRY(sync_folder(copy_folder()));
        Moving moving{.from = source(), .replaced = free_name(), .coming = {}, .keeps_keys = *keeps_keys};
        if (moving.replaced.empty())
            return Error{Errc::full, "too many folders of replaced records", "take away those that nobody needs"};
        json coming = json::object();
        for (const std::string_view name : parts) {
            const auto inode = inode_of(copy_folder() / name);
            if (inode == 0 || (moving.keeps_keys && name == "keys.db")) continue;
            moving.coming.push_back({std::string{name}, inode});
            coming[std::string{name}] = inode;
        }
        CLINIC_TRY(write_mark({{"step", "moving"},
                               {"from", moving.from},
                               {"basis_closed", out_.basis_closed},
                               {"replaced", moving.replaced},
                               {"keeps_keys", moving.keeps_keys},
                               {"coming", std::move(coming)}}));
        return moving;
    }

    // Neither lies within the other.
    Result<void> apart() const {
        std::error_code none;
        const auto here = fs::weakly_canonical(records_, none), there = fs::weakly_canonical(from_, none);
        const auto within = [](const fs::path& outer, const fs::path& inner) {
            return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
        };
        if (!within(here, there) && !within(there, here)) return {};
        return Error{Errc::refused, "what shall be put back lies within the records' folder, or the other way about",
                     "name another folder"};
    }

    // A key slot that is damaged is the copy's as it was the old one's: a later backup of keys.db may mend it. A
    // keystore's header is written anew by whoever opens it. A record of what an earlier salvage set aside is no part
    // of the store.
    Result<Checked> checked_whole(const fs::path& folder) const {
        auto checked = check(folder, slot_);
        CLINIC_TRY(checked);
        auto but_for_keys = *checked;
        if (checked->keystore_opens()) but_for_keys.keys.damaged.clear();
        if (!but_for_keys.needs_salvage()) return checked;
        return Error{Errc::tampered, "what shall be put back is damaged itself",
                     "clinicctl store salvage saves what can be read of it"};
    }

    // Is it of the store that lies there, and was it made of it as it is now?
    Result<void> judge() {
        out_.basis_closed = true;
        const auto old = crypto::look_at_store(records_);
        if (!old && old.error().code == Errc::not_found) return {};
        CLINIC_TRY(old);
        const auto* newest = old->database ? old->database->newest() : nullptr;
        if (newest != nullptr && newest->store != out_.store)
            return Error{Errc::conflict, "what shall be put back is another store than the one that lies there",
                         "if it is the right one, move the files of the other away first"};
        const auto made_of = base::read_text(from_ / made_of_name, mark_bytes_max);
        if (made_of) out_.basis_closed = *made_of != look_of(records_);
        return {};
    }

    Result<void> copy_files() const {
        std::error_code failed;
        fs::remove_all(copy_folder(), failed);
        std::uintmax_t bytes = spare_bytes;
        for (const char* name : parts) {
            const auto size = fs::file_size(from_ / name, failed);
            if (!failed) bytes += size;
        }
        const auto room = fs::space(records_, failed);
        if (!failed && room.available < bytes)
            return Error{Errc::full, "the disk of the records has no room for the copy", "free some, or use another"};
        if (mkdir(copy_folder().c_str(), 0700) != 0) return system_error("the folder for the copy cannot be made");
        for (const char* name : parts)
            if (is_there(from_ / name)) CLINIC_TRY(copy_durably(from_ / name, copy_folder() / name));
        return {};
    }

    // An erased key stays erased: the keystore that lies there goes on, also beside the old database, unless it cannot
    // be read or ends before the copy's does. True: it stays where it is, and here is a copy that goes.
    Result<bool> keep_keys(std::int64_t slots_of_the_copy) const {
        const auto image = crypto::StoreImage::open(copy_folder() / "records.db", slot_);
        CLINIC_TRY(image);
        const auto there =
            crypto::Keystore::examine(records_ / "keys.db", image->subkey(wrapping_subkey), out_.store, {0});
        const bool reads = there && std::ssize(there->damaged) < there->slots;
        if (!reads || there->slots < slots_of_the_copy) return false;
        std::error_code failed;
        fs::remove(copy_folder() / "keys.db", failed);
        CLINIC_TRY(copy_durably(records_ / "keys.db", copy_folder() / "keys.db"));
        return true;
    }

    // In the copy, before anybody else opens it: the chain's entry, and what nobody knows to hold any more.
    Result<void> say_so(bool kept_keys) const {
        const auto store = records::Store::open({.folder = copy_folder()}, slot_, clock_);
        CLINIC_TRY(store);
        if (kept_keys) CLINIC_TRY(erase_the_keyless(**store));
        return (*store)->write([&](records::Transaction& txn) -> Result<void> {
            if (out_.basis_closed) CLINIC_TRY(close_the_basis(txn));
            const auto entry =
                audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                           .actor_id = getuid(),
                                           .action = audit::Action::system,
                                           .purpose = audit::Purpose::operations,
                                           .detail = out_.basis_closed ? Literal{"restore: may be older"}
                                                                       : Literal{"restore: of a salvage"}});
            return entry ? Result<void>{} : entry.error();
        });
    }

    std::string free_name() const {
        for (int i = 1; i <= replaced_max; ++i) {
            std::string name = std::string{aside_name} + std::to_string(i);
            if (!is_there(records_ / name)) return name;
        }
        return {};
    }

    // Everything that comes is in the copy or in its place already; else nothing is touched.
    Result<void> is_all_there(const Moving& moving) const {
        for (const Coming& one : moving.coming)
            if (inode_of(copy_folder() / one.name) != one.inode && inode_of(records_ / one.name) != one.inode)
                return Error{Errc::corrupt, "the copy that was to be put in place is not there any more",
                             "put what lies in the folder of the replaced files back by hand, take the file restoring "
                             "away, and begin anew"};
        return {};
    }

    // Each step may have been done before a power cut. All that is old goes out before anything comes in.
    Result<void> put_in_place(const Moving& moving) const {
        CLINIC_TRY(is_all_there(moving));
        const auto aside = records_ / moving.replaced;
        for (const char* name : left_behind) CLINIC_TRY(base::remove_durable(records_ / name));
        for (const std::string_view name : parts) {
            const auto inode = inode_of(records_ / name);
            const auto comes = std::ranges::find(moving.coming, name, &Coming::name);
            const bool is_in = comes != moving.coming.end() && comes->inode == inode;
            if (inode == 0 || is_in || (moving.keeps_keys && name == "keys.db")) continue;
            if (mkdir(aside.c_str(), 0700) != 0 && errno != EEXIST)
                return system_error("the folder for the old files cannot be made");
            CLINIC_TRY(rename_to(records_ / name, aside / name));
        }
        CLINIC_TRY(sync_folder(records_));
        for (const Coming& one : moving.coming)
            if (inode_of(records_ / one.name) != one.inode)
                CLINIC_TRY(rename_to(copy_folder() / one.name, records_ / one.name));
        std::error_code none;
        fs::remove_all(copy_folder(), none); // what is left of it: the copy's own lock
        return sync_folder(records_);
    }

    const fs::path records_, from_;
    const crypto::KeySlot& slot_;
    const Clock& clock_;
    Restored out_;
};

} // namespace

Result<Restored> restore(const fs::path& records, const fs::path& from, const crypto::KeySlot& slot,
                         const Clock& clock) {
    const auto owner = AsOwner::of(records);
    CLINIC_TRY(owner);
    CLINIC_TRY(crypto::may_hold_a_store(records));
    const auto held = hold(records);
    CLINIC_TRY(held);
    if (!*held) return Error{Errc::refused, "the records' folder cannot be locked", "look at its disk and its owner"};
    return Restoring{records, from, slot, clock}.run();
}

} // namespace clinic::salvage
