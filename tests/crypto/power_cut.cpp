#include "tests/crypto/power_cut.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "crypto/store_layout.h"
#include "tests/crypto/store_files.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::crypto::tests {
namespace {

namespace fs = std::filesystem;
using Kind = DiskEvent::Kind;

// How the disk treats what was not synced.
struct Manner {
    enum class Fate { none, all, any } fate; // of the pieces: dropped, done in order, or each as chance has it
    std::size_t sector;
};

Manner any_manner(std::mt19937& random) {
    const auto fate = random() % 8;
    return {fate == 0   ? Manner::Fate::none
            : fate == 1 ? Manner::Fate::all
                        : Manner::Fate::any,
            random() % 2 == 0 ? 512U : 4'096U};
}

void write_at(Image& image, std::size_t at, std::span<const std::byte> bytes) {
    if (image.size() < at + bytes.size()) image.resize(at + bytes.size());
    std::ranges::copy(bytes, image.begin() + static_cast<std::ptrdiff_t>(at));
}

void apply(Image& image, const DiskEvent& event) {
    const auto at = static_cast<std::size_t>(event.at);
    if (event.kind == Kind::truncate)
        image.resize(at);
    else
        write_at(image, at, event.bytes);
}

// Whole, or those sectors that chance has reached the disk.
void apply_torn(Image& image, const DiskEvent& event, std::size_t sector, std::mt19937& random) {
    if (event.kind == Kind::truncate || random() % 2 == 0) return apply(image, event);
    const auto at = static_cast<std::size_t>(event.at);
    const std::span<const std::byte> bytes{event.bytes};
    for (std::size_t done = 0; done < bytes.size();) {
        const std::size_t part = std::min(bytes.size() - done, sector - (at + done) % sector);
        if (random() % 2 == 0) write_at(image, at + done, bytes.subspan(done, part));
        done += part;
    }
}

class Cut {
public:
    Cut(const FaultDisk& disk, std::size_t events, const Pretended& pretended)
        : events_{disk.log().data(), events}, files_{disk.first_files()}, names_{disk.first_names()},
          folders_{disk.first_folders()} {
        for (const auto& event : events_) {
            files_.resize(std::max(files_.size(), static_cast<std::size_t>(event.file + 1)));
            if (event.kind == Kind::make_folder) folders_.insert(event.file);
        }
        synced_.resize(files_.size(), 0);
        for (std::size_t i = 0; i < events; ++i) {
            const DiskEvent& event = events_[i];
            if (event.kind != Kind::sync && event.kind != Kind::sync_folder) continue;
            if (pretended && pretended(event)) continue;
            (event.kind == Kind::sync ? synced_[static_cast<std::size_t>(event.file)] : folder_synced_[event.file]) = i;
        }
    }

    void leave(std::mt19937& random, const fs::path& folder) {
        leave_contents(random);
        leave_names(random);
        fs::remove_all(folder);
        write_folder(root_folder, folder);
    }

private:
    void write_folder(int folder, const fs::path& path) const {
        fs::create_directories(path);
        for (const auto& [name, file] : names_) {
            if (name.folder != folder) continue;
            if (folders_.contains(file))
                write_folder(file, path / name.name);
            else
                put_contents(path / name.name, files_[static_cast<std::size_t>(file)]);
        }
    }

    void leave_contents(std::mt19937& random) {
        const Manner manner = any_manner(random);
        std::vector<const DiskEvent*> pending;
        for (std::size_t i = 0; i < events_.size(); ++i) {
            const DiskEvent& event = events_[i];
            if (event.kind != Kind::write && event.kind != Kind::truncate) continue;
            const auto file = static_cast<std::size_t>(event.file);
            if (i < synced_[file])
                apply(files_[file], event);
            else
                pending.push_back(&event);
        }
        if (manner.fate == Manner::Fate::none) return;
        if (manner.fate == Manner::Fate::any) {
            std::erase_if(pending, [&](const DiskEvent*) { return random() % 3 == 0; });
            if (random() % 2 == 0) std::ranges::shuffle(pending, random);
        }
        for (const DiskEvent* event : pending) {
            Image& image = files_[static_cast<std::size_t>(event->file)];
            if (manner.fate == Manner::Fate::all)
                apply(image, *event);
            else
                apply_torn(image, *event, manner.sector, random);
        }
    }

    // A change of a name reaches the disk or not, each by itself.
    void leave_names(std::mt19937& random) {
        const Manner::Fate fate = any_manner(random).fate;
        for (std::size_t i = 0; i < events_.size(); ++i) {
            const DiskEvent& event = events_[i];
            const auto synced = folder_synced_.find(event.folder);
            const bool certain = synced != folder_synced_.end() && i < synced->second;
            if (!certain && (fate == Manner::Fate::none || (fate == Manner::Fate::any && random() % 2 == 0))) continue;
            const DiskName name{event.folder, event.name};
            if (event.kind == Kind::create || event.kind == Kind::make_folder) names_[name] = event.file;
            if (event.kind == Kind::remove) names_.erase(name);
            if (event.kind == Kind::rename && names_.erase({event.folder, event.from}) > 0) names_[name] = event.file;
        }
    }

    const std::span<const DiskEvent> events_;
    std::vector<Image> files_;
    std::map<DiskName, int> names_;
    std::set<int> folders_;
    std::vector<std::size_t> synced_;          // by file: changes before this event are certain
    std::map<int, std::size_t> folder_synced_; // and names, by folder
};

std::string at_moment(std::uint64_t seed, std::size_t events, std::size_t of, const std::string& wrong) {
    return "seed " + std::to_string(seed) + ", cut after event " + std::to_string(events) + " of " +
           std::to_string(of) + ": " + wrong;
}

// What is wrong after a cut at `events`; on a disk of its own, so that a second cut can fall into the recovery.
std::string wrong_after(CutWorkload& workload, const FaultDisk& disk, std::size_t events, bool twice,
                        std::mt19937& random, const Pretended& pretended) {
    const fakes::TempFolder place;
    const fs::path left = place / "cut";
    power_cut(disk, events, random, left, pretended);
    FaultDisk again{left};
    const Bounds bounds = workload.bounds(events);
    const Found found = workload.judge(left, bounds);
    again.stop();
    if (!found.wrong.empty() || !twice) return found.wrong;

    const std::size_t second = again.events() == 0 ? 0 : random() % (again.events() + 1);
    const fs::path left_again = place / "cut-again";
    power_cut(again, second, random, left_again, pretended);
    const FaultDisk quick{left_again};
    const Found still = workload.judge(left_again, {found.commits, found.commits + 1, bounds.returned, true});
    return still.wrong.empty() ? "" : "cut again after event " + std::to_string(second) + ": " + still.wrong;
}

const char* kind_of_write(const std::string& name, const DiskEvent& write) {
    if (name.ends_with("-wal")) return "wal";
    if (name == "keys.db") return write.bytes.size() == wrapped_key_bytes ? "key slot" : "new key slots";
    if (name != "records.db") return "another file";
    return static_cast<std::uint64_t>(write.at) < main_head_bytes ? "superblock" : "checkpoint";
}

// By what they are amid, all moments of that kind.
std::map<std::string, std::vector<std::size_t>> moments_amid(const CutWorkload& workload, const FaultDisk& disk) {
    std::map<std::string, std::vector<std::size_t>> all;
    std::map<int, std::string> names;
    std::map<int, std::set<std::string>> unsynced; // by file
    for (const auto& [name, file] : disk.first_names()) names[file] = name.name;
    for (std::size_t events = 1; events <= disk.events(); ++events) {
        const DiskEvent& event = disk.log()[events - 1];
        if (event.kind == Kind::create || event.kind == Kind::rename) names[event.file] = event.name;
        if (event.kind == Kind::write) unsynced[event.file].insert(kind_of_write(names[event.file], event));
        if (event.kind == Kind::sync) unsynced[event.file].clear();
        std::set<std::string> amid;
        for (const auto& [file, kinds] : unsynced) amid.insert(kinds.begin(), kinds.end());
        if (auto own = workload.amid(events); !own.empty()) amid.insert(std::move(own));
        for (const auto& what : amid) all[what].push_back(events);
    }
    return all;
}

} // namespace

void power_cut(const FaultDisk& disk, std::size_t events, std::mt19937& random, const fs::path& folder,
               const Pretended& pretended) {
    Cut{disk, events, pretended}.leave(random, folder);
}

CutVerdict cut_power(CutWorkload& workload, std::uint64_t seed, int cuts, const Pretended& pretended) {
    std::mt19937 random{static_cast<std::mt19937::result_type>(seed)};
    const fakes::TempFolder place;
    const fs::path folder = place / "start";
    fs::create_directories(folder);
    {
        const FaultDisk quick{folder};
        workload.prepare(folder);
    }
    FaultDisk disk{folder};
    workload.run(folder, disk);
    disk.stop();

    const auto amid = moments_amid(workload, disk);
    CutVerdict verdict;
    for (; verdict.cuts < cuts; ++verdict.cuts) {
        std::size_t events = random() % (disk.events() + 1);
        if (verdict.cuts % 2 == 1 && !amid.empty()) {
            const auto& moments = std::next(amid.begin(), static_cast<std::ptrdiff_t>(random() % amid.size()))->second;
            events = moments[random() % moments.size()];
        }
        for (const auto& [what, moments] : amid)
            if (std::ranges::binary_search(moments, events)) ++verdict.amid[what];
        const std::string wrong = wrong_after(workload, disk, events, verdict.cuts % 4 == 3, random, pretended);
        if (wrong.empty()) continue;
        if (verdict.wrong++ == 0) verdict.first_wrong = at_moment(seed, events, disk.events(), wrong);
    }
    return verdict;
}

} // namespace clinic::crypto::tests
