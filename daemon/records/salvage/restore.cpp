#include "daemon/records/salvage/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
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
constexpr std::size_t mark_bytes_max = 4'096;
constexpr std::uintmax_t spare_bytes = 8'000'000; // beside the copy
constexpr int replaced_max = 1'000;

// What a store is made of. The lock's file stays where it is, the reserve is the folder's, and a mark of an orderly
// stop would be another file's.
constexpr std::array parts{"records.db", "records.db-wal", "keys.db", "salvage.sealed"};
constexpr std::array left_behind{"closed-in-order", "make-store"}; // true of what lay there, and not of this

// What the mark says once the copy is whole: which names come in, and where the old ones go.
struct Moving {
    std::string replaced;
    std::vector<std::string> names;
};

bool is_there(const fs::path& path) {
    std::error_code none;
    return fs::exists(fs::symlink_status(path, none));
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
        out_.replaced = (*moving)->replaced;
        const auto now_there = crypto::look_at_store(records_);
        CLINIC_TRY(now_there);
        if (now_there->database && now_there->database->newest() != nullptr)
            out_.store = now_there->database->newest()->store;
        return std::move(out_);
    }

private:
    fs::path mark() const { return records_ / records::restoring_name; }
    fs::path copy_folder() const { return records_ / copy_name; }

    Result<void> write_mark(const json& said) const {
        CLINIC_TRY(base::write_durable(mark(), base::as_bytes(base::dump_json(said)), 0600));
        return give_to_owner_of(records_, mark());
    }

    // Of one that was cut off after its copy was whole.
    Result<std::optional<Moving>> moving_of_before() {
        const auto text = base::read_text(mark(), mark_bytes_max);
        if (!text && text.error().code == Errc::not_found) return std::optional<Moving>{};
        CLINIC_TRY(text);
        const auto said = base::parse_json(*text, mark_bytes_max, 3);
        if (!said || !said->is_object() || !said->contains("names")) return std::optional<Moving>{};
        out_.basis_closed = said->value("basis_closed", false);
        return std::optional{Moving{said->value("replaced", std::string{}), said->at("names")}};
    }

    // Nothing has changed its name yet: it is as it was.
    Error give_up(const Error& why) const {
        std::error_code none;
        fs::remove_all(copy_folder(), none);
        if (const auto gone = base::remove_durable(mark()); !gone) return gone.error();
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
        const auto kept_keys = keep_whole_keys();
        CLINIC_TRY(kept_keys);
        CLINIC_TRY(checked_whole(copy_folder()));
        CLINIC_TRY(say_so(*kept_keys));
        CLINIC_TRY(give_to_owner_of(records_, copy_folder()));
        CLINIC_TRY(sync_folder(copy_folder()));
        Moving moving;
        for (const char* name : parts)
            if (is_there(copy_folder() / name)) moving.names.emplace_back(name);
        moving.replaced = free_name();
        if (moving.replaced.empty())
            return Error{Errc::full, "too many folders of replaced records", "take away those that nobody needs"};
        CLINIC_TRY(write_mark({{"step", "moving"},
                               {"basis_closed", out_.basis_closed},
                               {"replaced", moving.replaced},
                               {"names", moving.names}}));
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

    // A key slot that is damaged is the copy's as it was the old one's: a later backup of keys.db may mend it.
    Result<Checked> checked_whole(const fs::path& folder) const {
        auto checked = check(folder, slot_);
        CLINIC_TRY(checked);
        checked->keys.damaged.clear();
        if (checked->sound()) return checked;
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
        if (newest == nullptr) return {};
        if (newest->store != out_.store)
            return Error{Errc::conflict, "what shall be put back is another store than the one that lies there",
                         "if it is the right one, move the files of the other away first"};
        const auto image = crypto::StoreImage::open(from_ / "records.db", slot_);
        CLINIC_TRY(image);
        out_.basis_closed = image->superblock().epoch <= newest->epoch; // a salvage's is one higher
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

    // An erased key stays erased. True: the keys are those that lay there.
    Result<bool> keep_whole_keys() const {
        const auto image = crypto::StoreImage::open(copy_folder() / "records.db", slot_);
        CLINIC_TRY(image);
        const auto there = crypto::Keystore::examine(records_ / "keys.db", image->subkey(wrapping_subkey), out_.store);
        if (!there || !there->head_whole || !there->damaged.empty()) return false;
        std::error_code none;
        fs::remove(copy_folder() / "keys.db", none);
        CLINIC_TRY(copy_durably(records_ / "keys.db", copy_folder() / "keys.db"));
        return true;
    }

    // In the copy, before anybody else opens it: the chain's entry, and what nobody knows to hold any more.
    Result<void> say_so(bool kept_keys) const {
        const auto store = records::Store::open({.folder = copy_folder()}, slot_, clock_);
        CLINIC_TRY(store);
        if (kept_keys && out_.basis_closed) CLINIC_TRY(erase_the_keyless(**store));
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
            std::string name = "replaced-" + std::to_string(i);
            if (!is_there(records_ / name)) return name;
        }
        return {};
    }

    // Each step may have been done before a power cut: what has come in is not taken for what was there.
    Result<void> put_in_place(const Moving& moving) const {
        const auto aside = records_ / moving.replaced;
        if (mkdir(aside.c_str(), 0700) != 0 && errno != EEXIST)
            return system_error("the folder for the old files cannot be made");
        for (const char* name : left_behind) CLINIC_TRY(base::remove_durable(records_ / name));
        for (const char* name : parts) {
            const bool comes = std::ranges::find(moving.names, name) != moving.names.end();
            const bool is_in = comes && !is_there(copy_folder() / name);
            if (!is_in && is_there(records_ / name)) CLINIC_TRY(rename_to(records_ / name, aside / name));
            if (comes && !is_in) CLINIC_TRY(rename_to(copy_folder() / name, records_ / name));
        }
        CLINIC_TRY(give_to_owner_of(records_, aside));
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
    const auto held = hold(records);
    CLINIC_TRY(held);
    return Restoring{records, from, slot, clock}.run();
}

} // namespace clinic::salvage
