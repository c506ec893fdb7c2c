#include "tests/crypto/fault_disk.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "tests/crypto/disk_calls.h"
#include "tests/crypto/store_files.h"

namespace clinic::crypto::tests {

namespace fs = std::filesystem;

FaultDisk::FaultDisk(const fs::path& folder) : folder_{fs::canonical(folder)} {
    for (const auto& entry : fs::directory_iterator{folder_}) {
        if (!entry.is_regular_file()) continue;
        const std::string name = entry.path().filename().string();
        first_names_[name] = files_++;
        first_files_.push_back(contents(entry.path()));
        last_name_.push_back(name);
    }
    names_ = first_names_;
    put_in(*this);
}

FaultDisk::~FaultDisk() {
    stop();
}

void FaultDisk::stop() {
    take_out(*this);
    open_.clear();
}

std::size_t FaultDisk::events() const {
    const std::scoped_lock lock{disk_lock()};
    return events_.size();
}

void FaultDisk::fail(int nth, Fault fault, bool once) {
    const std::scoped_lock lock{disk_lock()};
    fail_at_ = nth;
    fault_ = fault;
    once_ = once;
    calls_ = 0;
    failed_ = false;
}

bool FaultDisk::failed() const {
    const std::scoped_lock lock{disk_lock()};
    return failed_;
}

int FaultDisk::calls() const {
    const std::scoped_lock lock{disk_lock()};
    return calls_;
}

bool FaultDisk::wrote(std::string_view text) const {
    const std::scoped_lock lock{disk_lock()};
    return std::ranges::any_of(events_, [&](const DiskEvent& event) { return tests::holds(event.bytes, text); });
}

int FaultDisk::failure(DiskCall call, bool makes) {
    const bool needs_room = call == DiskCall::write || call == DiskCall::sync || makes;
    if (fault_ == Fault::full && !needs_room) return 0;
    if (fault_ == Fault::cut_short && call != DiskCall::read) return 0;
    ++calls_;
    if (fail_at_ == 0 || calls_ < fail_at_ || (once_ && calls_ > fail_at_)) return 0;
    failed_ = true;
    return fault_ == Fault::full ? ENOSPC : EIO;
}

bool FaultDisk::holds_name(const char* path) const {
    const std::string_view given{path}, folder{folder_.native()};
    if (!given.starts_with(folder)) return false;
    if (given.size() == folder.size()) return true;
    return given[folder.size()] == '/' && given.find('/', folder.size() + 1) == std::string_view::npos;
}

std::string FaultDisk::name_in(const char* path) {
    return fs::path{path}.filename().string();
}

void FaultDisk::note(DiskEvent event) {
    events_.push_back(std::move(event));
}

void FaultDisk::opened(int descriptor, const char* path, bool made, bool emptied) {
    if (folder_ == path) {
        open_[descriptor] = -1;
        return;
    }
    const std::string name = name_in(path);
    if (made || !names_.contains(name)) {
        names_[name] = files_++;
        last_name_.push_back(name);
        note({.kind = DiskEvent::Kind::create, .file = names_[name], .name = name});
    }
    open_[descriptor] = names_.at(name);
    if (emptied && !made) truncated(descriptor, 0);
}

void FaultDisk::wrote(int descriptor, std::int64_t at, const void* from, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(from);
    note({.kind = DiskEvent::Kind::write, .file = open_.at(descriptor), .at = at, .bytes = {bytes, bytes + size}});
}

void FaultDisk::truncated(int descriptor, std::int64_t size) {
    note({.kind = DiskEvent::Kind::truncate, .file = open_.at(descriptor), .at = size});
}

void FaultDisk::synced(int descriptor) {
    const int file = open_.at(descriptor);
    if (file < 0)
        note({.kind = DiskEvent::Kind::sync_folder});
    else
        note({.kind = DiskEvent::Kind::sync, .file = file, .name = last_name_[static_cast<std::size_t>(file)]});
}

void FaultDisk::renamed(const char* from, const char* to) {
    const std::string before = name_in(from), after = name_in(to);
    const int file = names_.at(before);
    names_.erase(before);
    names_[after] = file;
    last_name_[static_cast<std::size_t>(file)] = after;
    note({.kind = DiskEvent::Kind::rename, .file = file, .name = after, .from = before});
}

void FaultDisk::removed(const char* path) {
    const std::string name = name_in(path);
    note({.kind = DiskEvent::Kind::remove, .file = names_.at(name), .name = name});
    names_.erase(name);
}

} // namespace clinic::crypto::tests
