// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/text_that_fits.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/utf8.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

Tokenizer small_tokenizer() {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  if (!tokenizer) FAIL(format_error_line(tokenizer.error()));
  return *tokenizer;
}

TEST_CASE("as much of a text is taken as has so many tokens") {
  const Tokenizer tokenizer = small_tokenizer();
  const auto count = [&](std::string_view text) { return static_cast<std::int64_t>(tokenizer.encode(text)->size()); };
  std::string plain;
  for (int i = 0; i < 400; ++i) plain += i % 7 == 0 ? "a word " : "abc, é日本 and more\n";
  for (const std::string& text : {plain, std::string("a"), std::string(300, ' ') + plain, std::string("日本")}) {
    for (const std::int64_t most : {0, 1, 2, 3, 31, 32, 33, 997, 100000}) {
      CAPTURE(text.size());
      CAPTURE(most);
      const auto bytes = bytes_that_fit(tokenizer, text, most);
      REQUIRE(bytes);
      REQUIRE(*bytes <= text.size());
      CHECK(valid_utf8(std::string_view(text).substr(0, *bytes)));
      CHECK(count(std::string_view(text).substr(0, *bytes)) <= most);
      if (count(text) <= most) CHECK(*bytes == text.size());
      // One character more is too much, or the count is reached.
      if (*bytes == text.size()) continue;
      std::size_t more = *bytes + 1;
      while (more < text.size() && (static_cast<unsigned char>(text[more]) & 0xc0U) == 0x80U) ++more;
      const bool is_full = count(std::string_view(text).substr(0, *bytes)) == most;
      CHECK((is_full || count(std::string_view(text).substr(0, more)) > most));
    }
  }
  // They are the text's own first tokens: none is cut in two for the last one to fit.
  const std::vector<std::int32_t> ids = *tokenizer.encode(plain);
  for (std::int64_t most = 1; most < 64; ++most) {
    CAPTURE(most);
    const auto taken = *tokenizer.encode(std::string_view(plain).substr(0, *bytes_that_fit(tokenizer, plain, most)));
    REQUIRE(taken.size() <= ids.size());
    CHECK(std::equal(taken.begin(), taken.end(), ids.begin()));
  }
  CHECK(*bytes_that_fit(tokenizer, "", 5) == 0);
  CHECK_FALSE(bytes_that_fit(tokenizer, "\xff\xff\xff", 5));
}

}  // namespace
}  // namespace natscope
