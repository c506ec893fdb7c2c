#include "provisioning/store_view.h"

#include <array>
#include <nlohmann/json.hpp>

#include "crypto/aead.h"
#include "crypto/base/clock.h"
#include "crypto/key_slot.h"
#include "crypto/seal.h"
#include "daemon/web/words/words.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t lines_max = 20; // of a list, in words; --json has all

const char* cipher_name(std::uint32_t id) {
    const crypto::CipherId cipher{id};
    return crypto::is_known(cipher) ? crypto::name_of(cipher).c_str() : "unknown";
}

const char* name(salvage::Loss why) {
    switch (why) {
    case salvage::Loss::unreadable: return "does not open";
    case salvage::Loss::senseless: return "is no page of its tree";
    case salvage::Loss::row: return "has a row that does not read";
    }
    return "";
}

// What nobody has vouched for, on a terminal.
std::string shown(std::string text) {
    for (char& one : text)
        if (one < ' ' || one > '~') one = '?';
    return text;
}

json slots(const crypto::SuperblockLook& block) {
    json all = json::array();
    for (const auto& slot : block.slots)
        all.push_back({{"number", slot.number},
                       {"kind", crypto::name(crypto::SlotKind{slot.kind})},
                       {"epoch", slot.epoch},
                       {"label", shown(slot.label)},
                       {"made_at", slot.made_us == 0 ? json{} : json(base::rfc3339({slot.made_us}))}});
    return all;
}

json blocks(const crypto::DatabaseLook& database) {
    json all = json::array();
    for (std::size_t i = 0; i < database.blocks.size(); ++i)
        all.push_back({{"name", i == 0 ? "A" : "B"},
                       {"whole", database.blocks[i].whole},
                       {"sequence", database.blocks[i].newer ? json{} : json(database.blocks[i].sequence)}});
    return all;
}

std::string number(const json& value) {
    return words::number(value.get<std::int64_t>());
}

// With what stands before it; nothing where there is nothing to say.
std::string said(const char* before, const json& value) {
    const bool empty = !value.is_string() || value.get_ref<const std::string&>().empty();
    return empty ? std::string{} : before + value.get<std::string>();
}

// "  12,345  what it is"
std::string line(const json& value, const std::string& what) {
    const std::string digits = number(value);
    return std::string(digits.size() < 12 ? 12 - digits.size() : 0, ' ') + digits + "  " + what + "\n";
}

std::string fact(const char* what, const std::string& value) {
    return std::string{what} + std::string(16 - std::min<std::size_t>(15, std::string_view{what}.size()), ' ') + value +
           "\n";
}

std::string beyond(std::size_t all) {
    return all > lines_max ? "              and " + words::number(static_cast<std::int64_t>(all - lines_max)) +
                                 " more: --json has all\n"
                           : std::string{};
}

json gaps_json(const std::vector<audit::Gap>& gaps) {
    json all = json::array();
    for (const auto& gap : gaps)
        all.push_back(
            {{"first", gap.first}, {"last", gap.last}, {"said_by", gap.said_by == 0 ? json{} : json(gap.said_by)}});
    return all;
}

// "              links 11 to 20 of the audit chain are missing, as link 21 says"
std::string gap_lines(const json& gaps) {
    std::string out;
    for (std::size_t i = 0; i < std::min(lines_max, gaps.size()); ++i) {
        const auto& gap = gaps[i];
        out += "              links " + number(gap["first"]) + " to " + number(gap["last"]) +
               " of the audit chain are missing";
        out += gap["said_by"].is_null() ? "\n" : ", as link " + number(gap["said_by"]) + " says\n";
    }
    return out + beyond(gaps.size());
}

} // namespace

json to_json(const crypto::StoreLook& look) {
    json out{
        {"whole", look.database && look.keystore && look.database->blocks[0].whole && look.database->blocks[1].whole},
        {"database", nullptr},
        {"wal", nullptr},
        {"keystore", nullptr}};
    if (look.database) {
        const auto& database = *look.database;
        out["database"] = {{"bytes", database.bytes},
                           {"pages", database.pages},
                           {"odd_bytes", database.odd_bytes},
                           {"superblocks", blocks(database)}};
        if (const auto* block = database.newer()) {
            out["whole"] = false;
            out["format"] = block->version;
        } else if ((block = database.newest()) != nullptr) {
            out["store"] = crypto::hex(block->store);
            out["format"] = block->version;
            out["cipher"] = {{"id", block->cipher}, {"name", cipher_name(block->cipher)}};
            out["epoch"] = block->epoch;
            out["sequence"] = block->sequence;
            out["page_size"] = block->page_size;
            out["slots"] = slots(*block);
        }
    }
    if (look.wal)
        out["wal"] = {{"bytes", look.wal->bytes},
                      {"frames", look.wal->frames},
                      {"epoch", look.wal->epoch},
                      {"store", look.wal->named ? json(crypto::hex(look.wal->store)) : json{}}};
    if (look.keystore)
        out["keystore"] = {{"bytes", look.keystore->bytes},
                           {"slots", look.keystore->slots},
                           {"format", look.keystore->version},
                           {"store", look.keystore->named ? json(crypto::hex(look.keystore->store)) : json{}}};
    return out;
}

json to_json(const salvage::Checked& checked) {
    json trees = json::array(), lost = json::array();
    for (const auto& tree : checked.survey.trees)
        if (!tree.whole())
            trees.push_back({{"name", tree.name},
                             {"kind", tree.index ? "index" : "table"},
                             {"table", tree.table},
                             {"pages_lost", tree.pages_lost},
                             {"rows_lost", tree.rows_lost}});
    for (const auto& page : checked.survey.lost)
        lost.push_back({{"page", page.page}, {"of", page.owner}, {"why", name(page.why)}});
    return {{"sound", checked.sound()},
            {"needs_salvage", checked.needs_salvage()},
            {"store", crypto::hex(checked.store)},
            {"damaged_superblocks", checked.damaged_superblocks},
            {"pages", checked.pages},
            {"damaged_pages", std::move(lost)},
            {"damaged_trees", std::move(trees)},
            {"stray_pages", checked.survey.stray.size()},
            {"free_pages", checked.survey.free_pages},
            {"schema_version", checked.survey.schema_version},
            {"wal",
             {{"frames", checked.wal.frames},
              {"committed", checked.wal.committed},
              {"damaged", checked.wal.damaged},
              {"header_damaged", checked.wal.head_damaged},
              {"of_another_store", checked.wal.foreign}}},
            {"keystore",
             {{"missing", checked.keystore_missing},
              {"header_whole", checked.keys.head_whole},
              {"slots", checked.keys.slots},
              {"erased", checked.keys.erased},
              {"damaged", checked.keys.damaged}}},
            {"integrity", checked.integrity},
            {"missing_links", gaps_json(checked.missing_links)},
            {"salvage_record_rows", checked.salvaged_rows_aside < 0 ? json{} : json(checked.salvaged_rows_aside)},
            {"salvage_record_damaged", checked.salvage_record_damaged}};
}

json to_json(const salvage::Salvaged& salvaged) {
    json tables = json::object();
    for (const auto& table : salvaged.tables)
        tables[table.table] = {{"rows", table.rows},
                               {"rows_aside", table.rows_aside},
                               {"rows_lost", table.rows_lost},
                               {"pages_lost", table.pages_lost}};
    return {{"complete", salvaged.complete()},
            {"store", crypto::hex(salvaged.store)},
            {"tables", std::move(tables)},
            {"damaged_superblocks", salvaged.damaged_superblocks},
            {"pages_lost", salvaged.pages_lost},
            {"pages_older", salvaged.pages_older},
            {"frames_damaged", salvaged.frames_damaged},
            {"rows_aside_of_nobody", salvaged.rows_aside_of_nobody},
            {"keys", salvaged.keys},
            {"keys_damaged", salvaged.keys_damaged},
            {"people_indexed_anew", salvaged.found_anew},
            {"people_not_readable", salvaged.not_found_anew},
            {"lost_links", gaps_json(salvaged.lost_links)},
            {"basis_closed", salvaged.basis_closed}};
}

std::string view_inspected(const json& look) {
    std::string out;
    if (look.contains("format") && !look.contains("store"))
        out += fact("Format", number(look["format"]) + ", not read by this program");
    if (look.contains("store")) {
        out += fact("Store", look["store"]);
        out += fact("Format", number(look["format"]) + ", cipher " + look["cipher"]["name"].get<std::string>() +
                                  ", pages of " + number(look["page_size"]) + " bytes");
        out += fact("Key epoch", number(look["epoch"]) + ", superblock sequence " + number(look["sequence"]));
        for (const auto& slot : look["slots"])
            out += fact("Key slot", number(slot["number"]) + ", " + slot["kind"].get<std::string>() + ", epoch " +
                                        number(slot["epoch"]) + said(", made ", slot["made_at"]) +
                                        said(", ", slot["label"]));
    }
    if (look.contains("opened_slot"))
        out += fact("That key",
                    look["opened_slot"].is_null() ? "opens NO slot" : "opens slot " + number(look["opened_slot"]));
    if (look["database"].is_null()) {
        out += fact("Database", "not there");
    } else {
        out += fact("Database", words::bytes(look["database"]["bytes"].get<std::int64_t>()) + ", " +
                                    number(look["database"]["pages"]) + " pages");
        for (const auto& block : look["database"]["superblocks"])
            if (!block["whole"].get<bool>())
                out += fact("Superblock", block["name"].get<std::string>() + " is DAMAGED");
    }
    out += look["wal"].is_null() ? fact("WAL", "not there")
                                 : fact("WAL", words::bytes(look["wal"]["bytes"].get<std::int64_t>()) + ", " +
                                                   number(look["wal"]["frames"]) + " frames");
    out += look["keystore"].is_null() ? fact("Keystore", "NOT THERE")
                                      : fact("Keystore", words::bytes(look["keystore"]["bytes"].get<std::int64_t>()) +
                                                             ", " + number(look["keystore"]["slots"]) + " slots");
    return out + "This is what the files say in clear. clinicctl store check proves it, with the key.\n";
}

std::string view_checked(const json& checked) {
    std::string out = checked["needs_salvage"].get<bool>() ? "The store is DAMAGED\n"
                      : checked["sound"].get<bool>()       ? "The store is sound\n"
                                                           : "The store is sound, a file beside it is DAMAGED\n";
    out += line(checked["pages"], "pages, of which " + number(checked["damaged_pages"].size()) + " are damaged");
    out += line(checked["wal"]["committed"],
                "committed WAL frames, of which " + number(checked["wal"]["damaged"].size()) + " are damaged");
    if (checked["wal"]["header_damaged"].get<bool>()) out += "              the WAL's header is damaged\n";
    if (checked["wal"]["of_another_store"].get<bool>()) out += "              the WAL is of another store\n";
    out += checked["keystore"]["missing"].get<bool>()
               ? std::string{"              the keystore is not there\n"}
               : line(checked["keystore"]["slots"],
                      "key slots, of which " + number(checked["keystore"]["damaged"].size()) + " are damaged");
    if (!checked["keystore"]["missing"].get<bool>() && !checked["keystore"]["header_whole"].get<bool>())
        out += "              the keystore's header is damaged: the next start of clinicd writes it anew\n";
    if (checked["damaged_superblocks"].get<int>() > 0)
        out += line(checked["damaged_superblocks"], "of the 2 superblocks damaged");
    if (!checked["damaged_trees"].empty()) out += "Damaged tables and indexes\n";
    for (const auto& tree : checked["damaged_trees"])
        out += line(tree["pages_lost"],
                    "pages lost of " + tree["kind"].get<std::string>() + " " + tree["name"].get<std::string>());
    if (!checked["damaged_pages"].empty()) out += "Damaged pages\n";
    for (std::size_t i = 0; i < std::min(lines_max, checked["damaged_pages"].size()); ++i) {
        const auto& page = checked["damaged_pages"][i];
        const std::string owner = page["of"];
        out += line(page["page"], page["why"].get<std::string>() + (owner.empty() ? "" : ", of " + owner));
    }
    out += beyond(checked["damaged_pages"].size());
    if (!checked["integrity"].empty()) out += "SQLite's integrity check\n";
    for (std::size_t i = 0; i < std::min(lines_max, checked["integrity"].size()); ++i)
        out += "              " + checked["integrity"][i].get<std::string>() + "\n";
    out += beyond(checked["integrity"].size());
    out += gap_lines(checked["missing_links"]);
    if (checked["salvage_record_damaged"].get<bool>())
        out += "              salvage.sealed, what an earlier salvage set aside, cannot be read: put it back from the\n"
               "              folder that was saved, or from a backup\n";
    if (!checked["keystore"]["damaged"].empty())
        out += "Keys: clinicctl store mend-keys --records FOLDER --credential FILE --from KEYS, an earlier copy of "
               "keys.db\n";
    if (checked["needs_salvage"].get<bool>())
        out +=
            "Next: clinicctl store salvage --records FOLDER --credential FILE --to NEW, then clinicctl store restore\n";
    return out;
}

std::string view_salvaged(const json& salvaged) {
    std::string out = salvaged["complete"].get<bool>() ? "Saved, and nothing was lost\n" : "Saved, with a part LOST\n";
    for (const auto& [name, table] : salvaged["tables"].items()) {
        std::string what = "rows of " + name;
        if (table["rows_aside"].get<std::int64_t>() > 0) what += ", " + number(table["rows_aside"]) + " set aside";
        if (table["rows_lost"].get<std::int64_t>() > 0) what += ", " + number(table["rows_lost"]) + " LOST";
        if (table["pages_lost"].get<std::int64_t>() > 0) what += ", " + number(table["pages_lost"]) + " pages LOST";
        if (table["rows"].get<std::int64_t>() > 0 || what.find(',') != std::string::npos)
            out += line(table["rows"], what);
    }
    out += line(salvaged["keys"], "keys, " + number(salvaged["keys_damaged"]) + " more do not open");
    if (salvaged["pages_older"].get<std::int64_t>() > 0)
        out += line(salvaged["pages_older"], "pages in an older state: their newest was lost with the WAL");
    if (salvaged["rows_aside_of_nobody"].get<std::int64_t>() > 0)
        out += line(salvaged["rows_aside_of_nobody"], "rows set aside, of which nobody knows the table");
    out += gap_lines(salvaged["lost_links"]);
    if (salvaged["basis_closed"].get<bool>())
        out += "Nothing leaves the box until the legal basis is set again: clinicctl basis set\n";
    return out + "The old files are as they were: keep them until the clinic has looked.\n";
}

json to_json(const salvage::KeysMended& mended) {
    return {{"mended", mended.mended}, {"damaged", mended.damaged}};
}

std::string view_keys_mended(const json& mended) {
    const bool all = mended["damaged"] == 0;
    return std::string{all ? "Every slot of the file opens\n" : "Keys are DAMAGED still\n"} +
           line(mended["mended"], "taken from the copy") +
           (all ? "" : line(mended["damaged"], "that the copy has not, or not whole: try another copy"));
}

json to_json(const salvage::Restored& restored) {
    return {{"store", crypto::hex(restored.store)},
            {"replaced", restored.replaced.empty() ? json{} : json(restored.replaced)},
            {"basis_closed", restored.basis_closed},
            {"went_on", restored.went_on},
            {"keys_of_the_copy", restored.keys_of_the_copy}};
}

std::string view_restored(const json& restored) {
    std::string out = restored["went_on"].get<bool>() ? "Put back, after an earlier one was cut off\n" : "Put back\n";
    if (restored["replaced"].is_string())
        out += "What lay there is in the records' folder " + restored["replaced"].get<std::string>() +
               ": keep it until the clinic has looked.\n";
    if (restored["basis_closed"].get<bool>())
        out += "It may be older than what lay there, so nothing leaves the box until the legal basis is set again: "
               "clinicctl basis set\n";
    if (restored["keys_of_the_copy"].get<bool>())
        out += "Its keys count too, as there were none that could be used: who was erased since it was made has to be "
               "erased again.\n";
    return out + "clinicd opens it within seconds; where it does not run: systemctl start clinicd\n";
}

} // namespace clinic::provisioning
