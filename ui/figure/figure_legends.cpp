// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands below maps of cells.
#include <QLocale>

#include "core/cache/forced_role.h"
#include "core/cache/policy.h"
#include "ui/figure/figure_painter.h"

namespace natscope::ui {
namespace {

QString runName(const Provenance& provenance) { return QString::fromStdString(run_name(provenance)); }

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

std::vector<LegendEntry> heldLegend(const FigureData& figure, const HeldMap& map, Theme theme, const FigureInk& ink) {
  const auto entry = [&](HeldBy by, const QString& words) {
    return swatchEntry(toQRgb(held_by_colour(by, theme)), heldSign(by), words, ink);
  };
  const std::int64_t all = static_cast<std::int64_t>(map.held_by.size());
  const HeldDifference& counts = map.counts;
  return {entry(HeldBy::both, QStringLiteral("both: %1").arg(counted(counts.both))),
          entry(HeldBy::first, QStringLiteral("%1 only: %2").arg(runName(figure.provenance), counted(counts.first))),
          entry(HeldBy::second,
                QStringLiteral("%1 only: %2").arg(runName(figure.compared.front().provenance), counted(counts.second))),
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

std::vector<LegendEntry> legendOf(const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  const FigureInk ink = inkOf(options.theme);
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) return overviewLegend(*maps, options, layout);
  if (const auto* table = std::get_if<FigureTable>(&figure.values)) {
    return figure.kind == FigureKind::vocabulary ? vocabularyLegend(*table, options)
                                                 : headMatricesLegend(*table, options);
  }
  if (figure.kind == FigureKind::text) return textLegend(figure, options);
  if (figure.kind == FigureKind::kv) return curveLegend(figure, options);
  std::vector<LegendEntry> entries;
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) entries = mapLegend(*map, options, ink);
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) entries = heldLegend(figure, *map, options.theme, ink);
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

}  // namespace natscope::ui
