// What every command does with clinicd's answer.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

inline constexpr int failed = 2; // exit status: not done, or not working

int exit_of(const nlohmann::json& answer);
// On standard error, with what helps; `failed`.
int refuse(const char* command, const Error& why);
void print_json(const nlohmann::json& value);
// As JSON where the call asks for it, else as its view has it.
void show(const Call& call, const nlohmann::json& data, std::string (*view)(const nlohmann::json&));
// Breaks at spaces, at 80 columns; the lines after the first are set in. Ends with a new line.
std::string wrapped(const std::string& text, std::size_t indent);
// Nothing: it is none, and that was said.
std::optional<std::int64_t> positive_number(const std::string& text);
// --limit and --before of a list into the question. False: one of them is no number, and that was said.
bool page(const Call& call, nlohmann::json& args);
// A command whose answer is shown as it is: JSON.
int plain(const Client& client, const char* command, const nlohmann::json& args);

} // namespace clinic::provisioning
