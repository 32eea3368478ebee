// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/sequence_model.h"

#include <cmath>
#include <limits>

#include "core/explore/lifeline.h"
#include "core/explore/run_figures.h"

namespace natscope::ui {

void SequenceModel::setSource(std::function<const SequenceRecord&()> source,
                              std::function<QString(std::int32_t token)> nameOf) {
  source_ = std::move(source);
  nameOf_ = std::move(nameOf);
  refresh(true);
}

const SequenceRecord& SequenceModel::record() const {
  static const SequenceRecord none;
  return source_ ? source_() : none;
}

const QString& SequenceModel::text(TokenPos position) const {
  static const QString none;
  const auto index = static_cast<std::size_t>(position.value);
  return position.value >= 0 && index < texts_.size() ? texts_[index] : none;
}

QString SequenceModel::name(TokenPos position) const {
  const QString& own = text(position);
  const bool isNamed = own.isEmpty() && nameOf_ && position.value >= 0 && position.value < size();
  return isNamed ? nameOf_(record().frame(position).token) : own;
}

bool SequenceModel::has(LayerId layer, KvHeadId kvHead) const {
  const CacheGeometry& geometry = record().geometry();
  return layer.value >= 0 && layer.value < geometry.layers && kvHead.value >= 0 && kvHead.value < geometry.kv_heads;
}

std::span<const Role> SequenceModel::roles(LayerId layer, KvHeadId kvHead) const {
  return has(layer, kvHead) ? record().roles(layer, kvHead) : std::span<const Role>();
}

std::span<const std::int32_t> SequenceModel::lastQuery(LayerId layer, KvHeadId kvHead) const {
  return has(layer, kvHead) ? record().last_query(layer, kvHead) : std::span<const std::int32_t>();
}

bool SequenceModel::isHeld(LayerId layer, KvHeadId kvHead, TokenPos position) const {
  const auto lastSeen = lastQuery(layer, kvHead);
  const auto index = static_cast<std::size_t>(position.value);
  // Held is what the next query could still see.
  return index < lastSeen.size() && lastSeen[index] >= size();
}

double SequenceModel::heldShare(TokenPos position) const { return held_share(record(), position); }

std::optional<double> SequenceModel::loss(TokenPos position) const {
  if (position.value < 0 || position.value >= size()) return std::nullopt;
  return token_loss(record().frame(position));
}

std::optional<double> SequenceModel::meanLoss(qint64 tokens) const {
  const auto end = static_cast<std::size_t>(std::max<qint64>(0, tokens));
  if (end < 2 || end > lossSums_.size() || !std::isfinite(lossSums_[end - 1])) return std::nullopt;
  return lossSums_[end - 1] / static_cast<double>(end - 1);
}

void SequenceModel::refresh(bool isRestarted) {
  const auto frames = record().frames();
  if (isRestarted || frames.size() < texts_.size()) {
    texts_.clear();
    lossSums_.clear();
  }
  for (std::size_t i = texts_.size(); i < frames.size(); ++i) {
    texts_.push_back(QString::fromStdString(frames[i].text));
    const double unknown = i == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
    lossSums_.push_back((i == 0 ? 0 : lossSums_[i - 1]) + token_loss(frames[i]).value_or(unknown));
  }
  if (isRestarted) {
    Q_EMIT restarted();
  } else {
    Q_EMIT extended();
  }
}

}  // namespace natscope::ui
