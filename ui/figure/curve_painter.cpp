// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/curve_painter.h"

#include <QPainterPath>
#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/cache_colours.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_legends.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/legend.h"

namespace natscope::ui {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;
constexpr double kibibyte = 1024.0;
constexpr double million = 1e6;
constexpr double finestStep = 0.25;  // points between stretches of a curve
constexpr double tickRoom = 36;      // points that a position below the axis takes
constexpr double sampleLine = 18;

struct Line {
  QString name;
  Qt::PenStyle style = Qt::SolidLine;
  QRgb colour = 0;
  std::vector<double> values;  ///< after token 0, 1, …
  std::size_t first = 0;       ///< known from here on
  std::size_t run = 0;         ///< of the figure's
};

struct Curve {
  QString unit;
  std::vector<Line> lines;
  double top = 0;
  double longest = 1;
};

constexpr std::pair<Qt::PenStyle, QRgb> comparedLooks[most_compared] = {
    {Qt::DashDotLine, keptColour}, {Qt::DotLine, qRgb(0xe6, 0x9f, 0x00)}, {Qt::DashDotDotLine, qRgb(0x77, 0x66, 0x22)}};

std::vector<double> scaled(const std::vector<std::int64_t>& bytes, double unit) {
  std::vector<double> values(bytes.size());
  std::transform(bytes.begin(), bytes.end(), values.begin(),
                 [unit](std::int64_t b) { return static_cast<double>(b) / unit; });
  return values;
}

std::vector<double> entriesOf(const KvCurve& curve) {
  const auto heads = static_cast<std::ptrdiff_t>(curve.layers) * curve.kv_heads;
  std::vector<double> live;
  for (std::ptrdiff_t step = 0; step < curve.length; ++step) {
    const auto first = curve.entries.begin() + step * heads;
    live.push_back(static_cast<double>(std::accumulate(first, first + heads, std::int64_t{0})));
  }
  return live;
}

/// Which steps a curve is drawn through. Of a long run, where a line is thicker than many steps are wide, of each of
/// `stretches` the first, the last, the least and the largest: the same picture, in a file that grows no more.
std::vector<std::size_t> drawnSteps(std::span<const double> values, std::size_t stretches) {
  constexpr std::size_t most = 4;  // of a stretch
  std::vector<std::size_t> steps;
  if (values.size() <= most * stretches) {
    steps.resize(values.size());
    std::iota(steps.begin(), steps.end(), std::size_t{0});
    return steps;
  }
  for (std::size_t stretch = 0; stretch < stretches; ++stretch) {
    const std::size_t first = stretch * values.size() / stretches;
    const std::size_t end = (stretch + 1) * values.size() / stretches;
    const auto place = [&](std::size_t at) { return values.begin() + static_cast<std::ptrdiff_t>(at); };
    const auto [least, largest] = std::minmax_element(place(first), place(end));
    std::array<std::size_t, most> some{first, static_cast<std::size_t>(least - values.begin()),
                                       static_cast<std::size_t>(largest - values.begin()), end - 1};
    std::ranges::sort(some);
    steps.insert(steps.end(), some.begin(), std::ranges::unique(some).begin());
  }
  return steps;
}

/// A run of the figure: its own, then those beside it.
struct Run {
  const KvCurve& curve;
  const Provenance& provenance;
  Qt::PenStyle style;
  QRgb colour;
};

std::vector<Run> runsOf(const FigureData& figure) {
  std::vector<Run> runs{{std::get<KvCurve>(figure.values), figure.provenance, Qt::SolidLine, liveColour}};
  for (std::size_t i = 0; i < figure.compared.size(); ++i) {
    const auto& [style, colour] = comparedLooks[i % std::size(comparedLooks)];
    runs.push_back({figure.compared[i].curve, figure.compared[i].provenance, style, colour});
  }
  return runs;
}

bool areOfOneShape(const Run& a, const Run& b) {
  return a.curve.layers == b.curve.layers && a.curve.kv_heads == b.curve.kv_heads;
}

/// As far as the files say.
bool haveOneModel(const Run& a, const Run& b) {
  const std::string& one = a.provenance.model_sha256;
  const std::string& other = b.provenance.model_sha256;
  return areOfOneShape(a, b) && (one.empty() || other.empty() || one == other);
}

/// What tells the models of several runs apart, which a file does not name: their shapes, else their weights. Empty
/// where they are one.
QString modelOf(const Run& run, const std::vector<Run>& runs) {
  constexpr std::size_t digits = 8;
  if (std::ranges::all_of(runs, [&](const Run& each) { return haveOneModel(each, runs.front()); })) return {};
  const bool isShapeEnough =
      std::ranges::all_of(runs, [&](const Run& each) { return haveOneModel(each, run) || !areOfOneShape(each, run); });
  if (isShapeEnough) return QStringLiteral("%1 layers, %2 KV heads").arg(run.curve.layers).arg(run.curve.kv_heads);
  return QStringLiteral("model ") + QString::fromStdString(run.provenance.model_sha256.substr(0, digits));
}

/// What full attention holds for each token.
std::int64_t denseOfToken(const KvCurve& curve, bool isInBytes) {
  return isInBytes ? curve.dense_bytes.front() : std::int64_t{curve.layers} * curve.kv_heads;
}

std::vector<double> denseOf(const KvCurve& curve, bool isInBytes, double unit) {
  if (isInBytes) return scaled(curve.dense_bytes, unit);
  std::vector<double> values;
  for (std::int64_t step = 1; step <= curve.length; ++step)
    values.push_back(static_cast<double>(step * curve.layers * curve.kv_heads));
  return values;
}

/// A dashed line for each size that the dense cache has: of one model's runs one, in grey; of several in their colours.
void addDense(Curve& result, const std::vector<Run>& runs, bool isInBytes, double unit) {
  std::vector<const Run*> sizes;
  for (const Run& run : runs) {
    const auto isSame = [&](const Run* other) {
      return denseOfToken(other->curve, isInBytes) == denseOfToken(run.curve, isInBytes);
    };
    if (std::ranges::none_of(sizes, isSame)) sizes.push_back(&run);
  }
  for (const Run* const run : sizes) {
    const bool isAlone = sizes.size() == 1;
    QString name = QStringLiteral("dense (full attention)");
    if (!isAlone) {
      // One model's entries differ in size where it ran in different types.
      const QString model = modelOf(*run, runs);
      name += QStringLiteral(", ") + (model.isEmpty() ? QString::fromStdString(run->provenance.dtype) : model);
    }
    result.lines.push_back(
        {name, Qt::DashLine, isAlone ? denseColour : run->colour, denseOf(run->curve, isInBytes, unit)});
  }
}

/// The line of what was allocated, which within a prompt is not known: the first begins where it ends, a later one
/// keeps what there was before it.
Line allocatedLine(const KvCurve& curve, double unit) {
  Line line{QStringLiteral("allocated"), Qt::DotLine, allocatedColour, scaled(curve.allocated_bytes, unit)};
  while (line.first < line.values.size() && line.values[line.first] == 0) ++line.first;
  for (std::size_t i = line.first + 1; i < line.values.size(); ++i) {
    if (line.values[i] == 0) line.values[i] = line.values[i - 1];
  }
  return line;
}

/// In percent of the dense cache of each step, which needs no line of its own.
void makeShares(Curve& curve, const std::vector<Run>& runs, bool isInBytes, double unit) {
  for (Line& line : curve.lines) {
    for (std::size_t i = 0; i < line.values.size(); ++i)
      line.values[i] *=
          100 * unit /
          (static_cast<double>(i + 1) * static_cast<double>(denseOfToken(runs[line.run].curve, isInBytes)));
  }
  curve.unit = QStringLiteral("% of full attention");
}

/// In bytes where they are known of every run, else in entries; or in percent.
Curve linesOf(const FigureData& figure, const FigureOptions& options) {
  const std::vector<Run> runs = runsOf(figure);
  const KvCurve& curve = runs.front().curve;
  Curve result;
  const bool isInBytes = std::ranges::none_of(
      runs, [](const Run& run) { return run.curve.live_bytes.empty() || run.curve.dense_bytes.empty(); });
  const bool isSmall = isInBytes && std::ranges::all_of(runs, [](const Run& run) {
                         return run.curve.dense_bytes.back() < static_cast<std::int64_t>(2 * mebibyte);
                       });
  const double unit = isSmall ? kibibyte : mebibyte;
  result.unit = !isInBytes ? QStringLiteral("entries") : isSmall ? QStringLiteral("KiB") : QStringLiteral("MiB");
  if (!options.cacheAsShare) addDense(result, runs, isInBytes, unit);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    QString name = QStringLiteral("live");
    if (runs.size() > 1) name += QStringLiteral(", ") + shownRunName(figure, i, options);
    if (const QString model = modelOf(run, runs); !model.isEmpty()) name += QStringLiteral(", ") + model;
    result.lines.push_back(
        {name, run.style, run.colour, isInBytes ? scaled(run.curve.live_bytes, unit) : entriesOf(run.curve)});
    result.lines.back().run = i;
  }
  if (isInBytes && runs.size() == 1 && !curve.allocated_bytes.empty())
    result.lines.push_back(allocatedLine(curve, unit));
  if (options.cacheAsShare) makeShares(result, runs, isInBytes, isInBytes ? unit : 1);
  for (const Line& line : result.lines) {
    for (const double value : std::span(line.values).subspan(line.first)) result.top = std::max(result.top, value);
    result.longest = std::max(result.longest, static_cast<double>(line.values.size()));
  }
  if (isInBytes || options.cacheAsShare || result.top < million) return result;
  result.unit = QStringLiteral("million entries");
  result.top /= million;
  for (Line& line : result.lines) {
    for (double& value : line.values) value /= million;
  }
  return result;
}

/// The levels of the value axis, and how their numbers look.
std::vector<double> levelsOf(const Curve& curve) { return valueTicks(curve.top, 5); }
QString levelText(double level) { return QString::number(level, 'g', 6); }
QFont tickFont() { return figureFont(7); }

QPen penOf(const Line& line) { return {QColor(line.colour), 1.4, line.style, Qt::FlatCap, Qt::RoundJoin}; }

}  // namespace

std::vector<LegendEntry> curveLegend(const FigureData& figure, const FigureOptions& options) {
  std::vector<LegendEntry> entries;
  for (const Line& line : linesOf(figure, options).lines) {
    const auto draw = [pen = penOf(line)](QPainter& painter, QPointF at) {
      painter.setPen(pen);
      painter.drawLine(at + QPointF(0, 4), at + QPointF(sampleLine, 4));
    };
    entries.push_back({sampleLine, draw, line.name, !figure.compared.empty()});  // runs have long names
  }
  return entries;
}

double curveLabelsWidth(const FigureData& figure, const FigureOptions& options) {
  double widest = 0;
  for (const double level : levelsOf(linesOf(figure, options)))
    widest = std::max(widest, textWidth(tickFont(), levelText(level)));
  return widest;
}

void paintCurve(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  const FigureInk ink = inkOf(options.theme);
  const Curve lines = linesOf(figure, options);
  const QRectF& plot = layout.plot;
  const std::vector<double> levels = levelsOf(lines);
  const double steps = lines.longest;
  const auto pointAt = [&](double tokens, double value) {
    return QPointF(plot.left() + tokens / steps * plot.width(), plot.bottom() - value / levels.back() * plot.height());
  };
  QColor grid(ink.faint);
  grid.setAlphaF(0.35F);
  for (const double level : levels) {
    painter.setPen(QPen(grid, 0.4));
    painter.drawLine(pointAt(0, level), pointAt(steps, level));
    drawText(painter, pointAt(0, level) - QPointF(5, 0), levelText(level), tickFont(), ink.text, 1, 0);
  }
  for (const std::int64_t tick :
       positionTicks(0, static_cast<std::int64_t>(steps) + 1, std::min(9, static_cast<int>(plot.width() / tickRoom)))) {
    const QPointF at = pointAt(static_cast<double>(tick), 0);
    painter.setPen(QPen(QColor(ink.faint), 0.5));
    painter.drawLine(at, at + QPointF(0, 3));
    drawText(painter, at + QPointF(0, 5), QString::number(tick), tickFont(), ink.text, 0, -1);
  }
  painter.setPen(QPen(QColor(ink.faint), 0.5));
  painter.setBrush(Qt::NoBrush);
  painter.drawLine(plot.topLeft(), plot.bottomLeft());
  painter.drawLine(plot.bottomLeft(), plot.bottomRight());

  for (const Line& line : lines.lines) {
    QPainterPath path;
    const std::span known = std::span(line.values).subspan(line.first);
    for (const std::size_t i : drawnSteps(known, static_cast<std::size_t>(plot.width() / finestStep))) {
      const QPointF at = pointAt(static_cast<double>(line.first + i + 1), known[i]);
      if (path.elementCount() == 0)
        path.moveTo(at);
      else
        path.lineTo(at);
    }
    painter.setPen(penOf(line));
    painter.setBrush(Qt::NoBrush);
    painter.drawPath(path);
    if (known.size() != 1) continue;
    painter.setBrush(QColor(line.colour));
    painter.setPen(Qt::NoPen);
    painter.drawEllipse(pointAt(static_cast<double>(line.values.size()), known[0]), 1.6, 1.6);
  }
  drawText(painter, {plot.center().x(), plot.bottom() + 17}, QStringLiteral("tokens processed"), figureFont(8),
           ink.text, 0, -1);
  drawTurnedText(painter, {plot.left() - 6 - layout.down.longest - 9, plot.center().y()},
                 QStringLiteral("KV cache, ") + lines.unit, figureFont(8), ink.text, 0);
}

}  // namespace natscope::ui
