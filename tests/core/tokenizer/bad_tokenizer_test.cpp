// SPDX-License-Identifier: GPL-3.0-or-later
// Tokenizers that must be refused. sentencepiece itself would end the process on some of them, or read out of bounds.
#include <doctest/doctest.h>
#include <sentencepiece_trainer.h>

#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/tokenizer/tokenizer.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::PieceType;
using test::proto_bytes;
using test::proto_float;
using test::proto_piece;
using test::proto_varint;
using test::SentencepieceBytes;
using test::TemporaryFolder;

Expected<Tokenizer> load(const std::string& serialized) {
  static const TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", serialized);
  return Tokenizer::load(folder / "tokenizer.model");
}

struct Case {
  const char* what;
  std::function<void(SentencepieceBytes&)> change;
};

std::string little_endian(std::uint32_t value) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// A normalizer_spec whose rules are these bytes.
std::string rules(const std::string& bytes) { return proto_bytes(1, "x") + proto_bytes(2, bytes); }

/// Rules of 256 trie units, all alike.
std::string trie(std::uint32_t unit, const std::string& replacements) {
  std::string bytes = little_endian(256 * 4);
  for (int i = 0; i < 256; ++i) bytes += little_endian(unit);
  return bytes + replacements;
}

const std::vector<Case> cases = {
    {"no pieces", [](SentencepieceBytes& b) { b.pieces.clear(); }},
    {"no piece for the unknown",
     [](SentencepieceBytes& b) { b.pieces[0] = proto_piece("<unk>", 0, PieceType::normal); }},
    {"two for the unknown", [](SentencepieceBytes& b) { b.pieces[1] = proto_piece("<s>", 0, PieceType::unknown); }},
    {"an empty piece", [](SentencepieceBytes& b) { b.pieces[280] = proto_piece("", 0, PieceType::normal); }},
    {"a piece without text", [](SentencepieceBytes& b) { b.pieces[280] = proto_float(2, 0); }},
    {"a piece that stands twice", [](SentencepieceBytes& b) { b.pieces[280] = b.pieces[281]; }},
    {"a piece that is not UTF-8",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_piece("\xff\xfe", 0, PieceType::normal); }},
    {"a piece with a zero byte",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_piece(std::string("a\0b", 3), 0, PieceType::normal); }},
    {"a piece of 100 kB",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_piece(std::string(100'000, 'a'), 0, PieceType::normal); }},
    {"a score that is not a number",
     [](SentencepieceBytes& b) {
       b.pieces[280] = proto_piece("xy", std::numeric_limits<float>::quiet_NaN(), PieceType::normal);
     }},
    {"an infinite score",
     [](SentencepieceBytes& b) {
       b.pieces[280] = proto_piece("xy", std::numeric_limits<float>::infinity(), PieceType::normal);
     }},
    {"a score of the wrong type",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_bytes(1, "xy") + proto_varint(2, 1) + proto_varint(3, 1); }},
    {"a piece of an unknown type",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_bytes(1, "xy") + proto_varint(3, 99); }},
    {"a piece whose text is a number",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_varint(1, 5) + proto_varint(3, 1); }},
    {"a byte piece that is none",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_piece("<0xGG>", 0, PieceType::byte); }},
    {"a byte piece in lower case",
     [](SentencepieceBytes& b) { b.pieces[280] = proto_piece("<0xab>", 0, PieceType::byte); }},
    {"a missing byte", [](SentencepieceBytes& b) { b.pieces[100] = proto_piece("xy", 0, PieceType::normal); }},
    {"bytes without byte fallback", [](SentencepieceBytes& b) { b.trainer = proto_varint(3, 2); }},
    {"an unknown model type", [](SentencepieceBytes& b) { b.trainer += proto_varint(3, 77); }},
    {"a model type that is text",
     [](SentencepieceBytes& b) { b.trainer = proto_bytes(3, "bpe") + proto_varint(35, 1); }},
    {"an unknown's surface that is not UTF-8", [](SentencepieceBytes& b) { b.trainer += proto_bytes(44, "\xff"); }},
    {"an unknown's surface of 100 kB",
     [](SentencepieceBytes& b) { b.trainer += proto_bytes(44, std::string(100'000, 'a')); }},
    {"two trainer specs", [](SentencepieceBytes& b) { b.rest = proto_bytes(2, b.trainer); }},
    {"two normalizer specs", [](SentencepieceBytes& b) { b.rest = proto_bytes(3, b.normalizer); }},
    {"a normalizer that is a number", [](SentencepieceBytes& b) { b.rest = proto_varint(3, 1); }},
    {"denormalization rules", [](SentencepieceBytes& b) { b.rest = proto_bytes(5, rules("12345678")); }},
    {"a group", [](SentencepieceBytes& b) { b.rest = "\x0b\x0c"; }},
    {"field number zero", [](SentencepieceBytes& b) { b.rest = std::string("\x00\x01", 2); }},
    {"an endless varint", [](SentencepieceBytes& b) { b.rest = std::string(20, '\xff'); }},
    {"a length over the file", [](SentencepieceBytes& b) { b.rest = "\x0a\xff\xff\xff\xff\x0f"; }},
    {"a broken piece inside", [](SentencepieceBytes& b) { b.pieces[280] = "\x0a\x7f"; }},
    {"rules without a trie", [](SentencepieceBytes& b) { b.normalizer = rules("abc"); }},
    {"rules whose trie is larger than they are",
     [](SentencepieceBytes& b) { b.normalizer = rules(little_endian(4096) + "abcd"); }},
    {"rules whose trie takes all but four bytes",
     [](SentencepieceBytes& b) { b.normalizer = rules(little_endian(8) + "abcdefgh"); }},
    {"a trie of broken units", [](SentencepieceBytes& b) { b.normalizer = rules(little_endian(3) + "abcd" + '\0'); }},
    {"an empty trie", [](SentencepieceBytes& b) { b.normalizer = rules(little_endian(0) + "abcd" + '\0'); }},
    {"a trie too small for its first step",
     [](SentencepieceBytes& b) { b.normalizer = rules(little_endian(4) + little_endian(0) + "a" + '\0'); }},
    {"a trie that steps far out",
     [](SentencepieceBytes& b) { b.normalizer = rules(trie(0xFFFFFFFFU, std::string("a\0", 2))); }},
    {"replacements without an end", [](SentencepieceBytes& b) { b.normalizer = rules(trie(0, "a")); }},
    {"a replacement of 100 kB",
     [](SentencepieceBytes& b) {
       b.normalizer = rules(trie(0, std::string("a\0", 2) + std::string(100'000, 'a') + '\0'));
     }},
    {"replacements that are not UTF-8",
     [](SentencepieceBytes& b) { b.normalizer = rules(trie(0, std::string("\xff\0", 2))); }},
};

TEST_CASE("every broken tokenizer is refused as one") {
  REQUIRE(load(test::small_sentencepiece().serialized()));
  for (const Case& bad : cases) {
    CAPTURE(bad.what);
    SentencepieceBytes bytes = test::small_sentencepiece();
    bad.change(bytes);
    const auto tokenizer = load(bytes.serialized());
    REQUIRE_FALSE(tokenizer);
    CHECK(std::string(name(tokenizer.error().code)) == "bad-tokenizer");
  }
  for (const std::string text :
       {"", "x", "{\"model\": {\"type\": \"BPE\"}}", "\n\n\n\n", "PK\x03\x04", "version https://git-lfs"}) {
    CAPTURE(text);
    CHECK(load(text).error().code == ErrorCode::bad_tokenizer);
  }
  CHECK(load(std::string(70'000'000, '\0')).error().code == ErrorCode::bad_tokenizer);
  CHECK(Tokenizer::load("/none/tokenizer.model").error().code == ErrorCode::missing_tokenizer);
  MESSAGE((cases.size() + 8) << " tokenizers refused");
}

TEST_CASE("stored self tests are left out: they would be run and printed") {
  SentencepieceBytes bytes = test::small_sentencepiece();
  bytes.rest = proto_bytes(4, proto_bytes(1, proto_bytes(1, "abc") + proto_bytes(2, "\x1b[2J")));
  CHECK(load(bytes.serialized()));
}

TEST_CASE("a tokenizer cut at any byte is refused or still whole") {
  const std::string whole = test::small_sentencepiece().serialized();
  int accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto tokenizer = load(whole.substr(0, size));
    if (!tokenizer) {
      REQUIRE(tokenizer.error().code == ErrorCode::bad_tokenizer);
      continue;
    }
    ++accepted;
    REQUIRE(tokenizer->encode("abc é \n"));
  }
  // Cut between two fields a shorter message is a message; without byte fallback the bytes refuse it, so few are.
  CHECK(accepted <= 2);
}

/// A real model with normalization rules, trained here on a few lines.
std::string trained_with_rules(const char* model_type) {
  class Lines final : public sentencepiece::SentenceIterator {
   public:
    bool done() const override { return at_ >= 200; }
    void Next() override { line_ = "the quick brown fox number " + std::to_string(++at_ * 37) + " jumps"; }
    const std::string& value() const override { return line_; }
    sentencepiece::util::Status status() const override { return {}; }

   private:
    int at_ = 0;
    std::string line_ = "a lazy dog";
  } lines;
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", model_type},
                                                                  {"vocab_size", "60"},
                                                                  {"normalization_rule_name", "nmt_nfkc_cf"},
                                                                  {"hard_vocab_limit", "false"},
                                                                  {"minloglevel", "3"}},
                                                                 &lines, &model);
  REQUIRE(status.ok());
  return model;
}

TEST_CASE("real normalization rules pass the check, and work") {
  for (const char* const type : {"unigram", "bpe", "char", "word"}) {
    CAPTURE(type);
    const auto tokenizer = load(trained_with_rules(type));
    REQUIRE(tokenizer);
    CHECK(tokenizer->model_type() == type);
    const auto ids = tokenizer->encode("  ＴＨＥ  Quick \xEF\xAC\x81 x ");
    REQUIRE(ids);
    if (std::string(type) == "char") CHECK(tokenizer->decode(*ids).value().starts_with("the quick "));
  }
}

TEST_CASE("damaged rules and pieces never crash what loads them") {
  constexpr unsigned seed = 99;
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  const std::string whole = trained_with_rules("unigram");
  int accepted = 0;
  constexpr int rounds = 60;
  for (int round = 0; round < rounds; ++round) {
    std::string damaged = whole;
    const std::size_t hits = 1 + random() % 30;
    for (std::size_t i = 0; i < hits; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto tokenizer = load(damaged);
    if (!tokenizer) continue;
    ++accepted;
    const auto ids = tokenizer->encode("The Quick Ｂrown ﬁ 12 \n é😀");
    if (ids) CHECK(tokenizer->decode(*ids));
  }
  MESSAGE(accepted << " of " << rounds << " damaged models still loaded");
}

}  // namespace
}  // namespace natscope
