#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "daemon/health/health.h"

namespace clinic::health {
namespace {

// The rules of the text format 0.0.4 that a scraper holds us to.
struct Parsed {
    std::map<std::string, std::string> types, samples; // by family; by name with labels
    std::vector<std::string> broken;
};

// Takes what is accepted off the front.
class Cursor {
public:
    explicit Cursor(std::string_view text) : text_{text} {}
    bool at_end() const { return text_.empty(); }
    bool accept(std::string_view word) {
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    std::string name() {
        const auto end = text_.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789");
        return take(end == std::string_view::npos ? text_.size() : end);
    }
    bool quoted() {
        if (!accept("\"")) return false;
        while (!text_.empty() && text_.front() != '"') {
            if (accept("\\")) {
                if (!accept("\\") && !accept("\"") && !accept("n")) return false;
            } else
                text_.remove_prefix(1);
        }
        return accept("\"");
    }
    bool labels() {
        if (!accept("{")) return true;
        do
            if (name().empty() || !accept("=") || !quoted()) return false;
        while (accept(","));
        return accept("}");
    }
    std::string rest() { return take(text_.size()); }

private:
    std::string take(std::size_t size) {
        std::string taken{text_.substr(0, size)};
        text_.remove_prefix(size);
        return taken;
    }
    std::string_view text_;
};

bool are_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_number(std::string_view text) {
    if (text.starts_with("-")) text.remove_prefix(1);
    const auto point = text.find('.');
    return are_digits(text.substr(0, point)) && (point == std::string_view::npos || are_digits(text.substr(point + 1)));
}

class Reader {
public:
    Parsed read(const std::string& text) {
        std::istringstream lines{text};
        for (std::string line; std::getline(lines, line);)
            if (!take(line)) parsed_.broken.push_back(line);
        return std::move(parsed_);
    }

private:
    bool take(const std::string& line) {
        Cursor at{line};
        if (at.accept("# HELP ")) {
            family_ = at.name();
            return at.accept(" ") && !at.at_end() && helped_.insert(family_).second;
        }
        if (at.accept("# TYPE ")) {
            const bool same = at.name() == family_ && at.accept(" ");
            const std::string type = at.rest();
            const bool fits = type == (family_.ends_with("_total") ? "counter" : "gauge");
            is_histogram_ = type == "histogram" && family_.ends_with("_seconds");
            return same && (fits || is_histogram_) && parsed_.types.emplace(family_, type).second;
        }
        if (!is_of_family(at.name()) || !at.labels() || !at.accept(" ")) return false;
        const std::string value = at.rest();
        return is_number(value) && parsed_.types.count(family_) == 1 &&
               parsed_.samples.emplace(line.substr(0, line.size() - value.size() - 1), value).second;
    }

    bool is_of_family(const std::string& name) const {
        if (!is_histogram_) return name == family_;
        return name == family_ + "_bucket" || name == family_ + "_sum" || name == family_ + "_count";
    }

    Parsed parsed_;
    bool is_histogram_ = false;
    std::set<std::string> helped_;
    std::string family_;
};

Parsed parse(const std::string& text) {
    return Reader{}.read(text);
}

Status example() {
    Status status;
    status.box = "demo \"1\"\\\n";
    status.version = "0.1.0";
    status.crm = {.released = 5, .delivered = 4, .parked = 1};
    status.feeds = {{.feed = "mllp", .received = 3, .stored = 3}, {.feed = "csv"}};
    status.senders = {{.feed = "pms", .received = 2, .stored = 2, .last_message_s = 40},
                      {.feed = "lab", .expected_s = 600, .silent = true},
                      {.feed = "scan", .expected_s = 600}};
    status.measures = {{"clinic_mllp_connections_refused_total", "counter", "Turned away.", 6, "reason=\"address\""},
                       {"clinic_mllp_connections_refused_total", "counter", "Turned away.", 1, "reason=\"full\""},
                       {"clinic_mllp_connections", "gauge", "Open.", 9},
                       {"clinic_delivery_seconds", "histogram", "How long.", 1, "le=\"1\""},
                       {"clinic_delivery_seconds", "histogram", "How long.", 2, "le=\"+Inf\""},
                       {"clinic_delivery_seconds", "histogram", "How long.", 4'250'000, "sum"},
                       {"clinic_delivery_seconds", "histogram", "How long.", 2, "count"}};
    status.dead = {{.of = outbox::DeadClass::blocked, .letters = 3}};
    status.containment = {{"own user", true, ""}};
    status.needs = {{.code = "E2302", .what = "", .meaning = "", .by_itself = "", .action = ""}};
    return status;
}

TEST(Metrics, KeepTheRulesOfTheTextFormat) {
    const auto parsed = parse(to_metrics(example()));
    EXPECT_EQ(parsed.broken, std::vector<std::string>{});
    EXPECT_GT(parsed.samples.size(), 30U);
}

TEST(Metrics, SayTheBooks) {
    const auto samples = parse(to_metrics(example())).samples;
    EXPECT_EQ(samples.at(R"(clinic_egress_released_total{destination="crm"})"), "5");
    EXPECT_EQ(samples.at(R"(clinic_egress_envelopes{destination="crm",state="delivered"})"), "4");
    EXPECT_EQ(samples.at(R"(clinic_intake_received_total{feed="mllp"})"), "3");
    EXPECT_EQ(samples.at(R"(clinic_sender_messages_total{sender="pms",result="stored"})"), "2");
    EXPECT_EQ(samples.at(R"(clinic_sender_last_message_age_seconds{sender="pms"})"), "40");
    EXPECT_EQ(samples.at(R"(clinic_sender_silent{sender="pms"})"), "-1");
    EXPECT_EQ(samples.at(R"(clinic_sender_silent{sender="lab"})"), "1");
    EXPECT_EQ(samples.at(R"(clinic_sender_silent{sender="scan"})"), "0");
    EXPECT_EQ(samples.at(R"(clinic_mllp_connections_refused_total{reason="full"})"), "1");
    EXPECT_EQ(samples.at("clinic_mllp_connections"), "9");
    EXPECT_EQ(samples.at(R"(clinic_delivery_seconds_bucket{le="+Inf"})"), "2");
    EXPECT_EQ(samples.at("clinic_delivery_seconds_sum"), "4.250000");
    EXPECT_EQ(samples.at("clinic_delivery_seconds_count"), "2");
    EXPECT_EQ(samples.at(R"(clinic_dead_letters{class="blocked"})"), "3");
    EXPECT_EQ(samples.at("clinic_dry_run"), "0");
    EXPECT_EQ(samples.at(R"(clinic_need{code="E2302"})"), "1");
    EXPECT_EQ(samples.at(R"(clinic_build_info{box="demo \"1\"\\\n",version="0.1.0"})"), "1");
}

TEST(Metrics, SayWhatIsLeftOfGhlsDayOnceItIsKnown) {
    Status status;
    EXPECT_FALSE(parse(to_metrics(status)).samples.contains("clinic_ghl_requests_left"));
    status.lanes.requests = envelope::RequestsOfDay{200'000, 148'000};
    const auto parsed = parse(to_metrics(status));
    EXPECT_TRUE(parsed.broken.empty());
    EXPECT_EQ(parsed.samples.at("clinic_ghl_requests_a_day"), "200000");
    EXPECT_EQ(parsed.samples.at("clinic_ghl_requests_left"), "148000");
}

TEST(Metrics, SayHowTheStoreIsRead) {
    Status status = example();
    status.store.reads = 11;
    status.store.reads_cut = 12;
    status.store.reads_refused = 13;
    status.store.longest_read_us = 14;
    status.store.slow_statements = 15;
    status.store.cache_hits = 16;
    status.store.cache_misses = 17;
    status.store.cache_rows = 18;
    const auto samples = parse(to_metrics(status)).samples;
    EXPECT_EQ(samples.at("clinic_store_reads_total"), "11");
    EXPECT_EQ(samples.at("clinic_store_reads_cut_total"), "12");
    EXPECT_EQ(samples.at("clinic_store_reads_refused_total"), "13");
    EXPECT_EQ(samples.at("clinic_store_longest_read_seconds"), "0.000014");
    EXPECT_EQ(samples.at("clinic_store_slow_statements_total"), "15");
    EXPECT_EQ(samples.at("clinic_store_cache_hits_total"), "16");
    EXPECT_EQ(samples.at("clinic_store_cache_misses_total"), "17");
    EXPECT_EQ(samples.at("clinic_store_cache_rows"), "18");
}

TEST(Metrics, SayWhichPartOfTheLookUpsMemoryServed) {
    Status status;
    EXPECT_FALSE(parse(to_metrics(status)).samples.contains("clinic_store_cache_hit_ratio")) << "none was looked up";
    const auto ratio = [&](std::uint64_t hits, std::uint64_t misses) {
        status.store.cache_hits = hits;
        status.store.cache_misses = misses;
        const auto parsed = parse(to_metrics(status));
        EXPECT_TRUE(parsed.broken.empty());
        return parsed.samples.at("clinic_store_cache_hit_ratio");
    };
    EXPECT_EQ(ratio(0, 3), "0.000000");
    EXPECT_EQ(ratio(6'006, 88), "0.985559");
    EXPECT_EQ(ratio(3, 0), "1.000000");
}

} // namespace
} // namespace clinic::health
