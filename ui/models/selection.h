// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <optional>
#include <vector>

#include "core/explore/sequence_record.h"
#include "core/session/provenance.h"

namespace natscope::ui {

/// The one selection that every view follows: tokens, a query, a layer and a head.
///
/// Hovering previews, clicking pins, Shift-clicking adds, Esc clears. What views show is the preview, else the pin that
/// came last. Positions beyond the sequence never get in: `setLimits` says what there is, and drops what no longer is.
class Selection : public QObject {
  Q_OBJECT

 public:
  explicit Selection(QObject* parent = nullptr) : QObject(parent) {}

  /// What the model and the sequence have. Layer and head are kept where they still exist, else become 0.
  void setLimits(int layers, int heads, int kvHeads, qint64 tokens);

  [[nodiscard]] LayerId layer() const { return layer_; }
  [[nodiscard]] HeadId head() const { return head_; }
  [[nodiscard]] KvHeadId kvHead() const;
  [[nodiscard]] int layers() const { return layers_; }
  [[nodiscard]] int heads() const { return heads_; }
  [[nodiscard]] int kvHeads() const { return kvHeads_; }
  /// Every query head that there is, layer by layer.
  [[nodiscard]] std::vector<MapId> allHeads() const;

  /// The token (a key) that views show: the hovered one, else the last pinned one.
  [[nodiscard]] std::optional<TokenPos> token() const;
  /// The query that views show: the hovered one, else the pinned one.
  [[nodiscard]] std::optional<TokenPos> query() const;
  [[nodiscard]] const std::vector<TokenPos>& pinned() const { return pinned_; }
  [[nodiscard]] std::optional<TokenPos> pinnedQuery() const { return pinnedQuery_; }
  [[nodiscard]] bool isPinned(TokenPos position) const;

  /// Both at once; nothing happens where there is no such layer or head.
  void setLayerAndHead(LayerId layer, HeadId head);
  /// The same with the first query head that reads this KV head; the present one where that does already.
  void setLayerAndKvHead(LayerId layer, KvHeadId kvHead);
  /// To the head so many layers down and so many heads across; at an edge nothing happens.
  void move(int layers, int heads);
  void setLayer(LayerId layer);
  void setHead(HeadId head);
  void setKvHead(KvHeadId kvHead);  ///< as setLayerAndKvHead

  void hover(std::optional<TokenPos> token, std::optional<TokenPos> query = std::nullopt);
  /// Click: pins this token alone. Shift-click (`add`): adds it, or takes it away when it was pinned.
  void pin(TokenPos token, bool add = false);
  void pinQuery(std::optional<TokenPos> query);
  void clear();

 Q_SIGNALS:
  void changed();      ///< anything
  void headChanged();  ///< layer or head; comes before changed

 private:
  [[nodiscard]] bool exists(std::optional<TokenPos> position) const;

  int layers_ = 0;
  int heads_ = 0;
  int kvHeads_ = 0;
  qint64 tokens_ = 0;
  LayerId layer_;
  HeadId head_;
  std::optional<TokenPos> hovered_;
  std::optional<TokenPos> hoveredQuery_;
  std::optional<TokenPos> pinnedQuery_;
  std::vector<TokenPos> pinned_;
};

}  // namespace natscope::ui
