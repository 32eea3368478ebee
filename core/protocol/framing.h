// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/expected.h"

/// Frames on a byte stream: a 4-byte little-endian length, then that many bytes of one CBOR map (RFC 8949).
namespace natscope {

inline constexpr std::size_t frame_header_bytes = 4;

/// Longer frames are refused, by both ends and before a byte of them is kept.
inline constexpr std::size_t max_frame_bytes = std::size_t{64} << 20U;

/// What a CBOR text may ask of its reader. Checked over the bytes, before anything is built from them.
struct CborLimits {
  std::size_t max_depth = 16;
  std::size_t max_items = std::size_t{1} << 20U;  ///< values and keys in all; bulk data goes into byte strings
};

/// Whether `bytes` is exactly one CBOR item of definite lengths, UTF-8 texts and text keys without repeats, inside the
/// limits. Tags, indefinite lengths and undefined values are refused. Cost: one pass, no allocation that grows with
/// what a length claims. Errors: protocol_error.
[[nodiscard]] Expected<void> check_cbor(std::span<const std::uint8_t> bytes, const CborLimits& limits = {});

/// A payload with its length in front. Errors: protocol_error (empty, or over max_frame_bytes).
[[nodiscard]] Expected<std::vector<std::uint8_t>> frame_of(std::span<const std::uint8_t> payload);

/// Cuts a byte stream into frames. Holds only what has arrived: a length that promises more allocates nothing.
///
///   reader.feed(bytes);
///   while (true) {
///     auto frame = reader.next();
///     if (!frame) return frame.error();    // the stream is broken for good
///     if (!*frame) break;                  // more bytes are needed
///     handle(**frame);
///   }
///   at the end of the stream: reader.finish()
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_bytes = max_frame_bytes) : max_bytes_(max_bytes) {}

  void feed(std::span<const std::uint8_t> bytes);

  /// The payload of the next whole frame, or nothing yet. Errors: protocol_error (a length of 0 or over the limit);
  /// once it failed, it fails for ever.
  [[nodiscard]] Expected<std::optional<std::vector<std::uint8_t>>> next();

  /// Errors: protocol_error when the stream ended inside a frame.
  [[nodiscard]] Expected<void> finish() const;

  /// Bytes that have arrived and were not handed out.
  [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - begin_; }

 private:
  std::size_t max_bytes_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;  // first byte of buffer_ that was not handed out
  bool broken_ = false;
};

}  // namespace natscope
