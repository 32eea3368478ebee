// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands below maps of cells.
#include "ui/figure/figure_legends.h"

#include <QLocale>
#include <algorithm>

#include "core/cache/forced_role.h"
#include "core/cache/policy.h"
#include "ui/figure/curve_painter.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/head_matrices.h"
#include "ui/figure/legend.h"
#include "ui/figure/overview_figure.h"
#include "ui/figure/text_painter.h"
#include "ui/figure/vocabulary_figure.h"

namespace natscope::ui {
namespace {

QString counted(std::int64_t entries) { return QLocale::c().toString(static_cast<qlonglong>(entries)); }

std::vector<LegendEntry> mapLegend(const Heatmap& map, const FigureOptions& options, const FigureInk& ink) {
  std::vector<LegendEntry> entries;
  if (map.kind == FigureKind::mask)
    entries.push_back(swatchEntry(toQRgb(colour_at(options.colours, 0.5F)), {}, QStringLiteral("seen"), ink));
  QString masked = QStringLiteral("masked: not in the cache, or in the future");
  if (options.scale.hide_sink) masked += QStringLiteral("; token 0 hidden");
  entries.push_back(swatchEntry(toQRgb(masked_colour(options.theme)), {}, masked, ink));
  return entries;
}

std::vector<LegendEntry> roleLegend(const std::string& policy, Theme theme, const FigureInk& ink) {
  if (!has_roles(policy)) {
    return {swatchEntry(toQRgb(held_colour(theme, false)), {}, QStringLiteral("held"), ink),
            swatchEntry(toQRgb(held_colour(theme, true)), {}, droppedWords(policy), ink)};
  }
  std::vector<LegendEntry> entries;
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    entries.push_back(swatchEntry(toQRgb(role_colour(role, theme)), QString(QLatin1Char(role_letter(role))),
                                  QLatin1String(role_name(role)), ink));
  }
  entries.push_back(
      swatchEntry(fadedRoleColour(Role::sliding, theme), {}, QStringLiteral("faded: dropped by the end"), ink));
  return entries;
}

std::vector<LegendEntry> heldLegend(const FigureData& figure, const HeldMap& map, const FigureOptions& options,
                                    const FigureInk& ink) {
  const auto entry = [&](HeldBy by, const QString& words) {
    return swatchEntry(toQRgb(held_by_colour(by, options.theme)), heldSign(by), words, ink);
  };
  const std::int64_t all = static_cast<std::int64_t>(map.held_by.size());
  const HeldDifference& counts = map.counts;
  return {
      entry(HeldBy::both, QStringLiteral("both: %1").arg(counted(counts.both))),
      entry(HeldBy::first, QStringLiteral("%1 only: %2").arg(shownRunName(figure, 0, options), counted(counts.first))),
      entry(HeldBy::second,
            QStringLiteral("%1 only: %2").arg(shownRunName(figure, 1, options), counted(counts.second))),
      entry(HeldBy::neither,
            QStringLiteral("neither: %1").arg(counted(all - counts.both - counts.first - counts.second)))};
}

}  // namespace

QString droppedWords(const std::string& policy) {
  return QStringLiteral("dropped by the end (%1 has no roles)").arg(QString::fromStdString(method_name(policy)));
}

QString heldSign(HeldBy by) {
  if (by == HeldBy::first) return QStringLiteral("+");
  return by == HeldBy::second ? QStringLiteral("−") : QString();
}

double legendPitch(const FigureData& figure) { return figure.kind == FigureKind::text ? 18 : 13; }

namespace {

bool hasNameOfItsOwn(std::size_t run, const FigureOptions& options) {
  return run < static_cast<std::size_t>(options.names.size()) &&
         !options.names[static_cast<qsizetype>(run)].simplified().isEmpty();
}

/// What was set by hand stands where every reader sees it, where a title or a name of one's own left it out.
void addSetByHand(std::vector<LegendEntry>& entries, const FigureData& figure, const FigureOptions& options) {
  const bool isLosses = std::holds_alternative<LossText>(figure.values);
  for (std::size_t run = 0; run <= figure.compared.size(); ++run) {
    const bool isNamed = run > 0 || !figure.compared.empty();  // in the legend, of losses in the title
    const bool isInTitle = !options.title && (run == 0 || isLosses) && !(isLosses && hasNameOfItsOwn(run, options));
    if (isInTitle || (isNamed && !isLosses && !hasNameOfItsOwn(run, options))) continue;
    const Provenance& provenance = run == 0 ? figure.provenance : figure.compared[run - 1].provenance;
    const std::string set = in_words(provenance.by_hand);
    if (set.empty()) continue;
    const QString words =
        isNamed ? QStringLiteral("%1: %2").arg(shownRunName(figure, run, options), QString::fromStdString(set))
                : QString::fromStdString(set);
    entries.push_back({0, {}, words, true});
  }
}

/// What the matrix of what is lost is of, where a run stands beside.
QString lostWords(const FigureData& figure, const FigureTable& table, const FigureOptions& options) {
  const auto most = [&table](const char* key) {
    double largest = 0;
    const std::size_t column = table.column_at(key);
    for (std::size_t row = 0; row < table.rows(); ++row) {
      if (const double* const number = table.at(row, column).number()) largest = std::max(largest, *number);
    }
    return static_cast<qlonglong>(largest);
  };
  const QString words = QStringLiteral("lost: of the weight under %1, what lies on entries that %2 had dropped by then")
                            .arg(shownRunName(figure, 0, options), shownRunName(figure, 1, options));
  const qlonglong compared = most("compared_queries");
  return compared == most("queries") ? words : words + QStringLiteral("; of %1 queries").arg(compared);
}

std::vector<LegendEntry> entriesOf(const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  const FigureInk ink = inkOf(options.theme);
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) return overviewLegend(*maps, options, layout);
  if (const auto* table = std::get_if<FigureTable>(&figure.values)) {
    if (figure.kind == FigureKind::vocabulary) return vocabularyLegend(*table, options);
    std::vector<LegendEntry> entries = headMatricesLegend(*table, options);
    if (!figure.compared.empty()) entries.push_back({0, {}, lostWords(figure, *table, options), true});
    return entries;
  }
  if (figure.kind == FigureKind::text) return textLegend(figure, options);
  if (figure.kind == FigureKind::kv) return curveLegend(figure, options);
  std::vector<LegendEntry> entries;
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) entries = mapLegend(*map, options, ink);
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) entries = heldLegend(figure, *map, options, ink);
  if (std::holds_alternative<RoleMap>(figure.values))
    entries = roleLegend(figure.provenance.policy, options.theme, ink);
  if (isPutTogether(figure, layout)) {
    QString words = std::holds_alternative<Heatmap>(figure.values)
                        ? QStringLiteral("a pixel is the largest weight that it covers")
                        : QStringLiteral("a column is the mean colour of the %1 tokens that it covers")
                              .arg(QString::number(tokensAColumn(figure, layout), 'g', 3));
    if (figure.kind == FigureKind::mask)
      words = QStringLiteral("a pixel is seen where one of the cells that it covers is");
    entries.push_back({0, {}, words, true});
  }
  return entries;
}

}  // namespace

QString shownRunName(const FigureData& figure, std::size_t run, const FigureOptions& options) {
  if (hasNameOfItsOwn(run, options)) return options.names[static_cast<qsizetype>(run)].simplified();
  return QString::fromStdString(run_name(run == 0 ? figure.provenance : figure.compared[run - 1].provenance));
}

std::vector<LegendEntry> legendOf(const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  std::vector<LegendEntry> entries = entriesOf(figure, options, layout);
  addSetByHand(entries, figure, options);
  return entries;
}

}  // namespace natscope::ui
