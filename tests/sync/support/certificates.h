// Certificates for a test: an authority, and leaves for a name or an address, as PEM files.
#pragma once

#include <filesystem>
#include <string>

namespace clinic::support {

struct Leaf {
    std::filesystem::path cert, key;
};

class Authority {
public:
    // Writes "<name>.pem" into the folder.
    Authority(const std::filesystem::path& folder, const std::string& name);
    ~Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    const std::filesystem::path& pem() const { return pem_; }
    // `alternative`: "IP:127.0.0.1", "DNS:localhost". `days` below zero: already expired.
    Leaf issue(const std::string& common_name, const std::string& alternative, int days = 1) const;

private:
    struct Keys;
    std::filesystem::path folder_, pem_;
    Keys* keys_;
};

} // namespace clinic::support
