// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/map_transform.h"

#include <algorithm>
#include <cmath>

namespace natscope::ui {
namespace {

constexpr double largestScale = 64;

std::int64_t clampedCell(double cell, std::int64_t tokens) {
  return std::clamp(static_cast<std::int64_t>(cell), std::int64_t{0}, tokens);
}

}  // namespace

void MapTransform::setViewport(const QRectF& viewport, double stretch) {
  viewport_ = viewport;
  stretch_ = std::max(1.0, stretch);
  if (isWhole_)
    showWhole();
  else
    settle(emptyWhenWhole());
}

void MapTransform::setTokens(std::int64_t tokens) {
  tokens_ = tokens;
  if (isWhole_)
    showWhole();
  else
    settle(emptyWhenWhole());
}

double MapTransform::wholeScale() const {
  if (tokens_ <= 0 || viewport_.isEmpty()) return 1;
  return std::min({viewport_.width() / static_cast<double>(tokens_) / stretch_,
                   viewport_.height() / static_cast<double>(tokens_), largestScale});
}

void MapTransform::showWhole() {
  scale_ = wholeScale();
  origin_ = {0, 0};
  isWhole_ = true;
}

void MapTransform::zoomAt(QPointF at, double factor) {
  const QPointF fixed((at.x() - viewport_.left()) / scaleAcross() + origin_.x(),
                      (at.y() - viewport_.top()) / scale_ + origin_.y());
  const double smallest = wholeScale();
  scale_ = std::clamp(scale_ * factor, smallest, std::max(largestScale, smallest));
  origin_ = {fixed.x() - (at.x() - viewport_.left()) / scaleAcross(), fixed.y() - (at.y() - viewport_.top()) / scale_};
  isWhole_ = scale_ <= smallest * (1 + 1e-9);
  settle(emptyWhenWhole());
}

void MapTransform::pan(QPointF pixels) {
  const QPointF before = emptyNow();
  origin_ -= QPointF(pixels.x() / scaleAcross(), pixels.y() / scale_);
  settle(before);
}

void MapTransform::centreOn(const MapCell& cell) {
  origin_ = {static_cast<double>(cell.key) + 0.5 - viewport_.width() / scaleAcross() / 2,
             static_cast<double>(cell.query) + 0.5 - viewport_.height() / scale_ / 2};
  settle({});
}

QPointF MapTransform::emptyWhenWhole() const {
  const double covered = static_cast<double>(tokens_) * wholeScale();
  return {std::max(0.0, viewport_.width() - covered * stretch_) / scaleAcross(),
          std::max(0.0, viewport_.height() - covered) / scale_};
}

QPointF MapTransform::emptyNow() const {
  const auto tokens = static_cast<double>(tokens_);
  return {std::max(0.0, origin_.x() + viewport_.width() / scaleAcross() - tokens),
          std::max(0.0, origin_.y() + viewport_.height() / scale_ - tokens)};
}

void MapTransform::settle(QPointF past) {
  scale_ = std::max(scale_, wholeScale());
  const auto tokens = static_cast<double>(tokens_);
  const auto held = [tokens](double origin, double visible) {
    return std::clamp(origin, 0.0, std::max(0.0, tokens - visible));
  };
  origin_ = {held(origin_.x(), viewport_.width() / scaleAcross() - past.x()),
             held(origin_.y(), viewport_.height() / scale_ - past.y())};
}

QRectF MapTransform::rectOf(const MapCell& cell) const {
  return {xOf(static_cast<double>(cell.key)), yOf(static_cast<double>(cell.query)), scaleAcross(), scale_};
}

std::optional<MapCell> MapTransform::cellAt(QPointF at) const {
  if (!viewport_.contains(at)) return std::nullopt;
  const double key = std::floor((at.x() - viewport_.left()) / scaleAcross() + origin_.x());
  const double query = std::floor((at.y() - viewport_.top()) / scale_ + origin_.y());
  if (key < 0 || query < 0 || key >= static_cast<double>(tokens_) || query >= static_cast<double>(tokens_))
    return std::nullopt;
  return MapCell{static_cast<std::int64_t>(query), static_cast<std::int64_t>(key)};
}

std::int64_t MapTransform::firstKey() const { return clampedCell(std::floor(origin_.x()), tokens_); }
std::int64_t MapTransform::endKey() const {
  return clampedCell(std::ceil(origin_.x() + viewport_.width() / scaleAcross()), tokens_);
}
std::int64_t MapTransform::firstQuery() const { return clampedCell(std::floor(origin_.y()), tokens_); }
std::int64_t MapTransform::endQuery() const {
  return clampedCell(std::ceil(origin_.y() + viewport_.height() / scale_), tokens_);
}

int MapTransform::tileZoom(double devicePixelRatio) const {
  const double pixels = scale_ * devicePixelRatio;
  int zoom = 0;
  while (pixels * static_cast<double>(std::int64_t{1} << zoom) < 1 && zoom < 40) ++zoom;
  return zoom;
}

}  // namespace natscope::ui
