#include "sync/channel/ghl/surveyor.h"

#include <algorithm>

#include "crypto/base/log.h"
#include "sync/channel/ghl/conversation.h"
#include "sync/lane/wait.h"
#include "sync/lane/worker.h"

namespace clinic::ghl {
namespace {

using envelope::Part;

constexpr std::chrono::milliseconds reply_wait{10'000}, settle_wait{3'000};

// Ours are written to; a pipeline or calendar that is gone keeps nothing else from going.
bool is_field(Part part) {
    return std::find(envelope::field_parts.begin(), envelope::field_parts.end(), part) != envelope::field_parts.end();
}

// The requests of one look, in turn; each is asked for and stands in the ledger.
class Look {
public:
    Look(const Surveyor::Means& means, lane::EgressClient& egress, const base::Pulse& pulse, std::stop_token stop)
        : gate_{egress, means.rules, nullptr, reply_wait, stop, pulse}, rules_{means.rules},
          talk_{{means.client, means.budget, gate_, times_}, none_, lane::Priority::poll, {}, std::move(stop)} {}

    Inventory run(Extent extent) {
        Inventory there;
        if (auto got = read("fields", read_fields(rules_), there)) there.fields = std::move(got->fields);
        if (!there.fields) return there; // unread: as the others would be
        if (extent == Extent::fields) {
            if (!rules_.pipeline.id.empty()) read_the_pipelines(there);
            return there;
        }
        if (extent == Extent::all_and_make) make_missing(there);
        if (auto got = read("tags", read_tags(rules_), there)) there.tags = std::move(got->tags);
        read_the_pipelines(there);
        if (auto got = read("calendars", read_calendars(rules_), there)) there.calendars = std::move(got->calendars);
        return there;
    }
    // The steps alone: there is no lease.
    envelope::Settle settlement() {
        envelope::Settle out;
        out.steps = talk_.delivery().settle.steps;
        return out;
    }

private:
    std::optional<Listed> read(const char* what, const Call& call, Inventory& there) {
        auto exchange = talk_.ask(call);
        // In a dry run nothing was asked: no answer is no emptiness.
        if (exchange && !exchange->dry) return std::move(exchange->answer.listed);
        there.unread.emplace_back(what, exchange ? "dry_run" : talk_.delivery().settle.code);
        return std::nullopt;
    }

    void read_the_pipelines(Inventory& there) {
        if (auto got = read("pipelines", read_pipelines(rules_), there)) there.pipelines = std::move(got->pipelines);
    }

    // An answer that does not come is not made good by asking again: the next look finds what there is.
    void make_missing(Inventory& there) {
        for (const Part part : envelope::field_parts) {
            if (ours(there, part) != nullptr) continue;
            const auto made = talk_.ask(create_field(rules_, part));
            if (made && !made->answer.listed.created.empty()) {
                there.fields->push_back({made->answer.listed.created, envelope::field_name(part), "TEXT", {}});
                there.created_parts.push_back(part);
            } else {
                there.failed_parts.push_back(part);
            }
        }
    }

    const ChannelTimes times_;
    const envelope::Lease none_;
    lane::EgressGate gate_;
    const WriteRules& rules_;
    Conversation talk_;
};

} // namespace

Surveyor::Surveyor(const Means& means, std::filesystem::path egress, SurveyTimes times, base::Pulse pulse)
    : means_{means}, times_{times}, pulse_{std::move(pulse)}, egress_{std::move(egress)} {
    judge({});
}

void Surveyor::run(std::stop_token stop) {
    lane::Backoff backoff{{.cap = times_.retry_cap}};
    while (!stop.stop_requested()) {
        pulse_.beat();
        const bool read = look(Extent::all, pulse_, stop).fields.has_value();
        if (read) backoff.reset();
        pulse_.rest();
        const auto until_next = !read                           ? backoff.next()
                                : lacking() || lacks_pipeline() ? times_.lacking_period
                                                                : times_.period;
        lane::sleep_for(stop, until_next); // what somebody changes over there tells nobody
    }
}

Inventory Surveyor::look(Extent extent, const base::Pulse& pulse, std::stop_token stop) {
    const std::lock_guard one_at_a_time{look_mutex_};
    return look_now(extent, pulse, std::move(stop));
}

Inventory Surveyor::look_now(Extent extent, const base::Pulse& pulse, std::stop_token stop) {
    Inventory found;
    if (!egress_.connected() && !egress_.connect()) {
        found.unread.emplace_back("fields", "offline");
        return found;
    }
    Look now{means_, egress_, pulse, stop};
    found = now.run(extent);
    const auto settlement = now.settlement();
    if (!settlement.steps.empty() && !egress_.ask_for<envelope::Settled>(settlement, settle_wait)) egress_.close();
    judge(found);
    return found;
}

// What was not read leaves the last word as it is.
void Surveyor::judge(const Inventory& found) {
    const bool complete = means_.rules.fields.complete();
    if (!found.fields && complete) return;
    auto faults = faults_of(means_.rules, found);
    const bool lack = std::any_of(faults.begin(), faults.end(), [](const auto& one) { return is_field(one.part); });
    {
        const std::lock_guard lock{mutex_};
        if (lack && !fields_lack_ && complete)
            base::log(base::Level::error, "ghl",
                      Error{Errc::conflict, "GHL's location lacks fields that are written to",
                            "clinicctl ghl prepare says which"},
                      {{"faults", static_cast<std::int64_t>(faults.size())}});
        fields_lack_ = lack;
        const auto pipeline =
            std::find_if(faults.begin(), faults.end(), [](const auto& one) { return one.part == Part::pipeline; });
        if (found.pipelines)
            pipeline_lack_ = pipeline == faults.end() ? std::nullopt : std::optional{pipeline->lack};
        else if (pipeline_lack_) // not read: as it was
            faults.push_back({Part::pipeline, *pipeline_lack_});
        if (found.fields) looked_at_ = means_.clock.monotonic();
    }
    means_.board.location(std::move(faults));
}

bool Surveyor::doubt(std::stop_token stop) {
    {
        const std::lock_guard lock{mutex_};
        if (looked_at_ && means_.clock.monotonic() - *looked_at_ < times_.doubt_spacing) return fields_lack_;
    }
    // A whole look may take longer than a worker's pulse allows: what it finds is for the next doubt.
    const std::unique_lock one_at_a_time{look_mutex_, std::try_to_lock};
    if (one_at_a_time) look_now(Extent::fields, {}, std::move(stop));
    return lacking().has_value();
}

bool Surveyor::lacks_pipeline() const {
    const std::lock_guard lock{mutex_};
    return pipeline_lack_.has_value();
}

std::optional<lane::Fault> Surveyor::lacking() const {
    if (!means_.rules.fields.complete()) return lane::Fault{envelope::LaneState::down, "unprepared", {}};
    const std::lock_guard lock{mutex_};
    if (!fields_lack_) return std::nullopt;
    lane::Fault fault{envelope::LaneState::down, "fields", {}};
    fault.reads_go_on = true; // what GHL's people do, stops and bookings above all, is seen nevertheless
    return fault;
}

} // namespace clinic::ghl
