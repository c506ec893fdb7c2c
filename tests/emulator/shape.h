// The whitelisting validator in front of every endpoint: an unknown property refuses the whole request.
//   Source: facts/ghl-api §5 no. 6; message texts in the words of the live service.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "tests/emulator/exchange.h"

namespace clinic::emulator {

enum class Type { text, nullable_text, flag, number, positive, texts, list, object, nullable_any };

struct Property {
    const char* name;
    Type type;
    bool required = false;
    std::span<const char* const> words = {}; // the only values allowed, where there are any
};

// Empty: the body has this shape. Otherwise one message a fault, ready for `unprocessable`.
std::vector<std::string> complaints(const Json& body, std::span<const Property> shape);

} // namespace clinic::emulator
