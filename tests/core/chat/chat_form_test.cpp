// SPDX-License-Identifier: GPL-3.0-or-later
// A turn becomes the prompt whose tokens are those of the whole template, beginning token and marks included.
#include "core/chat/chat_form.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

/// A folder with one of the tokenizers of tests/data/hf_tokenizers, or with a tokenizer.model.
struct ChatFolder {
  explicit ChatFolder(const char* tokenizer_json, const nlohmann::json& settings) {
    test::TinyModel model(nlohmann::json{{"vocab_size", 600}});
    if (tokenizer_json != nullptr) {
      model.tokenizer.clear();
      fs::copy_file(fs::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers" / tokenizer_json, folder / "tokenizer.json");
    }
    model.write(folder.path());
    test::write_bytes(folder / "tokenizer_config.json", settings.dump());
  }
  [[nodiscard]] ModelFolder open() const { return ModelFolder::open(folder.path()).value(); }

  test::TemporaryFolder folder;
};

/// The tokens that the engine gives the model for a prompt.
std::vector<std::int32_t> tokens_of(const ModelFolder& folder, const std::string& prompt) {
  auto ids = folder.tokenizer().encode(prompt).value();
  if (const auto bos = folder.bos_id()) ids.insert(ids.begin(), *bos);
  return ids;
}

Expected<ChatText> of(const ModelFolder& folder, const ChatTurn& turn, std::time_t now) {
  NATSCOPE_TRY(const ChatForm form, ChatForm::of(folder));
  return form.prompt(turn, now);
}

constexpr const char* marks =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant{{ "
    "'\n' }}";

TEST_CASE("the prompt of a turn has the tokens of the whole template") {
  const ChatFolder qwen("qwen2.json", {{"chat_template", marks}});
  const ModelFolder folder = qwen.open();
  REQUIRE(!folder.bos_id());
  const auto text = of(folder, {"Who are you?", "Be brief."}, 0);
  REQUIRE(text);
  CHECK(text->prompt ==
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n"
        "<|im_start|>assistant\n");
  CHECK(text->note.empty());
  const auto ids = tokens_of(folder, text->prompt);
  std::int64_t control = 0;
  for (const std::int32_t id : ids) control += folder.tokenizer().kind(id) == PieceKind::control ? 1 : 0;
  CHECK(control == 5);
}

TEST_CASE("a beginning token that the template writes stands there once") {
  const ChatFolder llama("llama3.json", {{"bos_token", "<|begin|>"},
                                         {"chat_template", "{{ bos_token }}[{{ messages[0].content }}<|eot|>"}});
  const ModelFolder folder = llama.open();
  REQUIRE(folder.bos_id());
  const auto text = of(folder, {"a", {}}, 0).value();
  CHECK(text.prompt == "[a<|eot|>");
  CHECK(text.note.empty());
  CHECK(tokens_of(folder, text.prompt) == folder.tokenizer().encode("<|begin|>[a<|eot|>").value());

  // Where a blank stands in front of a text and none behind a token, the tokens are others, and the note says so.
  for (const auto& [name, is_alike] : {std::pair{"llama2.json", true}, {"metaspace.json", false}}) {
    CAPTURE(name);
    const ChatFolder blank(
        name,
        {{"bos_token", "<s>"}, {"add_bos_token", true}, {"chat_template", "{{ bos_token }}{{ messages[0].content }}"}});
    const ModelFolder with_blank = blank.open();
    REQUIRE(with_blank.bos_id());
    const auto first = of(with_blank, {"Alice and the kitten", {}}, 0).value();
    const auto whole = with_blank.tokenizer().encode("<s>Alice and the kitten").value();
    CHECK((tokens_of(with_blank, first.prompt) == whole) == is_alike);
    CHECK(first.note.empty() == is_alike);
  }

  const ChatFolder without("llama3.json", {{"chat_template", "[{{ messages[0].content }}<|eot|>"}});
  const auto other = of(without.open(), {"a", {}}, 0).value();
  CHECK(other.prompt == "[a<|eot|>");
  CHECK(other.note.find("<|begin|>") != std::string::npos);
}

TEST_CASE("marks that a tokenizer.model reads as ordinary text are refused") {
  const ChatFolder plain(
      nullptr, {{"chat_template", "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]"}, {"bos_token", "<s>"}});
  const ModelFolder folder = plain.open();
  REQUIRE(folder.tokenizer().format() == "sentencepiece");
  CHECK(of(folder, {"a", {}}, 0).value().prompt == "[INST] a [/INST]");
  const auto refused = of(folder, {"a</s>b", {}}, 0);
  REQUIRE(!refused);
  CHECK(refused.error().code == ErrorCode::unsupported_tokenizer);
  CHECK(refused.error().message.find("</s>") != std::string::npos);
  CHECK(of(folder, {"a<unk>b", {}}, 0).error().code == ErrorCode::unsupported_tokenizer);

  const ChatFolder added(nullptr, {{"chat_template", "<|im_start|>{{ messages[0].content }}"},
                                   {"added_tokens_decoder", {{"600", {{"content", "<|im_start|>"}}}}}});
  CHECK(of(added.open(), {"a", {}}, 0).error().code == ErrorCode::unsupported_tokenizer);
  const ChatFolder other(nullptr, {{"chat_template", "<|user|>{{ messages[0].content }}"}});
  test::write_bytes(other.folder / "added_tokens.json", "{\"<|user|>\": 600}");
  CHECK(of(other.open(), {"a", {}}, 0).error().code == ErrorCode::unsupported_tokenizer);
}

TEST_CASE("what can go wrong with a turn is said") {
  const ChatFolder none("qwen2.json", {{"model_max_length", 5}});
  CHECK(of(none.open(), {"a", {}}, 0).error().code == ErrorCode::bad_tokenizer);
  const ChatFolder picky("qwen2.json", {{"chat_template", "{{ raise_exception('no system') }}"}});
  CHECK(of(picky.open(), {"a", {}}, 0).error().code == ErrorCode::bad_text);
  const ChatFolder broken("qwen2.json", {{"chat_template", "{% if %}"}});
  CHECK(of(broken.open(), {"a", {}}, 0).error().code == ErrorCode::bad_tokenizer);
  const ChatFolder good("qwen2.json", {{"chat_template", marks}});
  CHECK(of(good.open(), {"\xff", {}}, 0).error().code == ErrorCode::bad_text);
  CHECK(of(good.open(), {"", {}}, 0).error().code == ErrorCode::bad_text);
  CHECK(of(good.open(), {"a", ""}, 0).value().prompt.starts_with("<|im_start|>system\n<|im_end|>"));
}

TEST_CASE("the date of a template is that of SOURCE_DATE_EPOCH, where it is set") {
  ::setenv("SOURCE_DATE_EPOCH", "86400", 1);
  CHECK(chat_time() == 86400);
  for (const char* const bad : {"", "x", "-1", "86400x", "253402300800"}) {
    ::setenv("SOURCE_DATE_EPOCH", bad, 1);
    CHECK(chat_time() > 1'700'000'000);
  }
  ::unsetenv("SOURCE_DATE_EPOCH");
  CHECK(chat_time() > 1'700'000'000);
}

}  // namespace
}  // namespace natscope
