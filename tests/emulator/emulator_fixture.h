// An emulator of a test's own, over TLS, and a client of it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/emulator/certificate.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/https_client.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::emulator {

inline constexpr const char* token = "pit-0b1c2d3e-0000-4000-8000-000000000001";
inline constexpr const char* location = "CEdemoLocation000001";

inline const Certificate& certificate() {
    static const fakes::TempFolder folder;
    static const Certificate made = *make_certificate(folder.path());
    return made;
}

class GhlEmulator : public testing::Test {
protected:
    GhlEmulator() { start(); }

    void start() {
        Options options;
        options.certificate = certificate().certificate;
        options.key = certificate().key;
        options.service.token = token;
        options.service.requests = folder / "requests.jsonl";
        options.service.state = folder / "state.log";
        auto started = Emulator::start(options, clock);
        ASSERT_TRUE(started) << started.error().what.c_str();
        emulator = std::move(*started);
        client = std::make_unique<HttpsClient>(emulator->port(), certificate().authority);
    }
    void stop() {
        client.reset();
        emulator.reset();
    }

    static Headers usual() {
        return {{"Authorization", std::string{"Bearer "} + token},
                {"Version", "2021-07-28"},
                {"Content-Type", "application/json"}};
    }
    static Headers calendars() {
        Headers headers = usual();
        headers["Version"] = "2021-04-15";
        return headers;
    }
    Reply send(const std::string& method, const std::string& target, const Json& body = nullptr) {
        const Headers headers = target.starts_with("/calendars") ? calendars() : usual();
        return client->send(method, target, headers, body.is_null() ? "" : body.dump());
    }
    static Json json(const Reply& reply) { return Json::parse(reply.body, nullptr, false); }

    static Json shell(const std::string& pid) {
        return {{"locationId", location},     {"firstName", pid},
                {"source", "clinic-edge"},    {"dnd", true},
                {"tags", {"ce-new-patient"}}, {"customFields", {{{"id", field_ce_pid}, {"field_value", pid}}}}};
    }
    std::string create(const std::string& pid = "p_1") {
        const Reply reply = send("POST", "/contacts/", shell(pid));
        EXPECT_EQ(reply.status, 201);
        return json(reply)["contact"]["id"];
    }
    std::string seed(const Json& contact) {
        const Reply reply = client->post("/_seed", Json{{"contacts", {contact}}}.dump());
        EXPECT_EQ(reply.status, 201) << reply.body;
        return json(reply)["contacts"][0];
    }
    static Json search_for(const Json& filter) {
        return {{"locationId", location}, {"pageLimit", 10}, {"filters", {filter}}};
    }
    std::size_t found(const Json& filter) {
        const Reply reply = send("POST", "/contacts/search", search_for(filter));
        EXPECT_EQ(reply.status, 200) << reply.body;
        return json(reply)["total"];
    }
    void fault(const std::string& name, int count = 1) {
        ASSERT_EQ(client->post("/_faults", Json{{"fault", name}, {"count", count}}.dump()).status, 200);
    }
    void knob(const std::string& name, int value) {
        ASSERT_EQ(client->post("/_faults", Json{{"knob", name}, {"value", value}}.dump()).status, 200);
    }
    Json state() { return json(client->get("/_state")); }
    std::vector<Json> recorded() const {
        std::vector<Json> lines;
        std::ifstream file{folder / "requests.jsonl"};
        for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
        return lines;
    }

    fakes::TempFolder folder;
    fakes::ManualClock clock;
    std::unique_ptr<Emulator> emulator;
    std::unique_ptr<HttpsClient> client;
};

} // namespace clinic::emulator
