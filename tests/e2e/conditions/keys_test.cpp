// The machine's key is lost, and people open the records again: with the words on paper, with the passphrase. After it
// the box starts by itself; and none of what they typed is in a file, a log, or memory that could leave the process.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "crypto/base/files.h"
#include "crypto/recovery_words.h"
#include "crypto/seal.h"
#include "tests/e2e/conditions/room.h"
#include "tests/fakes/temp_folder.h"
#include "tests/support/canary.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* passphrase = "seventeen copper umbrellas";

class Keys : public Conditions {
protected:
    // By a pipe, from a file that is not in the box's folder.
    static Ran ctl_typing(const std::string& words, const std::string& typed) {
        const auto file = paper() / "typed";
        std::ofstream{file} << typed << '\n';
        return box().ctl(words + " < '" + file.string() + "' 2>&1");
    }
    static fs::path paper() {
        static const fakes::TempFolder folder;
        return folder.path();
    }
    // Without what it says on standard error.
    static Ran quietly(const std::string& words) { return box().ctl(words + " 2> /dev/null; exit $?"); }
    // A recovery key, made and typed back.
    static std::string new_words() {
        const auto begun = quietly("keys recovery begin --label safe --reason 'a test' --json < /dev/null");
        EXPECT_EQ(begun.exit, 0) << begun.out;
        const std::string words = json::parse(begun.out).at("words");
        EXPECT_EQ(ctl_typing("keys recovery confirm", words).exit, 0);
        return words;
    }
    static std::size_t slots() {
        const auto listed = quietly("keys list --json");
        return listed.exit == 0 ? json::parse(listed.out).size() : 0;
    }
    // Another machine's, in the place of the one that is away; as its owner's.
    static std::string put_new_key() {
        const auto key = box().folder() / "keys" / "store.key";
        EXPECT_EQ(run("cp -p '" + key.string() + ".away' '" + key.string() + "'").exit, 0);
        const auto bytes = crypto::SecureBytes::random(crypto::key_bytes);
        const std::string digits = crypto::hex(bytes.bytes());
        std::ofstream{key} << digits << '\n';
        return digits;
    }
    static void expect_it_starts_by_itself() {
        restart("clinicd");
        EXPECT_TRUE(eventually([] { return is("running"); }, 60));
    }
    static std::vector<std::string> canaries(const std::string& words, const std::string& key) {
        std::vector<std::string> all{key, passphrase};
        std::istringstream in{words};
        std::vector<std::string> list;
        for (std::string word; in >> word;) list.push_back(word);
        for (std::size_t i = 0; i + 2 < list.size(); ++i)
            all.push_back(list[i] + " " + list[i + 1] + " " + list[i + 2]);
        const auto secret = crypto::secret_of(crypto::SecureBytes::copy_of(base::as_bytes(words)));
        EXPECT_TRUE(secret);
        all.push_back(crypto::hex(secret->bytes()));
        return all;
    }
    // The memory of a process that a core dump, or a look without guard, would show: all but what is kept out of both.
    static std::string open_memory(pid_t process) {
        std::ifstream maps{"/proc/" + std::to_string(process) + "/smaps"};
        std::ifstream memory{"/proc/" + std::to_string(process) + "/mem", std::ios::binary};
        EXPECT_TRUE(memory.is_open());
        std::string all, line;
        unsigned long long from = 0, to = 0;
        char access[5]{};
        while (std::getline(maps, line)) {
            const auto key = line.find(' ');
            if (key != std::string::npos && line.find('-') < key) // "7f00…-7f01… rw-p …", and what is about it behind
                std::sscanf(line.c_str(), "%llx-%llx %4s", &from, &to, access);
            if (!line.starts_with("VmFlags:") || access[1] != 'w' || line.find(" dd") != std::string::npos) continue;
            std::string part(to - from, '\0');
            memory.clear();
            memory.seekg(static_cast<std::streamoff>(from));
            memory.read(part.data(), static_cast<std::streamsize>(part.size()));
            all.append(part.data(), static_cast<std::size_t>(std::max<std::streamsize>(0, memory.gcount())));
        }
        return all;
    }
    static void expect_not_in_memory(const std::string& words, const std::string& key) {
        if (!as_root()) return; // nobody else may look into clinicd
        const std::string memory = open_memory(process_of(box(), "clinicd"));
        EXPECT_GT(memory.size(), 1'000'000U);
        EXPECT_NE(memory.find(records().string()), std::string::npos) << "what is in memory is found";
        const support::Search search{canaries(words, key)};
        for (const auto& hit : search.in(memory))
            ADD_FAILURE() << "memory: " << hit.canary.substr(0, 3) << " " << hit.form;
        const auto secret = crypto::secret_of(crypto::SecureBytes::copy_of(base::as_bytes(words)));
        std::string machine(crypto::key_bytes, '\0');
        for (std::size_t i = 0; i < machine.size(); ++i)
            machine[i] = static_cast<char>(std::stoi(key.substr(2 * i, 2), nullptr, 16));
        for (const std::string& bytes :
             {std::string{reinterpret_cast<const char*>(secret->bytes().data()), crypto::key_bytes}, machine})
            for (const std::size_t half : {0U, 16U})
                EXPECT_EQ(memory.find(bytes.substr(half, 16)), std::string::npos) << "as bytes, from " << half;
    }
};

TEST_F(Keys, WordsOpenTheRecordsOfALostMachineAndAreFoundNowhereElse) {
    const std::string words = new_words();
    EXPECT_EQ(ctl_typing("keys verify", words).exit, 0);
    std::string key;
    while_closed([&] {
        EXPECT_NE(need("E2001")["remedy"].get<std::string>().find("clinicctl keys recover"), std::string::npos);
        const auto without = ctl_typing("keys recover --reason 'lost'", words);
        EXPECT_EQ(without.exit, 2);
        EXPECT_NE(without.out.find("--new-key"), std::string::npos) << without.out;
        key = put_new_key();
        EXPECT_TRUE(eventually([] { return need("E2001")["cause"] == "the key does not open the store"; }));

        std::string misread = words;
        misread.replace(0, misread.find(' '), "qqqq");
        const auto named = ctl_typing("keys recover --reason 'lost'", misread);
        EXPECT_EQ(named.exit, 2);
        EXPECT_NE(named.out.find("(word 1)"), std::string::npos) << named.out;
        std::string other;
        for (int i = 0; i < 23; ++i) other += "abandon ";
        const auto another = ctl_typing("keys recover --reason 'lost'", other + "art");
        EXPECT_EQ(another.exit, 2);
        EXPECT_NE(another.out.find("another store's"), std::string::npos) << another.out;
        EXPECT_TRUE(is("locked"));

        const auto recovered = ctl_typing("keys recover --reason 'the mainboard is gone'", words);
        EXPECT_EQ(recovered.exit, 0) << recovered.out;
        EXPECT_TRUE(is("running"));
        expect_it_starts_by_itself();
    });
    EXPECT_EQ(slots(), 3U);
    const auto chain = box().ctl("audit list --limit 50");
    EXPECT_NE(chain.out.find("keys_recover the mainboard is gone"), std::string::npos) << chain.out;
    EXPECT_NE(chain.out.find("keys_guessed_wrong 1"), std::string::npos) << chain.out;

    const support::Search search{canaries(words, key)};
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator{box().folder()}) {
        if (!entry.is_regular_file() || entry.path().parent_path().filename() == "keys") continue;
        for (const auto& hit : search.in_file(entry.path())) ADD_FAILURE() << entry.path() << ": " << hit.form;
        ++files;
    }
    EXPECT_GT(files, 10U);
    expect_not_in_memory(words, key);
}

TEST_F(Keys, WordsLeaveNothingInMemoryWhileTheyAreMadeTypedAndTried) {
    const std::string words = new_words();
    EXPECT_EQ(ctl_typing("keys verify", words).exit, 0);
    EXPECT_EQ(ctl_typing("keys passphrase --reason 'a test'", passphrase).exit, 0);
    EXPECT_EQ(ctl_typing("keys verify --passphrase", passphrase).exit, 0);
    std::string key;
    std::getline(std::ifstream{box().folder() / "keys" / "store.key"}, key);
    expect_not_in_memory(words, key);
}

TEST_F(Keys, NoNewKeyIsMadeWhileTheRecordsAreOpen) {
    const auto etc = paper() / "etc";
    const auto key = etc / "keys" / "clinic-edge.store";
    fs::create_directories(key.parent_path());
    std::ofstream{key} << "sealed to a TPM that was cleared\n";
    const auto refused =
        ctl_typing("keys recover --new-key --etc '" + etc.string() + "' --reason 'a mistake'", "abandon");
    EXPECT_EQ(refused.exit, 2);
    EXPECT_NE(refused.out.find("nothing to recover"), std::string::npos) << refused.out;
    std::string text;
    std::getline(std::ifstream{key}, text);
    EXPECT_EQ(text, "sealed to a TPM that was cleared");
    EXPECT_FALSE(fs::exists(key.parent_path() / "before.1.clinic-edge.store"));
    fs::remove_all(etc);
}

// The key was made, and clinicd was not given it yet: the same command goes on from there.
TEST_F(Keys, ANewKeyThatIsThereAlreadyIsTakenAndTheRecoveryGoesOn) {
    if (!as_root()) GTEST_SKIP() << "keys are sealed by root: run as root";
    const std::string words = new_words();
    const auto etc = paper() / "etc";
    fs::create_directories(etc / "keys");
    const std::string command = "keys recover --new-key --etc '" + etc.string() + "' --reason 'lost'";
    while_closed([&] {
        const auto cut = ctl_typing(command, words);
        EXPECT_EQ(cut.exit, 2) << cut.out;
        EXPECT_TRUE(fs::exists(etc / "keys" / "clinic-edge.store")) << cut.out;
        put_new_key();
        const auto recovered = ctl_typing(command, words);
        EXPECT_EQ(recovered.exit, 0) << recovered.out;
        EXPECT_FALSE(fs::exists(etc / "keys" / "before.1.clinic-edge.store"));
        expect_it_starts_by_itself();
    });
    fs::remove_all(etc);
}

TEST_F(Keys, ThePassphraseOpensThemToo) {
    EXPECT_EQ(ctl_typing("keys passphrase --reason 'a test'", passphrase).exit, 0);
    while_closed([&] {
        put_new_key();
        EXPECT_EQ(ctl_typing("keys recover --passphrase --reason 'lost'", "another passphrase").exit, 2);
        const auto recovered = ctl_typing("keys recover --passphrase --reason 'lost'", passphrase);
        EXPECT_EQ(recovered.exit, 0) << recovered.out;
        expect_it_starts_by_itself();
    });
}

TEST_F(Keys, TheDiskOfADeadBoxIsReadWithTheWords) {
    const std::string words = new_words();
    const auto copy = paper() / "copy", saved = paper() / "saved";
    while_closed([&] { run("cp -r '" + records().string() + "' '" + copy.string() + "'"); });
    const auto checked = ctl_typing("store check --records '" + copy.string() + "' --words", words);
    EXPECT_EQ(checked.exit, 0) << checked.out;
    const auto salvaged =
        ctl_typing("store salvage --records '" + copy.string() + "' --words --to '" + saved.string() + "'", words);
    EXPECT_EQ(salvaged.exit, 0) << salvaged.out;
    EXPECT_EQ(ctl_typing("store check --records '" + saved.string() + "' --words", words).exit, 0);
    const auto key = box().folder() / "keys" / "store.key";
    EXPECT_EQ(box().ctl("store check --records '" + saved.string() + "' --credential '" + key.string() + "'").exit, 0)
        << "every slot went with it";
    fs::remove_all(copy);
    fs::remove_all(saved);
}

} // namespace
} // namespace clinic::e2e
