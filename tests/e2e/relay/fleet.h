// Three relays on one broker, each a process, for a test or a measurement: some may be killed and are started again.
//   Threads: one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/emulator/webhooks.h"
#include "tests/sync/channel/mqtt/mosquitto.h"

namespace clinic::relay {

inline constexpr const char* app = "CEapp000000000000001";
inline constexpr const char* location = "CEdemoLocation000001";
inline constexpr const char* box = "demo-1";

class Fleet {
public:
    Fleet(const std::filesystem::path& folder, const support::Authority& authority, const mqtt::Mosquitto& broker,
          const emulator::WebhookKey& key, int relays);
    ~Fleet();
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;

    std::vector<int> ports() const;
    bool well(std::size_t which) const; // its /health says so
    void kill(std::size_t which);       // SIGKILL, and started again
    int stop(std::size_t which);        // SIGTERM; its exit code
    std::filesystem::path log(std::size_t which) const;

    struct Use {
        double processor_s = 0; // of those that run
        std::int64_t resident_kib = 0;
    };
    Use use() const;

private:
    struct One {
        std::filesystem::path config;
        int port = 0;
        pid_t process = -1;
        double spent_s = 0; // by those that were killed
    };
    void start(One& one) const;
    std::filesystem::path folder_;
    const support::Authority& authority_;
    std::vector<One> all_;
};

} // namespace clinic::relay
