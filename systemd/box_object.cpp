#include "systemd/box_object.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <list>
#include <optional>
#include <thread>

#include "crypto/base/log.h"
#include "crypto/base/owned.h"
#include "systemd/box_properties.h"

namespace clinic::systemd {
namespace {

using Clock = std::chrono::steady_clock;
using Message = std::unique_ptr<sd_bus_message, base::FreedBy<sd_bus_message_unref>>;
using Slot = std::unique_ptr<sd_bus_slot, base::FreedBy<sd_bus_slot_unref>>;

constexpr const char* bus_name = "org.clinicedge.Clinicd1";
constexpr const char* interface = bus_name;
constexpr const char* object_path = "/org/clinicedge/Clinicd1";
constexpr const char* peer_interface = "org.freedesktop.DBus.Peer";
constexpr std::chrono::seconds look_each{1}, name_each{30};
constexpr std::uint64_t person_us_max = 120'000'000; // to say who they are, where polkit asks them
constexpr int turns_max = 64;                        // messages in a row, before the box is looked at again

enum class Ask : std::uint8_t { check, drain, reload };

// A caller who waits for polkit's word, and where something is changed for the bus's: who they are.
struct Question {
    BoxObject::State& object;
    Message call;
    Ask what;
    bool begin = false; // of drain
    Slot slot = {};
};

int refuse(sd_bus_message* call, const Error& why) {
    const std::string text = std::string{why.what.c_str()} + "; " + why.remedy.c_str();
    return sd_bus_reply_method_errorf(call, "org.clinicedge.Clinicd1.Error.Refused", "%s", text.c_str());
}

} // namespace

struct BoxObject::State {
    State(Bus joined, std::function<BoxFacts()> looks, BoxMethods what, std::function<void(BusState)> listener)
        : bus{std::move(joined)}, look{std::move(looks)}, methods{std::move(what)}, said{std::move(listener)} {}

    void run(const std::stop_token& stop);
    bool turn();
    void wait() const;
    void say(BusState now);
    void leave(BusState why, const Error& error);
    bool try_the_policy();
    void tried(sd_bus_message* answer);
    void ask_for_the_name();
    void named(sd_bus_message* answer);
    void tell();
    int ask_polkit(sd_bus_message* call, Ask what);
    bool decide(Question& question, sd_bus_message* answer);
    bool ask_who(Question& question);
    void known(const Question& question, sd_bus_message* answer);
    void perform(const Question& question, uid_t who);
    int answer(const Question& question, uid_t who);
    void done_with(const Question& question);

    std::optional<Bus> bus; // empty: lost, or left
    const std::function<BoxFacts()> look;
    const BoxMethods methods;
    const std::function<void(BusState)> said;
    const base::UniqueFd bell{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    BusState state = BusState::joining;
    bool trying = false;
    int refusals_owed = 0;
    Slot object, naming;
    std::array<Slot, 3> tries;
    std::list<Question> questions;
    BoxFacts shown;
    Clock::time_point look_at{}, name_at{};
    std::jthread thread; // last: joined first
};

namespace {

using State = BoxObject::State;

int get_property(sd_bus*, const char*, const char*, const char* name, sd_bus_message* into, void* about,
                 sd_bus_error*) {
    return append_property(name, static_cast<State*>(about)->shown, into);
}
template <Ask What>
int on_method(sd_bus_message* call, void* about, sd_bus_error*) {
    return static_cast<State*>(about)->ask_polkit(call, What);
}
int on_verdict(sd_bus_message* answer, void* about, sd_bus_error*) {
    auto& question = *static_cast<Question*>(about);
    if (question.object.decide(question, answer)) question.object.done_with(question);
    return 1;
}
int on_who(sd_bus_message* answer, void* about, sd_bus_error*) {
    auto& question = *static_cast<Question*>(about);
    question.object.known(question, answer);
    question.object.done_with(question);
    return 1;
}
int on_try(sd_bus_message* answer, void* about, sd_bus_error*) {
    static_cast<State*>(about)->tried(answer);
    return 1;
}
int on_name(sd_bus_message* answer, void* about, sd_bus_error*) {
    static_cast<State*>(about)->named(answer);
    return 1;
}

constexpr std::uint64_t told = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
// polkit decides for each method. The bus is asked who a caller is only for the audit chain.
constexpr std::uint64_t anybody = SD_BUS_VTABLE_UNPRIVILEGED;

const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Mode", "s", get_property, 0, told),
    SD_BUS_PROPERTY("Well", "s", get_property, 0, told),
    SD_BUS_PROPERTY("Ready", "b", get_property, 0, told),
    SD_BUS_PROPERTY("Basis", "s", get_property, 0, told),
    SD_BUS_PROPERTY("ClockTrusted", "b", get_property, 0, told),
    SD_BUS_PROPERTY("Contained", "b", get_property, 0, told),
    SD_BUS_PROPERTY("Needs", "as", get_property, 0, told),
    SD_BUS_PROPERTY("Egress", "a{sa{sx}}", get_property, 0, told),
    SD_BUS_PROPERTY("Intake", "a{sa{sx}}", get_property, 0, told),
    SD_BUS_PROPERTY("Counters", "a{sx}", get_property, 0, told),
    SD_BUS_METHOD_WITH_NAMES("Check", "", , "s", SD_BUS_PARAM(findings), on_method<Ask::check>, anybody),
    SD_BUS_METHOD_WITH_NAMES("Drain", "b", SD_BUS_PARAM(begin), "", , on_method<Ask::drain>, anybody),
    SD_BUS_METHOD_WITH_NAMES("Reload", "", , "as", SD_BUS_PARAM(wait_for_a_restart), on_method<Ask::reload>, anybody),
    SD_BUS_VTABLE_END};

} // namespace

void BoxObject::State::say(BusState now) {
    if (state == now) return;
    state = now;
    said(now);
}

// For good. What waits for an answer hears none.
void BoxObject::State::leave(BusState why, const Error& error) {
    base::log(base::Level::warning, "bus", error);
    questions.clear();
    object.reset();
    naming.reset();
    for (auto& one : tries) one.reset();
    bus.reset();
    say(why);
}

// What only a loose policy lets through: to have a program started, to call somebody, to call ourselves. Each must be
// refused before we go on, for then code inside cannot do it either.
bool BoxObject::State::try_the_policy() {
    const char* self = nullptr;
    if (sd_bus_get_unique_name(bus->get(), &self) < 0) return false;
    trying = true;
    refusals_owed = static_cast<int>(tries.size());
    const auto call = [&](Slot& slot, const char* whom, const char* path, const char* of, const char* member,
                          const char* types, const auto&... arguments) {
        sd_bus_message* made = nullptr;
        sd_bus_slot* waiting = nullptr;
        int code = sd_bus_message_new_method_call(bus->get(), &made, whom, path, of, member);
        const Message message{made};
        if (code >= 0) code = sd_bus_message_set_auto_start(made, 0);
        if (code >= 0) code = sd_bus_message_append(made, types, arguments...);
        if (code >= 0) code = sd_bus_call_async(bus->get(), &waiting, made, on_try, this, 0);
        slot.reset(waiting);
        return code >= 0;
    };
    return call(tries[0], "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "StartServiceByName",
                "su", "org.clinicedge.Nobody", 0U) &&
           call(tries[1], "org.freedesktop.systemd1", "/org/freedesktop/systemd1", peer_interface, "Ping", "") &&
           call(tries[2], self, "/", peer_interface, "Ping", "");
}

void BoxObject::State::tried(sd_bus_message* answer) {
    if (!bus) return;
    const bool refused = sd_bus_message_is_method_error(answer, SD_BUS_ERROR_ACCESS_DENIED) > 0;
    // Where there is no service manager nothing is said of a call to it.
    const bool nobody = sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NAME_HAS_NO_OWNER) > 0 ||
                        sd_bus_message_is_method_error(answer, SD_BUS_ERROR_SERVICE_UNKNOWN) > 0;
    const bool may_be_absent = tries[1] && sd_bus_get_current_slot(bus->get()) == tries[1].get();
    if (!refused && !(nobody && may_be_absent))
        refusals_owed = -1;
    else if (refusals_owed > 0)
        --refusals_owed;
}

void BoxObject::State::ask_for_the_name() {
    name_at = Clock::now() + name_each;
    sd_bus_slot* waiting = nullptr;
    if (sd_bus_request_name_async(bus->get(), &waiting, bus_name, 0, on_name, this) >= 0) naming.reset(waiting);
}

void BoxObject::State::named(sd_bus_message* answer) {
    constexpr std::uint32_t owner = 1, owner_already = 4;
    std::uint32_t outcome = 0;
    const bool told_so =
        sd_bus_message_is_method_error(answer, nullptr) == 0 && sd_bus_message_read(answer, "u", &outcome) >= 0;
    if (told_so && (outcome == owner || outcome == owner_already)) return say(BusState::up);
    if (state != BusState::unnamed)
        base::log(base::Level::warning, "bus",
                  Error{Errc::refused, "the bus does not give us our name", "it is asked for again each 30 s"});
    say(BusState::unnamed);
}

// One signal for all that changed since the last.
void BoxObject::State::tell() {
    look_at = Clock::now() + look_each;
    auto now = look();
    auto names = changed_properties(shown, now);
    shown = std::move(now);
    if (names.empty() || state != BusState::up) return;
    std::vector<char*> list;
    list.reserve(names.size() + 1);
    for (const char* name : names) list.push_back(const_cast<char*>(name));
    list.push_back(nullptr);
    sd_bus_emit_properties_changed_strv(bus->get(), object_path, interface, list.data());
}

// False: there is no bus any more.
bool BoxObject::State::turn() {
    constexpr Error lost{Errc::offline, "the system bus is lost",
                         "nothing else depends on it; restart clinicd when it suits, to join it again"};
    int more = 1;
    for (int turn = 0; turn < turns_max && more > 0; ++turn) more = sd_bus_process(bus->get(), nullptr);
    std::uint64_t unsent = 0;
    if (more < 0 || sd_bus_is_open(bus->get()) <= 0 ||
        (sd_bus_get_n_queued_write(bus->get(), &unsent) >= 0 && unsent > unsent_max)) {
        leave(BusState::lost, lost);
        return false;
    }
    if (!trying && sd_bus_is_ready(bus->get()) > 0 && !try_the_policy()) refusals_owed = -1;
    if (refusals_owed < 0) {
        leave(BusState::open_wide,
              Error{Errc::refused, "the system bus would let clinicd call others, so it is left",
                    "install its policy, /usr/share/dbus-1/system.d/org.clinicedge.Clinicd1.conf; reload dbus; restart "
                    "clinicd"});
        return false;
    }
    const auto now = Clock::now();
    if (now >= look_at) tell();
    if (trying && refusals_owed == 0 && state != BusState::up && now >= name_at) ask_for_the_name();
    return true;
}

void BoxObject::State::wait() const {
    std::uint64_t until_us = 0;
    const auto now = Clock::now();
    auto left = std::chrono::ceil<std::chrono::milliseconds>(look_at - now);
    if (sd_bus_get_timeout(bus->get(), &until_us) >= 0 && until_us != UINT64_MAX) {
        const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
        const auto left_us = std::max<std::int64_t>(0, static_cast<std::int64_t>(until_us) - now_us);
        left = std::min(left, std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds{left_us}));
    }
    std::array<pollfd, 2> watched{
        pollfd{bus->socket(), static_cast<short>(std::max(0, sd_bus_get_events(bus->get()))), 0},
        pollfd{bell.get(), POLLIN, 0}};
    poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
}

void BoxObject::State::run(const std::stop_token& stop) {
    sd_bus_slot* made = nullptr;
    shown = look();
    look_at = Clock::now() + look_each;
    if (sd_bus_add_object_vtable(bus->get(), &made, object_path, interface, vtable, this) < 0)
        return leave(BusState::lost, Error{Errc::system, "the object cannot be shown on the bus"});
    object.reset(made);
    while (!stop.stop_requested() && turn()) wait();
    questions.clear();
}

int BoxObject::State::ask_polkit(sd_bus_message* call, Ask what) {
    constexpr std::array actions{"org.clinicedge.Clinicd1.check", "org.clinicedge.Clinicd1.drain",
                                 "org.clinicedge.Clinicd1.reload"};
    if (questions.size() >= questions_max)
        return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s",
                                          "too many wait for polkit already; ask again later");
    int begin = 0;
    if (what == Ask::drain)
        if (const int code = sd_bus_message_read(call, "b", &begin); code < 0) return code;
    sd_bus_message* made = nullptr;
    int code = sd_bus_message_new_method_call(bus->get(), &made, "org.freedesktop.PolicyKit1",
                                              "/org/freedesktop/PolicyKit1/Authority",
                                              "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
    const Message question{made};
    if (code < 0) return code;
    const unsigned may_ask_a_person = sd_bus_message_get_allow_interactive_authorization(call) > 0 ? 1U : 0U;
    code = sd_bus_message_append(made, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                 sd_bus_message_get_sender(call), actions.at(static_cast<std::size_t>(what)), 0,
                                 may_ask_a_person, "");
    if (code < 0) return code;
    auto& waits = questions.emplace_back(Question{*this, Message{sd_bus_message_ref(call)}, what, begin != 0});
    sd_bus_slot* waiting = nullptr;
    code = sd_bus_call_async(bus->get(), &waiting, made, on_verdict, &waits, person_us_max);
    if (code < 0) {
        questions.pop_back();
        return code;
    }
    waits.slot.reset(waiting);
    return 1;
}

void BoxObject::State::done_with(const Question& question) {
    questions.remove_if([&](const Question& one) { return &one == &question; });
}

// False: it goes on waiting, for who asks.
bool BoxObject::State::decide(Question& question, sd_bus_message* answer) {
    auto* call = question.call.get();
    int allowed = 0, challenge = 0;
    if (sd_bus_message_is_method_error(answer, nullptr) > 0 ||
        sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(answer, "bb", &allowed, &challenge) < 0) {
        sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "%s",
                                   "polkit does not answer, so nobody may; see that it runs, or use clinicctl");
    } else if (allowed == 0) {
        sd_bus_reply_method_errorf(
            call, challenge != 0 ? SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED : SD_BUS_ERROR_ACCESS_DENIED, "%s",
            "polkit does not let you; ask as an administrator, or use clinicctl");
    } else if (question.what != Ask::check) {
        return !ask_who(question);
    } else {
        perform(question, 0);
    }
    return true;
}

// A name of the bus is never given to another, so it is still who asked.
bool BoxObject::State::ask_who(Question& question) {
    sd_bus_slot* waiting = nullptr;
    const int code = sd_bus_call_method_async(bus->get(), &waiting, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "GetConnectionUnixUser", on_who, &question, "s",
                                              sd_bus_message_get_sender(question.call.get()));
    if (code >= 0)
        question.slot.reset(waiting);
    else
        sd_bus_reply_method_errno(question.call.get(), code, nullptr);
    return code >= 0;
}

void BoxObject::State::known(const Question& question, sd_bus_message* answer) {
    std::uint32_t who = 0;
    if (sd_bus_message_is_method_error(answer, nullptr) == 0 && sd_bus_message_read(answer, "u", &who) >= 0)
        return perform(question, who);
    sd_bus_reply_method_errorf(question.call.get(), SD_BUS_ERROR_ACCESS_DENIED, "%s",
                               "the bus does not say who asks, and nothing is changed by nobody; have it read its "
                               "policy again (systemctl reload dbus), or use clinicctl");
}

void BoxObject::State::perform(const Question& question, uid_t who) {
    if (answer(question, who) < 0) base::log(base::Level::warning, "bus", "an answer could not be sent");
}

int BoxObject::State::answer(const Question& question, uid_t who) {
    auto* call = question.call.get();
    switch (question.what) {
    case Ask::check: {
        const auto found = methods.check();
        return found ? sd_bus_reply_method_return(call, "s", found->c_str()) : refuse(call, found.error());
    }
    case Ask::drain: {
        const auto done = methods.drain(who, question.begin);
        return done ? sd_bus_reply_method_return(call, "") : refuse(call, done.error());
    }
    case Ask::reload: break;
    }
    const auto waiting = methods.reload(who);
    if (!waiting) return refuse(call, waiting.error());
    sd_bus_message* made = nullptr;
    int code = sd_bus_message_new_method_return(call, &made);
    const Message answer{made};
    if (code >= 0) code = append_words(made, *waiting);
    return code < 0 ? code : sd_bus_send(bus->get(), made, nullptr);
}

BoxObject::BoxObject(Bus bus, std::function<BoxFacts()> look, BoxMethods methods, std::function<void(BusState)> said)
    : state_{std::make_unique<State>(std::move(bus), std::move(look), std::move(methods), std::move(said))} {
    state_->thread = std::jthread{[state = state_.get()](const std::stop_token& stop) { state->run(stop); }};
}

BoxObject::~BoxObject() {
    state_->thread.request_stop();
    eventfd_write(state_->bell.get(), 1);
    state_->thread.join();
}

} // namespace clinic::systemd
