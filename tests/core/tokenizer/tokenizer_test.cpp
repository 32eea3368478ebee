// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/tokenizer.h"

#include <doctest/doctest.h>
#include <sentencepiece_processor.h>

#include <algorithm>
#include <random>

#include "core/base/utf8.h"
#include "core/tokenizer/streaming_decoder.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::PieceType;
using test::SentencepieceBytes;
using test::TemporaryFolder;

constexpr std::int32_t first_byte_id = 4;

Tokenizer loaded(const std::string& serialized) {
  const TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", serialized);
  auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  if (!tokenizer) FAIL(format_error_line(tokenizer.error()));
  return *tokenizer;
}

/// A normalizer_spec with the two settings that decoding looks at.
SentencepieceBytes variant(bool dummy_prefix, bool drop_whitespaces) {
  SentencepieceBytes bytes = test::small_sentencepiece();
  bytes.normalizer = test::proto_bytes(1, "identity") + test::proto_varint(3, dummy_prefix ? 1 : 0) +
                     test::proto_varint(4, drop_whitespaces ? 1 : 0) + test::proto_varint(5, 1);
  return bytes;
}

TEST_CASE("the beginning of a long text has the tokens of the whole") {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < 60'000) text += "abcde  abcde\nx"[random() % 14];
  SentencepieceBytes crossing = test::small_sentencepiece();
  for (const char a : std::string("abcde")) {
    for (const char b : std::string("abcde")) {
      crossing.pieces.push_back(test::proto_piece(std::string(1, a) + "\xE2\x96\x81" + b, 5.0F, PieceType::normal));
    }
  }
  SentencepieceBytes suffix = test::small_sentencepiece();
  suffix.trainer += test::proto_varint(24, 1);
  for (const SentencepieceBytes& bytes : {test::small_sentencepiece(), variant(false, true), crossing, suffix}) {
    const Tokenizer tokenizer = loaded(bytes.serialized());
    const auto whole = tokenizer.encode(text).value();
    for (const std::int64_t least : {0, 1, 100, 1000, 3000, 12'345, 1'000'000}) {
      CAPTURE(least);
      const auto beginning = tokenizer.encode_beginning(text, least).value();
      CHECK(static_cast<std::int64_t>(beginning.size()) >= std::min(least, static_cast<std::int64_t>(whole.size())));
      CHECK(std::equal(beginning.begin(), beginning.end(), whole.begin(),
                       whole.begin() + static_cast<std::ptrdiff_t>(std::min(beginning.size(), whole.size()))));
    }
  }
  // Read in part where that is safe, else as a whole.
  CHECK(loaded(test::small_sentencepiece().serialized()).encode_beginning(text, 100)->size() < 10'000);
  const Tokenizer with_suffix = loaded(suffix.serialized());
  CHECK(with_suffix.encode_beginning(text, 100).value() == with_suffix.encode(text).value());
}

TEST_CASE("words given to sentencepiece one by one have the tokens of the whole text") {
  constexpr unsigned seed = 5;
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  std::vector<SentencepieceBytes> models;
  for (const bool dummy_prefix : {false, true}) {
    for (const bool drop_whitespaces : {false, true}) models.push_back(variant(dummy_prefix, drop_whitespaces));
  }
  SentencepieceBytes crossing = variant(true, false);  // "b a" is a piece, "a b" is none
  crossing.pieces.push_back(
      test::proto_piece("b\xE2\x96\x81"
                        "a",
                        5.0F, PieceType::normal));
  crossing.pieces.push_back(test::proto_piece("b\xE2\x96\x81", 4.0F, PieceType::normal));
  models.push_back(crossing);
  SentencepieceBytes suffix = variant(true, false);
  suffix.trainer += test::proto_varint(24, 1);
  models.push_back(suffix);
  SentencepieceBytes plain_blanks = variant(true, false);
  plain_blanks.normalizer += test::proto_varint(5, 0);
  models.push_back(plain_blanks);
  SentencepieceBytes unknown_blanks = test::small_sentencepiece();  // no bytes, and a blank is no piece
  unknown_blanks.trainer = test::proto_varint(3, 2);
  unknown_blanks.normalizer = test::proto_bytes(1, "identity") + test::proto_varint(3, 0) + test::proto_varint(4, 0);
  unknown_blanks.pieces = {test::proto_piece("<unk>", 0, PieceType::unknown),
                           test::proto_piece("a", -1, PieceType::normal),
                           test::proto_piece("b", -2, PieceType::normal)};
  models.push_back(unknown_blanks);
  for (const SentencepieceBytes& bytes : models) {
    const Tokenizer tokenizer = loaded(bytes.serialized());
    sentencepiece::SentencePieceProcessor reference;
    REQUIRE(reference.LoadFromSerializedProto(bytes.serialized()).ok());
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      for (std::size_t i = random() % 30; i > 0; --i) {
        const char* const parts[] = {"a",  "b",  "c", "ab",           " ",        " ", " a",
                                     "  ", "\n", ",", "\xE2\x96\x81", "\xC3\xA9", "x"};
        text += parts[random() % 13];
      }
      CAPTURE(text);
      std::vector<int> wanted;
      REQUIRE(reference.Encode(text, &wanted).ok());
      REQUIRE(tokenizer.encode(text).value() == std::vector<std::int32_t>(wanted.begin(), wanted.end()));
    }
  }
}

TEST_CASE("text becomes tokens and text again") {
  const Tokenizer tokenizer = loaded(test::small_sentencepiece().serialized());
  CHECK(tokenizer.size() == 300);
  CHECK(tokenizer.bos_id() == 1);
  CHECK(tokenizer.eos_id() == 2);
  CHECK(tokenizer.unk_id() == 0);
  CHECK(tokenizer.model_type() == "bpe");
  CHECK(tokenizer.adds_dummy_prefix());
  for (const std::string text : {"abc", " abc", "  a  b  ", "ab cd\nab", "\n", "\n\n a", "é€😀", "a\tb", "<s>",
                                 "</s> a <unk>", "<0x41>", "\xE2\x96\x81", "a\r\nb", "x"}) {
    CAPTURE(text);
    const auto ids = tokenizer.encode(text);
    REQUIRE(ids);
    for (const std::int32_t id : *ids) CHECK(tokenizer.kind(id) != PieceKind::control);
    // U+2581 stands for the blank inside the library: the one text that does not come back.
    if (text != "\xE2\x96\x81") CHECK(tokenizer.decode(*ids).value() == text);
  }
  CHECK(tokenizer.encode("").value().empty());
  const std::string with_zero("a\0b", 3);
  CHECK(tokenizer.decode(tokenizer.encode(with_zero).value()).value() == with_zero);
  CHECK(tokenizer.encode("\xff").error().code == ErrorCode::bad_text);
  CHECK(tokenizer.encode("a\xE2\x82").error().code == ErrorCode::bad_text);
}

TEST_CASE("pieces for text and for people") {
  const Tokenizer tokenizer = loaded(test::small_sentencepiece().serialized());
  CHECK(tokenizer.piece_bytes(1).empty());
  CHECK(tokenizer.piece_bytes(first_byte_id + 0xE2) == "\xE2");
  CHECK(tokenizer.piece_bytes(260) == " a");
  CHECK(tokenizer.piece_bytes(-1).empty());
  CHECK(tokenizer.piece_bytes(300).empty());
  CHECK(tokenizer.kind(0) == PieceKind::unknown);
  CHECK(tokenizer.kind(2) == PieceKind::control);
  CHECK(tokenizer.kind(3) == PieceKind::user_defined);
  CHECK(tokenizer.kind(first_byte_id) == PieceKind::byte);
  CHECK(tokenizer.kind(260) == PieceKind::normal);
  CHECK(tokenizer.kind(300) == PieceKind::unused);
  CHECK(tokenizer.display(1) == "<s>");
  CHECK(tokenizer.display(3) == "\\n");
  CHECK(tokenizer.display(260) == " a");
  CHECK(tokenizer.display(first_byte_id + 'x') == "x");
  CHECK(tokenizer.display(first_byte_id + '\n') == "\\n");
  CHECK(tokenizer.display(first_byte_id + 0xE2) == "<0xE2>");
  CHECK(tokenizer.display(first_byte_id) == "<0x00>");
  CHECK(tokenizer.display(300) == "<id 300>");
  CHECK(tokenizer.decode(std::vector<std::int32_t>{260, 4711, 261}).value() == "a b");
  CHECK(tokenizer.decode(std::vector<std::int32_t>{-1}).error().code == ErrorCode::bad_token_id);
}

TEST_CASE("decoding is sentencepiece's, streaming is decoding, and no part of a stream cuts a character") {
  constexpr unsigned seed = 7;
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (const bool dummy_prefix : {false, true}) {
    for (const bool drop_whitespaces : {false, true}) {
      const std::string serialized = variant(dummy_prefix, drop_whitespaces).serialized();
      const Tokenizer tokenizer = loaded(serialized);
      sentencepiece::SentencePieceProcessor reference;
      REQUIRE(reference.LoadFromSerializedProto(serialized).ok());
      for (int round = 0; round < 4000; ++round) {
        std::vector<std::int32_t> ids(random() % 12);
        for (auto& id : ids) {
          // Bytes of multi-byte characters often, so that they meet and break.
          const bool is_byte = random() % 2 == 0;
          const unsigned bytes[] = {0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80, 0x41, 0xFF, 0xC3};
          id = static_cast<std::int32_t>(is_byte ? first_byte_id + bytes[random() % 10] : random() % 300);
        }
        std::string wanted;
        REQUIRE(reference.Decode(std::vector<int>(ids.begin(), ids.end()), &wanted).ok());
        REQUIRE(tokenizer.decode(ids).value() == wanted);
        StreamingDecoder decoder(tokenizer);
        std::string streamed;
        for (const std::int32_t id : ids) {
          const std::string part = decoder.push(id);
          REQUIRE(valid_utf8(part));
          streamed += part;
        }
        const std::string end = decoder.finish();
        REQUIRE(valid_utf8(end));
        REQUIRE(streamed + end == wanted);
      }
    }
  }
}

TEST_CASE("a stream that continues a text keeps its first blank, and may be used again") {
  const Tokenizer tokenizer = loaded(test::small_sentencepiece().serialized());
  StreamingDecoder decoder(tokenizer, true);
  CHECK(decoder.push(260) == " a");
  CHECK(decoder.push(first_byte_id + 0xE2).empty());
  CHECK(decoder.push(first_byte_id + 0x82).empty());
  CHECK(decoder.push(first_byte_id + 0xAC) == "€");
  CHECK(decoder.push(first_byte_id + 0xE2).empty());
  CHECK(decoder.push(260) == "\xEF\xBF\xBD a");
  CHECK(decoder.finish().empty());
  CHECK(decoder.push(260) == " a");
  StreamingDecoder fresh(tokenizer);
  CHECK(fresh.push(260) == "a");
  CHECK(fresh.push(260) == " a");
  CHECK(fresh.finish().empty());
  CHECK(fresh.push(260) == "a");
}

}  // namespace
}  // namespace natscope
