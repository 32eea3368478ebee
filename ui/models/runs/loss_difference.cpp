// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/runs/loss_difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/explore/run_figures.h"
#include "core/export/loss_text.h"

namespace natscope::ui {
LossDifference::LossDifference(SequenceModel& sequence, QObject* parent) : QObject(parent), sequence_(sequence) {
  connect(&sequence_, &SequenceModel::restarted, this, &LossDifference::restart);
  connect(&sequence_, &SequenceModel::extended, this, &LossDifference::extend);
}

void LossDifference::setKept(const std::shared_ptr<const KeptRun>& kept) {
  if (kept == kept_) return;
  kept_ = kept;
  restart();
  if (!kept_) Q_EMIT changed();  // with one, extend() has said so
}

void LossDifference::restart() {
  differences_.clear();
  rangedAt_ = 0;
  sum_ = 0;
  compared_ = worse_ = better_ = 0;
  range_ = widest_shown_difference({});
  extend();
}

void LossDifference::extend() {
  if (!kept_) return;
  const SequenceRecord& now = sequence_.record();
  const SequenceRecord& kept = kept_->record;
  if (tokens() > now.size()) return restart();
  const std::int64_t common = common_beginning(now, kept, tokens());
  for (std::int64_t n = tokens(); n < common; ++n) {
    const TokenPos position(static_cast<std::int32_t>(n));
    const auto mine = token_loss(now.frame(position));
    const auto other = token_loss(kept.frame(position));
    const double difference = mine && other ? *mine - *other : std::numeric_limits<double>::quiet_NaN();
    differences_.push_back(static_cast<float>(difference));
    if (!mine || !other) continue;
    sum_ += difference;
    ++compared_;
    if (difference >= leastSaid) ++worse_;
    if (difference <= -leastSaid) ++better_;
  }
  // While single tokens come, a range that every one of them could move would cost all of them each time.
  if (differences_.size() > rangedAt_ + rangedAt_ / 50) findRange();
  Q_EMIT changed();
}

void LossDifference::findRange() {
  rangedAt_ = differences_.size();
  range_ = widest_shown_difference(differences_);
}

std::optional<double> LossDifference::at(TokenPos position) const {
  if (position.value < 0 || position.value >= tokens()) return std::nullopt;
  const float difference = differences_[static_cast<std::size_t>(position.value)];
  return std::isfinite(difference) ? std::optional(static_cast<double>(difference)) : std::nullopt;
}

std::optional<double> LossDifference::keptLoss(TokenPos position) const {
  if (!kept_ || position.value < 0 || position.value >= tokens()) return std::nullopt;
  return token_loss(kept_->record.frame(position));
}

std::optional<double> LossDifference::mean() const {
  return compared_ > 0 ? std::optional(sum_ / static_cast<double>(compared_)) : std::nullopt;
}

QString LossDifference::whyNone() const {
  if (!kept_) return tr("no run is kept (Ctrl+K keeps this one)");
  if (compared_ > 0) return {};
  if (sequence_.isEmpty()) return tr("no text yet");
  if (tokens() < 2) return tr("the kept run is of another text");
  return tr("this recording holds no probabilities: an earlier version made it");
}

}  // namespace natscope::ui
