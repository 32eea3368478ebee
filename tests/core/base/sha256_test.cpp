// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/sha256.h"

#include <doctest/doctest.h>

#include <string>

namespace natscope {
namespace {

TEST_CASE("the digests of FIPS 180's examples") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("pieces give the digest of the whole") {
  const std::string text(1000, 'a');
  for (const std::size_t cut : {0, 1, 63, 64, 65, 999, 1000}) {
    Sha256 hash;
    hash.update(std::string_view(text).substr(0, cut));
    hash.update(std::string_view(text).substr(cut));
    CHECK(hash.hex_digest() == sha256_hex(text));
  }
}

}  // namespace
}  // namespace natscope
