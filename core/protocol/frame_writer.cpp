// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/frame_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "core/base/log.h"
#include "core/protocol/framing.h"

namespace natscope::protocol {

bool FrameWriter::send(const Envelope& request, Message answer) {
  return send(Envelope{request.id, request.generation, std::move(answer)});
}

bool FrameWriter::send(const Envelope& envelope) {
  auto payload = encode(envelope);
  if (!payload) {
    log(LogLevel::error, payload.error().message);
    if (std::holds_alternative<ErrorMessage>(envelope.message)) return false;
    return send(envelope, ErrorMessage{payload.error()});
  }
  const auto frame = frame_of(*payload);
  if (!frame) return false;  // encode() holds the same limit
  const std::lock_guard lock(mutex_);
  if (is_closed_ || is_lost_) return false;
  if (write_all(*frame)) return true;
  is_lost_ = true;
  if (!is_closed_) on_lost_();
  return false;
}

void FrameWriter::close() {
  is_closed_ = true;  // before the lock: a write that waits for its reader gives up
  const std::lock_guard lock(mutex_);
}

bool FrameWriter::write_all(const std::vector<std::uint8_t>& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (!wait_until_writable()) return false;
    // A pipe that is writable takes this much without blocking, so no writer ever hangs inside the system.
    const std::size_t piece = std::min<std::size_t>(bytes.size() - done, PIPE_BUF);
    const ssize_t written = ::write(descriptor_, bytes.data() + done, piece);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return true;
}

bool FrameWriter::wait_until_writable() {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    pollfd wanted{descriptor_, POLLOUT, 0};
    const int ready = ::poll(&wanted, 1, 100);
    if (ready < 0 && errno != EINTR) return false;
    // Regular files and writable pipes alike: an error shows itself in the write.
    if (ready > 0) return (wanted.revents & POLLNVAL) == 0;
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    const std::int64_t patience = patience_ms_;
    if (is_closed_ || (patience >= 0 && waited.count() > patience)) return false;
  }
}

}  // namespace natscope::protocol
