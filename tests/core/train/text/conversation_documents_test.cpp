// SPDX-License-Identifier: GPL-3.0-or-later
// Lines with messages become the tokens of a conversation, of which those count that the model is to say.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/train/text/document_set.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace natscope;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

constexpr const char* marks =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

/// A model's folder with that template, and what a run of so many tokens reads with it.
struct ChatData {
  explicit ChatData(const std::string& chat_template = marks) {
    test::TinyModel model(nlohmann::json{{"max_position_embeddings", 512}});
    model.write(folder.path());
    test::write_bytes(folder / "tokenizer_config.json",
                      nlohmann::json{{"chat_template", chat_template}, {"bos_token", "<s>"}}.dump());
    opened.emplace(ModelFolder::open(folder.path()).value());
  }
  [[nodiscard]] Expected<std::vector<Document>> read(const std::string& lines, std::int64_t length = 400) const {
    test::write_bytes(folder / "data.jsonl", lines);
    return read_documents(folder / "data.jsonl", {&opened->tokenizer(), opened->bos_id(), length, &*opened}, {});
  }

  TemporaryFolder folder;
  std::optional<ModelFolder> opened;
};

std::string text_of(const Tokenizer& tokenizer, std::span<const std::int32_t> tokens) {
  std::string text;
  for (const std::int32_t token : tokens) text += tokenizer.piece_bytes(token);
  return text;
}

/// The text whose tokens are predicted by positions that count.
std::string counted_text(const Tokenizer& tokenizer, const Document& document) {
  std::vector<std::int32_t> tokens;
  for (std::size_t at = 0; at + 1 < document.tokens.size(); ++at) {
    if (document.counted[at] != 0) tokens.push_back(document.tokens[at + 1]);
  }
  return text_of(tokenizer, tokens);
}

constexpr const char* talk =
    R"({"messages": [{"role": "system", "content": "be"}, {"role": "user", "content": "abc?"},
        {"role": "assistant", "content": "a cab", "weight": 1}, {"role": "user", "content": "why"},
        {"role": "assistant", "content": "dead"}], "id": 3, "prompt": "abc?"})";

std::string on_one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

}  // namespace

TEST_CASE("what the assistant says counts, with the marks that end it") {
  const ChatData data;
  const auto documents = data.read(on_one_line(talk) + "{\"text\": \"abc de\"}\n");
  REQUIRE_MESSAGE(documents.has_value(), (documents ? std::string() : format_error_line(documents.error())));
  REQUIRE(documents->size() == 2);
  const Document& first = documents->front();
  const Tokenizer& tokenizer = data.opened->tokenizer();
  REQUIRE(first.counted.size() == first.tokens.size());
  CHECK(first.tokens.front() == data.opened->bos_id());
  // The blank in front is the tokenizer's, of a text that begins.
  CHECK(text_of(tokenizer, first.tokens) == " system: be\nuser: abc?\nassistant: a cab\nuser: why\nassistant: dead\n");
  CHECK(counted_text(tokenizer, first) == "a cab\ndead\n");
  CHECK(first.bytes ==
        std::string_view(" system: be\nuser: abc?\nassistant: a cab\nuser: why\nassistant: dead\n").size());
  CHECK((*documents)[1].counted.empty());
}

TEST_CASE("a conversation that is too long loses its end, but not all answers") {
  const ChatData data;
  const std::int64_t whole = data.read(on_one_line(talk))->front().size();
  for (std::int64_t length = whole; length > 2; --length) {
    CAPTURE(length);
    const auto documents = data.read(on_one_line(talk), length);
    if (!documents) {
      CHECK(documents.error().message.find("no answer") != std::string::npos);
      continue;
    }
    CHECK(documents->front().size() == length);
    CHECK(std::string_view("a cab\ndead\n").starts_with(counted_text(data.opened->tokenizer(), documents->front())));
  }
  CHECK(!data.read(on_one_line(talk), 12).has_value());
}

TEST_CASE("of a question and its answer that are too long neither is lost") {
  const ChatData data;
  const auto sizes = [&](std::size_t prompt, std::size_t answer, std::int64_t length) {
    const nlohmann::json line{{"prompt", std::string(prompt, 'a')}, {"answer", std::string(answer, 'b')}};
    const auto documents = data.read(line.dump(), length);
    REQUIRE(documents.has_value());
    const std::string text = text_of(data.opened->tokenizer(), documents->front().tokens);
    CHECK(documents->front().size() <= length);
    return std::pair(std::ranges::count(text, 'a'), std::ranges::count(text, 'b'));
  };
  const auto [all_a, all_b] = sizes(20, 20, 400);
  CHECK(std::pair(all_a, all_b) == std::pair<std::ptrdiff_t, std::ptrdiff_t>(20, 20));
  for (const std::int64_t length : {8, 13, 30}) {
    CAPTURE(length);
    // A short question stays whole before a long answer, and a short answer behind a long question.
    CHECK(sizes(2, 300, length).first == 2);
    CHECK(sizes(300, 2, length).second == 2);
    const auto [a, b] = sizes(300, 300, length);
    CHECK(a > 0);
    CHECK(b > 0);
  }
}

TEST_CASE("what is no conversation is named with its line") {
  const ChatData data;
  for (const char* const bad :
       {R"({"messages": []})", R"({"messages": "a"})", R"({"messages": [{"role": "user"}]})",
        R"({"messages": [{"role": "user", "content": 7}]})", R"({"messages": [{"role": "user", "content": "a"}]})",
        R"({"messages": [1]})", R"({"messages": [{"role": "user", "content": "a"}], "answer": "b"})"}) {
    CAPTURE(bad);
    const auto read = data.read("{\"text\": \"abc\"}\n" + std::string(bad) + "\n");
    REQUIRE(!read.has_value());
    CHECK(read.error().code == ErrorCode::bad_data);
    CHECK_MESSAGE(read.error().message.find("line 2") != std::string::npos, read.error().message);
  }
  const ChatData rewriting(
      "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}");
  CHECK(rewriting.read(on_one_line(talk)).error().message.find("line 1") != std::string::npos);
  const ChatData raising("{{ raise_exception('no system') }}");
  CHECK(raising.read(on_one_line(talk)).error().message.find("no system") != std::string::npos);
  // A mark that the tokenizer reads as ordinary text is refused, whatever its code, with the line.
  const auto marked =
      data.read("{\"text\": \"abc\"}\n" + on_one_line(talk) +
                R"({"messages": [{"role": "user", "content": "a<unk>"}, {"role": "assistant", "content": "b"}]})");
  REQUIRE(!marked.has_value());
  CHECK(marked.error().code == ErrorCode::unsupported_tokenizer);
  CHECK(marked.error().message.find("line 3") != std::string::npos);
  const ChatData silent("");
  CHECK(silent.read(on_one_line(talk)).error().message.find("no answer") != std::string::npos);
  const ChatData short_of_words("{% for m in messages %}{% if m.role == 'assistant' %}a{% endif %}{% endfor %}");
  CHECK(short_of_words.read(on_one_line(talk))->front().size() >= 2);
  // A whole text beside them counts, as it did before there were messages.
  const auto text = data.read(R"({"messages": [{"role": "user", "content": "a"}], "text": "abc de"})").value();
  CHECK(text.front().counted.empty());
  test::write_bytes(data.folder / "tokenizer_config.json", "{}");
  CHECK(data.read(on_one_line(talk)).error().code == ErrorCode::bad_tokenizer);
}
