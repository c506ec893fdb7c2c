// A file so deep in folders that the kernel does not tell its path: readlink of its descriptor fails.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <filesystem>
#include <string>

namespace clinic::fakes {

// Opens one for writing and leaves the working directory there: for a child process. -1: it cannot.
inline int open_far_file(const std::filesystem::path& below) {
    constexpr int folders = 24; // of 200 letters: more than a page
    const std::string name(200, 'f');
    assert(chdir(below.c_str()) == 0);
    for (int i = 0; i < folders; ++i)
        if (mkdir(name.c_str(), 0777) != 0 || chdir(name.c_str()) != 0) return -1;
    return open("far", O_RDWR | O_CREAT, 0600);
}

} // namespace clinic::fakes
