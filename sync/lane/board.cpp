#include "sync/lane/board.h"

#include <sys/timex.h>

#include <algorithm>
#include <utility>

namespace clinic::lane {
namespace {

constexpr base::Micros date_life = std::chrono::minutes{15};

bool kernel_synchronised() {
    timex asked{};
    const int state = adjtimex(&asked); // -1: a filter refuses the question, which says nothing of the clock
    return state >= 0 && state != TIME_ERROR && (asked.status & STA_UNSYNC) == 0;
}

} // namespace

void Board::put(envelope::LaneState& state, std::string& code, envelope::LaneState to, std::string why) {
    {
        const std::lock_guard lock{mutex_};
        if (state == to && code == why) return;
        state = to;
        code = std::move(why);
        ++version_;
    }
    changed_.notify_all();
}

void Board::crm(envelope::LaneState state, std::string code) {
    put(crm_, crm_code_, state, std::move(code));
}
void Board::mqtt(envelope::LaneState state, std::string code) {
    put(mqtt_, mqtt_code_, state, std::move(code));
}

void Board::location(std::vector<envelope::LocationFault> faults) {
    {
        const std::lock_guard lock{mutex_};
        if (location_ == faults) return;
        location_ = std::move(faults);
        ++version_;
    }
    changed_.notify_all();
}

void Board::read_back(bool kept) {
    {
        const std::lock_guard lock{mutex_};
        kept_.push_back(kept);
        if (kept_.size() > envelope::read_backs_max) kept_.pop_front();
        ++version_;
    }
    changed_.notify_all();
}

void Board::relay(bool up) {
    {
        const std::lock_guard lock{mutex_};
        if (webhooks_ && webhooks_->up == up) return;
        if (!webhooks_) webhooks_.emplace();
        webhooks_->up = up;
        ++version_;
    }
    changed_.notify_all();
}

void Board::heard(Heard what, Timestamp at) {
    const std::int64_t at_ms = at.micros / 1'000;
    {
        const std::lock_guard lock{mutex_};
        if (!webhooks_) webhooks_.emplace();
        auto& all = *webhooks_;
        switch (what) {
        case Heard::told: ++all.told; break;
        case Heard::looked: ++all.looked; break;
        case Heard::refused: ++all.refused; break;
        case Heard::bad: ++all.bad; break;
        }
        all.newest_ms = at_ms;
        if (what == Heard::refused || what == Heard::bad) all.fault_ms = at_ms;
        ++version_;
    }
    changed_.notify_all();
}

void Board::requests_of_day(std::function<std::optional<envelope::RequestsOfDay>()> source) {
    const std::lock_guard lock{mutex_};
    requests_ = std::move(source);
}

void Board::https_date(Timestamp server) {
    bool first = false;
    {
        const std::lock_guard lock{mutex_};
        first = !date_;
        date_ = Seen{server, clock_.monotonic()};
        if (first) ++version_;
    }
    if (first) changed_.notify_all();
}

envelope::TimeState Board::said() const {
    envelope::TimeState out;
    out.kernel_synchronised = kernel_synchronised();
    const std::lock_guard lock{mutex_};
    out.crm = crm_;
    out.mqtt = mqtt_;
    out.crm_code = crm_code_;
    out.mqtt_code = mqtt_code_;
    out.location = location_;
    out.read_backs = {static_cast<int>(kept_.size()), static_cast<int>(std::count(kept_.begin(), kept_.end(), false))};
    out.webhooks = webhooks_;
    if (requests_) out.requests = requests_();
    // Carried forward on the monotonic clock, so that a step of ours shows at once.
    if (date_ && clock_.monotonic() - date_->at < date_life) {
        const auto server_now = date_->server + (clock_.monotonic() - date_->at);
        out.https_offset_s = (server_now - clock_.now()).count() / 1'000'000;
    }
    return out;
}

bool Board::mqtt_up() const {
    const std::lock_guard lock{mutex_};
    return mqtt_ == envelope::LaneState::up;
}

void Board::watched(bool somebody) {
    const std::lock_guard lock{mutex_};
    watched_ = somebody;
}

bool Board::watched() const {
    const std::lock_guard lock{mutex_};
    return watched_;
}

std::uint64_t Board::version() const {
    const std::lock_guard lock{mutex_};
    return version_;
}

void Board::wait_change(std::stop_token stop, std::uint64_t seen, base::Micros span) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, stop, span, [&] { return version_ != seen; });
}

} // namespace clinic::lane
