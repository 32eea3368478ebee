// SPDX-License-Identifier: GPL-3.0-or-later
// A turn becomes the prompt whose tokens are those of the whole template, beginning token and marks included.
#include "core/chat/chat_form.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/tokenizer/follow_up_tokens.h"
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

/// The same where transformers' templates end a conversation that needs no answer.
constexpr const char* marks_with_option =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{% endif %}";

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

/// What the model read for the first turn, what it answered, and what follows: the tokens of it all.
std::vector<std::int32_t> conversation(const ModelFolder& folder, const std::string& answer, const std::string& next,
                                       std::string* note) {
  const ChatForm form = ChatForm::of(folder).value();
  std::vector<std::int32_t> tokens = tokens_of(folder, form.prompt({"Who are you?", {}}, 0).value().prompt);
  const auto append = [&](const std::string& text) {
    const auto more = follow_up_tokens(folder.tokenizer(), tokens.back(), text).value();
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  append(answer);
  const ChatFollowUp said = form.follow_up({next, {}}, tokens.back(), 0).value();
  *note = said.note;
  if (said.end) tokens.push_back(*said.end);
  append(said.text);
  return tokens;
}

std::string words_of(const ModelFolder& folder, const std::vector<std::int32_t>& tokens) {
  std::string words;
  for (const std::int32_t token : tokens) words += folder.tokenizer().display(token) + "|";
  return words;
}

TEST_CASE("with what follows an answer, the tokens are those of the whole conversation") {
  const std::string qwen_marks = marks;
  const std::string llama_marks =
      "{{ bos_token }}{% for m in messages %}<|begin|>{{ m.role }}\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
      "<|begin|>assistant{{ '\n\n' }}";
  const std::string mistral_marks =
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} "
      "{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";
  struct Case {
    const char *tokenizer, *bos, *end;
    const std::string& source;
  };
  for (const Case& chat :
       {Case{"qwen2.json", nullptr, "<|im_end|>", qwen_marks}, Case{"llama3.json", "<|begin|>", "<|eot|>", llama_marks},
        Case{"llama2.json", "<s>", "</s>", mistral_marks}}) {
    CAPTURE(chat.tokenizer);
    nlohmann::json settings{{"chat_template", chat.source}, {"eos_token", chat.end}};
    if (chat.bos != nullptr) settings.update({{"bos_token", chat.bos}, {"add_bos_token", true}});
    const ChatFolder made(chat.tokenizer, settings);
    const ModelFolder folder = made.open();
    const ChatTemplate whole = ChatTemplate::read(folder.path()).value().value();
    const std::string text = whole
                                 .write(std::vector<ChatMessage>{{"user", "Who are you?"},
                                                                 {"assistant", "Alice, a girl."},
                                                                 {"user", "And the question answered?"}},
                                        0)
                                 .value();
    const auto wanted = folder.tokenizer().encode(text).value();
    const std::string blank = chat.source == mistral_marks ? " " : "";
    // The model ended its answer itself, or was stopped before it did.
    for (const std::string& end : {std::string(chat.end), std::string()}) {
      CAPTURE(end);
      std::string note;
      const auto tokens = conversation(folder, blank + "Alice, a girl." + end, "And the question answered?", &note);
      CAPTURE(words_of(folder, tokens));
      CAPTURE(words_of(folder, wanted));
      CHECK(tokens == wanted);
      CHECK(note.empty());
    }
  }
}

TEST_CASE("a template that writes earlier turns in another way says so, one that leaves them out is refused") {
  const ChatFolder thinking("qwen2.json", {{"chat_template",
                                            "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% "
                                            "endfor %}{% if messages|length == 1 %}<mask>{% endif %}"}});
  std::string note;
  static_cast<void>(conversation(thinking.open(), "a", "b", &note));
  CHECK(note.find("earlier turns") != std::string::npos);
  const ChatFolder forgetful("qwen2.json", {{"chat_template", "{{ messages[-1].content }}<|im_end|>"}});
  const ChatForm form = ChatForm::of(forgetful.open()).value();
  CHECK(form.follow_up({"a", {}}, 0, 0).error().code == ErrorCode::unsupported_tokenizer);
  CHECK(form.follow_up({"", {}}, 0, 0).error().code == ErrorCode::bad_text);
  CHECK(form.follow_up({"\xff", {}}, 0, 0).error().code == ErrorCode::bad_text);
}

TEST_CASE("the token that ends an answer is said once, as a token, where a template has a blank before it, too") {
  // Llama 2's, as its own template writes them; a tokenizer.model reads no mark in a text.
  const ChatFolder plain(nullptr, {{"chat_template",
                                    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
                                    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"},
                                   {"eos_token", "</s>"}});
  const ModelFolder folder = plain.open();
  REQUIRE(folder.tokenizer().format() == "sentencepiece");
  REQUIRE(!folder.eos_ids().empty());
  const ChatForm form = ChatForm::of(folder).value();
  const std::int32_t eos = folder.eos_ids().front();
  const ChatFollowUp ended = form.follow_up({"b", {}}, eos, 0).value();
  CHECK(!ended.end);
  CHECK(ended.text == "[INST] b [/INST]");
  const ChatFollowUp cut = form.follow_up({"b", {}}, folder.tokenizer().encode("a").value().back(), 0).value();
  CHECK(cut.end == eos);
  CHECK(cut.text == "[INST] b [/INST]");
}

TEST_CASE("the system's text is there for a template that writes it with the last turn") {
  const ChatFolder mistral("qwen2.json", {{"chat_template",
                                           "{% for m in messages %}{% if m.role == 'user' %}[{% if loop.last and "
                                           "messages[0].role == 'system' %}{{ messages[0].content }}: {% endif %}"
                                           "{{ m.content }}]{% elif m.role == 'assistant' %}{{ m.content }}<|im_end|>"
                                           "{% endif %}{% endfor %}"}});
  const ChatForm form = ChatForm::of(mistral.open()).value();
  const ChatFollowUp next = form.follow_up({"And why?", "Be brief"}, -1, 0).value();
  CHECK(next.text == "<|im_end|>[Be brief: And why?]");
  CHECK(next.note.find("earlier turns") != std::string::npos);
}

Expected<std::vector<ChatPart>> parts_of(const ChatForm& form, std::span<const ChatMessage> messages) {
  std::vector<ChatPart> parts;
  NATSCOPE_CHECK(form.conversation(messages, 0, [&](const ChatPart& part) -> Expected<bool> {
    parts.push_back(part);
    return true;
  }));
  return parts;
}

TEST_CASE("a conversation is taken apart into what is said to the model and what it is to say") {
  const ChatFolder qwen("qwen2.json", {{"chat_template", marks_with_option}});
  const ChatForm form = ChatForm::of(qwen.open()).value();
  const std::vector<ChatMessage> talk{{"system", "Be brief."},
                                      {"user", "Who are you?"},
                                      {"assistant", "Alice."},
                                      {"user", "And why?"},
                                      {"assistant", "Who knows."}};
  const auto parts = parts_of(form, talk).value();
  REQUIRE(parts.size() == 4);
  CHECK(parts[0].text ==
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n"
        "<|im_start|>assistant\n");
  CHECK(parts[1].text == "Alice.<|im_end|>\n");
  CHECK(parts[2].text == "<|im_start|>user\nAnd why?<|im_end|>\n<|im_start|>assistant\n");
  CHECK(parts[3].text == "Who knows.<|im_end|>\n");
  for (std::size_t i = 0; i < parts.size(); ++i) CHECK(parts[i].is_answer == (i % 2 == 1));
  // One that ends with a question, and one without any answer, have nothing behind it to begin an answer.
  const auto asked = parts_of(form, std::span(talk).first(4)).value();
  REQUIRE(asked.size() == 3);
  CHECK(asked[2].text == "<|im_start|>user\nAnd why?<|im_end|>\n");
  CHECK(!parts_of(form, std::span(talk).first(2)).value().front().is_answer);
  CHECK(parts_of(form, {}).error().code == ErrorCode::bad_text);
  CHECK(parts_of(form, std::vector<ChatMessage>{{"user", "\xff"}}).error().code == ErrorCode::bad_text);
  // One that the assistant begins has nothing in front that it said.
  const auto begun = parts_of(form, std::span(talk).subspan(2, 1)).value();
  REQUIRE(begun.size() == 2);
  CHECK(begun[0].text == "<|im_start|>assistant\n");
  CHECK(!begun[0].is_answer);
  CHECK(begun[1].text == "Alice.<|im_end|>\n");
  CHECK(begun[1].is_answer);
  // No more is written than is wanted.
  int taken = 0;
  const auto stopped = form.conversation(talk, 0, [&](const ChatPart&) -> Expected<bool> { return ++taken < 2; });
  CHECK(stopped.has_value());
  CHECK(taken == 2);
  const ChatFolder silent("qwen2.json", {{"chat_template", ""}});
  CHECK(parts_of(ChatForm::of(silent.open()).value(), talk).value().empty());
  // Llama's beginning token is the tokenizer's; a template that rewrites what it said before cannot be cut.
  const ChatFolder llama("llama3.json", {{"bos_token", "<|begin|>"},
                                         {"chat_template",
                                          "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}<|eot|>"
                                          "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"}});
  const auto of_llama = parts_of(ChatForm::of(llama.open()).value(), std::span(talk).subspan(1, 2)).value();
  REQUIRE(of_llama.size() == 2);
  CHECK(of_llama[0].text == "[user]Who are you?<|eot|>[assistant]");
  CHECK(of_llama[1].text == "Alice.<|eot|>");
  const ChatFolder thinking("qwen2.json", {{"chat_template",
                                            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
                                            "{% if add_generation_prompt %}<assistant><think>{% endif %}"}});
  CHECK(parts_of(ChatForm::of(thinking.open()).value(), talk).error().message.find("otherwise") != std::string::npos);
}

TEST_CASE("published templates: an answer and what follows it are as in the whole conversation") {
  const char* const published = std::getenv("NATSCOPE_PUBLISHED_TEMPLATES");
  if (published == nullptr) return;
  int same = 0;
  int noted = 0;
  int refused = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(published)) {
    if (entry.path().extension() != ".jinja") continue;
    CAPTURE(entry.path().filename().string());
    const ChatFolder made(
        "qwen2.json", {{"chat_template", test::read_bytes(entry.path())}, {"bos_token", "<s>"}, {"eos_token", "</s>"}});
    const auto form = ChatForm::of(made.open());
    const auto whole = ChatTemplate::read(made.folder.path());
    if (!form || !whole) continue;
    const auto first = form->prompt({"Who are you?", {}}, 0);
    const auto next = form->follow_up({"And why?", {}}, -1, 0);
    const auto all = (*whole)->write(
        std::vector<ChatMessage>{{"user", "Who are you?"}, {"assistant", "A girl."}, {"user", "And why?"}}, 0);
    if (!first || !next || !all) {
      const auto& error = !next ? next.error() : !first ? first.error() : all.error();
      MESSAGE(entry.path().filename().string() << ": " << error.message);
      ++refused;
      continue;
    }
    if (!next->note.empty()) {
      MESSAGE(entry.path().filename().string() << ": " << next->note);
      ++noted;
      continue;
    }
    // Blanks in front of the answer are the model's to write.
    const std::string asked = first->prompt.substr(0, first->prompt.find_last_not_of(" \n\r\t") + 1);
    CHECK(all->starts_with(asked));
    const std::string end = next->end ? "</s>" : "";
    const std::string text = end + next->text;
    CHECK(all->ends_with(text));
    // Between them stands what the model said, and blanks round it.
    REQUIRE(asked.size() + text.size() + 7 <= all->size());
    const std::string said = all->substr(asked.size(), all->size() - asked.size() - text.size());
    CHECK(said.substr(said.find_first_not_of(" \n\r\t")).starts_with("A girl."));
    CHECK(said.find_last_not_of(" \n\r\t.") == said.find("girl") + 3);
    ++same;
  }
  MESSAGE(same << " are the same, of " << noted << " a note says that they are not, " << refused << " were refused");
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
