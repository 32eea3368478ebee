// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/io/safetensors.h"
#include "core/session/provenance.h"

/// Metadata strings and tensors of our own file kinds, read with every check. Private to core/session.
namespace natscope::session {

/// The whole of `text` as a number; nothing when anything else is in it.
template <class Number>
[[nodiscard]] std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// Whether it has no control characters in it, which no setting has.
[[nodiscard]] bool is_one_line(std::string_view text);

/// Reads keys that must be there. `code` is what every error has: bad_trace or bad_session.
class MetadataReader {
 public:
  MetadataReader(const Metadata& metadata, ErrorCode code) : metadata_(metadata), code_(code) {}

  [[nodiscard]] Expected<std::string> text(std::string_view key) const;
  [[nodiscard]] Unexpected malformed(std::string_view key, std::string_view value) const;

  template <class Number>
  [[nodiscard]] Expected<Number> number(std::string_view key, Number low = std::numeric_limits<Number>::lowest(),
                                        Number high = std::numeric_limits<Number>::max()) const {
    NATSCOPE_TRY(const std::string value, text(key));
    const auto parsed = number_in<Number>(value);
    if (!parsed || !(*parsed >= low && *parsed <= high)) return malformed(key, value);
    return *parsed;
  }

  /// Absent and empty alike are nothing.
  template <class Number>
  [[nodiscard]] Expected<std::optional<Number>> optional_number(std::string_view key, Number low, Number high) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end() || found->second.empty()) return std::optional<Number>{};
    NATSCOPE_TRY(const Number value, number<Number>(key, low, high));
    return std::optional<Number>(value);
  }

  /// The file must say `format` and a version that this program reads.
  [[nodiscard]] Expected<void> check_format(std::string_view format, std::string_view version) const;

 private:
  const Metadata& metadata_;
  ErrorCode code_;
};

/// The tensor with this dtype and shape (-1: any size). Errors: `code`, naming the tensor and what it should be.
[[nodiscard]] Expected<const TensorInfo*> expect_tensor(const SafetensorsFile& file, std::string_view name, DType dtype,
                                                        const std::vector<std::int64_t>& shape, ErrorCode code);

}  // namespace natscope::session
