// A GoHighLevel that fits in a test: the calls we make over TLS, stateful, with the live service's manners.
//   Errors:  start: those of the certificate, the listening socket and the files.
//   Threads: its own, one a connection; start and stop from one thread.
//   Source:  facts/ghl-api; the endpoints, faults and knobs are in docs/emulator.md.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "tests/emulator/service.h"

namespace clinic::emulator {

struct Options {
    std::string bind = "127.0.0.1";
    int port = 0;                           // 0: the kernel's choice
    int listen_fd = -1;                     // an inherited listening socket; then no bind
    std::filesystem::path certificate, key; // PEM
    ServiceOptions service;
};

class Emulator {
public:
    static Result<std::unique_ptr<Emulator>> start(const Options& options, const Clock& clock);
    Emulator(const Emulator&) = delete;
    Emulator& operator=(const Emulator&) = delete;
    ~Emulator(); // stops: held connections too, within a second

    int port() const;
    std::string base_url() const; // "https://127.0.0.1:21004"
    Service& service();

private:
    struct Inside;
    explicit Emulator(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

} // namespace clinic::emulator
