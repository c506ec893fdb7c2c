#include "provisioning/tls_commands.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/days.h"
#include "crypto/base/files.h"
#include "provisioning/answers.h"
#include "provisioning/page_trust/addresses.h"
#include "provisioning/page_trust/card.h"
#include "provisioning/page_trust/page_certificate.h"
#include "systemd/manager.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr const char* usual_etc = "/etc/clinic-edge";
constexpr const char* console_issue = "/run/issue.d/clinic-edge.issue"; // agetty(8) shows it before the login
constexpr std::size_t chain_bytes_max = 65'536;
constexpr unsigned for_everybody = 0644;
constexpr int days_soon = 30;

std::filesystem::path etc_of(const Call& call) {
    return call.has("--etc") ? call.value("--etc") : usual_etc;
}

PageCertificate certificate_of(const Call& call) {
    return PageCertificate{etc_of(call)};
}

Seconds now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

int refuse(const Error& why) {
    const bool helps = *why.remedy.c_str() != '\0';
    std::fprintf(stderr, "clinicctl: tls: %s", why.what.c_str());
    if (why.at.line > 0) std::fprintf(stderr, " (certificate %d of the file)", why.at.line);
    std::fprintf(stderr, "%s%s\n", helps ? "; " : "", why.remedy.c_str());
    return failed;
}

// Who stands at the machine's own screen reads there how the page is trusted.
Result<void> show_on_console(const KeptPage& page) {
    const auto card = trust_card(page.names.dns, page.names.addresses,
                                 page.standing.is_own ? std::string{} : page.standing.authority_fingerprint);
    std::error_code none;
    std::filesystem::create_directory(std::filesystem::path{console_issue}.parent_path(), none);
    return base::write_durable(console_issue, base::as_bytes(card + "\n"), for_everybody);
}

json to_json(const Names& names, const Standing& standing) {
    json all{{"names", names.dns},
             {"addresses", names.addresses},
             {"certificate", standing.is_there ? standing.is_own ? "own" : "local" : "none"},
             {"request_waits", standing.request_waits}};
    if (!standing.authority_fingerprint.empty()) all["authority_sha256"] = standing.authority_fingerprint;
    if (!standing.page) return all;
    const auto left = std::chrono::floor<std::chrono::days>(standing.page->until - now());
    all["issuer"] = standing.page->issuer;
    all["begun"] = standing.page->from <= now();
    all["sha256"] = standing.page->fingerprint;
    all["days_left"] = left.count();
    all["ends"] = base::rfc3339({std::chrono::microseconds{standing.page->until.time_since_epoch()}.count()});
    all["fits_its_key"] = standing.fits_key;
    all["names_all"] = standing.page->names.holds(names);
    return all;
}

// What keeps a browser from the page, with the next step; empty: nothing.
const char* trouble(const json& said) {
    if (said.at("certificate") == "none") return "The page has no certificate. Run: clinicctl tls keep";
    if (!said.at("fits_its_key").get<bool>())
        return "The certificate is for another key, so the page is not served. Run clinicctl tls csr, and install the "
               "answer.";
    if (!said.at("begun").get<bool>())
        return "The certificate is not valid yet by the box's clock: see that the date is right (timedatectl), then "
               "run clinicctl tls keep.";
    if (said.at("days_left") < 0) return "The certificate has expired. Run clinicctl tls csr, and install the answer.";
    if (said.at("days_left") < days_soon)
        return "The certificate ends within a month. Run clinicctl tls csr, and install the answer.";
    return "";
}

std::string view_tls(const json& said) {
    const bool local = said.at("certificate") == "local";
    std::string text = trust_card(said.at("names"), said.at("addresses"),
                                  local ? said.at("authority_sha256").get<std::string>() : std::string{});
    if (said.contains("issuer"))
        text += "Certificate by " + said.at("issuer").get<std::string>() + ", " +
                base::ends_on(said.at("ends").get<std::string>().substr(0, 10),
                              std::chrono::days{said.at("days_left").get<int>()}) +
                (local ? "; renewed by itself\n" : "; the clinic's own\n");
    if (said.at("request_waits").get<bool>())
        text += "A request waits for its certificate: clinicctl tls install FILE\n";
    const char* wrong = trouble(said);
    return *wrong == '\0' ? text : text + wrong + "\n";
}

} // namespace

Result<KeptPage> keep_page(const std::filesystem::path& etc) {
    const PageCertificate certificate{etc};
    const auto names = certificate.names(private_addresses());
    CLINIC_TRY(names);
    const auto kept = certificate.keep(*names, now());
    CLINIC_TRY(kept);
    const auto standing = certificate.look();
    CLINIC_TRY(standing);
    KeptPage page{*kept, *names, *standing};
    if (etc == usual_etc) CLINIC_TRY(show_on_console(page));
    return page;
}

// Keys and certificates are read at its start, and an address that has changed is announced anew. Where no systemd is
// at work there is nothing to start.
void tell_of_new_page() {
    constexpr std::array units{"clinicd.service", "clinic-edge-observer.service", "clinic-edge-mdns.service"};
    static_cast<void>(systemd::restart_units({}, units, {.only_running = true}));
}

int show_tls(const Call& call, const Client&) {
    const auto certificate = certificate_of(call);
    const auto names = certificate.names(private_addresses());
    if (!names) return refuse(names.error());
    const auto standing = certificate.look();
    if (!standing) return refuse(standing.error());
    const json said = to_json(*names, *standing);
    show(call, said, view_tls);
    return *trouble(said) == '\0' ? 0 : 1;
}

int request_certificate(const Call& call, const Client&) {
    const auto certificate = certificate_of(call);
    auto names = certificate.names({});
    if (!names) return refuse(names.error());
    if (call.has("--name")) names->dns = call.values("--name");
    const auto tidied = certificates::tidy(*names);
    if (!tidied) return refuse(tidied.error());
    const auto request = certificate.ask(*tidied);
    if (!request) return refuse(request.error());
    std::fputs(request->c_str(), stdout);
    std::fputs("Give this to whoever signs certificates for the clinic, then: clinicctl tls install FILE\n", stderr);
    return 0;
}

int install_certificate(const Call& call, const Client&) {
    const auto certificate = certificate_of(call);
    const auto chain = base::read_text(call.words[2], chain_bytes_max);
    if (!chain) return refuse(chain.error());
    const auto names = certificate.names({});
    if (!names) return refuse(names.error());
    const auto installed = certificate.install(*chain, *names, now());
    if (!installed) return refuse(installed.error());
    tell_of_new_page();
    std::puts("The page has its new certificate.");
    return 0;
}

int keep_certificate(const Call& call, const Client&) {
    const auto page = keep_page(etc_of(call));
    if (!page) return refuse(page.error());
    if (page->kept != Kept::stays && page->kept != Kept::own) tell_of_new_page();
    if (page->kept == Kept::trusted)
        std::fputs("<5>page: a new authority of this box signs for the page: browsers ask once whether to trust it\n",
                   stderr);
    const char* wrong = trouble(to_json(page->names, page->standing));
    if (*wrong == '\0') return 0;
    std::fprintf(stderr, "<4>page: %s\n", wrong);
    return 1;
}

} // namespace clinic::provisioning
