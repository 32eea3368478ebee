// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/tokenizer_trainer.h"

#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <thread>

#include "core/tokenizer/tokenizer.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::read_bytes;
using test::TemporaryFolder;
using test::write_bytes;
using Paths = std::vector<std::filesystem::path>;

/// English-looking words out of a seed.
std::string made_up_text(std::size_t words, unsigned seed) {
  std::mt19937 random(seed);
  constexpr const char* syllables[] = {"the", "ra",  "in", "spe", "ak", "ing", "cat",
                                       "lo",  "ver", "un", "do",  "st", "ent", "é"};
  std::string text;
  for (std::size_t i = 0; i < words; ++i) {
    for (unsigned part = 0; part < 1 + random() % 3; ++part) text += syllables[random() % 14];
    text += random() % 12 == 0 ? "\n" : " ";
  }
  return text;
}

TEST_CASE("a vocabulary is trained, deterministic, alone in its folder, and its tokens give the text back") {
  const TemporaryFolder folder;
  write_bytes(folder / "a.txt", made_up_text(3000, 1));
  write_bytes(folder / "b.txt", made_up_text(3000, 2) + "\r\nlast 2024 line");
  const Paths files = {folder / "a.txt", folder / "b.txt"};
  for (const TokenizerKind kind : {TokenizerKind::bpe, TokenizerKind::unigram}) {
    TokenizerTraining options;
    options.vocab_size = 320;
    options.kind = kind;
    REQUIRE(train_tokenizer(files, options, folder / "one.model", {}));
    REQUIRE(train_tokenizer(files, options, folder / "two.model", {}));
    CHECK(read_bytes(folder / "one.model") == read_bytes(folder / "two.model"));
    CHECK(folder.names() == std::vector<std::string>{"a.txt", "b.txt", "one.model", "two.model"});
    const auto tokenizer = Tokenizer::load(folder / "one.model");
    REQUIRE(tokenizer);
    CHECK(tokenizer->size() == 320);
    CHECK(tokenizer->bos_id() == 1);
    CHECK(tokenizer->eos_id() == 2);
    CHECK(tokenizer->model_type() == (kind == TokenizerKind::bpe ? "bpe" : "unigram"));
    const std::string text = "the cat  speaking\n\n in 2024: 漢字\t!";
    const auto ids = tokenizer->encode(text).value();
    CHECK(tokenizer->decode(ids).value() == text);
    CHECK(tokenizer->piece_bytes(3) == "\n");
  }
  TokenizerTraining plain;
  plain.vocab_size = 300;
  plain.add_dummy_prefix = false;
  plain.max_input_bytes = 5000;  // sampled
  REQUIRE(train_tokenizer(files, plain, folder / "three.model", {}));
  const auto tokenizer = Tokenizer::load(folder / "three.model");
  REQUIRE(tokenizer);
  CHECK_FALSE(tokenizer->adds_dummy_prefix());
  CHECK(tokenizer->decode(tokenizer->encode(" the cat").value()).value() == " the cat");
}

TEST_CASE("text that cannot be trained on, and targets that cannot be written") {
  const TemporaryFolder folder;
  write_bytes(folder / "a.txt", made_up_text(500, 1));
  write_bytes(folder / "empty.txt", "\n\n");
  write_bytes(folder / "latin1.txt", "caf\xe9");
  const TokenizerTraining small{.vocab_size = 320};
  const auto code = [&](const Paths& files, const TokenizerTraining& options, const std::filesystem::path& out) {
    const auto trained = train_tokenizer(files, options, out, {});
    return trained ? std::string("trained") : std::string(name(trained.error().code));
  };
  CHECK(code({}, small, folder / "x") == "bad-data");
  CHECK(code({folder / "empty.txt"}, small, folder / "x") == "bad-data");
  CHECK(code({folder / "latin1.txt"}, small, folder / "x") == "bad-data");
  CHECK(code({folder / "none.txt"}, small, folder / "x") == "file-not-found");
  CHECK(code({folder.path()}, small, folder / "x") == "not-a-regular-file");
  CHECK(code({folder / "a.txt"}, {.vocab_size = 100}, folder / "x") == "bad-data");
  CHECK(code({folder / "a.txt"}, {.vocab_size = 100'000}, folder / "x") == "bad-data");
  // More different characters than pieces: what helps is said in our words.
  std::string many;
  for (int i = 0; i < 600; ++i) {
    const int sign = 0x4e00 + i;
    for (const int byte : {0xe0 | (sign >> 12), 0x80 | ((sign >> 6) & 0x3f), 0x80 | (sign & 0x3f)})
      many += static_cast<char>(byte);
  }
  write_bytes(folder / "many.txt", many + "\n" + many);
  const auto few = train_tokenizer(Paths{folder / "many.txt"}, small, folder / "x", {});
  REQUIRE_FALSE(few);
  CHECK(few.error().hint == "ask for more pieces");
  CHECK(few.error().message.find(".cc") == std::string::npos);
  std::filesystem::remove(folder / "many.txt");
  CHECK(code({folder / "a.txt"}, small, folder / "none/x") == "file-not-found");
  CHECK(code({folder / "a.txt"}, small, folder.path()) == "not-a-regular-file");
  CHECK(folder.names() == std::vector<std::string>{"a.txt", "empty.txt", "latin1.txt"});
}

TEST_CASE("a stop ends the training at once") {
  const TemporaryFolder folder;
  write_bytes(folder / "a.txt", made_up_text(400'000, 1));
  StopSource source;
  std::chrono::steady_clock::time_point asked;
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    asked = std::chrono::steady_clock::now();
    source.request_stop();
  });
  TokenizerTraining options;
  options.vocab_size = 4000;
  options.kind = TokenizerKind::unigram;
  const auto trained = train_tokenizer(Paths{folder / "a.txt"}, options, folder / "x", source.get_token());
  const auto ended = std::chrono::steady_clock::now();
  stopper.join();
  REQUIRE_FALSE(trained);
  CHECK(trained.error().code == ErrorCode::interrupted);
  // A stop is answered within 50 ms; the rest is for machines that are busy with other tests.
  CHECK(ended - asked < std::chrono::seconds(3));
  CHECK(folder.names() == std::vector<std::string>{"a.txt"});
}

}  // namespace
}  // namespace natscope
