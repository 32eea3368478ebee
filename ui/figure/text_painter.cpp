// SPDX-License-Identifier: GPL-3.0-or-later
/// A text whose tokens are coloured by what became of them or by their losses, as the window's text view draws it.
#include "ui/figure/text_painter.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_legends.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/legend.h"
#include "ui/figure/token_box.h"
#include "ui/figure/token_flow.h"

namespace natscope::ui {
namespace {

constexpr int fontSize = 9;
constexpr double titleHeight = 18;
constexpr double sampleWidth = 22;
constexpr double smallestToken = 2;
constexpr double sampleMiddle = 4;  // where a legend's words stand, below a sample's corner

PositionRange tokensOf(const FigureData& figure) {
  if (const auto* text = std::get_if<ColouredText>(&figure.values)) return text->range;
  return std::get<LossText>(figure.values).range;
}

TokenFlow flowOf(const FigureData& figure, double width) {
  TokenFlow flow(QFontMetricsF(figureFont(fontSize)), smallestToken);
  flow.setWidth(width);
  const PositionRange tokens = tokensOf(figure);
  for (std::int32_t position = tokens.begin; position < tokens.end; ++position)
    flow.append(QString::fromStdString(figure.token_texts[static_cast<std::size_t>(position)]));
  return flow;
}

RoleColours coloursOf(std::optional<Role> role, Theme theme) {
  const FigureInk ink = inkOf(theme);
  const QColor colour = role ? QColor(toQRgb(role_colour(*role, theme))) : QColor(ink.faint);
  return {colour, colour, QColor(ink.text), QColor(ink.faint)};
}

/// What a share is coloured in: no role's colour.
QColor shareColour(Theme theme) { return theme == Theme::light ? QColor(0x00, 0x5f, 0x9e) : QColor(0x5a, 0xb4, 0xf0); }

LossColours drawnLossColours(Theme theme) {
  const FigureInk ink = inkOf(theme);
  return lossColours(theme, QColor(ink.text), QColor(ink.faint));
}

/// A token as it would look, and words beside it.
LegendEntry sampleEntry(const TokenLook& look, const QString& shown, const QString& words, const QColor& outline = {}) {
  const auto draw = [look, shown, outline](QPainter& painter, QPointF at) {
    QRectF place(at, QSizeF(sampleWidth, TokenFlow(QFontMetricsF(figureFont(fontSize))).lineHeight()));
    place.translate(0, at.y() + sampleMiddle - boxOf(place).center().y());
    painter.setFont(figureFont(fontSize));
    drawTokenBox(painter, place, {}, look);
    if (outline.isValid()) {  // of what has no colour, too
      painter.setPen(QPen(outline, 0.5));
      painter.setBrush(Qt::NoBrush);
      painter.drawRoundedRect(boxOf(place), 2, 2);
    }
    drawText(painter, boxOf(place).center(), shown, figureFont(fontSize - 1), look.text.rgb(), 0, 0);
  };
  return {sampleWidth, draw, words};
}

std::vector<LegendEntry> rolesLegend(const ColouredText& text, const std::string& policy, Theme theme,
                                     const FigureInk& ink) {
  std::vector<LegendEntry> entries;
  if (!text.head) {
    for (const int percent : {0, 25, 50, 75, 100}) {
      const QString words = percent == 0     ? QStringLiteral("held by no head")
                            : percent == 100 ? QStringLiteral("by all heads")
                                             : QStringLiteral("%1 %").arg(percent);
      entries.push_back(sampleEntry(lookOfShare(percent / 100.0, shareColour(theme), QColor(ink.text)), {}, words));
    }
    return entries;
  }
  if (text.roles.empty()) {
    const RoleColours colours = coloursOf({}, theme);
    return {sampleEntry(lookOfRole({}, true, colours), {}, QStringLiteral("held")),
            sampleEntry(lookOfRole({}, false, colours), {}, droppedWords(policy))};
  }
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    entries.push_back(sampleEntry(lookOfRole(role, true, coloursOf(role, theme)),
                                  QString(QLatin1Char(role_letter(role))), QLatin1String(role_name(role))));
  }
  entries.push_back(sampleEntry(lookOfRole(Role::sliding, false, coloursOf(Role::sliding, theme)), QStringLiteral("S"),
                                QStringLiteral("pale: dropped by the end")));
  return entries;
}

QString nats(double value) { return QString::number(value, 'g', 3).replace(u'-', QChar(0x2212)); }

/// Samples from one end of the colours to the other, and what is not known.
/// `other`: what the compared run is called, where no title says it.
std::vector<LegendEntry> lossLegend(const LossText& text, const ScaleRange& range, Theme theme, const QString& other) {
  const LossColours colours = drawnLossColours(theme);
  std::vector<LegendEntry> entries;
  const double span = range.high - range.low;
  if (text.is_compared()) {
    const QString than = other.isEmpty() ? QString() : QStringLiteral(" than ") + other;
    for (const double level : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
      const double at = level == 0 ? 0 : std::copysign(range.low + std::abs(level) * span, level);
      const QString words = level == -1  ? QStringLiteral("≤ %1 nats: better") + than
                            : level == 1 ? QStringLiteral("≥ +%1 nats: worse") + than
                            : level > 0  ? QStringLiteral("+%1")
                                         : QStringLiteral("%1");
      entries.push_back(
          sampleEntry(lookOfLossDifference(at, range, colours), {}, words.arg(nats(at)), colours.unknownText));
    }
  } else {
    for (const double level : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      const double at = range.low + level * span;
      const QString words = level == 1                    ? QStringLiteral("≥ %1 nats")
                            : level == 0 && range.low > 0 ? QStringLiteral("≤ %1")
                                                          : QStringLiteral("%1");
      entries.push_back(sampleEntry(lookOfLoss(at, range, colours), {}, words.arg(nats(at)), colours.unknownText));
    }
  }
  const auto& losses = text.is_compared() ? text.other_losses : text.losses;
  if (std::ranges::none_of(losses, [](double loss) { return std::isnan(loss); })) return entries;
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  entries.push_back(sampleEntry(lookOfLoss(unknown, range, colours), QStringLiteral("abc"),
                                text.is_compared() ? QStringLiteral("not compared") : QStringLiteral("not known")));
  return entries;
}

/// How token `index` of the range looks.
std::function<TokenLook(std::size_t index)> lookOf(const FigureData& figure, const FigureOptions& options) {
  const FigureInk ink = inkOf(options.theme);
  if (const auto* losses = std::get_if<LossText>(&figure.values)) {
    const ScaleRange range = rangeOf(*losses, options.scale);
    return [losses, range, colours = drawnLossColours(options.theme)](std::size_t i) {
      return losses->is_compared() ? lookOfLossDifference(losses->difference(i), range, colours)
                                   : lookOfLoss(losses->losses[i], range, colours);
    };
  }
  const auto& text = std::get<ColouredText>(figure.values);
  return [&text, ink, theme = options.theme](std::size_t i) {
    const auto role = text.roles.empty() ? std::nullopt : std::optional(text.roles[i]);
    return text.head ? lookOfRole(role, text.is_held[i] != 0, coloursOf(role, theme))
                     : lookOfShare(static_cast<double>(text.held_share[i]), shareColour(theme), QColor(ink.text));
  };
}

}  // namespace

ScaleRange rangeOf(const LossText& text, const ScaleOptions& options) {
  if (options.range) return {options.range->low, options.range->high, ScaleKind::linear};
  return {0, text.is_compared() ? text.widest_difference : full_loss, ScaleKind::linear};
}

std::vector<LegendEntry> textLegend(const FigureData& figure, const FigureOptions& options) {
  if (const auto* losses = std::get_if<LossText>(&figure.values))
    return lossLegend(*losses, rangeOf(*losses, options.scale), options.theme,
                      options.title && losses->is_compared() ? shownRunName(figure, 1, options) : QString());
  return rolesLegend(std::get<ColouredText>(figure.values), figure.provenance.policy, options.theme,
                     inkOf(options.theme));
}

FigureLayout layOutText(const FigureData& figure, const FigureOptions& options) {
  const double width = plotWidth(options, page::textWidth, page::margin, page::margin);
  FigureLayout layout;
  layout.plot = QRectF(page::margin, page::margin + titleHeight, width, flowOf(figure, width).height());
  layout.legendY = layout.plot.bottom() + 14;
  return layout;
}

void paintText(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  const TokenFlow flow = flowOf(figure, layout.plot.width());
  const auto look = lookOf(figure, options);
  for (std::size_t i = 0; i < flow.size(); ++i) {
    const QRectF place = flow.rectOf(i).translated(layout.plot.topLeft());
    painter.setFont(figureFont(fontSize));
    painter.setLayoutDirection(flow.isReadFromRight(i) ? Qt::RightToLeft : Qt::LeftToRight);
    drawTokenBox(painter, place, flow.shown(i), look(i));
  }
  painter.setLayoutDirection(Qt::LayoutDirectionAuto);
}

}  // namespace natscope::ui
