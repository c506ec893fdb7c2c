#include <cassert>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/web/assets.h"
#include "daemon/web/values.h"
#include "daemon/web/web.h"
#include "daemon/web/words/words.h"

namespace clinic::web {
namespace {

using nlohmann::json;

constexpr std::size_t status_bytes_max = 65'536;
constexpr int status_depth_max = 8;

// One drawing with a form for each state; the style sheet shows the one that fits.
constexpr const char* shape =
    R"(<svg class="shape" viewBox="0 0 24 24" aria-hidden="true" focusable="false">)"
    R"(<path class="s-well" d="M12 2a10 10 0 1 0 0 20a10 10 0 0 0 0-20zM10.8 16.6 6.4 12.2 8.1 10.5 10.8 13.2 16.7 7.3 18.4 9z"/>)"
    R"(<path class="s-look" d="M12 2 1 21.5h22zM10.8 9h2.4v6h-2.4zM10.8 16.4h2.4v2.4h-2.4z"/>)"
    R"(<path class="s-not" d="M8 2h8l6 6v8l-6 6H8l-6-6V8zM8.5 7 7 8.5 10.5 12 7 15.5 8.5 17 12 13.5 15.5 17 17 15.5 13.5 12 17 8.5 15.5 7 12 10.5z"/>)"
    R"(<path class="s-info" d="M3 3h18v18H3zM10.8 6.6h2.4V9h-2.4zM10.8 10.5h2.4v6.9h-2.4z"/></svg>)";

// Asked anew each five seconds: the page that was asked for is there as soon as it can be.
constexpr const char* comes_back = R"(<meta http-equiv="refresh" content="5">)";

std::optional<std::string_view> file(std::string_view name) {
    for (const File& one : files())
        if (one.name == name) return one.body;
    return std::nullopt;
}

std::string element(std::string_view tag, std::string_view attributes, std::string_view html) {
    return "<" + std::string{tag} + (attributes.empty() ? "" : " ") + std::string{attributes} + ">" +
           std::string{html} + "</" + std::string{tag} + ">";
}

std::string word(std::string_view key) {
    return escaped(words::text(key).c_str());
}

// "For your technician: the key does not fit; give the key it was made with". Both are escaped already.
std::string for_technician(const std::string& cause, const std::string& remedy) {
    return word("page.technician") + " " + cause + (remedy.empty() ? "" : "; " + remedy);
}

// The lines under "What needs me"; page/app.ts builds the same ones.
std::string needs(const json& status) {
    std::string lines;
    for (const json& need : status.at("needs")) {
        const auto of = [&](const char* key) { return escaped(need.at(key).get_ref<const std::string&>()); };
        const json moment{{"at", status.at("at")}, {"clock", status.at("clock")}, {"t", need.at("since")}};
        const std::string code = of("code"), since = show(moment, "since", "t"),
                          title = escaped(exact_time(moment, "since", "t"));
        lines +=
            "<li data-state=\"" + of("state") + "\" data-code=\"" + code + "\"><p class=\"what\">" + shape +
            element("strong", "", of("what")) +
            element("span", "class=\"when\" title=\"" + title + "\"", escaped(since)) +
            element("a",
                    "class=\"code\" href=\"/help/" + code + "\" aria-label=\"" + word("page.help") + " " + code + "\"",
                    code) +
            "</p>" + element("p", "class=\"action\"", of("action")) + "<details><summary>" + word("page.details") +
            "</summary>" + element("p", "", of("meaning")) + element("p", "", of("by_itself")) +
            (of("cause").empty() ? "" : element("p", "class=\"quiet\"", for_technician(of("cause"), of("remedy")))) +
            "</details></li>";
    }
    return lines;
}

std::string containment(const json& status) {
    std::string lines;
    for (const json& part : status.at("containment").at("parts")) {
        const bool holds = part.at("holds").get<bool>();
        const std::string said = escaped(part.at("part").get_ref<const std::string&>()) + ": " +
                                 word(holds ? "containment.holds" : "containment.not");
        lines +=
            "<li data-state=\"" + std::string{holds ? "well" : "look"} + "\">" + shape + element("span", "", said) +
            element("span", "class=\"detail\"", escaped(part.at("detail").get_ref<const std::string&>())) + "</li>";
    }
    return lines.empty() ? element("li", "", word("containment.none")) : lines;
}

// What was set aside, by why; page/app.ts builds the same lines.
std::string dead(const json& status) {
    std::string lines;
    for (const json& one : status.at("queue").at("crm").at("dead")) {
        const json moment{{"at", status.at("at")}, {"clock", status.at("clock")}, {"t", one.at("first_at")}};
        const std::string key = "dead." + one.at("class").get<std::string>();
        lines += "<li data-state=\"look\">" + std::string{shape} +
                 element("span", "",
                         escaped(words::number(one.at("letters").get<std::int64_t>())) + " · " + word(key) + " · " +
                             escaped(show(moment, "since", "t"))) +
                 element("span", "class=\"detail\"", word(key + ".next")) + "</li>";
    }
    if (!lines.empty()) return lines;
    return element("li", "", word(status.at("store").at("open").get<bool>() ? "dead.none" : "page.closed"));
}

std::string shown(const json& status, std::string_view text) {
    const auto colon = text.find(':');
    const auto kind = text.substr(0, colon);
    const auto argument = text.substr(colon + 1);
    const std::string exact = exact_time(status, kind, argument);
    const std::string title = exact.empty() ? "" : " title=\"" + escaped(exact) + "\"";
    return element("span", "data-show=\"" + escaped(text) + "\"" + title, escaped(show(status, kind, argument)));
}

// A sender that has a name, by what is expected of it; page/app.ts builds the same lines.
std::string sender(const json& status, const std::string& name, const std::string& keeping) {
    const bool known = status.at("store").at("open").get<bool>() && keeping != "nothing_expected";
    const std::string state = !known ? "" : keeping == "silent" ? "data-state=\"look\"" : "data-state=\"well\"";
    return element("div", state,
                   element("dt", "", word("feeds.sender") + " " + escaped(name)) +
                       element("dd", "",
                               (known ? shape : "") + shown(status, "ago:feeds." + name + ".last_message_s") +
                                   (known ? element("span", "", " · " + word("feeds." + keeping)) : "")));
}

// Who sends to the MLLP ports and has a name: that one of several has fallen silent is to be seen.
std::string senders(const json& status) {
    std::string lines;
    for (const auto& [name, feed] : status.at("feeds").items())
        if (feed.contains("sender_of")) lines += sender(status, name, feed.at("state").get_ref<const std::string&>());
    return lines;
}

// "kind:argument" to HTML that page/app.ts finds again by its data attributes.
std::string directive(const json& status, std::string_view text) {
    if (text == "shape") return shape;
    if (text == "needs") return needs(status);
    if (text == "containment") return containment(status);
    if (text == "dead") return dead(status);
    if (text == "senders") return senders(status);
    const auto colon = text.find(':');
    const auto kind = text.substr(0, colon);
    const auto argument = text.substr(colon + 1);
    if (kind == "w") return word(argument);
    if (is_mark(kind))
        return "data-mark=\"" + escaped(text) + "\" data-state=\"" + escaped(mark(status, kind, argument)) + "\"";
    if (kind == "text") return escaped(show(status, kind, argument));
    return shown(status, text);
}

template <class Fill>
std::string expand(std::string_view source, const Fill& fill) {
    std::string page;
    while (!source.empty()) {
        const auto open = source.find("{{");
        page += source.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = source.find("}}", open);
        assert(close != std::string_view::npos);
        page += fill(source.substr(open + 2, close - open - 2));
        source.remove_prefix(close + 2);
    }
    return page;
}

std::string plain_page(std::string_view title, std::string_view body, std::string_view in_head = {}) {
    return expand(file("plain.html").value(), [&](std::string_view name) -> std::string {
        if (name == "title") return escaped(title);
        if (name == "in_head") return std::string{in_head};
        if (name == "body") return std::string{body};
        return word(name.substr(name.find(':') + 1));
    });
}

} // namespace

std::optional<Asset> asset(std::string_view path) {
    constexpr std::string_view folder = "/assets/";
    if (!path.starts_with(folder)) return std::nullopt;
    const auto name = path.substr(folder.size());
    const auto body = file(name);
    if (!body) return std::nullopt;
    if (name.ends_with(".css")) return Asset{"text/css; charset=utf-8", *body};
    if (name.ends_with(".js")) return Asset{"text/javascript; charset=utf-8", *body};
    if (name.ends_with(".svg")) return Asset{"image/svg+xml", *body};
    return std::nullopt; // the templates are not for the outside
}

std::string status_page(std::string_view status) {
    const auto parsed = base::parse_json(status, status_bytes_max, status_depth_max);
    assert(parsed);
    return expand(file("index.html").value(), [&](std::string_view name) { return directive(*parsed, name); });
}

std::optional<std::string> help_page(std::string_view code) {
    const std::string key{code};
    if (code.size() != 5 || !words::has(key + ".meaning")) return std::nullopt;
    const std::string what = words::has(key + ".what") ? key + ".what" : key + ".what.other";
    std::string title = words::text(what).c_str();
    for (auto place = title.find('{'); place != std::string::npos; place = title.find('{'))
        title.replace(place, title.find('}', place) + 1 - place, "…");
    std::string body = element("p", "class=\"quiet\"", escaped(code));
    for (const char* part : {"meaning", "by_itself", "action"})
        body += element("h2", "", word(std::string{"help."} + part)) + element("p", "", word(key + "." + part));
    return plain_page(title, body);
}

std::string trust_page(std::string_view fingerprint, std::string_view download) {
    const std::string title = words::text("trust.title").c_str();
    if (fingerprint.empty()) return plain_page(title, element("p", "", word("trust.own")));
    std::string body =
        element("p", "", word("trust.why")) + element("h2", "", word("trust.compare")) +
        element("p", "", word("trust.compare.how")) +
        element(
            "p", "",
            element("code", "class=\"fingerprint\" id=\"SHA256:" + escaped(fingerprint) + "\"", escaped(fingerprint))) +
        element("h2", "", word("trust.install")) +
        element("p", "",
                element("a", "class=\"button\" href=\"" + std::string{download} + "\"", word("trust.download")));
    for (const char* device : {"windows", "mac", "iphone", "android", "firefox"})
        body += element("h3", "", word(std::string{"trust."} + device)) +
                element("p", "", word(std::string{"trust."} + device + ".how"));
    return plain_page(title, body);
}

std::string down_page(std::string_view cause) {
    const std::string key = "down." + std::string{cause};
    const std::string code = element("a", "class=\"code\" href=\"/help/E2020\"", "E2020");
    std::string body;
    for (const char* part : {"meaning", "by_itself", "action"})
        body +=
            element("h2", "", word(std::string{"help."} + part)) + element("p", "", word(std::string{"E2020."} + part));
    body += element("p", "class=\"quiet\"", for_technician(word(key), word(key + ".remedy")) + ". " + code);
    return plain_page(words::text("E2020.what").c_str(), body, comes_back);
}

std::string down_message() {
    return words::text("E2020.what").c_str();
}

std::string refusal_page(std::string_view key) {
    return plain_page(words::text(key).c_str(), "");
}

} // namespace clinic::web
