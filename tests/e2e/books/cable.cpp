#include "tests/e2e/books/cable.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace clinic::e2e {
namespace {

constexpr const char* near = "10.77.6.1";

bool does(const std::string& command) {
    return run(command).exit == 0;
}

} // namespace

Cable::Cable(const Box& box)
    : folder_{box.folder().string()}, name_{"books" + std::to_string(getpid())}, near_{"bk" + std::to_string(getpid() %
                                                                                                             100'000)} {
    const std::string in_it = "ip -n " + name_ + " ";
    made_ =
        does("ip netns add " + name_) && does("ip link add " + near_ + " type veth peer name far netns " + name_) &&
        does("ip addr add " + std::string{near} + "/30 dev " + near_ + " && ip link set " + near_ + " up") &&
        does(in_it + "addr add " + far + "/30 dev far && " + in_it + "link set far up && " + in_it + "link set lo up");
    if (!made_) return;
    made_ = does("cd '" + folder_ +
                 "/keys' && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout far.key "
                 "-out far.csr -subj /CN=far && printf 'subjectAltName=IP:" +
                 far +
                 ",IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > far.ext && "
                 "openssl x509 -req -in far.csr -CA ../ca.pem -CAkey ca.key -days 9 -out far.pem -extfile far.ext");
}

Cable::~Cable() {
    run("kill -9 $(ip netns pids " + name_ + ")");
    run("ip link del " + near_ + "; ip netns del " + name_);
}

void Cable::run_there(const std::string& command, const std::string& log) const {
    EXPECT_TRUE(does("(cd '" + folder_ + "' && setsid " + there() + command + " > 'logs/" + log + "' 2>&1 &)"));
}

void Cable::cut() const {
    EXPECT_TRUE(does("ip -n " + name_ + " link set far down"));
}

// Where it has no way back to us, its kernel drops what it sends and tells nobody.
void Cable::lose_answers() const {
    EXPECT_TRUE(does("ip -n " + name_ + " route add blackhole " + near + "/32"));
}

void Cable::mend() const {
    run("ip -n " + name_ + " route del blackhole " + near + "/32"); // there may be none
    EXPECT_TRUE(does("ip -n " + name_ + " link set far up"));
}

void change_sync_settings(const Box& box, const std::string& filter) {
    EXPECT_TRUE(does("cd '" + box.folder().string() + "/etc' && jq '" + filter +
                     "' sync.json > sync.json.new && cat sync.json.new > sync.json"));
}

} // namespace clinic::e2e
