#include "tests/emulator/https_client.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/Net/RejectCertificateHandler.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/StreamCopier.h>

#include <istream>
#include <mutex>
#include <ostream>

#include "tests/emulator/exchange.h"

namespace clinic::emulator {
namespace {

// Poco asks one global handler about a certificate it does not trust; ours says no.
void refuse_unknown_certificates() {
    static std::once_flag once;
    std::call_once(once, [] {
        Poco::Net::initializeSSL();
        Poco::Net::SSLManager::instance().initializeClient(nullptr, new Poco::Net::RejectCertificateHandler{false},
                                                           nullptr);
    });
}

Poco::Net::Context::Ptr trusting(const std::filesystem::path& authority) {
    refuse_unknown_certificates();
    return new Poco::Net::Context{Poco::Net::Context::TLS_CLIENT_USE, authority.string(),
                                  Poco::Net::Context::VERIFY_STRICT};
}

} // namespace

struct HttpsClient::Inside {
    Poco::Net::HTTPSClientSession session;

    Inside(int port, const std::filesystem::path& authority, std::chrono::milliseconds timeout)
        : session{"127.0.0.1", static_cast<Poco::UInt16>(port), trusting(authority)} {
        session.setKeepAlive(true);
        session.setKeepAliveTimeout(Poco::Timespan{60, 0});
        session.setTimeout(Poco::Timespan{timeout.count() * 1000});
    }

    Reply exchange(Poco::Net::HTTPRequest& request, const std::string& body) {
        if (session.connected() && session.socket().poll(0, Poco::Net::Socket::SELECT_READ)) session.reset();
        if (!body.empty() || request.getMethod() == "POST")
            request.setContentLength(static_cast<std::streamsize>(body.size()));
        session.sendRequest(request) << body;
        Poco::Net::HTTPResponse response;
        std::istream& stream = session.receiveResponse(response);
        Reply reply{true, response.getStatus(), {}, {}};
        for (const auto& [name, value] : response) reply.headers[lower(name)] = value;
        Poco::StreamCopier::copyToString(stream, reply.body);
        return reply;
    }
};

HttpsClient::HttpsClient(int port, const std::filesystem::path& authority, std::chrono::milliseconds timeout)
    : inside_{std::make_unique<Inside>(port, authority, timeout)} {}
HttpsClient::~HttpsClient() = default;

Reply HttpsClient::send(const std::string& method, const std::string& target, const Headers& headers,
                        const std::string& body) {
    Poco::Net::HTTPRequest request{method, target, Poco::Net::HTTPMessage::HTTP_1_1};
    for (const auto& [name, value] : headers) request.set(name, value);
    try {
        return inside_->exchange(request, body);
    } catch (const Poco::Exception&) {
        inside_->session.reset();
        return {};
    }
}

} // namespace clinic::emulator
