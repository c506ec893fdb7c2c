#include <hpdf.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "crypto/base/owned.h"
#include "provisioning/setup/handover.h"
#include "sync/envelope/names.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr float margin = 56, page_width = 595, page_height = 842, text_width = page_width - 2 * margin; // A4, in points
constexpr float label_width = 128, body_size = 10, heading_size = 14, title_size = 20, leading = 14;

using Pdf = std::unique_ptr<std::remove_pointer_t<HPDF_Doc>, base::FreedBy<HPDF_Free>>;

std::string word(const json& from, const char* key) {
    const auto found = from.find(key);
    if (found == from.end()) return {};
    return found->is_string() ? found->get<std::string>() : found->is_null() ? "none" : found->dump();
}

std::string stages(const json& side) {
    std::string text;
    for (const json& one : side.value("steps", json::array()))
        text += (text.empty() ? "" : ", ") + word(one, "stage") + " " + word(one, "result");
    return text;
}

void add_claim(std::vector<Paragraph>& all, const json& claim) {
    all.push_back({true, "", "Whose box it is"});
    for (const auto& [key, label] :
         {std::pair{"organization", "Organization"}, {"clinic", "Clinic"}, {"box", "Box"}, {"zone", "Time zone"}})
        all.push_back({false, label, word(claim, key)});
    const json ghl = claim.value("ghl", json::object());
    all.push_back({false, "GHL", word(ghl, "base") + ", location " + word(ghl, "location")});
    const json ops = claim.value("ops", json{});
    all.push_back(
        {false, "Central operations",
         ops.is_object() ? word(ops, "host") + ":" + word(ops, "port") : "none: nobody outside sees the box"});
}

void add_terms(std::vector<Paragraph>& all, const json& terms) {
    const json chosen = terms.value("template", json::object()), basis = terms.value("basis", json::object());
    all.push_back({true, "", "What may leave"});
    all.push_back({false, "Template", word(chosen, "title")});
    all.push_back({false, "Legal basis",
                   word(basis, "mode") +
                       (basis.contains("last_day") ? ", to the end of " + word(basis, "last_day") : std::string{})});
    if (!word(basis, "evidence").empty()) all.push_back({false, "Evidence", "BLAKE2b-256 " + word(basis, "evidence")});
    all.push_back({false, "Without a contact",
                   word(terms, "unlinked") == "shell" ? "a patient gets a contact with no name in it"
                                                      : "a patient waits for one"});
    const json pipeline = chosen.value("pipeline", json::object()),
               vocabulary = chosen.value("vocabulary", json::object());
    for (const std::string stage : envelope::Names<envelope::Stage>::table)
        all.push_back({false, "Stage " + stage, word(pipeline, stage.c_str())});
    for (const std::string tag : envelope::vocabulary)
        all.push_back({false, "Word " + tag, word(vocabulary, tag.c_str())});
    const json kept = chosen.value("retention", json::object());
    all.push_back({false, "Kept",
                   "quarantine " + word(kept, "quarantine_days") + " days, dead letters " +
                       word(kept, "dead_letter_days") + " days, what left " + word(kept, "ledger_years") + " years"});
}

void add_keys(std::vector<Paragraph>& all, const json& keys) {
    all.push_back({true, "", "What opens the records"});
    for (const json& slot : keys.value("slots", json::array())) {
        const std::string label = word(slot, "label");
        all.push_back({false, "A " + word(slot, "kind") + " key", label.empty() ? "is there" : label});
    }
    const std::string sealed = word(keys, "sealed_to"); // empty in a report of a version before
    if (!sealed.empty())
        all.push_back({false, "The machine's own",
                       sealed == "tpm2" ? "is sealed to its TPM: the disk alone opens nothing"
                                        : "is sealed to a key on its disk: who has the disk can open them"});
}

void add_feeds(std::vector<Paragraph>& all, const json& feeds) {
    all.push_back({true, "", "Who sends to it"});
    for (const json& one : feeds.value("feeds", json::array()))
        all.push_back({false, word(one, "name"),
                       one.value("heard", false) ? "a message of it was acknowledged" : "has not sent yet"});
    if (feeds.value("feeds", json::array()).empty()) all.push_back({false, "Senders", "none yet"});
}

void add_proof(std::vector<Paragraph>& all, const json& proof) {
    const json ghl = proof.value("ghl", json::object()), ops = proof.value("ops", json{});
    all.push_back({true, "", "What was seen to arrive"});
    all.push_back({false, "GHL", stages(ghl)});
    all.push_back({false, "",
                   ghl.value("sent", false) ? "a test person was sent and accepted"
                                            : "no test person was sent: " + word(ghl, "why")});
    if (!ops.is_object()) return all.push_back({false, "Central operations", "none"});
    all.push_back({false, "Central operations", stages(ops)});
    all.push_back({false, "", "a test event was acknowledged by the broker"});
}

// The fonts of every reader know Windows-1252 alone; another letter is '?'.
std::string windows_1252(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        if (length == 1)
            out += text[at];
        else if (length == 2 && at + 1 < text.size() && (first == 0xC2 || first == 0xC3))
            out += static_cast<char>(((first & 3) << 6) | (static_cast<unsigned char>(text[at + 1]) & 0x3F));
        else
            out += '?';
        at += length;
    }
    return out;
}

class Sheet {
public:
    explicit Sheet(HPDF_Doc document)
        : document_{document}, body_{HPDF_GetFont(document, "Helvetica", "WinAnsiEncoding")},
          bold_{HPDF_GetFont(document, "Helvetica-Bold", "WinAnsiEncoding")} {
        turn();
    }
    void title(const std::string& text) {
        at_ -= title_size;
        put(bold_, title_size, margin, text);
        at_ -= leading;
    }
    void paragraph(const Paragraph& one) {
        if (one.is_heading) {
            need(4 * leading);
            at_ -= 2 * leading;
            return put(bold_, heading_size, margin, one.text);
        }
        const auto lines = broken(one.text, text_width - label_width);
        need(leading * static_cast<float>(lines.size()));
        for (std::size_t i = 0; i < lines.size(); ++i) {
            at_ -= leading;
            if (i == 0) put(bold_, body_size, margin, one.label);
            put(body_, body_size, margin + label_width, lines[i]);
        }
    }

private:
    void turn() {
        page_ = HPDF_AddPage(document_);
        HPDF_Page_SetSize(page_, HPDF_PAGE_SIZE_A4, HPDF_PAGE_PORTRAIT);
        at_ = page_height - margin;
    }
    void need(float height) {
        if (at_ - height < margin) turn();
    }
    void put(HPDF_Font font, float size, float x, const std::string& text) {
        HPDF_Page_BeginText(page_);
        HPDF_Page_SetFontAndSize(page_, font, size);
        HPDF_Page_TextOut(page_, x, at_, windows_1252(text).c_str());
        HPDF_Page_EndText(page_);
    }
    float width(const std::string& text) {
        HPDF_Page_SetFontAndSize(page_, body_, body_size);
        return HPDF_Page_TextWidth(page_, windows_1252(text).c_str());
    }
    // At blanks; a word that is longer than a line, where the line ends.
    std::vector<std::string> broken(const std::string& text, float room) {
        std::vector<std::string> lines{""};
        std::istringstream words{text};
        for (std::string word; words >> word;) {
            while (width(word) > room) {
                std::size_t fits = word.size();
                while (fits > 1 && width(word.substr(0, fits)) > room) --fits;
                if (!lines.back().empty()) lines.emplace_back();
                lines.back() = word.substr(0, fits);
                word.erase(0, fits);
                lines.emplace_back();
            }
            const std::string longer = lines.back().empty() ? word : lines.back() + " " + word;
            if (width(longer) <= room)
                lines.back() = longer;
            else
                lines.push_back(word);
        }
        return lines;
    }

    HPDF_Doc document_;
    HPDF_Font body_, bold_;
    HPDF_Page page_ = nullptr;
    float at_ = 0;
};

std::string bytes_of(HPDF_Doc document) {
    if (HPDF_SaveToStream(document) != HPDF_OK) return {};
    std::string out(HPDF_GetStreamSize(document), '\0');
    auto size = static_cast<HPDF_UINT32>(out.size());
    HPDF_ResetStream(document);
    if (HPDF_ReadFromStream(document, reinterpret_cast<HPDF_BYTE*>(out.data()), &size) != HPDF_OK) return {};
    out.resize(size);
    return out;
}

} // namespace

std::vector<Paragraph> paragraphs_of(const json& report) {
    std::vector<Paragraph> all;
    const json& done = report.at("steps");
    all.push_back({false, "Finished", word(report, "finished_at")});
    all.push_back({false, "Version", word(report, "version")});
    add_claim(all, done.at("claim"));
    add_terms(all, done.at("terms"));
    add_keys(all, done.at("keys"));
    add_feeds(all, done.at("feeds"));
    add_proof(all, done.at("proof"));
    all.push_back({true, "", "What to look at"});
    const json look = done.at("preflight").value("look", json::array());
    for (const json& one : look) all.push_back({false, word(one, "id"), word(one, "cause")});
    if (look.empty()) all.push_back({false, "Machine", "nothing: every check of it was ok"});
    return all;
}

Result<std::string> as_pdf(const json& report, const crypto::SigningKey& key) {
    const Pdf document{HPDF_New(nullptr, nullptr)};
    if (!document) return Error{Errc::system, "the PDF cannot be made"};
    Sheet sheet{document.get()};
    sheet.title("Clinic Edge: hand-over");
    for (const auto& one : paragraphs_of(report)) sheet.paragraph(one);
    sheet.paragraph({true, "", "Signature"});
    sheet.paragraph({false, "Of", "the file handover.json, which says the same for programs"});
    sheet.paragraph({false, "Ed25519 key", key.public_key()});
    sheet.paragraph({false, "Signature", key.sign(canonical(report))});
    auto bytes = bytes_of(document.get());
    if (bytes.empty() || HPDF_GetError(document.get()) != HPDF_OK)
        return Error{Errc::system, "the PDF cannot be written"};
    return bytes;
}

} // namespace clinic::setup
