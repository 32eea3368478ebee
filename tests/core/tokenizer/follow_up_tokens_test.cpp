// SPDX-License-Identifier: GPL-3.0-or-later
// A text that goes on behind tokens: no blank comes in between, and behind a mark it is as in the whole text.
#include "core/tokenizer/follow_up_tokens.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

Tokenizer hugging_face(const char* name) {
  auto tokenizer = Tokenizer::load(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers" / name);
  if (!tokenizer) FAIL(format_error_line(tokenizer.error()));
  return *tokenizer;
}

Tokenizer sentencepiece_of(const test::SentencepieceBytes& bytes) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", bytes.serialized());
  auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  if (!tokenizer) FAIL(format_error_line(tokenizer.error()));
  return *tokenizer;
}

std::string bytes_of(const Tokenizer& tokenizer, const std::vector<std::int32_t>& tokens) {
  std::string bytes;
  for (const std::int32_t token : tokens) bytes += tokenizer.piece_bytes(token);
  return bytes;
}

TEST_CASE("behind a word the text is what it is, with no blank more") {
  const std::vector<Tokenizer> tokenizers{sentencepiece_of(test::small_sentencepiece()),
                                          hugging_face("llama2.json"),
                                          hugging_face("llama3.json"),
                                          hugging_face("gemma.json"),
                                          hugging_face("metaspace.json"),
                                          hugging_face("qwen2.json")};
  for (const Tokenizer& tokenizer : tokenizers) {
    CAPTURE(tokenizer.model_type());
    const std::int32_t last = tokenizer.encode("word").value().back();
    REQUIRE(tokenizer.kind(last) != PieceKind::control);
    for (const std::string text :
         {"s and more", " and more", "  two blanks", "\nnext", "\n\nnext", ".", " ", "日本", ", x"}) {
      CAPTURE(text);
      const auto alone = tokenizer.encode(text).value();
      if (std::ranges::find(alone, tokenizer.unk_id()) != alone.end()) continue;  // it cannot be spelled
      const auto tokens = follow_up_tokens(tokenizer, last, text);
      REQUIRE(tokens);
      CHECK(bytes_of(tokenizer, *tokens) == text);
    }
    CHECK(follow_up_tokens(tokenizer, last, "").value().empty());
    CHECK(follow_up_tokens(tokenizer, last, "\xff").error().code == ErrorCode::bad_text);
  }
}

TEST_CASE("behind a mark that the tokenizer reads the text has the tokens that it has there") {
  for (const auto& [name, mark] : {std::pair{"qwen2.json", "<|im_end|>"},
                                   {"qwen2.json", "Queen"},
                                   {"llama3.json", "<|eot|>"},
                                   {"llama2.json", "</s>"},
                                   {"gemma.json", "</s>"},
                                   {"metaspace.json", "</s>"}}) {
    const Tokenizer tokenizer = hugging_face(name);
    const std::int32_t last = tokenizer.encode(mark).value().back();
    for (const std::string text : {"Alice", " Alice", "\n<|im_start|>user\nAlice", "[INST] Alice [/INST]", "\n"}) {
      CAPTURE(name);
      CAPTURE(text);
      std::vector<std::int32_t> tokens = tokenizer.encode(std::string("She said") + mark).value();
      REQUIRE(tokens.back() == last);
      const auto more = follow_up_tokens(tokenizer, last, text).value();
      tokens.insert(tokens.end(), more.begin(), more.end());
      CHECK(tokens == tokenizer.encode(std::string("She said") + mark + text).value());
    }
  }
}

TEST_CASE("a tokenizer that draws blanks together, and one that puts a blank in front of bytes") {
  test::SentencepieceBytes drawn_together = test::small_sentencepiece();
  drawn_together.normalizer = test::proto_bytes(1, "identity") + test::proto_varint(3, 1) + test::proto_varint(4, 1);
  const Tokenizer tokenizer = sentencepiece_of(drawn_together);
  REQUIRE(bytes_of(tokenizer, tokenizer.encode("  a  b").value()) == " a b");
  const std::int32_t last = tokenizer.encode("ab").value().back();
  CHECK(bytes_of(tokenizer, follow_up_tokens(tokenizer, last, "ab").value()) == "ab");
  CHECK(bytes_of(tokenizer, follow_up_tokens(tokenizer, last, "  a  b").value()) == " a b");
  const Tokenizer spaced = hugging_face("gpt2.json");
  REQUIRE(bytes_of(spaced, spaced.encode("ab").value()) == " ab");
  CHECK(bytes_of(spaced, follow_up_tokens(spaced, spaced.encode("x").value().back(), "ab").value()) == "ab");
}

}  // namespace
}  // namespace natscope
