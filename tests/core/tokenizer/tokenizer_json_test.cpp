// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.json files against what Hugging Face's tokenizers library made of the same texts (tests/data/hf_tokenizers),
// and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/small_file.h"
#include "core/base/utf8.h"
#include "core/tokenizer/streaming_decoder.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/processor_time.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const fs::path fixtures = fs::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers";
constexpr auto names = {"llama3", "qwen2", "gpt2", "llama2", "metaspace", "gemma", "deepseek", "falcon", "words"};

json read(const fs::path& path) {
  const auto text = read_small_file(path, 1 << 22);
  REQUIRE(text.has_value());
  return json::parse(*text);
}

Tokenizer load(const std::string& name) {
  auto tokenizer = Tokenizer::load(fixtures / (name + ".json"));
  if (!tokenizer) FAIL(format_error_line(tokenizer.error()));
  return *tokenizer;
}

std::vector<std::int32_t> ids_of(const json& list) { return list.get<std::vector<std::int32_t>>(); }

Expected<Tokenizer> loaded(const json& file) {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.json", file.dump());
  return Tokenizer::load(folder / "tokenizer.json");
}

TEST_CASE("texts have the tokens that Hugging Face's library gives them") {
  const json cases = read(fixtures / "cases.json").at("cases");
  for (const std::string name : names) {
    CAPTURE(name);
    const Tokenizer tokenizer = load(name);
    CHECK(tokenizer.format() == "huggingface");
    CHECK(tokenizer.model_type() == "bpe");
    for (const json& one : cases.at(name).at("texts")) {
      const auto text = one.at("text").get<std::string>();
      CAPTURE(text);
      const auto ids = tokenizer.encode(text);
      REQUIRE(ids.has_value());
      CHECK(*ids == ids_of(one.at("ids")));
    }
  }
}

TEST_CASE("marks in added tokens are blanks, too") {
  // Gemma's file lists its runs of blanks among them.
  json file = read(fixtures / "gemma.json");
  std::int32_t next = 0;
  for (const json& one : file["model"]["vocab"]) next = std::max(next, one.get<std::int32_t>() + 1);
  for (const json& one : file["added_tokens"]) next = std::max(next, one.at("id").get<std::int32_t>() + 1);
  file["added_tokens"].push_back({{"id", next}, {"content", "▁▁▁▁▁"}, {"normalized", false}, {"special", false}});
  const auto tokenizer = loaded(file);
  REQUIRE(tokenizer.has_value());
  const std::int32_t letter = tokenizer->encode("a").value().back();
  // As tokenizers 0.23.3 has it.
  CHECK(tokenizer->decode(std::vector<std::int32_t>{letter, next, letter}).value() == "a     a");
}

TEST_CASE("the token in front of texts is the one that the file puts there") {
  const json cases = read(fixtures / "cases.json").at("cases");
  for (const std::string name : names) {
    CAPTURE(name);
    const Tokenizer tokenizer = load(name);
    std::vector<std::int32_t> front;
    if (tokenizer.bos_id()) front.push_back(*tokenizer.bos_id());
    CHECK(front == ids_of(cases.at(name).at("front")));
    CHECK(tokenizer.decides_bos() == tokenizer.bos_id().has_value());  // none of them has an empty template
  }
}

TEST_CASE("tokens have the text that Hugging Face's library gives them, in one piece and streamed") {
  const json cases = read(fixtures / "cases.json").at("cases");
  for (const std::string name : names) {
    CAPTURE(name);
    const Tokenizer tokenizer = load(name);
    for (const json& one : cases.at(name).at("decoded")) {
      const auto ids = ids_of(one.at("ids"));
      CAPTURE(one.dump());
      const auto text = tokenizer.decode(ids);
      REQUIRE(text.has_value());
      // Of byte pieces that are no text, that library replaces the whole run; here what is text in it stays.
      if ((name != "llama2" && name != "gemma") ||
          one.at("text").get<std::string>().find("\xEF\xBF\xBD") == std::string::npos)
        CHECK(*text == one.at("text").get<std::string>());
      StreamingDecoder decoder(tokenizer);
      std::string streamed;
      for (const std::int32_t id : ids) {
        const std::string part = decoder.push(id);
        CHECK(valid_utf8(part));
        streamed += part;
      }
      CHECK(streamed + decoder.finish() == *text);
    }
  }
}

TEST_CASE("text comes back as it was, where nothing normalizes it") {
  for (const std::string name : {"llama3", "llama2"}) {
    CAPTURE(name);
    const Tokenizer tokenizer = load(name);
    for (const std::string text : {"  two  blanks", "naïve 日本語 🙂\n", "x\x01\ty", " a"}) {
      CAPTURE(text);
      CHECK(tokenizer.decode(tokenizer.encode(text).value()).value() == text);
    }
  }
}

TEST_CASE("pieces say what they are") {
  const Tokenizer tokenizer = load("qwen2");
  const auto ids = tokenizer.encode("Queen<|im_start|>\xE6\x97").error();
  CHECK(ids.code == ErrorCode::bad_text);  // not UTF-8
  const auto special = tokenizer.encode("<|im_start|>").value();
  REQUIRE(special.size() == 1);
  CHECK(tokenizer.kind(special[0]) == PieceKind::control);
  CHECK(tokenizer.piece_bytes(special[0]).empty());
  CHECK(tokenizer.display(special[0]) == "<|im_start|>");
  const auto word = tokenizer.encode("Queen").value();
  REQUIRE(word.size() == 1);
  CHECK(tokenizer.kind(word[0]) == PieceKind::user_defined);
  CHECK(tokenizer.piece_bytes(word[0]) == "Queen");
  const auto bytes = tokenizer.encode("日").value();
  REQUIRE(bytes.size() > 1);
  CHECK(tokenizer.display(bytes[0]).starts_with("<0xE6>"));
  CHECK(tokenizer.display(tokenizer.encode("\n").value()[0]) == "\\n");
  CHECK(tokenizer.display(tokenizer.size()) == "<id " + std::to_string(tokenizer.size()) + ">");
  CHECK(tokenizer.unk_id() == -1);
  CHECK(load("llama2").unk_id() == 0);
}

TEST_CASE("the beginning of a long text has the tokens of the whole") {
  std::string text;
  for (int i = 0; text.size() < 60'000; ++i)
    text += std::string(i % 7 == 0 ? "  " : " ") + (i % 5 == 0 ? "Alice's" : "was") + (i % 11 == 0 ? ",\n" : "") +
            std::to_string(i);
  text += std::string(30'000, 'x');
  for (int i = 0; i < 4000; ++i) text += " began to";
  for (const std::string name : names) {
    CAPTURE(name);
    const Tokenizer tokenizer = load(name);
    const auto whole = tokenizer.encode(text).value();
    for (const std::int64_t least : {0, 100, 3000, 12'345, 1'000'000}) {
      const auto beginning = tokenizer.encode_beginning(text, least).value();
      CHECK(static_cast<std::int64_t>(beginning.size()) >= std::min(least, static_cast<std::int64_t>(whole.size())));
      CHECK(std::equal(beginning.begin(), beginning.end(), whole.begin(),
                       whole.begin() + static_cast<std::ptrdiff_t>(std::min(beginning.size(), whole.size()))));
    }
  }
}

struct Broken {
  const char* what;
  const char* fixture;
  ErrorCode code;
  std::function<void(json&)> change;
};

TEST_CASE("what a file asks for and is not done here is refused, and so is what is broken") {
  const auto unsupported = ErrorCode::unsupported_tokenizer, bad = ErrorCode::bad_tokenizer;
  const auto pattern = [](const char* text) {
    return [text](json& file) { file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = text; };
  };
  for (const Broken& broken : std::vector<Broken>{
           {"another model", "llama3", unsupported, [](json& f) { f["model"]["type"] = "Unigram"; }},
           {"dropout", "llama3", unsupported, [](json& f) { f["model"]["dropout"] = 0.1; }},
           {"a suffix of words", "llama3", unsupported, [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }},
           {"lower case", "qwen2", unsupported,
            [](json& f) {
              f["normalizer"] = {{"type", "Lowercase"}};
            }},
           {"a replaced pattern", "llama2", unsupported,
            [](json& f) {
              f["normalizer"]["normalizers"][1]["pattern"] = {{"Regex", " "}};
            }},
           {"another pre-tokenizer", "llama3", unsupported,
            [](json& f) {
              f["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
            }},
           {"another behavior", "llama3", bad,
            [](json& f) { f["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Sideways"; }},
           {"a cut at nothing", "gemma", bad, [](json& f) { f["pre_tokenizer"]["pattern"]["String"] = ""; }},
           {"bytes of bytes", "llama3", unsupported,
            [](json& f) {
              json& steps = f["pre_tokenizer"]["pretokenizers"];
              steps.push_back(steps.back());
            }},
           {"a class intersection", "llama3", unsupported, pattern("[\\p{L}&&[a-z]]+")},
           {"a class in a class", "llama3", unsupported, pattern("[a[bc]]+")},
           {"an option that is another one there", "llama3", unsupported, pattern("(?m:.+)")},
           {"an option in the middle", "llama3", unsupported, pattern("a(?i)b|c")},
           {"what is not of a word, among others", "llama3", unsupported, pattern("[\\W\\p{L}]+")},
           {"a property that is known there alone", "llama3", unsupported, pattern("\\p{Print}+")},
           {"the beginning of a text", "llama3", unsupported, pattern("\\A.")},
           {"hexadecimal digits", "llama3", unsupported, pattern("\\h+")},
           {"an open group", "llama3", bad, pattern("(a")},
           {"another decoder", "llama3", unsupported,
            [](json& f) {
              f["decoder"] = {{"type", "WordPiece"}};
            }},
           {"a decoder that does not fit", "llama3", unsupported, [](json& f) { f["decoder"] = nullptr; }},
           {"a token behind texts", "llama2", unsupported,
            [](json& f) {
              f["post_processor"]["single"].push_back({{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}});
            }},
           {"a token in front that is none", "llama2", bad,
            [](json& f) { f["post_processor"]["special_tokens"]["<s>"]["ids"] = {100'000}; }},
           {"words that stand alone", "qwen2", unsupported,
            [](json& f) { f["added_tokens"][0]["single_word"] = true; }},
           {"an id twice", "llama3", bad, [](json& f) { f["model"]["vocab"]["zzz"] = 5; }},
           {"an id below 0", "llama3", bad, [](json& f) { f["model"]["vocab"]["zzz"] = -1; }},
           {"an id beyond all sense", "llama3", bad, [](json& f) { f["model"]["vocab"]["zzz"] = 2'000'000'000; }},
           {"an id that is no number", "llama3", bad, [](json& f) { f["model"]["vocab"]["zzz"] = "5"; }},
           {"a merge of nothing", "llama3", bad, [](json& f) { f["model"]["merges"].push_back("qqqq zzzz"); }},
           {"a merge of three", "llama3", bad, [](json& f) { f["model"]["merges"].push_back("a b c"); }},
           {"an added token with a piece's id", "llama3", bad, [](json& f) { f["added_tokens"][0]["id"] = 7; }},
           {"an unknown piece", "llama2", bad, [](json& f) { f["model"]["unk_token"] = "<nothing>"; }},
           {"no model", "llama3", bad, [](json& f) { f.erase("model"); }},
           {"a list", "llama3", bad, [](json& f) { f = json::array(); }},
           {"a piece of 10 kB", "llama3", bad, [](json& f) { f["model"]["vocab"][std::string(10'000, 'z')] = 5000; }},
           {"an added token of 10 kB", "llama3", bad,
            [](json& f) { f["added_tokens"][0]["content"] = std::string(10'000, 'z'); }},
           {"a mark of 1 kB for every blank", "metaspace", bad,
            [](json& f) { f["pre_tokenizer"]["replacement"] = std::string(1000, 'z'); }},
           {"a hundred normalizers", "qwen2", bad,
            [](json& f) {
              f["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::vector<json>(100, {{"type", "NFC"}})}};
            }},
           {"a hundred pre-tokenizers", "llama3", bad,
            [](json& f) {
              json& parts = f["pre_tokenizer"]["pretokenizers"];
              const json first = parts[0];
              for (int i = 0; i < 100; ++i) parts.insert(parts.begin(), first);
            }},
           {"sequences in sequences", "llama3", bad,
            [](json& f) {
              for (int i = 0; i < 20; ++i)
                f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array({f["pre_tokenizer"]})}};
            }},
       }) {
    CAPTURE(broken.what);
    json file = read(fixtures / (std::string(broken.fixture) + ".json"));
    broken.change(file);
    const auto tokenizer = loaded(file);
    REQUIRE_FALSE(tokenizer.has_value());
    CHECK(tokenizer.error().code == broken.code);
    CHECK(tokenizer.error().message.find("tokenizer.json: ") != std::string::npos);
  }
  CHECK(Tokenizer::load("/nowhere/tokenizer.json").error().code == ErrorCode::missing_tokenizer);
}

TEST_CASE("a pattern that never ends is given up") {
  json file = read(fixtures / "llama3.json");
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(x+x+)+[yz]";
  const auto tokenizer = loaded(file);
  REQUIRE(tokenizer.has_value());
  const auto ids = tokenizer->encode(std::string(5000, 'x'));
  REQUIRE_FALSE(ids.has_value());
  CHECK(ids.error().code == ErrorCode::bad_text);
}

TEST_CASE("a pattern that takes long for every word of a text is given up, too") {
  json file = read(fixtures / "llama3.json");
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "x*x*x*y|x| ";
  const auto tokenizer = loaded(file);
  REQUIRE(tokenizer.has_value());
  // The cube of a word's length for each of its letters: 0.4 million steps at once, and 10 million for the word.
  std::string text;
  for (int i = 0; i < 20; ++i) text += std::string(130, 'x') + ' ';
  CHECK(tokenizer->encode(text.substr(0, 20)).has_value());
  const auto ids = tokenizer->encode(text);
  REQUIRE_FALSE(ids.has_value());
  CHECK(ids.error().code == ErrorCode::bad_text);
  CHECK(ids.error().hint.find("tokenizer.json") != std::string::npos);
}

TEST_CASE("a normalizer cannot make a text grow without measure") {
  const auto normalized_by = [](const std::vector<json>& parts) {
    json file = read(fixtures / "llama3.json");
    file["normalizer"] = {{"type", "Sequence"}, {"normalizers", parts}};
    return loaded(file);
  };
  const auto replace = [](const std::string& from, const std::string& to) {
    return json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  const json prepend = {{"type", "Prepend"}, {"prepend", std::string(2'000'000, 'y')}};
  const std::string text(5000, 'x');
  CHECK(normalized_by(std::vector<json>(5, replace("x", "xx")))->encode(text).has_value());
  for (const auto& [times, part] :
       {std::pair(12, replace("x", "xx")), std::pair(1, replace("x", std::string(500, 'y'))), std::pair(1, prepend)}) {
    const auto tokenizer = normalized_by(std::vector<json>(static_cast<std::size_t>(times), part));
    REQUIRE(tokenizer.has_value());
    const auto ids = tokenizer->encode(text);
    REQUIRE_FALSE(ids.has_value());
    CHECK(ids.error().code == ErrorCode::bad_text);
  }
  // The parts between added tokens grow together, not each by as much as a text may.
  const auto grows = normalized_by({json{{"type", "Prepend"}, {"prepend", std::string(40'000, 'y')}}});
  const std::string added = read(fixtures / "llama3.json")["added_tokens"][0]["content"];
  CHECK(grows->encode("a").has_value());
  CHECK(grows->encode("a" + added + "a").error().code == ErrorCode::bad_text);
  // An added token is normalized when the file is read.
  json file = read(fixtures / "qwen2.json");
  file["normalizer"] = prepend;
  CHECK(loaded(file).error().code == ErrorCode::bad_tokenizer);
}

TEST_CASE("the beginning of a text that is replaced over a blank has the tokens of the whole") {
  json file = read(fixtures / "llama3.json");
  file["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "n t"}}}, {"content", "q"}};
  const auto tokenizer = loaded(file);
  REQUIRE(tokenizer.has_value());
  std::string text;
  while (text.size() < 40'000) text += "began tobegan to";
  const auto whole = tokenizer->encode(text).value();
  const auto beginning = tokenizer->encode_beginning(text, 100).value();
  REQUIRE(beginning.size() >= 100);
  CHECK(std::equal(beginning.begin(), beginning.end(), whole.begin()));
}

TEST_CASE("a token of blanks behind one that takes blanks is still found") {
  json file = read(fixtures / "qwen2.json");
  const auto mask = std::find_if(file["added_tokens"].begin(), file["added_tokens"].end(),
                                 [](const json& token) { return token.at("content") == "<mask>"; });
  REQUIRE(mask != file["added_tokens"].end());
  REQUIRE(mask->at("rstrip") == true);
  const auto first = mask->at("id").get<std::int32_t>();
  std::int32_t next = 1000;
  for (const char* const text : {"\t of", "\n"}) {
    file["added_tokens"].push_back({{"id", next++}, {"content", text}, {"normalized", false}, {"special", false}});
  }
  const auto tokenizer = loaded(file);
  REQUIRE(tokenizer.has_value());
  const std::int32_t letter = tokenizer->encode("x").value().at(0);
  CHECK(tokenizer->encode("<mask>\t of<mask>\nx").value() ==
        std::vector<std::int32_t>{first, 1000, first, 1001, letter});
}

TEST_CASE("of added tokens that begin alike the longest is taken, however many there are") {
  json file = read(fixtures / "qwen2.json");
  std::int32_t next = 0;
  for (const json& token : file["added_tokens"]) next = std::max(next, token.at("id").get<std::int32_t>() + 1);
  const std::int32_t first = next;
  const auto add = [&](const std::string& text) {
    file["added_tokens"].push_back({{"id", next++}, {"content", text}, {"normalized", false}, {"special", true}});
  };
  for (const char* const text : {"日b", "日", "日bcd", "旧b"}) add(text);
  for (int i = 0; i < 20'000; ++i) add("x" + std::to_string(i) + ">");
  const auto tokenizer = loaded(file);
  REQUIRE_MESSAGE(tokenizer.has_value(), tokenizer.error().message);
  CHECK(tokenizer->encode("日bcd日bc日旧bx19999>x7>").value() ==
        std::vector<std::int32_t>{first + 2, first, tokenizer->encode("c").value()[0], first + 1, first + 3,
                                  first + 4 + 19'999, first + 4 + 7});
  const std::string text(100'000, 'x');
  const double seconds = test::processor_seconds_of([&] { CHECK(tokenizer->encode(text).has_value()); });
  CHECK(seconds < 3);  // not every token at every letter
}

TEST_CASE("merges may be written as pairs, and pieces without a merge stay apart") {
  json file = read(fixtures / "llama3.json");
  const auto expected = loaded(file)->encode("the beginning of it").value();
  json pairs = json::array();
  for (const json& merge : file["model"]["merges"]) {
    if (merge.is_array()) {
      pairs.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      const auto text = merge.get<std::string>();
      pairs.push_back({text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
    }
  }
  file["model"]["merges"] = pairs;
  CHECK(loaded(file)->encode("the beginning of it").value() == expected);
  file["model"]["merges"] = json::array();
  file["model"]["ignore_merges"] = false;
  CHECK(loaded(file)->encode("the beginning").value().size() == 13);
}

}  // namespace
}  // namespace natscope
