// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace natscope::ui {

/// Which tokens a strip of the screen shows, left to right. All of them, until one zooms in.
class ColumnTransform {
 public:
  void setArea(double left, double width) {
    left_ = left;
    width_ = std::max(1.0, width);
    settle();
  }
  void setTokens(std::int64_t tokens) {
    tokens_ = tokens;
    settle();
  }

  [[nodiscard]] double scale() const { return scale_; }  ///< pixels a token
  [[nodiscard]] double xOf(double token) const { return left_ + (token - first_) * scale_; }
  [[nodiscard]] std::int64_t firstToken() const { return static_cast<std::int64_t>(first_); }
  [[nodiscard]] std::int64_t endToken() const {
    return std::min(tokens_, static_cast<std::int64_t>(std::ceil(first_ + width_ / scale_)));
  }
  [[nodiscard]] std::optional<std::int64_t> tokenAt(double x) const {
    const double token = std::floor((x - left_) / scale_ + first_);
    if (x < left_ || x >= left_ + width_ || token < 0 || token >= static_cast<double>(tokens_)) return std::nullopt;
    return static_cast<std::int64_t>(token);
  }

  /// The token under `x` stays under it.
  void zoomAt(double x, double factor) {
    const double fixed = (x - left_) / scale_ + first_;
    isWhole_ = scale_ * factor <= wholeScale() * (1 + 1e-9);
    scale_ = std::clamp(scale_ * factor, wholeScale(), std::max(largestScale, wholeScale()));
    first_ = fixed - (x - left_) / scale_;
    settle();
  }
  void pan(double pixels) {
    first_ -= pixels / scale_;
    settle();
  }
  /// Pans so that the token is in sight, in the middle where it was not.
  void reveal(std::int64_t token) {
    if (xOf(static_cast<double>(token)) >= left_ && xOf(static_cast<double>(token) + 1) <= left_ + width_) return;
    first_ = static_cast<double>(token) + 0.5 - width_ / scale_ / 2;
    settle();
  }
  void showWhole() {
    isWhole_ = true;
    settle();
  }

 private:
  static constexpr double largestScale = 48;
  static constexpr double largestWholeScale = 18;

  [[nodiscard]] double wholeScale() const {
    return tokens_ > 0 ? std::min(largestWholeScale, width_ / static_cast<double>(tokens_)) : 1.0;
  }
  void settle() {
    if (isWhole_) {
      scale_ = wholeScale();
      first_ = 0;
      return;
    }
    scale_ = std::max(scale_, wholeScale());
    first_ = std::clamp(first_, 0.0, std::max(0.0, static_cast<double>(tokens_) - width_ / scale_));
  }

  double left_ = 0;
  double width_ = 1;
  std::int64_t tokens_ = 0;
  double scale_ = 1;
  double first_ = 0;
  bool isWhole_ = true;
};

}  // namespace natscope::ui
