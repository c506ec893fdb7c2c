#include "crypto/key_slot.h"

#include <gtest/gtest.h>

#include "crypto/base/files.h"
#include "crypto/seal.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::crypto {
namespace {

class KeySlotTest : public testing::Test {
protected:
    Result<KeySlot> from(std::string_view content) {
        EXPECT_TRUE(base::write_durable(path_, base::as_bytes(content), 0600));
        return KeySlot::from_credential_file(path_);
    }
    void expect_locked(std::string_view content) {
        const auto slot = from(content);
        ASSERT_FALSE(slot);
        EXPECT_EQ(slot.error().code, Errc::locked);
    }

    fakes::TempFolder folder_;
    const std::filesystem::path path_ = folder_ / "key";
    const std::string raw_ = "0123456789abcdef0123456789ABCDEF";
    const std::string digits_ = "3031323334353637383961626364656630313233343536373839414243444546";
};

TEST_F(KeySlotTest, ReadsRawBytesAndHexadecimalAlike) {
    for (const auto& content : {raw_, digits_, digits_ + "\n", digits_ + "\r\n"}) {
        const auto slot = from(content);
        ASSERT_TRUE(slot);
        EXPECT_TRUE(slot->key().same_as(base::as_bytes(raw_)));
    }
}

TEST_F(KeySlotTest, IsLockedWithoutAFile) {
    const auto slot = KeySlot::from_credential_file(folder_ / "absent");
    ASSERT_FALSE(slot);
    EXPECT_EQ(slot.error().code, Errc::locked);
}

TEST_F(KeySlotTest, IsLockedByWhatIsNotAKey) {
    expect_locked("");
    expect_locked("short");
    expect_locked(raw_ + "\n");
    expect_locked(digits_.substr(1) + "g");
    expect_locked(digits_ + "\n\n");
    expect_locked(digits_ + digits_);
    expect_locked(std::string(key_bytes, '\0'));
}

} // namespace
} // namespace clinic::crypto
