// The hand-over: what was set up and seen, for the clinic and for who looks after the box, signed by the box.
//   Form:    {"report":…,"signature":{"algorithm":"ed25519","key":HEX,"value":HEX}}; signed are the bytes of `report`
//   with
//            keys in order and no blank (what `jq -cjS .report` prints). docs/setup.md, "The hand-over".
//   Content: nothing of a patient, no secret: names of the clinic, of settings, of checks and of senders.
//   The same set-up has the same bytes, in JSON and as a PDF.
//   Threads: values; any.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/signature.h"
#include "provisioning/page_trust/sealed_keys.h"
#include "provisioning/setup/progress.h"

namespace clinic::setup {

// Errors: refused (a step is not done).
Result<nlohmann::json> report_of(const Progress& progress, const std::string& version);
std::string canonical(const nlohmann::json& report);

// The key that signs hand-overs: `handover` in the keys' folder, sealed; made where there is none.
Result<crypto::SigningKey> handover_key(const provisioning::SealedKeys& keys);

std::string signed_text(const nlohmann::json& report, const crypto::SigningKey& key); // one line of JSON
// Of a text as signed_text writes it. Errors: malformed; tampered; conflict, where `key` is given and another signed.
Result<nlohmann::json> verify(std::string_view text, const std::string& key);

struct Paragraph {
    bool is_heading = false;
    std::string label, text; // a heading has its text alone
};
std::vector<Paragraph> paragraphs_of(const nlohmann::json& report);
// A4, fonts that every reader has. Errors: system.
Result<std::string> as_pdf(const nlohmann::json& report, const crypto::SigningKey& key);

} // namespace clinic::setup
