// The certificates that lie on the box, and the authorities that it trusts.
#include <algorithm>
#include <cerrno>

#include "crypto/base/days.h"
#include "crypto/base/files.h"
#include "crypto/certificates/certificates.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t notice_days = 30;
constexpr std::size_t file_bytes_max = 1'048'576; // a bundle of authorities

struct Term {
    std::int64_t begins_s = 0, ends_s = 0;
};

// The first certificate of the file. Errors: not_found, unauthorized, malformed.
Result<Term> term_of(const std::filesystem::path& path) {
    const auto text = base::read_text(path, file_bytes_max);
    if (!text)
        return Error{text.error().native == EACCES ? Errc::unauthorized : Errc::not_found,
                     "the certificate cannot be opened"};
    const auto about = certificates::look(*text);
    if (!about) return Error{Errc::malformed, "not a certificate in PEM"};
    return Term{about->from.time_since_epoch().count(), about->until.time_since_epoch().count()};
}

// In good time: 30 days before, of a short one at a fifth of its life.
Finding judged(const Scene& scene, const std::filesystem::path& path, Literal ended, Literal renew) {
    const auto term = term_of(path);
    const std::string file = path.filename().string();
    if (!term && term.error().code == Errc::unauthorized)
        return unknown(file, "the certificate is not for this user to read", "run clinicctl as root");
    if (!term) return fail(file + ": " + term.error().what.c_str(), "the certificate is missing or damaged", renew);
    const std::int64_t now_s = scene.site.now.micros / 1'000'000;
    const std::int64_t days = (term->ends_s - now_s) / day_s;
    if (now_s < term->begins_s)
        return fail(file + ": not valid yet", "it begins in the future: the clock is wrong, or its maker's was", renew);
    const Timestamp ends{term->ends_s * 1'000'000};
    const std::string said = file + ": " + base::ends_on(base::utc_day(ends), ends - scene.site.now);
    if (now_s >= term->ends_s) return fail(said, ended, renew);
    const std::int64_t fifth = (term->ends_s - term->begins_s) / day_s / 5;
    if (days < std::min(notice_days, std::max<std::int64_t>(fifth, 1))) return warn(said, "it ends soon", renew);
    return ok(said);
}

} // namespace

Finding certificate_page(const Scene& scene) {
    const std::string path = scene.clinicd_settings ? text_at(*scene.clinicd_settings, {"console", "certificate"}) : "";
    return judged(scene, path, "browsers refuse the page",
                  "clinicctl tls show says which it is; of your own: clinicctl tls csr, and install the answer");
}

Finding certificate_mllp(const Scene& scene) {
    const std::string path = text_at(*scene.clinicd_settings, {"mllp", "tls", "certificate"});
    if (path.empty()) return ok("messages by TLS are not set up");
    return judged(scene, path, "senders refuse the box: no message comes in by TLS",
                  "have a new one made by the authority that the senders trust; restart clinicd");
}

Finding certificate_device(const Scene& scene) {
    const std::string path = text_at(*scene.syncd_settings, {"mqtt", "cert"});
    if (path.empty()) return ok("central operations are not set up");
    return judged(scene, path, "central operations do not admit the box any more",
                  "ask central operations for a new device certificate; restart clinic-syncd");
}

Finding certificate_authorities(const Scene& scene) {
    for (const auto& keys : {std::initializer_list<const char*>{"mqtt", "ca"}, {"ghl", "ca"}}) {
        const std::string path = text_at(*scene.syncd_settings, keys);
        if (path.empty()) continue;
        auto found = judged(scene, path, "the authority has expired: the far side cannot prove who it is",
                            "put the authority's new certificate there; restart clinic-syncd");
        if (found.outcome != Outcome::ok) return found;
    }
    return ok("good");
}

// GHL's certificate is checked against these, unless ghl.ca names its own.
Finding certificate_system(const Scene& scene) {
    if (!text_at(*scene.syncd_settings, {"ghl", "ca"}).empty()) return ok("not used: ghl.ca names its own");
    const std::string bundle = scene.text("etc/ssl/certs/ca-certificates.crt");
    if (bundle.find("BEGIN CERTIFICATE") != std::string::npos) return ok("there");
    return fail("none", "without the system's authorities nobody outside can prove who he is",
                "apt-get install --reinstall ca-certificates; update-ca-certificates");
}

Finding certificate_added(const Scene& scene) {
    std::string added;
    int count = 0;
    std::error_code failed;
    for (std::filesystem::recursive_directory_iterator one{scene.under("usr/local/share/ca-certificates"), failed}, end;
         !failed && one != end; one.increment(failed)) {
        if (one->path().extension() != ".crt") continue;
        if (++count <= 3) added += (added.empty() ? "" : ", ") + one->path().filename().string();
    }
    if (count == 0) return ok("none");
    return warn(std::to_string(count) + ": " + added,
                "somebody made this machine trust authorities of his own: who holds them can read what goes to GHL",
                "see whose they are; take them away (and update-ca-certificates) unless the clinic wants its own");
}

} // namespace clinic::check
