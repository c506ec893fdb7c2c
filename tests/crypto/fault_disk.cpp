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
    take_in(folder_, root_folder);
    first_names_ = names_;
    first_folders_ = folders_;
    put_in(*this);
}

void FaultDisk::take_in(const fs::path& path, int folder) {
    for (const auto& entry : fs::directory_iterator{path}) {
        if (!entry.is_regular_file() && !entry.is_directory()) continue;
        const int number = number_for({folder, entry.path().filename().string()});
        first_files_.push_back(entry.is_directory() ? Image{} : contents(entry.path()));
        if (!entry.is_directory()) continue;
        folders_.insert(number);
        take_in(entry.path(), number);
    }
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
    const bool needs_room = call == DiskCall::write || call == DiskCall::sync || call == DiskCall::make_folder || makes;
    if (fault_ == Fault::full && !needs_room) return 0;
    if (fault_ == Fault::cut_short && call != DiskCall::read) return 0;
    ++calls_;
    if (fail_at_ == 0 || calls_ < fail_at_ || (once_ && calls_ > fail_at_)) return 0;
    failed_ = true;
    return fault_ == Fault::full ? ENOSPC : EIO;
}

bool FaultDisk::holds_name(const char* path) const {
    return folder_ == path || name_of(path);
}

std::optional<DiskName> FaultDisk::name_of(const char* path) const {
    std::string_view rest{path};
    if (!rest.starts_with(folder_.native() + '/')) return std::nullopt;
    rest.remove_prefix(folder_.native().size() + 1);
    DiskName name;
    for (auto end = rest.find('/'); end != std::string_view::npos; end = rest.find('/')) {
        const auto found = names_.find({name.folder, std::string{rest.substr(0, end)}});
        if (found == names_.end() || !folders_.contains(found->second)) return std::nullopt;
        name.folder = found->second;
        rest.remove_prefix(end + 1);
    }
    name.name = rest;
    return name;
}

std::optional<int> FaultDisk::folder_at(const char* path) const {
    if (folder_ == path) return root_folder;
    const auto name = name_of(path);
    const auto found = name ? names_.find(*name) : names_.end();
    return found != names_.end() && folders_.contains(found->second) ? std::optional{found->second} : std::nullopt;
}

int FaultDisk::number_for(const DiskName& name) {
    const int number = static_cast<int>(last_name_.size());
    last_name_.push_back(name.name);
    return names_[name] = number;
}

void FaultDisk::note(DiskEvent event) {
    events_.push_back(std::move(event));
}

void FaultDisk::opened(int descriptor, const char* path, bool made, bool emptied) {
    if (const auto folder = folder_at(path)) {
        open_[descriptor] = *folder;
        return;
    }
    const auto name = *name_of(path);
    if (made || !names_.contains(name)) {
        const int file = number_for(name);
        note({.kind = DiskEvent::Kind::create, .file = file, .name = name.name, .folder = name.folder});
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
    const bool is_folder = file == root_folder || folders_.contains(file);
    note({.kind = is_folder ? DiskEvent::Kind::sync_folder : DiskEvent::Kind::sync,
          .file = file,
          .name = file == root_folder ? "" : last_name_[static_cast<std::size_t>(file)]});
}

void FaultDisk::renamed(const char* from, const char* to) {
    const auto before = *name_of(from), after = *name_of(to);
    assert(before.folder == after.folder);
    const int file = names_.at(before);
    names_.erase(before);
    names_[after] = file;
    last_name_[static_cast<std::size_t>(file)] = after.name;
    note({.kind = DiskEvent::Kind::rename,
          .file = file,
          .name = after.name,
          .from = before.name,
          .folder = after.folder});
}

void FaultDisk::removed(const char* path) {
    const auto name = *name_of(path);
    note({.kind = DiskEvent::Kind::remove, .file = names_.at(name), .name = name.name, .folder = name.folder});
    names_.erase(name);
}

void FaultDisk::made_folder(const char* path) {
    const auto name = *name_of(path);
    const int made = number_for(name);
    folders_.insert(made);
    note({.kind = DiskEvent::Kind::make_folder, .file = made, .name = name.name, .folder = name.folder});
}

} // namespace clinic::crypto::tests
