// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_choice.h"

#include <QCoreApplication>

namespace natscope::ui {
namespace {

QString words(const char* text) { return QCoreApplication::translate("ExportDialog", text); }

}  // namespace

bool isDrawn(const QString& ending) {
  return ending == QLatin1String("png") || ending == QLatin1String("svg") || ending == QLatin1String("pdf");
}

QString contentsOf(const ExportChoice& choice, const QString& ending) {
  const FigureKind kind = choice.kind;
  if (isDrawn(ending)) return words("a figure, with where it comes from in its metadata");
  const bool isNpy = ending == QLatin1String("npy");
  QString holds;
  switch (kind) {
    case FigureKind::attention:
      holds = isNpy ? words("F32 [queries, keys]") : words("weights, a row a query");
      break;
    case FigureKind::mask:
      holds = isNpy ? words("U8 [queries, keys]") : words("0 or 1, a row a query");
      break;
    case FigureKind::roles:
      holds = choice.isCompared ? words("0 neither, 1 both, 2 this run only, 3 the kept one only")
              : isNpy           ? words("U8 [layers, KV heads, T]: 0 G, 1 L, 2 S")
                                : words("0 G, 1 L, 2 S");
      break;
    case FigureKind::kv:
      holds = isNpy ? words("I32 [T, layers, KV heads]") : words("entries after every token");
      break;
    case FigureKind::overview:
      holds = isNpy ? words("F32 [layers, heads, S, S], cells as on screen: the largest weights")
                    : words("the largest weight of each cell");
      break;
    case FigureKind::text:
      holds = choice.text != TextColours::losses
                  ? words("a token a row: its role, whether it is held, by which share of heads")
              : choice.isCompared ? words("a token a row: its loss in both runs and their difference, in nats")
                                  : words("a token a row: its loss in nats");
      break;
    case FigureKind::heads:
      holds = isNpy ? words("F64 [heads, columns]") : words("a row a head");
      break;
    case FigureKind::statistics:
      holds = isNpy ? words("F64 [heads, columns]")
                    : words("a row a query head: entropy, weight on the first token and on itself, distance");
      break;
    case FigureKind::vocabulary:
      holds = words("a row a token of the vocabulary that occurs");
      break;
  }
  return ending == QLatin1String("json") ? holds + words(", and where it comes from")
                                         : holds + words("; where it comes from in FILE.json beside it");
}

}  // namespace natscope::ui
