#include "provisioning/setup/progress.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "crypto/base/files.h"
#include "crypto/base/json.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 1'048'576;
constexpr unsigned root_alone = 0600, folder_of_root = 0700;

struct Words {
    const char *name, *title;
};
constexpr std::array<Words, steps.size()> words{{{"preflight", "Is this machine fit?"},
                                                 {"claim", "Whose box is it, and where does it send?"},
                                                 {"terms", "What may leave, and on what legal basis?"},
                                                 {"keys", "What opens the records when this machine is gone?"},
                                                 {"feeds", "Who sends to the box?"},
                                                 {"proof", "Does it arrive?"}}};

const Words& of(Step step) {
    return words[static_cast<std::size_t>(step)];
}

bool is_state(const json& read) {
    if (!read.is_object() || read.value("v", 0) != 1 || !read.contains("steps") || !read["steps"].is_object())
        return false;
    if (!read.contains("notes") || !read["notes"].is_object()) return false;
    return std::all_of(read["steps"].begin(), read["steps"].end(), [](const json& one) {
        return one.is_object() && one.contains("at") && one["at"].is_string() && one.contains("facts") &&
               one["facts"].is_object();
    });
}

Result<json> read_state(const std::filesystem::path& file) {
    const auto text = base::read_text(file, file_bytes_max);
    if (!text && text.error().code == Errc::not_found)
        return json{{"v", 1}, {"steps", json::object()}, {"notes", json::object()}};
    CLINIC_TRY(text);
    auto read = base::parse_json(*text, file_bytes_max, 12);
    if (!read || !is_state(*read))
        return Error{Errc::malformed, "what the setup wrote down cannot be read",
                     "take progress.json away from its folder: the setup begins anew, and keeps what the box has"};
    return read;
}

Result<base::UniqueFd> hold(const std::filesystem::path& folder) {
    base::UniqueFd lock{::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, root_alone)};
    if (!lock) return base::file_error("the setup's folder cannot be written", errno);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error{Errc::conflict, "another setup of this box runs now", "wait for it, or end it with Ctrl-C there"};
    return lock;
}

} // namespace

const char* name(Step step) {
    return of(step).name;
}

const char* title(Step step) {
    return of(step).title;
}

std::optional<Step> step_of(std::string_view name) {
    const auto found = std::find_if(steps.begin(), steps.end(), [&](Step one) { return name == of(one).name; });
    return found == steps.end() ? std::nullopt : std::optional{*found};
}

Result<Progress> Progress::open(const std::filesystem::path& folder, bool lock) {
    base::UniqueFd held;
    if (lock) {
        if (mkdir(folder.c_str(), folder_of_root) != 0 && errno != EEXIST)
            return base::file_error("the setup's folder cannot be made", errno);
        auto got = hold(folder);
        CLINIC_TRY(got);
        held = std::move(*got);
    }
    auto state = read_state(folder / "progress.json");
    CLINIC_TRY(state);
    return Progress{folder / "progress.json", std::move(*state), std::move(held)};
}

bool Progress::is_done(Step step) const {
    return state_["steps"].contains(name(step));
}

bool Progress::is_complete() const {
    return std::all_of(steps.begin(), steps.end(), [this](Step step) { return is_done(step); });
}

json Progress::facts(Step step) const {
    return is_done(step) ? state_["steps"][name(step)]["facts"] : json::object();
}

std::string Progress::done_at(Step step) const {
    return is_done(step) ? state_["steps"][name(step)]["at"].get<std::string>() : std::string{};
}

Result<void> Progress::finish(Step step, json facts, Timestamp now) {
    json next = state_;
    next["steps"][name(step)] = {{"at", base::rfc3339(now)}, {"facts", std::move(facts)}};
    if (step != Step::proof) next["steps"].erase(name(Step::proof));
    next["notes"].erase(test_person);
    return write(std::move(next));
}

Result<void> Progress::note(const std::string& key, std::string value) {
    json next = state_;
    next["notes"][key] = std::move(value);
    return write(std::move(next));
}

std::string Progress::noted(const std::string& key) const {
    return state_["notes"].value(key, std::string{});
}

Result<void> Progress::write(json next) {
    CLINIC_TRY(base::write_durable(file_, base::as_bytes(base::dump_json(next) + "\n"), root_alone));
    state_ = std::move(next);
    return {};
}

} // namespace clinic::setup
