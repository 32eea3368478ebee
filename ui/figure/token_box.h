// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QPainter>
#include <QRectF>
#include <QString>
#include <optional>

#include "core/export/colour_map.h"
#include "core/export/scale.h"

namespace natscope::ui {

/// How a token of a running text looks: a box behind it and a mark under it.
struct TokenLook {
  QColor fill;
  QColor mark;
  Qt::PenStyle markStyle = Qt::SolidLine;
  double markShare = 1;  ///< of the token's width
  QColor text;
};

/// In one head: in its role's colour, pale where the head has dropped it. The mark is solid (G, and where a policy has
/// no roles), dashed (L) or dotted (S), so that nobody has to tell colours apart.
struct RoleColours {
  QColor fill;
  QColor mark;
  QColor text;
  QColor paleText;
};
[[nodiscard]] TokenLook lookOfRole(std::optional<Role> role, bool isHeld, const RoleColours& colours);

/// Over all heads: the more of them hold it, the fuller the colour and the longer the mark. `share` 0 … 1.
[[nodiscard]] TokenLook lookOfShare(double share, QColor colour, QColor text);

/// Orange and blue: told apart with any kind of colour sight; the mark below says the same without colour.
struct LossColours {
  QColor worse;        ///< of losses, too
  QColor better;       ///< than in the compared run
  double most = 0.58;  ///< of the colour in the fullest box
  QColor text;
  QColor unknownText;
};
/// `text` and `unknownText` are whoever's who draws.
[[nodiscard]] LossColours lossColours(Theme theme, const QColor& text, const QColor& unknownText);

/// A token by its loss in nats: the larger, the fuller the colour and the longer the mark, from none at `range.low` on
/// to most at `range.high`. Plain where it is not known, which NaN says.
[[nodiscard]] TokenLook lookOfLoss(double loss, const ScaleRange& range, const LossColours& colours);

/// A token by the difference between two runs' losses in nats: one colour and a solid mark where it is predicted worse,
/// another and a dotted one where it is better; by its size as a loss.
[[nodiscard]] TokenLook lookOfLossDifference(double difference, const ScaleRange& range, const LossColours& colours);

/// The box inside a token's place in a text, above its mark.
[[nodiscard]] QRectF boxOf(const QRectF& place);

/// Draws with the painter's font into a place of TokenFlow's. The painter's layout direction is the token's.
void drawTokenBox(QPainter& painter, const QRectF& place, const QString& shown, const TokenLook& look);

}  // namespace natscope::ui
