#include <cstdio>
#include <exception>
#include <string>
#include <typeinfo>
#include <vector>

#include "provisioning/commands.h"

int main(int count, char** arguments) {
    try {
        return clinic::provisioning::run(std::vector<std::string>{arguments + 1, arguments + count});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "clinicctl: stopped by %s\n", typeid(error).name());
        return 2;
    }
}
