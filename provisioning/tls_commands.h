// `clinicctl tls`: the certificate of the page. clinicd may be down; as root.
#pragma once

#include <filesystem>

#include "provisioning/call.h"
#include "provisioning/client.h"
#include "provisioning/page_trust/page_certificate.h"

namespace clinic::provisioning {

// What `tls keep` does: the page's certificate is for the names and addresses that the box has now. Nothing is
// restarted.
struct KeptPage {
    Kept kept;
    Names names;
    Standing standing;
};
Result<KeptPage> keep_page(const std::filesystem::path& etc);
void tell_of_new_page(); // to the programs that read it at their start, where they run

int show_tls(const Call& call, const Client& client);
int request_certificate(const Call& call, const Client& client);
int install_certificate(const Call& call, const Client& client);
int keep_certificate(const Call& call, const Client& client);

} // namespace clinic::provisioning
