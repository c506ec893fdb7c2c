// A store as one kind of SQLite opens it. A program has the kinds of the SQLite that it is linked with.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>

#include "crypto/base/owned.h"

namespace clinic::bench::store {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>>;

struct Opened {
    std::shared_ptr<void> beneath; // what the connection stands on, if anything: goes last
    std::string cipher;
    Db db; // keyed, and nothing set yet
};

// Opens the database, or makes it where there is none; ends the program where that fails.
using Open = Opened (*)(const std::string& file);
std::map<std::string, Open> peers();

Db open_through(const std::string& file, const char* vfs);

} // namespace clinic::bench::store
