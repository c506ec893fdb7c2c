// A store is not opened on a network's file system, and is on a disk's.
#include "crypto/file_system.h"

#include "tests/crypto/pretended_file_system.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

using clinic::tests::PretendedFileSystem;

class FileSystem : public StoreTest {};

TEST_F(FileSystem, ANetworksIsRefusedByItsNameAndNothingIsMade) {
    const std::pair<long, const char*> networks[] = {
        {0x6969, "NFS"},          {0xFF534D42, "CIFS"},   {0xFE534D42, "SMB2"},   {0x65735546, "FUSE"},
        {0x01021997, "9p"},       {0x00C36400, "Ceph"},   {0x517B, "SMB"},        {0x47504653, "GPFS"},
        {0x19830326, "BeeGFS"},   {0xBACBACBC, "vmhgfs"}, {0x7C7C6673, "prl_fs"}, {0xAAD7AAEA, "PanFS"},
        {0xBEEFDEAD, "StorNext"}, {0x61636673, "ACFS"},   {0x013111A8, "Ibrix"}};
    for (const auto& [kind, name] : networks) {
        const PretendedFileSystem network{kind};
        const auto opened = open();
        ASSERT_FALSE(opened) << name;
        EXPECT_EQ(opened.error().code, Errc::unsupported) << name;
        EXPECT_NE(std::string{opened.error().what.c_str()}.find(name), std::string::npos)
            << opened.error().what.c_str();
        EXPECT_NE(std::string{opened.error().remedy.c_str()}.find("disk of this machine"), std::string::npos);
        EXPECT_FALSE(std::filesystem::exists(database_)) << name;
        EXPECT_FALSE(std::filesystem::exists(folder_ / "records.db.lock")) << name;
    }
    // As some machines widen a 32-bit number.
    const PretendedFileSystem network{static_cast<long>(static_cast<std::int32_t>(0xFF534D42))};
    EXPECT_FALSE(open());
}

TEST_F(FileSystem, ADisksIsNot) {
    for (const long kind : {0xEF53L, 0x58465342L, 0x9123683EL, 0xF2F52010L, 0x01021994L, 0x794C7630L, 0x2FC12FC1L}) {
        const PretendedFileSystem disk{kind};
        EXPECT_TRUE(open()) << std::hex << kind;
    }
}

TEST_F(FileSystem, AStoreThatIsThereIsLeftAlone) {
    make_store();
    const auto before = contents(database_);
    {
        const PretendedFileSystem network{0x6969};
        EXPECT_EQ(open_error(), Errc::unsupported);
    }
    EXPECT_EQ(contents(database_), before);
    EXPECT_TRUE(open());
}

} // namespace
} // namespace clinic::crypto::tests
