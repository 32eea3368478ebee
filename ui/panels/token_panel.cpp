// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/token_panel.h"

#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/explore/lifeline.h"
#include "ui/figure/token_label.h"
#include "ui/models/grouped_number.h"
#include "ui/models/runs/token_words.h"
#include "ui/theme/theme.h"
#include "ui/views/fitting_words.h"
#include "ui/views/named_token.h"
#include "ui/views/role_swatches.h"

namespace natscope::ui {
namespace {

constexpr double edge = 12;
constexpr double lineHeight = 17;
constexpr double leastPitch = 12;  // of the bars of scores
constexpr double leastCells = 12;  // of the roles in all heads
constexpr double leastPlot = 14;   // of who attends to it
constexpr double plotGap = 4;      // between it and the rows of words
constexpr int pauseMs = 90;
constexpr int wideEnough = 540;
constexpr std::array<double, 4> widthShares{0.22, 0.22, 0.28, 0.28};
constexpr std::size_t shownCandidates = 5;
constexpr std::size_t shownWeights = 4;

void setSize(QPainter& painter, int pixels, bool bold = false) {
  QFont font = painter.font();
  font.setPixelSize(pixels);
  font.setBold(bold);
  painter.setFont(font);
}

const ThemeColours& theme() { return ThemeSwitch::instance().colours(); }

/// Returns where it ends. Words that are longer than a line go on below, up to three; of several ways to say the same,
/// longest first, it is the first one that has room. What has none is cut after a line; where there is none, nothing is
/// said.
double drawHeading(QPainter& painter, const QRectF& area, const QStringList& choices, QColor colour = theme().muted) {
  constexpr int flags = Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap;
  constexpr double lead = 2;
  if (area.height() < lineHeight) return area.top();
  setSize(painter, 11);
  painter.setPen(colour);
  const QFontMetricsF metrics(painter.font());
  const double most = std::min(3 * metrics.lineSpacing() + lead, area.height());
  for (const QString& words : choices) {
    const double wanted = metrics.boundingRect(QRectF(0, 0, area.width(), 1000), flags, words).height() + lead;
    if (wanted > most) continue;
    const double height = std::max(wanted, lineHeight);
    painter.drawText(QRectF(area.left(), area.top() + lead, area.width(), height), flags, words);
    return area.top() + height;
  }
  painter.drawText(QRectF(area.left(), area.top() + lead, area.width(), lineHeight), Qt::AlignLeft | Qt::AlignTop,
                   longestFitting(choices, metrics, area.width()));
  return area.top() + lineHeight;
}

double drawHeading(QPainter& painter, const QRectF& area, const QString& words, QColor colour = theme().muted) {
  return drawHeading(painter, area, QStringList{words}, colour);
}

/// Three decimals, and of smaller weights two digits that count: in a long text all of them are small.
QString shortWeight(double weight) {
  if (weight < 1e-4) return QString::number(weight, 'g', 2);
  return QString::number(weight, 'f', std::max(3, 1 - static_cast<int>(std::floor(std::log10(weight)))));
}

/// Where the few largest weights stand, largest first.
std::vector<std::size_t> largest(const std::vector<float>& weights) {
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), shownWeights));
  std::partial_sort(order.begin(), end, order.end(),
                    [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  order.erase(end, order.end());
  order.shrink_to_fit();
  return order;
}

}  // namespace

TokenPanel::TokenPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent), workbench_(workbench), comparison_(comparison) {
  setAttribute(Qt::WA_OpaquePaintEvent);
  pause_.setSingleShot(true);
  pause_.setInterval(pauseMs);
  connect(&pause_, &QTimer::timeout, this, &TokenPanel::askForColumn);
  connect(&workbench_.selection(), &Selection::changed, this, &TokenPanel::follow);
  connect(&workbench_.sequence(), &SequenceModel::extended, this, qOverload<>(&QWidget::update));
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, [this] {
    column_.reset();
    update();
  });
  connect(&workbench_.client(), &EngineClient::finished, &pause_, qOverload<>(&QTimer::start));
  for (const auto has : {&EngineClient::analysed, &EngineClient::sequenceRestored})
    connect(&workbench_.client(), has, &pause_, qOverload<>(&QTimer::start));
  connect(&workbench_.sequence(), &SequenceModel::restarted, &pause_, qOverload<>(&QTimer::start));
  connect(&comparison_.losses(), &LossDifference::changed, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
}

void TokenPanel::follow() {
  // The cursor crosses many tokens: the engine is asked about the one that it rests on.
  pause_.start();
  update();
}

void TokenPanel::askForColumn() {
  const auto token = workbench_.selection().token();
  const std::int64_t size = workbench_.sequence().size();
  if (!token || token->value >= size || !workbench_.hasWeights()) return;
  WeightsRequestMessage request;
  request.layer = workbench_.selection().layer();
  request.head = workbench_.selection().head();
  request.first_key = *token;
  request.first_query = *token;
  request.keys = 1;
  request.queries = static_cast<std::int32_t>(size - token->value);
  workbench_.weights().look(request, [this](const Expected<WeightsMessage>& answer) {
    if (!answer) return;  // the window has already said why
    const WeightsRequestMessage& asked = answer->request;
    column_ = Column{asked.layer, asked.head, asked.first_key, answer->weights, largest(answer->weights)};
    update();
  });
}

QString TokenPanel::named(TokenPos token) const { return namedToken(workbench_.sequence(), token, 18); }

void TokenPanel::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  // Smoothed, the ground would end in a half pixel at a scale like 1.25, and what was there before would show through.
  painter.fillRect(rect(), theme().panel);
  painter.setRenderHint(QPainter::Antialiasing);
  const auto token = workbench_.selection().token();
  if (!token || token->value >= workbench_.sequence().size()) {
    rolesArea_ = {};
    painter.setPen(theme().muted);
    painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("Point at a token, or click one to keep it here.\nShift-click adds, Esc clears."));
    return;
  }
  const double top = drawTitle(painter, *token);
  // Side by side where there is room; else what happened to it on the left, what it meant on the right.
  const int columns = width() >= wideEnough ? 4 : 2;
  const double room = width() - (columns + 1) * edge;
  const auto column = [&](int index) {
    double left = edge * (index + 1);
    for (int i = 0; i < index; ++i) left += room * (columns == 4 ? widthShares[static_cast<std::size_t>(i)] : 0.5);
    const double share = columns == 4 ? widthShares[static_cast<std::size_t>(index)] : 0.5;
    return QRectF(left, top, room * share, height() - top - 6);
  };
  const auto below = [](const QRectF& area, double y) {
    return QRectF(area.left(), y, area.width(), area.bottom() - y);
  };
  const double scoresEnd = drawScores(painter, column(0), *token);
  drawRoles(painter, columns == 4 ? column(1) : below(column(0), scoresEnd), *token);
  const QRectF right = column(columns == 4 ? 2 : 1);
  const double alternativesEnd = drawAlternatives(painter, right, *token);
  drawColumn(painter, columns == 4 ? column(3) : below(right, alternativesEnd), *token);
}

std::array<QString, 2> TokenPanel::lossesOf(TokenPos token) const {
  return {lossWords(workbench_.sequence(), token), keptLossWords(comparison_.losses(), token)};
}

double TokenPanel::drawTitle(QPainter& painter, TokenPos token) {
  const SequenceRecord& record = workbench_.sequence().record();
  const TokenFrame& frame = record.frame(token);
  setSize(painter, 15, true);
  painter.setPen(theme().text);
  const QString name = named(token);
  painter.drawText(QRectF(edge, 6, width() - 2 * edge, 20), Qt::AlignLeft | Qt::AlignVCenter, name);
  const double nameWidth = painter.fontMetrics().horizontalAdvance(name);
  setSize(painter, 12);
  painter.setPen(theme().muted);
  const bool isFollowUp = std::ranges::any_of(workbench_.client().followUps(), [&](const TokenSpan& span) {
    return token.value >= span.first && token.value < span.end;
  });
  const bool isPrompt = token.value < workbench_.client().promptTokens();
  QString facts = frame.generated ? tr("generated")
                  : isFollowUp    ? tr("follow-up")
                  : isPrompt      ? tr("prompt")
                                  : tr("read again");
  facts += tr(", id %1").arg(frame.token);
  // How surprising it was stands beside it where there is room, else over what was likely in its place.
  lossesInTitle_ = 0;
  for (const QString& words : lossesOf(token)) {
    const QString more = words.isEmpty() ? facts : facts + QStringLiteral(", ") + words;
    if (painter.fontMetrics().horizontalAdvance(more) > width() - nameWidth - 2 * edge - 12) break;
    facts = more;
    ++lossesInTitle_;
  }
  const QRectF beside(edge + nameWidth + 12, 7, width() - nameWidth - 2 * edge - 12, 20);
  painter.drawText(beside, Qt::AlignLeft | Qt::AlignVCenter,
                   painter.fontMetrics().elidedText(facts, Qt::ElideRight, static_cast<int>(beside.width())));

  const Selection& selection = workbench_.selection();
  const auto life = lifeline_of(record, selection.layer(), selection.kvHead(), token);
  if (!life) return 32;
  const bool hasRoles = workbench_.sequence().hasRoles();
  const QRectF sign(edge, 31, 16, 16);
  if (hasRoles) {
    drawRoleSign(painter, sign, life->role, life->fate != EntryFate::held);
  } else {
    painter.fillRect(sign, heldFill(ThemeSwitch::instance().theme(), life->fate != EntryFate::held));
  }
  setSize(painter, 13);
  painter.setPen(theme().text);
  QString fate = QString::fromStdString(describe(*life, hasRoles));
  if (workbench_.analysedChanges().find(selection.layer(), selection.kvHead(), token) != nullptr)
    fate += tr(" (role set by hand)");
  const QString layer = QString::number(selection.layer().value);
  const QString kvHead = QString::number(selection.kvHead().value);
  const QStringList choices{tr("in layer %1, KV head %2: %3").arg(layer, kvHead, fate),
                            tr("L%1, KV %2: %3").arg(layer, kvHead, fate)};
  const QRectF line(edge + 23, 29, width() - 2 * edge - 23, 20);
  painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                   longestFitting(choices, painter.fontMetrics(), line.width()));
  return 56;
}

double TokenPanel::drawScores(QPainter& painter, const QRectF& area, TokenPos token) const {
  const auto scores = tokenScores(workbench_, token);
  if (!scores) {
    return drawHeading(painter, area,
                       workbench_.recording() ? tr("scores: none were recorded")
                                              : tr("scores: this model has no score layers")) +
           4;
  }
  const std::array<double, role_count>& biased = scores->scores;
  // In a low panel the bars come first, then closer to each other; two of the three would say something else.
  const QRectF heading = area.adjusted(0, 0, 0, -leastPitch * role_count);
  const double top = heading.height() < lineHeight ? area.top() : drawHeading(painter, heading, scores->headings);
  const double pitch = std::min(lineHeight, (area.bottom() - top) / role_count);
  if (pitch < leastPitch) return top;
  const double widest = std::max({std::abs(biased[0]), std::abs(biased[1]), std::abs(biased[2]), 1e-6});
  const double zero = area.left() + 20 + (area.width() - 78) / 2;
  for (int i = 0; i < role_count; ++i) {
    const double y = top + pitch * i;
    const auto role = static_cast<Role>(i);
    const double sign = std::min(14.0, pitch - 1);
    drawRoleSign(painter, QRectF(area.left(), y + (pitch - sign) / 2, sign, sign), role, false);
    const double length = biased[static_cast<std::size_t>(i)] / widest * (area.width() - 82) / 2;
    painter.fillRect(QRectF(std::min(zero, zero + length), y + pitch / 2 - 4, std::abs(length), 8),
                     roleFill(role, ThemeSwitch::instance().theme()));
    setSize(painter, 11);
    painter.setPen(theme().text);
    painter.drawText(QRectF(area.right() - 56, y, 56, pitch), Qt::AlignRight | Qt::AlignVCenter,
                     QString::number(biased[static_cast<std::size_t>(i)], 'f', 2));
  }
  painter.setPen(theme().border);
  painter.drawLine(QPointF(zero, top), QPointF(zero, top + pitch * role_count));
  return top + pitch * role_count + 8;
}

void TokenPanel::drawRoles(QPainter& painter, const QRectF& area, TokenPos token) {
  const SequenceRecord& record = workbench_.sequence().record();
  const CacheGeometry& geometry = record.geometry();
  if (area.height() < lineHeight + leastCells) {
    rolesArea_ = {};
    return;
  }
  const bool hasRoles = workbench_.sequence().hasRoles();
  const double top = drawHeading(painter, area.adjusted(0, 0, 0, -leastCells),
                                 (hasRoles ? tr("roles, held by %1") : tr("held by %1"))
                                     .arg(shareInWords(workbench_.sequence().heldShare(token))));
  const double room = area.bottom() - top;
  const double cell = std::min({22.0, room / geometry.layers, area.width() / geometry.kv_heads});
  rolesArea_ = QRectF(area.left(), top, std::min(area.width(), std::max(cell, 18.0) * geometry.kv_heads),
                      cell * geometry.layers);
  const double cellWidth = rolesArea_.width() / geometry.kv_heads;
  for (int layer = 0; layer < geometry.layers; ++layer) {
    for (int head = 0; head < geometry.kv_heads; ++head) {
      const Role role = record.roles(LayerId(layer), KvHeadId(head))[static_cast<std::size_t>(token.value)];
      const bool isHeld = workbench_.sequence().isHeld(LayerId(layer), KvHeadId(head), token);
      const QRectF square(rolesArea_.left() + head * cellWidth, rolesArea_.top() + layer * cell, cellWidth - 1,
                          cell - 1);
      if (!hasRoles)
        painter.fillRect(square, heldFill(ThemeSwitch::instance().theme(), !isHeld));
      else if (cell >= 9)
        drawRoleSign(painter, square, role, !isHeld);
      else
        painter.fillRect(square, roleFill(role, ThemeSwitch::instance().theme(), !isHeld));
    }
  }
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(theme().text, 1.5));
  const Selection& selection = workbench_.selection();
  painter.drawRect(QRectF(rolesArea_.left() + selection.kvHead().value * cellWidth,
                          rolesArea_.top() + selection.layer().value * cell, cellWidth - 1, cell - 1));
}

void TokenPanel::mousePressEvent(QMouseEvent* event) {
  if (!rolesArea_.contains(event->position())) return;
  const CacheGeometry& geometry = workbench_.sequence().record().geometry();
  const QPointF at = event->position() - rolesArea_.topLeft();
  workbench_.selection().setLayerAndKvHead(LayerId(static_cast<int>(at.y() / rolesArea_.height() * geometry.layers)),
                                           KvHeadId(static_cast<int>(at.x() / rolesArea_.width() * geometry.kv_heads)));
}

double TokenPanel::drawAlternatives(QPainter& painter, const QRectF& area, TokenPos token) const {
  const SequenceRecord& record = workbench_.sequence().record();
  static const std::vector<TokenCandidate> none;
  const auto& candidates = token.value > 0 ? record.frame(TokenPos(token.value - 1)).candidates : none;
  QRectF rest = area;
  const std::array<QString, 2> losses = lossesOf(token);
  for (std::size_t i = static_cast<std::size_t>(lossesInTitle_); i < losses.size(); ++i) {
    if (!losses[i].isEmpty()) rest.setTop(drawHeading(painter, rest, losses[i], theme().text));
  }
  if (!candidates.empty() && rest.height() < 2 * lineHeight) return rest.top();  // nor words over nothing
  const double top = drawHeading(painter, rest,
                                 token.value == 0     ? tr("the first token: nothing was predicted")
                                 : candidates.empty() ? tr("no alternatives were kept")
                                                      : tr("likeliest in its place"));
  // Whole rows only.
  const auto rows = static_cast<std::size_t>(std::max(0.0, (area.bottom() - top) / lineHeight));
  const std::size_t count = std::min({candidates.size(), shownCandidates, rows});
  for (std::size_t i = 0; i < count; ++i) {
    const double y = top + lineHeight * static_cast<double>(i);
    const bool isChosen = candidates[i].token == record.frame(token).token;
    setSize(painter, 12, isChosen);
    painter.setPen(isChosen ? theme().accent : theme().text);
    const QString words = (isChosen ? QStringLiteral("▸ ") : QString()) +
                          tokenLabelOfName(workbench_.client().tokenText(candidates[i].token), 14);
    painter.drawText(QRectF(area.left(), y, area.width() * 0.5, lineHeight), Qt::AlignLeft | Qt::AlignVCenter, words);
    const double share = static_cast<double>(candidates[i].probability);
    const QRectF room(area.left() + area.width() * 0.5, y + 4, area.width() * 0.5 - 46, 8);
    painter.fillRect(room, theme().raised);
    painter.fillRect(QRectF(room.topLeft(), QSizeF(room.width() * std::clamp(share, 0.0, 1.0), room.height())),
                     theme().accent);
    setSize(painter, 11);
    painter.setPen(theme().text);
    painter.drawText(QRectF(area.right() - 44, y, 44, lineHeight), Qt::AlignRight | Qt::AlignVCenter,
                     probabilityWords(share));
  }
  return top + lineHeight * static_cast<double>(count) + 8;
}

QString TokenPanel::whyNoColumn() const {
  const Selection& selection = workbench_.selection();
  const auto recording = workbench_.recording();
  if (recording && !recording->hasMap({selection.layer(), selection.head()})) return tr("not recorded");
  // While a text is read it is not the engine's yet, but soon.
  return workbench_.hasWeights() || workbench_.isRunning() ? QString() : tr("no engine has this text");
}

void TokenPanel::drawColumn(QPainter& painter, const QRectF& area, TokenPos token) const {
  const Selection& selection = workbench_.selection();
  if (area.height() < 2 * lineHeight) return;
  const QString heading = tr("who attends to it, head %1").arg(selection.head().value);
  if (const QString why = whyNoColumn(); !why.isEmpty()) {
    drawHeading(painter, area, tr("%1: %2").arg(heading, why));
    return;
  }
  const QRectF rest(QPointF(area.left(), drawHeading(painter, area, heading)), area.bottomRight());
  const bool isCurrent =
      column_ && column_->key == token && column_->layer == selection.layer() && column_->head == selection.head();
  if (!isCurrent || column_->weights.empty() || rest.height() < leastPlot) return;
  const std::vector<float>& weights = column_->weights;
  // Whole rows only, and those only where the line has room.
  const double rows = std::floor((rest.height() - leastPlot - plotGap) / lineHeight);
  const std::size_t best =
      std::min(static_cast<std::size_t>(std::clamp(rows, 0.0, double{shownWeights})), column_->best.size());

  // The whole column as a line, from the token to the end of the text.
  const double below = best > 0 ? lineHeight * static_cast<double>(best) + plotGap : 0;
  const QRectF plot(rest.topLeft(), QSizeF(rest.width(), rest.height() - below));
  painter.fillRect(plot, theme().raised);
  const float top = std::max(1e-9F, weights[column_->best.front()]);
  // Where a pixel has several tokens it has the largest of them: a long text makes no more bars than there are pixels.
  const auto bars = std::min(weights.size(), static_cast<std::size_t>(std::max(1.0, plot.width())));
  const double step = plot.width() / static_cast<double>(bars);
  for (std::size_t bar = 0; bar < bars; ++bar) {
    const auto at = [&](std::size_t end) {
      return weights.begin() + static_cast<std::ptrdiff_t>(end * weights.size() / bars);
    };
    const double height = static_cast<double>(*std::max_element(at(bar), at(bar + 1)) / top) * (plot.height() - 1);
    if (height > 0.3)
      painter.fillRect(QRectF(plot.left() + step * static_cast<double>(bar), plot.bottom() - height,
                              std::max(1.0, step - 0.4), height),
                       theme().accent);
  }
  for (std::size_t i = 0; i < best; ++i) {
    if (!(weights[column_->best[i]] > 0)) break;
    const double y = plot.bottom() + plotGap + lineHeight * static_cast<double>(i);
    setSize(painter, 12);
    painter.setPen(theme().text);
    painter.drawText(QRectF(area.left(), y, area.width() - 60, lineHeight), Qt::AlignLeft | Qt::AlignVCenter,
                     named(TokenPos(token.value + static_cast<std::int32_t>(column_->best[i]))));
    painter.drawText(QRectF(area.right() - 60, y, 60, lineHeight), Qt::AlignRight | Qt::AlignVCenter,
                     shortWeight(static_cast<double>(weights[column_->best[i]])));
  }
}

}  // namespace natscope::ui
