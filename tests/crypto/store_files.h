// Whole files and folders, as tests look at them and damage them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace clinic::crypto::tests {

std::vector<std::byte> contents(const std::filesystem::path& path); // empty: not there
void put_contents(const std::filesystem::path& path, std::span<const std::byte> bytes);
bool holds(std::span<const std::byte> bytes, std::string_view marker);

// Copies the folder as it is now: what a crash of this process would leave.
void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace clinic::crypto::tests
