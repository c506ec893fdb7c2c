// The support bundle of a box full of canaries, as it is shown, as it is sealed, and as it is where it is read.
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "crypto/base/files.h"
#include "crypto/sealed_blob.h"
#include "provisioning/bundle/bundle.h"
#include "tests/e2e/canary/own_network.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/e2e/canary/room.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t bundle_seed = 4'242;
constexpr std::size_t messages = 400, rows = 40;

class Bundles : public Canary {
protected:
    void SetUp() override {
        Canary::SetUp();
        if (IsSkipped()) return;
        room_.emplace(bundle_seed);
        const auto sent = send_all(static_cast<unsigned short>(box().mllp_port()), 0, messages, 4,
                                   [this](std::size_t n) { return room_->day.message(n); });
        EXPECT_GT(sent.accepted, messages / 2);
        room_->visits.import_files(rows);
        EXPECT_EQ(box().ctl("feed add " + name_of("header") + " --address 192.0.2.9").exit, 0);
        make_key();
        write_settings();
        room_->visits.speak_nonsense(); // names in what is refused, and so near the logs
    }
    void TearDown() override { room_.reset(); }
    Box& box() { return room_->box; }

    // A canary in small letters, as a feed may be called.
    std::string name_of(const std::string& field) {
        auto word = room_->day.word(field, 3);
        for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        return word;
    }
    Ran ctl(const std::string& words) {
        return box().ctl(words + " --settings " + quoted((room_->own / "clinicd.json").string()) + " --sync-settings " +
                         quoted((box().folder() / "etc" / "sync.json").string()));
    }
    void make_key() {
        key_ = room_->own / "support.key";
        const auto made = run("(" + quoted(std::string{CLINIC_BINARY_DIR} + "/bin/clinicctl") +
                              " bundle keygen --out " + quoted(key_.string()) + " 2>/dev/null)");
        ASSERT_EQ(made.exit, 0);
        public_ = made.out.substr(0, 64);
    }
    // The box's own, with a name wherever somebody could have written one.
    void write_settings() {
        auto settings = json::parse(*base::read_text(box().folder() / "etc" / "clinicd.json", 65'536));
        settings["support"] = {{"key", public_}};
        settings["console"]["names"] = {name_of("family") + ".local"};
        settings["mllp"]["allow"].push_back(name_of("family"));
        settings["ghl"]["location"] = name_of("family");
        settings[name_of("family")] = name_of("given");
        std::ofstream{room_->own / "clinicd.json"} << settings;
    }
    json made(const std::string& file) {
        const auto opened = fs::path{file + ".opened"};
        const auto done = box().ctl("bundle open " + quoted(file) + " --key " + quoted(key_.string()) + " --out " +
                                    quoted(opened.string()));
        EXPECT_EQ(done.exit, 0) << done.out;
        auto manifest = json::parse(*base::read_text(opened / "manifest.json", 65'536));
        for (const auto& one : manifest.at("contents")) {
            const auto path = opened / (one.at("id").get<std::string>() + ".json");
            EXPECT_NE(one.contains("missing"), fs::exists(path)) << one;
            if (fs::exists(path)) {
                room_->places.look("the opened bundle", *base::read_text(path, bundle::item_bytes_max));
            }
        }
        room_->places.look("the manifest", manifest.dump());
        return manifest;
    }

    std::optional<Room> room_;
    fs::path key_;
    std::string public_;
};

TEST_F(Bundles, NothingOfAFullBoxIsInThem) {
    const auto preview = ctl("bundle --preview");
    EXPECT_EQ(preview.exit, 0);
    EXPECT_GT(preview.out.size(), 10'000U);
    room_->places.look("the preview", preview.out);
    const auto file = (room_->own / "bundle").string();
    // A reason may be as careless as it likes: it is kept in the records, and is not in the bundle.
    const auto sealed =
        ctl("bundle --reason " + quoted("about " + room_->day.word("family", 3)) + " --out " + quoted(file));
    ASSERT_EQ(sealed.exit, 0) << sealed.out;
    room_->places.look("what is said of it", sealed.out);
    room_->places.look("the sealed file", *base::read_text(file, 32U << 20));
    struct stat about {};
    ASSERT_EQ(stat(file.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    const auto manifest = made(file);
    EXPECT_TRUE(manifest.at("audited").get<bool>());
    std::set<std::string> there;
    for (const auto& one : manifest.at("contents"))
        if (!one.contains("missing")) there.insert(one.at("id"));
    for (const char* id : {"about", "status", "metrics", "checks", "containment", "settings"})
        EXPECT_TRUE(there.contains(id)) << id;
    EXPECT_NE(preview.out.find("\"received\""), std::string::npos) << "and it is of use";
    EXPECT_EQ(room_->places.found(), std::vector<std::string>{});
    EXPECT_NE(box().ctl("audit list --limit 20").out.find("support_bundle"), std::string::npos);
}

TEST_F(Bundles, AreMadeWhileClinicdHangs) {
    const auto file = (room_->own / "bundle").string();
    const auto stopped = box().pids("clinicd");
    for (const pid_t one : stopped) kill(one, SIGSTOP);
    const auto sealed = ctl("bundle --reason 'it hangs' --out " + quoted(file));
    for (const pid_t one : stopped) kill(one, SIGCONT);
    EXPECT_EQ(sealed.exit, 0) << sealed.out;
    const auto manifest = made(file);
    EXPECT_FALSE(manifest.at("audited").get<bool>());
    for (const auto& one : manifest.at("contents"))
        if (one.at("id") == "status") {
            EXPECT_EQ(one.at("missing"), "clinicd does not answer");
        }
    EXPECT_EQ(room_->places.found(), std::vector<std::string>{});
}

TEST_F(Bundles, ACanaryInOneIsFoundWhereItIsRead) {
    const auto plain = room_->day.word("family", 3);
    const auto packed =
        bundle::pack({.version = "0.1.0"}, {{"about", "a test", "it is not", "{\"a\":\"" + plain + "\"}\n"}});
    ASSERT_TRUE(crypto::start() && packed);
    const auto file = room_->own / "bundle";
    const auto sealed = crypto::seal_blob(base::as_bytes(*packed), *crypto::read_blob_key(public_));
    ASSERT_TRUE(base::write_durable(file, *sealed, 0600));
    room_->places.look("the sealed file", *base::read_text(file, 32U << 20));
    EXPECT_EQ(room_->places.found(), std::vector<std::string>{});
    made(file.string());
    EXPECT_FALSE(room_->places.found().empty());

    const auto other = room_->own / "other.key";
    EXPECT_EQ(box().ctl("bundle keygen --out " + quoted(other.string())).exit, 0);
    EXPECT_EQ(box().ctl("bundle keygen --out " + quoted(other.string())).exit, 2) << "a key is not written over";
    const auto wrong = box().ctl("bundle open " + quoted(file.string()) + " --key " + quoted(other.string()));
    EXPECT_EQ(wrong.exit, 2);
    EXPECT_NE(wrong.out.find("it was sealed to another key"), std::string::npos) << wrong.out;
    std::ofstream{file, std::ios::app} << "x";
    const auto changed = box().ctl("bundle open " + quoted(file.string()) + " --key " + quoted(key_.string()));
    EXPECT_EQ(changed.exit, 2);
    EXPECT_NE(changed.out.find("the file was changed or cut off"), std::string::npos) << changed.out;
}

} // namespace
} // namespace clinic::e2e
