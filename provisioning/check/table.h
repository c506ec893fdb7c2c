// Every check there is, in the order in which they are made: what one follows from stands above it.
#pragma once

#include <span>

#include "provisioning/check/check.h"

namespace clinic::check {

std::span<const Check> table();

} // namespace clinic::check
