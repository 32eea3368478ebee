// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/selection.h"

#include <algorithm>

namespace natscope::ui {

void Selection::setLimits(int layers, int heads, int kvHeads, qint64 tokens) {
  const bool sameShape = layers == layers_ && heads == heads_ && kvHeads == kvHeads_;
  if (sameShape && tokens == tokens_) return;
  const bool shrinks = tokens < tokens_;
  layers_ = layers;
  heads_ = heads;
  kvHeads_ = kvHeads;
  tokens_ = tokens;
  if (shrinks) {
    if (!exists(hovered_)) hovered_.reset();
    if (!exists(hoveredQuery_)) hoveredQuery_.reset();
    if (!exists(pinnedQuery_)) pinnedQuery_.reset();
    std::erase_if(pinned_, [this](TokenPos position) { return !exists(position); });
  }
  if (!sameShape) {
    layer_ = layer_.value < layers_ ? layer_ : LayerId(0);
    head_ = head_.value < heads_ ? head_ : HeadId(0);
    Q_EMIT headChanged();
  }
  if (shrinks || !sameShape) Q_EMIT changed();
}

bool Selection::exists(std::optional<TokenPos> position) const {
  return position && position->value >= 0 && position->value < tokens_;
}

std::vector<MapId> Selection::allHeads() const {
  std::vector<MapId> all;
  for (int layer = 0; layer < layers_; ++layer) {
    for (int head = 0; head < heads_; ++head) all.push_back({LayerId(layer), HeadId(head)});
  }
  return all;
}

KvHeadId Selection::kvHead() const {
  return kvHeads_ > 0 && heads_ >= kvHeads_ ? kv_head_of(head_, heads_, kvHeads_) : KvHeadId(0);
}

std::optional<TokenPos> Selection::token() const {
  if (hovered_) return hovered_;
  if (!pinned_.empty()) return pinned_.back();
  return std::nullopt;
}

std::optional<TokenPos> Selection::query() const { return hoveredQuery_ ? hoveredQuery_ : pinnedQuery_; }

bool Selection::isPinned(TokenPos position) const {
  return std::find(pinned_.begin(), pinned_.end(), position) != pinned_.end();
}

void Selection::setLayer(LayerId layer) { setLayerAndHead(layer, head_); }
void Selection::setHead(HeadId head) { setLayerAndHead(layer_, head); }

void Selection::setKvHead(KvHeadId kvHead) { setLayerAndKvHead(layer_, kvHead); }

void Selection::setLayerAndKvHead(LayerId layer, KvHeadId kvHead) {
  const bool isRead = kvHeads_ == 0 || kvHead == this->kvHead();
  setLayerAndHead(layer, isRead ? head_ : HeadId(kvHead.value * (heads_ / kvHeads_)));
}

void Selection::move(int layers, int heads) {
  setLayerAndHead(LayerId(layer_.value + layers), HeadId(head_.value + heads));
}

void Selection::setLayerAndHead(LayerId layer, HeadId head) {
  if (layer.value < 0 || layer.value >= layers_ || head.value < 0 || head.value >= heads_) return;
  if (layer == layer_ && head == head_) return;
  layer_ = layer;
  head_ = head;
  Q_EMIT headChanged();
  Q_EMIT changed();
}

void Selection::hover(std::optional<TokenPos> token, std::optional<TokenPos> query) {
  if (!exists(token)) token.reset();
  if (!exists(query)) query.reset();
  if (token == hovered_ && query == hoveredQuery_) return;
  hovered_ = token;
  hoveredQuery_ = query;
  Q_EMIT changed();
}

void Selection::pin(TokenPos token, bool add) {
  if (!exists(token)) return;
  if (!add) {
    pinned_.assign(1, token);
  } else if (isPinned(token)) {
    std::erase(pinned_, token);
  } else {
    pinned_.push_back(token);
  }
  Q_EMIT changed();
}

void Selection::pinQuery(std::optional<TokenPos> query) {
  if (query && !exists(query)) return;
  if (query == pinnedQuery_) return;
  pinnedQuery_ = query;
  Q_EMIT changed();
}

void Selection::clear() {
  if (!hovered_ && !hoveredQuery_ && !pinnedQuery_ && pinned_.empty()) return;
  hovered_.reset();
  hoveredQuery_.reset();
  pinnedQuery_.reset();
  pinned_.clear();
  Q_EMIT changed();
}

}  // namespace natscope::ui
