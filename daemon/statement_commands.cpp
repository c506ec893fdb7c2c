#include "daemon/statement_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/asked.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

json row_of(const records::Advice& one) {
    const records::StatementUse& use = one.use;
    return {{"statement", use.sql.c_str()},
            {"runs", use.runs},
            {"full_scan_steps", use.full_scan_steps},
            {"sorts", use.sorts},
            {"automatic_indexes", use.automatic_indexes},
            {"machine_steps", use.machine_steps},
            {"slow", use.slow},
            {"time_us", use.time.count()},
            {"plan", one.plan},
            {"index", one.index.empty() ? json{} : json(one.index)}};
}

// Exit 1: an index is missing.
Result<Answer> advise(records::Store& store, const Question& question) {
    const bool all = question.args.value("all", false);
    const auto advice = store.advise(all ? records::Which::all : records::Which::in_need);
    CLINIC_TRY(advice);
    json rows = json::array();
    int exit = 0;
    for (const auto& one : *advice) {
        rows.push_back(row_of(one));
        if (!one.index.empty()) exit = 1;
    }
    return say(std::move(rows), exit);
}

} // namespace

control::Commands statement_commands(records::Store& store) {
    return {{"store-advise", {.run = [&store](const Question& question) { return advise(store, question); }}}};
}

} // namespace clinic::daemon
