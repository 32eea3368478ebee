// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <limits>
#include <string_view>

#include "core/base/utf8.h"
#include "core/protocol/framing.h"

/// One pass over CBOR bytes with a stack of its own: what the library behind decode() may then build without fear.
namespace natscope {
namespace {

enum Major : unsigned { unsigned_int, negative_int, byte_string, text_string, array, map, tag, simple };

Unexpected broken(std::string_view what, std::size_t at) {
  return fail(ErrorCode::protocol_error, "broken CBOR at byte " + std::to_string(at) + ": " + std::string(what));
}

/// A map or array whose end has not come yet.
struct Open {
  bool is_map = false;
  bool key_is_next = false;
  std::uint64_t items_left = 0;  // keys and values of a map, elements of an array
  std::vector<std::string_view> keys;
};

class Walk {
 public:
  Walk(std::span<const std::uint8_t> bytes, const CborLimits& limits) : bytes_(bytes), limits_(limits) {}

  Expected<void> run() {
    do {
      NATSCOPE_CHECK(item());
      NATSCOPE_CHECK(close_finished());
    } while (!stack_.empty());
    if (at_ != bytes_.size()) return broken("more bytes follow the message", at_);
    return {};
  }

 private:
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

  /// The number in an item's head, after its first byte.
  Expected<std::uint64_t> argument(unsigned info) {
    if (info < 24) return info;
    if (info > 27) return broken("an indefinite or reserved length", at_ - 1);
    const std::size_t size = std::size_t{1} << (info - 24);
    if (left() < size) return broken("the message ends inside a number", at_);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8U | bytes_[at_ + i];
    at_ += size;
    return value;
  }

  Expected<void> item() {
    if (left() == 0) return broken("the message ends too early", at_);
    if (++items_ > limits_.max_items) return broken("more values than a message may hold", at_);
    const unsigned head = bytes_[at_++];
    const unsigned major = head >> 5U;
    const unsigned info = head & 31U;
    const bool is_key = !stack_.empty() && stack_.back().key_is_next;
    if (!stack_.empty()) {
      --stack_.back().items_left;
      if (stack_.back().is_map) stack_.back().key_is_next = !is_key;
    }
    if (is_key && major != text_string) return broken("a key that is not text", at_ - 1);
    if (major == tag) return broken("a tag", at_ - 1);
    if (major == simple) return simple_value(info);

    NATSCOPE_TRY(const std::uint64_t value, argument(info));
    switch (major) {
      case negative_int:
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          return broken("a number below what 64 bits hold", at_);
        }
        return {};
      case byte_string:
      case text_string:
        return string(value, major == text_string, is_key);
      case array:
      case map:
        return open(value, major == map);
      default:
        return {};
    }
  }

  Expected<void> simple_value(unsigned info) {
    if (info >= 20 && info <= 22) return {};  // false, true, null
    if (info < 25 || info > 27) return broken("a simple value that means nothing here", at_ - 1);
    NATSCOPE_CHECK(argument(info));
    return {};
  }

  Expected<void> string(std::uint64_t length, bool is_text, bool is_key) {
    if (length > left()) return broken("a string longer than the message", at_);
    const std::string_view content(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    if (is_text && !valid_utf8(content)) return broken("a text that is not UTF-8", at_);
    if (is_key) stack_.back().keys.push_back(content);
    at_ += length;
    return {};
  }

  Expected<void> open(std::uint64_t length, bool is_map) {
    // Every element takes a byte at least, so a count over what is left is a lie.
    if (length > left() / (is_map ? 2 : 1)) return broken("more elements than the message has room for", at_);
    if (stack_.size() >= limits_.max_depth) return broken("nested too deep", at_);
    stack_.push_back({is_map, is_map && length > 0, is_map ? 2 * length : length, {}});
    return {};
  }

  Expected<void> close_finished() {
    while (!stack_.empty() && stack_.back().items_left == 0) {
      auto& keys = stack_.back().keys;
      std::sort(keys.begin(), keys.end());
      if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) return broken("a key that comes twice", at_);
      stack_.pop_back();
    }
    return {};
  }

  std::span<const std::uint8_t> bytes_;
  const CborLimits& limits_;
  std::size_t at_ = 0;
  std::size_t items_ = 0;
  std::vector<Open> stack_;
};

}  // namespace

Expected<void> check_cbor(std::span<const std::uint8_t> bytes, const CborLimits& limits) {
  return Walk(bytes, limits).run();
}

}  // namespace natscope
