#include "daemon/intake/mllp_server.h"

#include "daemon/intake/mllp_loop.h"

namespace clinic::intake {

MllpServer::MllpServer() : counters_{std::make_shared<MllpCounters>()} {}

Result<std::unique_ptr<MllpServer>> MllpServer::start(MllpPorts ports, const MllpOptions& options, const Clock& clock,
                                                      Handler handler) {
    if (options.frame_bytes_max == 0 || options.frame_bytes_max > frame_bytes_highest)
        return Error{Errc::malformed, "the bound of a frame is out of range", "1 byte to 10 MiB"};
    auto feeds = options.feeds;
    if (!feeds) {
        auto made = Feeds::make(options.allowed);
        CLINIC_TRY(made);
        feeds = std::move(*made);
    }
    std::unique_ptr<MllpServer> server{new MllpServer};
    server->loop_ = std::make_unique<MllpLoop>(std::move(ports), options, std::move(feeds), clock, std::move(handler),
                                               server->counters_);
    CLINIC_TRY(server->loop_->prepare());
    server->thread_ = std::jthread{[loop = server->loop_.get()] { loop->run(); }};
    return server;
}

MllpServer::~MllpServer() {
    stop();
}

void MllpServer::stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
}

MllpNumbers MllpServer::numbers() const {
    const std::scoped_lock lock{counters_->mutex};
    return counters_->numbers;
}

} // namespace clinic::intake
