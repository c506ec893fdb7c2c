// What is asked on egress.sock, request by request.
#include "crypto/base/log.h"
#include "daemon/egress/egress_state.h"

namespace clinic::egress {

using base::Level;

void EgressServer::State::handle(std::uint64_t id, const envelope::LeaseRequest& request) {
    ask_lease(id,
              {request.destination, steady_clock::now() + std::chrono::milliseconds{request.wait_ms}, request.least});
}

void EgressServer::State::ask_lease(std::uint64_t id, Waiting waiting) {
    ask_store(id, [this, id, waiting](records::Transaction& txn) -> Result<Answer> {
        auto lease = behind->gate.lease(txn, waiting.destination, waiting.least);
        CLINIC_TRY(lease);
        const bool nothing = lease->lease == 0;
        return Answer{.connection = id,
                      .reply = std::move(lease).value(),
                      .wait_instead = nothing ? std::optional{waiting} : std::nullopt};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::Attempt& request) {
    const auto& leases = connections.at(id).leases;
    const auto own = leases.find(request.lease);
    if (request.lease != 0 && own == leases.end())
        return reply(id, envelope::Verdict{.answer = envelope::Answer::no, .code = "lease_unknown"});
    const auto to = own != leases.end() ? own->second : outbox::Addressed{};
    const auto judge = [this, id, request, to](records::Transaction& txn) -> Result<Answer> {
        const auto judged = behind->gate.judge(txn, request, to);
        CLINIC_TRY(judged);
        const auto answer = judged->verdict.answer;
        const std::int64_t read = request.lease == 0 ? judged->verdict.attempt : 0;
        return Answer{.connection = id,
                      .reply = judged->verdict,
                      .over = answer == envelope::Answer::hold || answer == envelope::Answer::no,
                      .blocked = judged->blocked,
                      .read = read};
    };
    ask_store(id, judge, request.lease);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::Settle& request) {
    began = std::max(began, offset()); // a retry is put off by the clock as it is now, also between two looks
    connections.at(id).settling_reads = request.lease == 0;
    // A lease that is not, or no longer, the asker's may be another's by now.
    const auto& leases = connections.at(id).leases;
    const auto held = leases.find(request.lease);
    const bool own = held != leases.end();
    const auto to = own ? held->second : outbox::Addressed{};
    connections.at(id).settling = own;
    if (own || request.lease == 0) measures.settled(request);
    const auto settle = [this, id, own, request, to](records::Transaction& txn) -> Result<Answer> {
        const auto settled = own                  ? behind->gate.settle(txn, request, to)
                             : request.lease == 0 ? behind->gate.settle_reads(txn, request)
                                                  : outbox::Outbox::settle_steps(txn, request);
        CLINIC_TRY(settled);
        if (!request.next) return Answer{.connection = id, .reply = *settled, .over = true};
        auto next = lease_apart(txn, *request.next);
        CLINIC_TRY(next);
        return Answer{.connection = id, .reply = std::move(*next), .over = true};
    };
    ask_store(id, settle, own ? request.lease : 0);
}

// Where nothing can be leased, the settlement stands all the same.
Result<envelope::Lease> EgressServer::State::lease_apart(records::Transaction& txn, Destination destination) const {
    envelope::Lease next;
    const auto failed = txn.apart([&]() -> Result<void> {
        auto lease = behind->gate.lease(txn, destination);
        CLINIC_TRY(lease);
        next = std::move(*lease);
        return {};
    });
    CLINIC_TRY(failed);
    if (*failed) base::log(Level::warning, "egress", **failed);
    return next;
}

void EgressServer::State::handle(std::uint64_t id, const envelope::TimeState& request) {
    health.lanes(request);
    if (!behind) return reply(id, envelope::Settled{});
    const bool trusted = health.clock_trusted();
    behind->releaser.set_clock_trusted(trusted);
    clock_was_trusted = clock_was_trusted && trusted;
    const envelope::Settled heard{.watched = health.watched()};
    if (!trusted || clock_was_trusted) return reply(id, heard);
    ask_store(id, [id, heard](records::Transaction& txn) -> Result<Answer> {
        CLINIC_TRY(outbox::Outbox::unpark(txn, "clock"));
        return Answer{.connection = id, .reply = heard, .unparked = true};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::DeviceRequest&) {
    reply(id, health.device());
}

void EgressServer::State::handle(std::uint64_t id, const envelope::DeviceAck& request) {
    health.acknowledge_events(request.event);
    reply(id, envelope::Settled{});
}

// What is told of GHL: one transaction each, durable when it is answered.
template <class Request, class Reply>
void EgressServer::State::reconcile(std::uint64_t id, const Request& request,
                                    Result<Reply> (crm::Reconciler::*what)(records::Transaction&, const Request&)) {
    ask_store(id, [this, id, request, what](records::Transaction& txn) -> Result<Answer> {
        const auto answered = (behind->gate.reconciler().*what)(txn, request);
        CLINIC_TRY(answered);
        return Answer{.connection = id, .reply = *answered};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmFact& request) {
    reconcile(id, request, &crm::Reconciler::take);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::MatchProbe& request) {
    reconcile(id, request, &crm::Reconciler::match);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmPolled& request) {
    reconcile(id, request, &crm::Reconciler::polled);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmWalk& request) {
    reconcile(id, request, &crm::Reconciler::walk);
}

} // namespace clinic::egress
