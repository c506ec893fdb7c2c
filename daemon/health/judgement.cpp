#include "daemon/health/judgement.h"

namespace clinic::health {

Status::Well wellness(const std::vector<Need>& needs) {
    Status::Well worst = Status::Well::well;
    for (const Need& need : needs) {
        if (need.tone == Tone::not_working) return Status::Well::not_working;
        if (need.tone == Tone::look) worst = Status::Well::look;
    }
    return worst;
}

bool is_mode_code(std::string_view code) {
    return code == "E2001" || code == "E2002" || code == "E2003" || code == "E2004" || code == "E2011" ||
           code == "E2015";
}

std::optional<Error> said_by_check(std::string_view code) {
    for (const DeclaredCheck& one : declared_checks())
        if (code == one.code.c_str()) return Error{Errc::refused, one.id, "clinicctl check says what was seen"};
    return std::nullopt;
}

const char* severity_of(CheckResult result) {
    if (!ails(result)) return "info"; // what was told has gone
    return result == CheckResult::fail ? "error" : "warn";
}

const char* severity_of(const Finding& found) {
    if (found.severity != nullptr) return found.severity;
    return found.tone == Tone::not_working ? "error" : "warn";
}

Mode mode_of(const Error& error) {
    switch (error.code) {
    case Errc::locked: return Mode::locked;
    case Errc::full: return Mode::full;
    case Errc::busy: return Mode::restoring;
    default: return Mode::damaged;
    }
}

Status::Data data_of(Errc code) {
    if (code == Errc::not_found) return Status::Data::absent;
    const bool sound = code == Errc::system || code == Errc::refused || code == Errc::timeout ||
                       code == Errc::unsupported || code == Errc::busy;
    return sound ? Status::Data::sound : Status::Data::in_doubt;
}

} // namespace clinic::health
