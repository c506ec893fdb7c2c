// The status page: what is embedded in the binary, and the page as the box renders it without JavaScript.
//   Input:   the status document (docs/status.md); page/app.ts renders the very same document in the browser.
//   Threads: any; constant data.
//   Source:  ui.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace clinic::web {

struct Asset {
    std::string_view type, body;
};

std::optional<Asset> asset(std::string_view path); // "/assets/style.css"

std::string status_page(std::string_view status);            // a status that is no JSON is a bug
std::optional<std::string> help_page(std::string_view code); // "E2102"
// How to trust the box's own authority; an empty fingerprint: there is nothing to trust. `#SHA256:FINGERPRINT`, as the
// console's code has it (provisioning/page_trust/card.h), leads to the fingerprint.
std::string trust_page(std::string_view fingerprint, std::string_view download);
// In the place of the status, when clinicd does not answer (E2020); `cause`: a key below `down.` in the catalogue.
std::string down_page(std::string_view cause);
std::string down_message();
std::string refusal_page(std::string_view word); // a key of the catalogue

} // namespace clinic::web
