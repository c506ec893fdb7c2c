#include "provisioning/programs/sealing.h"

#include <gtest/gtest.h>

namespace clinic::provisioning {
namespace {

// The beginnings are of files that systemd-creds 252 wrote, with an emulated TPM and without.
TEST(Sealing, IsSaidByTheFilesBeginning) {
    EXPECT_EQ(sealed_to("Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAAAADx7SW3"), SealedTo::host);
    EXPECT_EQ(sealed_to("k6iUCUh0RJCQyvL8k8q1UyAAAAABAAAADAAAABAAAABo6H91"), SealedTo::tpm);
    EXPECT_EQ(sealed_to("DHzAexF2RZGcSwvqCLwg/iAAAAABAAAADAAAABAAAAAeLB3Z"), SealedTo::tpm);
    for (const char* other : {"", "Whxq", "sealed", "-----BEGIN PRIVATE KEY-----"})
        EXPECT_EQ(sealed_to(other), SealedTo::other) << other;
}

} // namespace
} // namespace clinic::provisioning
