// A token of GHL on its way to where clinic-syncd reads it.
#include "provisioning/ghl_token.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "provisioning/answers.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using testing::HasSubstr;

// clinic-syncd reads another file than the one that would be sealed: it is refused before the token is asked for.
TEST(GhlToken, IsNotSealedBesideTheFileThatTheSettingsName) {
    const fakes::TempFolder folder;
    std::filesystem::create_directory(folder / "keys");
    std::ofstream{folder / "clinic-syncd.json"} << R"({"credential":"/run/credentials/clinic-syncd.service/x",
        "ghl":{"token_file":"/somewhere/token","next_token_file":"/somewhere/next"}})";
    for (const auto& [option, named] : {std::pair{"--next", "ghl.next_token_file at /somewhere/next"},
                                        std::pair{"--now", "ghl.token_file at /somewhere/token"}}) {
        const Call call{{"ghl", "token"}, {{"--etc", folder.path().string()}, {option, ""}}};
        testing::internal::CaptureStderr();
        EXPECT_EQ(store_token(call, Client{folder / "control.sock"}), failed);
        const auto said = testing::internal::GetCapturedStderr();
        EXPECT_THAT(said, HasSubstr(named));
        EXPECT_THAT(said, HasSubstr("put the token into that file"));
        EXPECT_TRUE(std::filesystem::is_empty(folder / "keys"));
    }
}

} // namespace
} // namespace clinic::provisioning
