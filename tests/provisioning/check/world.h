// A box on which all is well, made of real files, sockets and certificates in a folder of its own; a test breaks one
// thing of it and sees that named.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "crypto/key_slot.h"
#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "provisioning/check/run.h"
#include "provisioning/check/scene.h"
#include "tests/fakes/temp_folder.h"
#include "tests/provisioning/check/scripted_ways.h"
#include "tests/support/scripted_manager.h"
#include "tests/sync/support/certificates.h"

namespace clinic::check {

class World {
public:
    World();

    // The machine's own files, by their path below the root.
    void put(const std::string& path, const std::string& text) const;
    // dpkg's book of packages and their states.
    void put_packages(const std::vector<std::pair<std::string, std::string>>& packages) const;
    // A store's superblocks with a machine's slot and these, in the place of the one with a recovery key.
    void put_store(const std::vector<crypto::SlotKind>& slots) const;
    void take_away(const std::string& path) const;
    std::filesystem::path path(const std::string& below) const { return folder.path() / below; }

    fakes::TempFolder folder;
    support::Authority authority{folder.path(), "authority"};
    nlohmann::json clinicd, syncd;       // settings
    health::Status status;               // what clinicd says of itself
    nlohmann::json containment, outside; // parts: {"part","holds","detail"}
    nlohmann::json ports{443, 2575, 2576};
    systemd::Services services;
    diagnose::Said said; // what clinic-syncd says of its ways
    Site site;

    void stop_clinicd() { server_.reset(); }
    void stop_syncd() { ways_.reset(); }
    void stop_manager() { manager_.reset(); }
    void hang(); // clinicd takes a question and never answers it

    std::vector<Line> look(); // all of them, as clinicctl does

private:
    void machine();
    void settings();
    void well();
    void units();
    void serve();

    base::UniqueFd silent_;
    std::unique_ptr<control::ControlServer> server_;
    std::unique_ptr<test_support::ScriptedManager> manager_;
    std::unique_ptr<ScriptedWays> ways_;
};

} // namespace clinic::check
