// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

/// Random numbers from a seed that a failing test prints, and what they do to bytes.
namespace natscope::test {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// NATSCOPE_FUZZ_SEED, or another one every time.
inline std::uint64_t fuzz_seed() { return number_from_environment("NATSCOPE_FUZZ_SEED", std::random_device{}()); }

using Bytes = std::vector<std::uint8_t>;

/// A few bytes changed, put in, taken out or repeated.
inline void mutate(Bytes& bytes, std::mt19937_64& random) {
  static constexpr std::uint8_t telling[] = {0x00, 0x01, 0x17, 0x18, 0x1b, 0x3b, 0x5b, 0x5f, 0x7b, 0x7f, 0x80,
                                             0x9b, 0x9f, 0xa0, 0xbb, 0xbf, 0xc0, 0xf6, 0xf7, 0xfb, 0xff};
  for (std::uint64_t times = 1 + random() % 4; times > 0 && !bytes.empty(); --times) {
    const std::size_t at = random() % bytes.size();
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 5) {
      case 0:
        *place = static_cast<std::uint8_t>(random());
        break;
      case 1:
        *place = telling[random() % std::size(telling)];
        break;
      case 2:
        bytes.insert(place, telling[random() % std::size(telling)]);
        break;
      case 3:
        bytes.erase(place,
                    place + static_cast<std::ptrdiff_t>(std::min<std::size_t>(1 + random() % 8, bytes.size() - at)));
        break;
      case 4:
        *place ^= static_cast<std::uint8_t>(1U << random() % 8);
        break;
      default:
        break;
    }
  }
}

}  // namespace natscope::test
