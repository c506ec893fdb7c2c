// What statfs says of a folder while this lives: the file system of that kind, of all that lies in the folder.
//   Threads: one lives at a time; it may be asked on any.
#pragma once

#include <string>

namespace clinic::tests {

class PretendedFileSystem {
public:
    explicit PretendedFileSystem(long kind, std::string below = "/"); // f_type
    PretendedFileSystem(PretendedFileSystem&&) = delete;
    ~PretendedFileSystem();
};

} // namespace clinic::tests
