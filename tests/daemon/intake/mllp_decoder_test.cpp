#include "daemon/intake/mllp_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/daemon/intake/mllp_port.h"

namespace clinic::intake {
namespace {

using Step = MllpDecoder::Step;
using ::testing::ElementsAre;
using testing::framed;
using ::testing::IsEmpty;

// What a stream gives: the frames; a damaged one begins with '!'; a hang-up is "#".
struct Stream {
    explicit Stream(std::size_t frame_bytes_max = frame_bytes_default) : decoder{frame_bytes_max} {}

    Stream& operator<<(std::string_view bytes) {
        while (!bytes.empty() && !hung_up) take(decoder.feed(bytes));
        return *this;
    }
    void pause() {
        if (decoder.awaits_return()) take(decoder.end_without_return());
    }
    void take(Step step) {
        if (step == Step::frame) frames.push_back(decoder.take());
        if (step == Step::damaged) frames.push_back('!' + decoder.take());
        if (step == Step::oversized) head = decoder.take();
        if (step == Step::lost) ++lost;
        hung_up = hung_up || step == Step::oversized || step == Step::not_mllp || step == Step::junk;
        if (hung_up) frames.push_back("#");
    }

    MllpDecoder decoder;
    std::vector<std::string> frames;
    std::string head; // of a frame above the bound
    int lost = 0;
    bool hung_up = false;
};

TEST(MllpDecoder, TakesFramesOneAfterTheOther) {
    Stream stream;
    stream << framed("one") << framed("two") + framed("three");
    EXPECT_THAT(stream.frames, ElementsAre("one", "two", "three"));
    EXPECT_EQ(stream.decoder.numbers().junk_bytes, 0U);
}

TEST(MllpDecoder, TakesTheSameFramesWhereverTheStreamIsSplit) {
    const std::string bytes = "junk" + framed("one") + "\n" + '\0' + "\x0Blost" + framed("two") + "\x0Bthree\x1C" +
                              framed("four") +
                              "\x0B"
                              "half\x1Cother half\x1C\r" +
                              framed("five");
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
        Stream stream;
        stream << std::string_view{bytes}.substr(0, at) << std::string_view{bytes}.substr(at);
        EXPECT_THAT(stream.frames, ElementsAre("one", "two", "three", "four", "!half other half", "five")) << at;
        EXPECT_EQ(stream.decoder.numbers().junk_bytes, 4U);
        EXPECT_EQ(stream.decoder.numbers().restarts, 1U);
        EXPECT_EQ(stream.decoder.numbers().bare_ends, 1U);
        EXPECT_EQ(stream.decoder.numbers().damaged, 1U);
    }
    Stream drops;
    for (const char c : bytes) drops << std::string_view{&c, 1};
    EXPECT_EQ(drops.frames.size(), 6U);
}

TEST(MllpDecoder, CountsWhatStandsBeforeAFrameAndSkipsLineEndsAndNul) {
    Stream stream;
    stream << "xy" << framed("one") << std::string_view{"\r\n\0\n\r", 5} << framed("two") << "\x1C\r"
           << framed("three");
    EXPECT_THAT(stream.frames, ElementsAre("one", "two", "three"));
    EXPECT_EQ(stream.decoder.numbers().junk_bytes, 3U);
}

TEST(MllpDecoder, DropsWhatASenderDidNotFinish) {
    Stream stream;
    stream << "\x0BMSH|the first try" << framed("the second");
    EXPECT_THAT(stream.frames, ElementsAre("the second"));
    EXPECT_EQ(stream.decoder.numbers().restarts, 1U);
    EXPECT_EQ(stream.lost, 1);
    Stream doubled;
    doubled << "\x0B" << framed("whole");
    EXPECT_THAT(doubled.frames, ElementsAre("whole"));
    EXPECT_EQ(doubled.decoder.numbers().restarts, 0U) << "nothing was lost";
}

TEST(MllpDecoder, AcceptsAnEndWithoutReturn) {
    Stream stream;
    stream << "\x0Bone\x1C";
    EXPECT_THAT(stream.frames, IsEmpty()) << "a byte may follow that says otherwise";
    stream.pause();
    EXPECT_THAT(stream.frames, ElementsAre("one"));
    stream << "\r"
           << "\x0Btwo\x1C\n"
           << "\x0Bthree\x1C"
           << "\x0B"
              "four\x1C\x1C\r";
    EXPECT_THAT(stream.frames, ElementsAre("one", "two", "three", "four"));
    EXPECT_EQ(stream.decoder.numbers().bare_ends, 3U);
}

TEST(MllpDecoder, NeverTakesHalfAMessageForAWholeOne) {
    Stream stream;
    stream << "\x0BMSH|first half\x1C"
           << "second half\x1C\r";
    EXPECT_THAT(stream.frames, ElementsAre("!MSH|first half second half"));
    stream << framed("next");
    EXPECT_EQ(stream.frames.back(), "next") << "damage ends with its frame";
}

TEST(MllpDecoder, HangsUpOnOtherProtocols) {
    for (const char* hello :
         {"GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "PRI * HTTP/2.0", "OPTIONS * HTTP/1.1", "\x16\x03\x01\x02"}) {
        Stream whole;
        whole << hello;
        EXPECT_THAT(whole.frames, ElementsAre("#")) << hello;
        Stream drops;
        for (const char* c = hello; *c != '\0' && !drops.hung_up; ++c) drops << std::string_view{c, 1};
        EXPECT_TRUE(drops.hung_up) << hello;
    }
    Stream later;
    later << framed("one") << "GET / HTTP" << framed("two");
    EXPECT_THAT(later.frames, ElementsAre("one", "two")) << "only a connection's first bytes are a hello";
}

TEST(MllpDecoder, HangsUpAboveItsBounds) {
    Stream stream{8};
    stream << framed("12345678");
    EXPECT_THAT(stream.frames, ElementsAre("12345678"));
    stream << "\x0B"
              "1234"
           << "56789";
    EXPECT_THAT(stream.frames, ElementsAre("12345678", "#"));
    Stream junk;
    junk << std::string(junk_bytes_max + 1, 'x');
    EXPECT_TRUE(junk.hung_up);
}

TEST(MllpDecoder, KeepsTheFirstSegmentOfAFrameAboveItsBound) {
    Stream stream{10'000};
    stream << "\x0BMSH|the header\rPID|" << std::string(5'000, 'x') << std::string(6'000, 'y');
    EXPECT_TRUE(stream.hung_up);
    EXPECT_EQ(stream.head, "MSH|the header");
    EXPECT_FALSE(stream.decoder.inside_frame());
    Stream endless{10'000};
    endless << "\x0BMSH|" << std::string(20'000, 'x');
    EXPECT_EQ(endless.head.size(), head_bytes_max) << "one without an end is cut";
    Stream at_once{8};
    at_once << "\x0BMSH|in one read\rPID|";
    EXPECT_EQ(at_once.head, "MSH|in one read") << "what came with the byte that was too many belongs to it";
}

} // namespace
} // namespace clinic::intake
