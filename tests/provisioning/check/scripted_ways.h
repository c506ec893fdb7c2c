// clinic-syncd's end of the socket where it is asked how its ways are: a real one, which says what the test wrote.
#pragma once

#include <filesystem>
#include <thread>

#include "crypto/base/owned.h"
#include "sync/diagnose/said/said.h"

namespace clinic::check {

class ScriptedWays {
public:
    ScriptedWays(const std::filesystem::path& socket, const diagnose::Said& said);

private:
    void run(const std::stop_token& stop) const;

    const diagnose::Said& said_;
    base::UniqueFd listener_;
    std::jthread thread_;
};

} // namespace clinic::check
