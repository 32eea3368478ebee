// SPDX-License-Identifier: GPL-3.0-or-later
// Published tokenizers against their own libraries, where there is a folder of them:
// tests/data/hf_tokenizers/compare_published.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/tokenizer/streaming_decoder.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

struct Differences {
  int cases = 0, tokens = 0, texts = 0, streams = 0;
  std::string first;
};

std::string streamed(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  StreamingDecoder decoder(tokenizer);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

Differences compare(const Tokenizer& tokenizer, const fs::path& cases) {
  Differences found;
  std::ifstream lines(cases);
  for (std::string line; std::getline(lines, line); ++found.cases) {
    const auto one = nlohmann::json::parse(line);
    const auto ids = one.at("ids").get<std::vector<std::int32_t>>();
    if (one.contains("text")) {
      const auto text = one.at("text").get<std::string>();
      const auto ours = tokenizer.encode(text);
      if (ours && *ours == ids) continue;
      if (++found.tokens == 1) found.first = text.substr(0, 200);
      continue;
    }
    const auto text = one.at("decoded").get<std::string>();
    const std::string ours = tokenizer.decode(ids).value();
    found.streams += streamed(tokenizer, ids) != ours;
    // What is no text is shown byte by byte there and in parts of characters here, or the other way round.
    found.texts += ours != text && text.find("\xEF\xBF\xBD") == std::string::npos;
  }
  return found;
}

TEST_CASE("published tokenizers do as their libraries do") {
  const char* const folder = std::getenv("NATSCOPE_PUBLISHED_TOKENIZERS");
  if (folder == nullptr) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".cases") continue;
    CAPTURE(entry.path().filename().string());
    const auto tokenizer = Tokenizer::load(entry.path().parent_path() / entry.path().stem());
    REQUIRE(tokenizer.has_value());
    const Differences found = compare(*tokenizer, entry.path());
    CAPTURE(found.first);
    CHECK(found.cases > 0);
    CHECK(found.tokens == 0);
    CHECK(found.texts == 0);
    CHECK(found.streams == 0);
  }
}

}  // namespace
}  // namespace natscope
