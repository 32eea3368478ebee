// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/framing.h"

namespace natscope {
namespace {

std::size_t length_of(const std::uint8_t* header) {
  return std::size_t{header[0]} | std::size_t{header[1]} << 8U | std::size_t{header[2]} << 16U |
         std::size_t{header[3]} << 24U;
}

}  // namespace

Expected<std::vector<std::uint8_t>> frame_of(std::span<const std::uint8_t> payload) {
  if (payload.empty()) return fail(ErrorCode::protocol_error, "an empty frame cannot be sent");
  if (payload.size() > max_frame_bytes) {
    return fail(ErrorCode::protocol_error, "a message of " + std::to_string(payload.size()) +
                                               " bytes is longer than a frame may be (" +
                                               std::to_string(max_frame_bytes) + ")");
  }
  std::vector<std::uint8_t> frame;
  frame.reserve(frame_header_bytes + payload.size());
  for (unsigned shift = 0; shift < 32; shift += 8) {
    frame.push_back(static_cast<std::uint8_t>(payload.size() >> shift & 0xffU));
  }
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

void FrameReader::feed(std::span<const std::uint8_t> bytes) {
  if (broken_) return;
  // What was handed out is dropped once it outweighs the rest, so that long streams are not moved byte by byte.
  if (begin_ > 0 && begin_ >= buffer_.size() - begin_) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    // A large frame's memory is given back when only crumbs are left.
    if (buffer_.capacity() > (std::size_t{1} << 20U) && buffer_.size() < (std::size_t{1} << 16U))
      buffer_.shrink_to_fit();
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Expected<std::optional<std::vector<std::uint8_t>>> FrameReader::next() {
  if (broken_) return fail(ErrorCode::protocol_error, "the stream broke off at an impossible frame length");
  if (buffered_bytes() < frame_header_bytes) return std::optional<std::vector<std::uint8_t>>{};
  const std::size_t length = length_of(buffer_.data() + begin_);
  if (length == 0 || length > max_bytes_) {
    broken_ = true;
    buffer_ = {};
    begin_ = 0;
    return fail(ErrorCode::protocol_error, length == 0
                                               ? std::string("a frame has length 0")
                                               : "a frame claims " + std::to_string(length) +
                                                     " bytes, more than the limit of " + std::to_string(max_bytes_));
  }
  if (buffered_bytes() - frame_header_bytes < length) return std::optional<std::vector<std::uint8_t>>{};
  const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_ + frame_header_bytes);
  std::optional<std::vector<std::uint8_t>> frame(std::in_place, first, first + static_cast<std::ptrdiff_t>(length));
  begin_ += frame_header_bytes + length;
  return frame;
}

Expected<void> FrameReader::finish() const {
  if (broken_ || buffered_bytes() == 0) return {};
  return fail(ErrorCode::protocol_error,
              "the stream ended inside a frame, " + std::to_string(buffered_bytes()) + " bytes after its beginning");
}

}  // namespace natscope
