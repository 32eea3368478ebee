// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/framing.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes stream_of(const std::vector<Bytes>& payloads) {
  Bytes stream;
  for (const Bytes& payload : payloads) {
    const auto frame = frame_of(payload);
    REQUIRE(frame);
    stream.insert(stream.end(), frame->begin(), frame->end());
  }
  return stream;
}

TEST_CASE("frames come out as they went in, however the stream is cut") {
  const std::vector<Bytes> payloads{{1}, {2, 3, 4}, Bytes(70'000, 9), {5}};
  const Bytes stream = stream_of(payloads);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{4096}, stream.size()}) {
    CAPTURE(piece);
    FrameReader reader;
    std::vector<Bytes> out;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed({stream.data() + at, std::min(piece, stream.size() - at)});
      while (true) {
        const auto frame = reader.next();
        REQUIRE(frame);
        if (!*frame) break;
        out.push_back(**frame);
      }
    }
    CHECK(out == payloads);
    CHECK(reader.finish());
    CHECK(reader.buffered_bytes() == 0);
  }
}

TEST_CASE("the length is little-endian") {
  const auto frame = frame_of(Bytes(0x0102, 0));
  REQUIRE(frame);
  CHECK(Bytes(frame->begin(), frame->begin() + 4) == Bytes{2, 1, 0, 0});
}

TEST_CASE("an impossible length breaks the stream for good, and names itself") {
  for (const Bytes& header : {Bytes{0, 0, 0, 0}, Bytes{1, 0, 0, 4}, Bytes{0xff, 0xff, 0xff, 0xff}}) {
    FrameReader reader;
    reader.feed(header);
    const auto frame = reader.next();
    REQUIRE_FALSE(frame);
    CHECK(frame.error().code == ErrorCode::protocol_error);
    CHECK(frame.error().message.find("frame") != std::string::npos);
    reader.feed(stream_of({{1}}));
    CHECK_FALSE(reader.next());
    CHECK(reader.buffered_bytes() == 0);
  }
}

TEST_CASE("a promise of many bytes costs nothing, and a cut frame is an error at the end") {
  FrameReader reader;
  reader.feed(Bytes{0, 0, 0, 4});  // 64 MB, exactly the limit
  reader.feed(Bytes(100, 1));
  const auto frame = reader.next();
  REQUIRE(frame);
  CHECK_FALSE(*frame);
  CHECK(reader.buffered_bytes() == 104);
  const auto end = reader.finish();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == ErrorCode::protocol_error);
}

TEST_CASE("nothing and too much cannot be framed") {
  CHECK_FALSE(frame_of({}));
  CHECK_FALSE(frame_of(Bytes(max_frame_bytes + 1)));
  CHECK(frame_of(Bytes(1)));
}

}  // namespace
}  // namespace natscope
