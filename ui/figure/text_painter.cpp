// SPDX-License-Identifier: GPL-3.0-or-later
/// A text whose tokens are coloured by what became of them, as the window's text view draws it.
#include <algorithm>
#include <cmath>

#include "ui/figure/figure_painter.h"
#include "ui/figure/token_box.h"
#include "ui/figure/token_flow.h"

namespace natscope::ui {
namespace {

constexpr double textWidthOnPage = 450;
constexpr int fontSize = 9;
constexpr double margin = 10;
constexpr double titleHeight = 18;
constexpr double legendHeight = 22;
constexpr double sampleWidth = 22;
constexpr double smallestToken = 2;

TokenFlow flowOf(const FigureData& figure, const ColouredText& text) {
  TokenFlow flow(QFontMetricsF(figureFont(fontSize)), smallestToken);
  flow.setWidth(textWidthOnPage);
  for (std::int32_t position = text.range.begin; position < text.range.end; ++position)
    flow.append(QString::fromStdString(figure.token_texts[static_cast<std::size_t>(position)]));
  return flow;
}

RoleColours coloursOf(std::optional<Role> role, const FigureInk& ink) {
  const QColor colour = role ? QColor(toQRgb(role_colour(*role))) : QColor(ink.faint);
  return {colour, colour, QColor(ink.text), QColor(ink.faint)};
}

/// What a share is coloured in: no role's colour.
QColor shareColour(Theme theme) { return theme == Theme::light ? QColor(0x00, 0x5f, 0x9e) : QColor(0x5a, 0xb4, 0xf0); }

/// A token as it would look, and words beside it; returns where the next one begins.
double drawSample(QPainter& painter, QPointF at, const TokenLook& look, const QString& shown, const QString& words,
                  const FigureInk& ink) {
  const QRectF place(at, QSizeF(sampleWidth, TokenFlow(QFontMetricsF(figureFont(fontSize))).lineHeight()));
  painter.setFont(figureFont(fontSize));
  drawTokenBox(painter, place, {}, look);
  drawText(painter, boxOf(place).center(), shown, figureFont(fontSize - 1), look.text.rgb(), 0, 0);
  const QFont font = figureFont(fontSize - 1);
  drawText(painter, {place.right() + 4, boxOf(place).center().y()}, words, font, ink.text, -1, 0);
  return place.right() + 4 + textWidth(font, words) + 14;
}

void drawLegend(QPainter& painter, const ColouredText& text, Theme theme, const FigureInk& ink, QPointF at) {
  if (!text.head) {
    for (const int percent : {0, 25, 50, 75, 100}) {
      const QString words = percent == 0     ? QStringLiteral("held by no head")
                            : percent == 100 ? QStringLiteral("by all heads")
                                             : QStringLiteral("%1 %").arg(percent);
      at.setX(
          drawSample(painter, at, lookOfShare(percent / 100.0, shareColour(theme), QColor(ink.text)), {}, words, ink));
    }
    return;
  }
  if (text.roles.empty()) {
    const RoleColours colours = coloursOf({}, ink);
    at.setX(drawSample(painter, at, lookOfRole({}, true, colours), {}, QStringLiteral("held"), ink));
    drawSample(painter, at, lookOfRole({}, false, colours), {}, QStringLiteral("dropped by the end (H2O has no roles)"), ink);
    return;
  }
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    at.setX(drawSample(painter, at, lookOfRole(role, true, coloursOf(role, ink)),
                       QString(QLatin1Char(role_letter(role))), QLatin1String(role_name(role)), ink));
  }
  drawSample(painter, at, lookOfRole(Role::sliding, false, coloursOf(Role::sliding, ink)), QStringLiteral("S"),
             QStringLiteral("pale: dropped by the end"), ink);
}

}  // namespace

FigureLayout layOutText(const FigureData& figure, const ColouredText& text) {
  const TokenFlow flow = flowOf(figure, text);
  FigureLayout layout;
  layout.plot = QRectF(margin, margin + titleHeight, textWidthOnPage, flow.height());
  layout.legendY = layout.plot.bottom() + 10;
  layout.size = QSizeF(textWidthOnPage + 2 * margin, std::ceil(layout.legendY + legendHeight + margin));
  return layout;
}

void paintText(QPainter& painter, const FigureData& figure, const ColouredText& text, Theme theme,
               const FigureLayout& layout) {
  const FigureInk ink = inkOf(theme);
  const TokenFlow flow = flowOf(figure, text);
  for (std::size_t i = 0; i < flow.size(); ++i) {
    const QRectF place = flow.rectOf(i).translated(layout.plot.topLeft());
    const auto role = text.roles.empty() ? std::nullopt : std::optional(text.roles[i]);
    painter.setFont(figureFont(fontSize));
    drawTokenBox(painter, place, flow.shown(i),
                 text.head
                     ? lookOfRole(role, text.is_held[i] != 0, coloursOf(role, ink))
                     : lookOfShare(static_cast<double>(text.held_share[i]), shareColour(theme), QColor(ink.text)));
  }
  drawLegend(painter, text, theme, ink, {layout.plot.left(), layout.legendY});
}

}  // namespace natscope::ui
