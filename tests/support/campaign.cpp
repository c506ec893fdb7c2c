#include "tests/support/campaign.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <utility>

namespace clinic::support {
namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr || *text == '\0') return std::nullopt;
    return std::strtoull(text, nullptr, 10);
}

} // namespace

bool long_run() {
    return number_in("CLINIC_LONG").value_or(0) == 1;
}

Campaign::Campaign(CampaignPlan plan)
    : plan_{std::move(plan)}, file_{(plan_.folder.empty() ? std::filesystem::path{CLINIC_CAMPAIGN_FOLDER}
                                                          : plan_.folder) /
                                    (plan_.name + ".seed")},
      end_{std::chrono::steady_clock::time_point::max()}, last_{plan_.plain}, exceptions_{std::uncaught_exceptions()} {
    if (const auto one = number_in("CLINIC_SEED")) {
        first_ = last_ = *one;
    } else if (long_run()) {
        std::ifstream in{file_};
        std::uint64_t before = 0;
        if (in >> before) first_ = before + 1;
        last_ = plan_.most;
        end_ =
            std::chrono::steady_clock::now() + std::chrono::seconds{number_in("CLINIC_LONG_SECONDS").value_or(3'600)};
    }
    reached_ = first_ - 1;
}

Campaign::~Campaign() {
    // While an exception goes by, gtest does not know of a failure yet.
    if (std::uncaught_exceptions() > exceptions_) {
        failed();
    } else if (trying_ && !testing::Test::HasFailure()) {
        passed(*trying_);
    }
    const auto rounds = reached_ - (first_ - 1);
    std::printf("campaign %s: seeds %llu to %llu passed, %llu %s in this run; %llu of %llu rounds of the whole\n",
                plan_.name.c_str(), static_cast<unsigned long long>(first_), static_cast<unsigned long long>(reached_),
                static_cast<unsigned long long>(rounds * plan_.weight), plan_.what.c_str(),
                static_cast<unsigned long long>(reached_), static_cast<unsigned long long>(plan_.most));
}

std::optional<std::uint64_t> Campaign::next() {
    if (testing::Test::HasFailure()) {
        failed();
        return std::nullopt;
    }
    if (trying_) passed(*std::exchange(trying_, std::nullopt));
    if (reached_ >= last_ || std::chrono::steady_clock::now() >= end_) return std::nullopt;
    trying_ = reached_ + 1;
    return trying_;
}

void Campaign::failed() {
    if (trying_)
        std::printf("campaign %s: seed %llu failed; CLINIC_SEED=%llu tries it alone\n", plan_.name.c_str(),
                    static_cast<unsigned long long>(*trying_), static_cast<unsigned long long>(*trying_));
    trying_.reset();
}

void Campaign::passed(std::uint64_t seed) {
    reached_ = seed;
    if (!long_run() || number_in("CLINIC_SEED")) return;
    std::filesystem::create_directories(file_.parent_path());
    auto next = file_;
    next += ".next"; // a run that is killed between two lines leaves the number before
    std::ofstream{next} << seed << '\n';
    std::filesystem::rename(next, file_);
}

} // namespace clinic::support
