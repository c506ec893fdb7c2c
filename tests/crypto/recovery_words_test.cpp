#include "crypto/recovery_words.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <string>

#include "crypto/base/files.h"
#include "crypto/octets.h"
#include "crypto/word_list.h"

namespace clinic::crypto {
namespace {

SecureBytes secure(std::string_view text) {
    return SecureBytes::copy_of(base::as_bytes(text));
}

std::string plain(const SecureBytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.size()};
}

SecureBytes of_hex(std::string_view digits) {
    SecureBytes made = SecureBytes::zeroed(digits.size() / 2);
    EXPECT_EQ(
        sodium_hex2bin(octets(made.bytes()), made.size(), digits.data(), digits.size(), nullptr, nullptr, nullptr), 0);
    return made;
}

std::string repeated(const std::string& word, int times, const std::string& last) {
    std::string all;
    for (int i = 0; i < times; ++i) all += word + " ";
    return all + last;
}

struct Vector {
    std::string secret, words;
};

// trezor/python-mnemonic, vectors.json, "english": every one.
const std::vector<Vector>& vectors() {
    static const std::vector<Vector> all{
        {"00000000000000000000000000000000", repeated("abandon", 11, "about")},
        {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
         "legal winner thank year wave sausage worth useful legal winner thank yellow"},
        {"80808080808080808080808080808080",
         "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"},
        {"ffffffffffffffffffffffffffffffff", repeated("zoo", 11, "wrong")},
        {"000000000000000000000000000000000000000000000000", repeated("abandon", 17, "agent")},
        {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
         "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal "
         "will"},
        {"808080808080808080808080808080808080808080808080",
         "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic "
         "avoid letter always"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffff", repeated("zoo", 17, "when")},
        {"0000000000000000000000000000000000000000000000000000000000000000", repeated("abandon", 23, "art")},
        {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
         "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal "
         "winner thank year wave sausage worth title"},
        {"8080808080808080808080808080808080808080808080808080808080808080",
         "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic "
         "avoid letter advice cage absurd amount doctor acoustic bless"},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", repeated("zoo", 23, "vote")},
        {"9e885d952ad362caeb4efe34a8e91bd2",
         "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic"},
        {"6610b25967cdcca9d59875f5cb50b0ea75433311869e930b",
         "gravity machine north sort system female filter attitude volume fold club stay feature office ecology "
         "stable narrow fog"},
        {"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
         "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis "
         "maple dilemma loan word shrug inflict delay length"},
        {"c0ba5a8e914111210f2bd131f3d5e08d",
         "scheme spot photo card baby mountain device kick cradle pact join borrow"},
        {"6d9be1ee6ebd27a258115aad99b7317b9c8d28b6d76431c3",
         "horn tenant knee talent sponsor spell gate clip pulse soap slush warm silver nephew swap uncle crack "
         "brave"},
        {"9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
         "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation flash "
         "devote level hobby quick inner drive ghost inside"},
        {"23db8160a31d3e0dca3688ed941adbf3",
         "cat swing flag economy stadium alone churn speed unique patch report train"},
        {"8197a4a47f0425faeaa69deebc05ca29c0a5b5cc76ceacc0",
         "light rule cinnamon wrap drastic word pride squirrel upgrade then income fatal apart sustain crack supply "
         "proud access"},
        {"066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
         "all hour make first leader extend hole alien behind guard gospel lava path output census museum junior "
         "mass reopen famous sing advance salt reform"},
        {"f30f8c1da665478f49b001d94c5fc452",
         "vessel ladder alter error federal sibling chat ability sun glass valve picture"},
        {"c10ec20dc3cd9f652c7fac2f1230f7a3c828389a14392f05",
         "scissors invite lock maple supreme raw rapid void congress muscle digital elegant little brisk hair mango "
         "congress clump"},
        {"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
         "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol "
         "group space point ten exist slush involve unfold"},
    };
    return all;
}

const std::string& some_words() {
    return vectors().back().words;
}

// The fault that these words have: its text begins so, and it is about that word.
void expect_fault(const std::string& typed, std::string_view what, int position) {
    const auto secret = secret_of(secure(typed));
    ASSERT_FALSE(secret) << typed;
    EXPECT_EQ(secret.error().code, Errc::malformed);
    EXPECT_TRUE(std::string_view{secret.error().what.c_str()}.starts_with(what)) << secret.error().what.c_str();
    EXPECT_STRNE(secret.error().remedy.c_str(), "");
    EXPECT_EQ(secret.error().at.field, position);
}

class RecoveryWords : public testing::Test {
    void SetUp() override { ASSERT_TRUE(start()); }
};

TEST_F(RecoveryWords, TheListIsThePublishedOne) {
    std::string list;
    for (std::size_t i = 0; i < word_list_size; ++i) list += std::string{listed_word(i)} + "\n";
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum{};
    crypto_hash_sha256(sum.data(), reinterpret_cast<const unsigned char*>(list.data()), list.size());
    std::string digits(2 * sum.size() + 1, '\0');
    sodium_bin2hex(digits.data(), digits.size(), sum.data(), sum.size());
    digits.pop_back();
    EXPECT_EQ(digits, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
    for (std::size_t i = 0; i < word_list_size; ++i) {
        const auto word = listed_word(i);
        EXPECT_EQ(index_of_word(word), i);
        for (std::size_t letters = prefix_letters_min; letters <= word.size(); ++letters)
            EXPECT_EQ(index_of_word(word.substr(0, letters)), i) << word;
        EXPECT_FALSE(index_of_word(std::string{word} + "x")) << word;
    }
}

TEST_F(RecoveryWords, AreThoseOfThePublishedVectors) {
    for (const auto& [secret, words] : vectors()) {
        EXPECT_EQ(plain(words_of(of_hex(secret))), words);
        if (secret.size() != 2 * recovery_secret_bytes) continue;
        const auto back = secret_of(secure(words));
        ASSERT_TRUE(back) << words;
        EXPECT_TRUE(back->same_as(of_hex(secret).bytes()));
    }
}

TEST_F(RecoveryWords, AreTakenAsPeopleTypeThem) {
    const SecureBytes secret = of_hex(vectors().back().secret);
    std::string capitals = some_words(), numbered, prefixes;
    for (char& letter : capitals) letter = static_cast<char>(letter == ' ' ? '\n' : letter - 'a' + 'A');
    int number = 0;
    for (std::size_t from = 0; from < some_words().size();) {
        const auto end = std::min(some_words().find(' ', from), some_words().size());
        const std::string word = some_words().substr(from, end - from);
        numbered += "  " + std::to_string(++number) + ". " + word + ",\t";
        prefixes += word.substr(0, prefix_letters_min) + "  ";
        from = end + 1;
    }
    for (const auto& typed : {capitals, numbered, prefixes, "\r\n " + some_words() + " \n"}) {
        const auto read = secret_of(secure(typed));
        ASSERT_TRUE(read) << typed;
        EXPECT_TRUE(read->same_as(secret.bytes()));
    }
}

TEST_F(RecoveryWords, EveryFaultIsNamedWithItsPlace) {
    expect_fault("", "these are fewer", 0);
    expect_fault(vectors().front().words, "these are fewer", 12);
    expect_fault(some_words() + " zoo", "these are more", 25);
    expect_fault(std::string(typed_bytes_max + 1, 'a'), "these are more", 25);
    for (const char* wrong : {"vod", "voidx", "abc", "com\xc3\xa9t"}) {
        std::string words = some_words();
        expect_fault(words.replace(5, 4, wrong), "a word is none", 2); // in the place of "come"
    }
    std::string another = some_words();
    expect_fault(another.replace(5, 4, "comic"), "these 24 words do not belong together", 0);
    expect_fault("come void" + some_words().substr(9), "these 24 words do not belong together", 0);
}

// One of 256 passes by chance; of these some do not, and none is taken for the right one.
TEST_F(RecoveryWords, AWordThatIsAnotherIsNeverTakenForTheRightOne) {
    const SecureBytes right = of_hex(vectors().back().secret);
    int passed = 0;
    for (std::size_t i = 0; i < word_list_size; ++i) {
        std::string words = some_words();
        words.replace(5, 4, listed_word(i));
        const auto secret = secret_of(secure(words));
        if (secret && !secret->same_as(right.bytes())) ++passed;
    }
    EXPECT_LT(passed, 32); // 8 to be expected
}

} // namespace
} // namespace clinic::crypto
