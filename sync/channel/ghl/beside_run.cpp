#include "sync/channel/ghl/beside_run.h"

#include <algorithm>

namespace clinic::ghl {
namespace {

using envelope::Field;
using envelope::Lease;
using lane::Delivery;

bool is_booking(const Lease& lease) {
    return lease.envelope->kind() == envelope::Kind::booking_state;
}

Call search(const WriteRules& rules, const Lease& lease) {
    if (is_booking(lease)) return search_bookings(lease.contact);
    return search_case(rules, lease.contact);
}

Call create(const WriteRules& rules, const Lease& lease) {
    if (is_booking(lease)) return create_booking(rules, lease.contact, *lease.envelope);
    return create_case(rules, lease.contact, *lease.envelope);
}

Call read(const Lease& lease) {
    return is_booking(lease) ? read_booking(lease.object) : read_case(lease.object);
}

Call put(const WriteRules& rules, const Lease& lease) {
    if (is_booking(lease)) return put_booking(lease.object, *lease.envelope);
    return put_case(rules, lease.object, *lease.envelope);
}

class BesideRun {
public:
    BesideRun(Conversation& talk, const WriteRules& rules, const Lease& lease, ReadBack& back)
        : talk_{talk}, rules_{rules}, lease_{lease}, back_{back} {}

    Delivery run() { return lease_.object.empty() ? find_or_create() : update(); }

private:
    Delivery find_or_create() {
        if (lease_.look_up_first) {
            const auto found = talk_.ask(search(rules_, lease_));
            if (!found && !went_with_the_contact()) return talk_.delivery();
            if (found && found->dry) return talk_.delivered(); // nobody has looked
            if (found && !found->answer.objects.empty()) return adopt(found->answer.objects.front());
            if (lease_.unsure_ms > 0) return talk_.look_again();
        }
        // With this code clinicd knows that no create of unknown outcome has happened.
        return lease_.create ? make() : talk_.retry("no_object", {});
    }

    Delivery make() {
        const auto made = talk_.ask(create(rules_, lease_));
        if (!made) return talk_.delivery();
        if (made->dry) return talk_.delivered();
        if (made->answer.taken) return taken();
        if (made->answer.object.empty()) return talk_.retry("no_id", talk_.backoff());
        talk_.object(made->answer.object);
        return talk_.delivered();
    }

    // GHL does not say which one is there: one that does not carry our marker is a stranger's, and is never touched.
    Delivery taken() {
        const auto found = talk_.ask(search(rules_, lease_));
        if (!found) return talk_.delivery();
        return found->answer.objects.empty() ? talk_.against("object_taken") : adopt(found->answer.objects.front());
    }

    // The contact is not there any more: what is to end has nothing left that it could be found by.
    bool went_with_the_contact() const { return talk_.absent() && !envelope::wants_object(*lease_.envelope); }

    // Told first, and written to under the next lease, as a contact is.
    Delivery adopt(const std::string& object) {
        talk_.object(object);
        return talk_.retry("adopted", {});
    }

    Delivery update() {
        // Between two refusals of the same body stands a look-up. Another of ours takes the place of one that is gone.
        bool is_there = false;
        if (lease_.look_up_first) {
            const auto found = talk_.ask(search(rules_, lease_));
            if (!found && !went_with_the_contact()) return talk_.delivery();
            const auto ours = found ? found->answer.objects : std::vector<std::string>{};
            is_there = std::find(ours.begin(), ours.end(), lease_.object) != ours.end();
            if (!ours.empty() && !is_there) return adopt(ours.front());
        }
        const auto written = talk_.ask(put(rules_, lease_));
        if (written && written->answer.taken) return talk_.against("object_taken");
        if (written) return written->dry ? talk_.delivered() : read_again();
        if (!talk_.absent() || is_there) return talk_.delivery(); // what is not found may be its stage
        const bool is_sure = lease_.look_up_first;
        return is_sure && !envelope::wants_object(*lease_.envelope) ? talk_.retry("no_object", {})
                                                                    : talk_.against("object_gone");
    }

    // What it does not answer is not known, and no reason to write again.
    Delivery read_again() {
        if (!back_.is_read) return talk_.delivered();
        Expected expected;
        expected.status = lease_.envelope->text(is_booking(lease_) ? Field::booking : Field::outcome);
        talk_.expect(std::move(expected));
        if (const auto seen = talk_.ask(read(lease_)); seen && !seen->dry) back_.kept = seen->answer.as_expected;
        if (back_.kept && !*back_.kept && back_.may_write_again) return talk_.retry("not_kept", talk_.backoff());
        return talk_.delivered();
    }

    Conversation& talk_;
    const WriteRules& rules_;
    const Lease& lease_;
    ReadBack& back_;
};

} // namespace

Sought sought(const Lease& lease) {
    if (is_booking(lease))
        return {"events", "title", std::string{lease.envelope->text(Field::aid)}, lease.contact, true};
    return {"opportunities", "name", std::string{lease.envelope->text(Field::pid)}, lease.contact};
}

Delivery deliver_beside(Conversation& talk, const WriteRules& rules, const Lease& lease, ReadBack& back) {
    return BesideRun{talk, rules, lease, back}.run();
}

} // namespace clinic::ghl
