#include <cstdio>
#include <exception>
#include <typeinfo>

#include "crypto/base/log.h"
#include "packaging/supervise/supervisor.h"

int main(int count, char** arguments) {
    using namespace clinic;
    try {
        if (count != 2) {
            std::fputs("usage: clinic-supervise PLAN.json\n", stderr);
            return 2;
        }
        auto plan = supervise::read_plan(arguments[1]);
        if (!plan) {
            base::log(base::Level::error, "supervise", plan.error());
            return 2;
        }
        supervise::Supervisor supervisor{std::move(plan).value()};
        if (!supervisor.open_sockets()) return 1;
        return supervisor.run() ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "<3>supervise: stopped by %s\n", typeid(error).name());
        return 1;
    }
}
