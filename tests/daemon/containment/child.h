// What containment does to a process cannot be undone: each case runs in a child, which answers in words.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "daemon/containment/containment.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::containment::tests {

inline constexpr User box_user{61'711, 61'711};
inline constexpr uid_t peer_user = 61'712;

using Words = std::set<std::string>;

// The words that the body said in the child; {"died"} where it did not come to its end. They come back by shared
// memory, so that no pipe is open in the child; its standard input and outputs are /dev/null.
Words in_child(const std::function<Words()>& body);

// Standard input and outputs become /dev/null.
void outputs_to_nowhere();

// A records folder and a key file as clinicd has them.
class Place {
public:
    Place();
    std::filesystem::path records() const { return folder_ / "records"; }
    std::filesystem::path key() const { return folder_ / "store.key"; }
    Options options() const;

private:
    fakes::TempFolder folder_;
};

// The names of the parts that do not hold.
Words open_parts(const Options& options);

} // namespace clinic::containment::tests
