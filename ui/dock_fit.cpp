// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dock_fit.h"

#include <QHash>
#include <QStringList>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace natscope::ui {
namespace {

/// A dock, or several of them in a row (horizontal) or in a column.
struct Part {
  QRect rect;
  const DockBox* dock = nullptr;
  Qt::Orientation along = Qt::Horizontal;
  std::vector<Part> parts;
};

int extent(const QSize& size, Qt::Orientation along) { return along == Qt::Horizontal ? size.width() : size.height(); }
int extent(const QRect& rect, Qt::Orientation along) { return extent(rect.size(), along); }
int start(const QRect& rect, Qt::Orientation along) { return along == Qt::Horizontal ? rect.left() : rect.top(); }
int end(const QRect& rect, Qt::Orientation along) { return start(rect, along) + extent(rect, along); }

using Boxes = std::vector<const DockBox*>;

/// The boxes in groups between which a cut goes from edge to edge.
std::vector<Boxes> cut(Boxes boxes, Qt::Orientation along) {
  std::ranges::sort(boxes, {}, [&](const DockBox* box) { return start(box->rect, along); });
  std::vector<Boxes> groups;
  int reach = 0;
  for (const DockBox* const box : boxes) {
    if (groups.empty() || start(box->rect, along) >= reach) groups.emplace_back();
    groups.back().push_back(box);
    reach = groups.back().size() == 1 ? end(box->rect, along) : std::max(reach, end(box->rect, along));
  }
  return groups;
}

std::optional<Part> divided(const Boxes& boxes) {
  if (boxes.empty()) return std::nullopt;
  Part part;
  for (const DockBox* const box : boxes) part.rect |= box->rect;
  if (boxes.size() == 1) {
    part.dock = boxes.front();
    return part;
  }
  for (const Qt::Orientation along : {Qt::Vertical, Qt::Horizontal}) {
    const std::vector<Boxes> groups = cut(boxes, along);
    if (groups.size() < 2) continue;
    part.along = along;
    for (const Boxes& group : groups) {
      std::optional<Part> child = divided(group);
      if (!child) return std::nullopt;
      part.parts.push_back(std::move(*child));
    }
    return part;
  }
  return std::nullopt;
}

std::optional<Part> divided(const QList<DockBox>& docks) {
  Boxes boxes;
  for (const DockBox& dock : docks) boxes.push_back(&dock);
  return divided(boxes);
}

QString words(const Part& part) {
  if (part.dock != nullptr) return part.dock->name;
  QStringList names;
  for (const Part& child : part.parts) names.append(words(child));
  return QStringLiteral("(%1)").arg(names.join(part.along == Qt::Horizontal ? u'|' : u'/'));
}

/// What lies between the parts of a row or column, or beside one that is shorter than its row.
int between(const Part& part) {
  int sum = extent(part.rect, part.along);
  for (const Part& child : part.parts) sum -= extent(child.rect, part.along);
  return sum;
}

int least(const Part& shown, Qt::Orientation along) {
  if (shown.dock != nullptr) return extent(shown.dock->least, along);
  int sum = between(shown);
  int most = 0;
  for (const Part& child : shown.parts) {
    sum += least(child, along);
    most = std::max(most, least(child, along) + extent(shown.rect, along) - extent(child.rect, along));
  }
  return shown.along == along ? sum : most;
}

/// A weight for taking room (its size times its stretch) or for giving it up (its size, unless its stretch is 0). Of
/// several docks one after the other the sum, of those beside each other the largest.
double eagerness(const Part& wanted, Qt::Orientation along, bool isToGive) {
  if (wanted.dock != nullptr) {
    const QSizeF stretches = wanted.dock->stretch;
    const double stretch = along == Qt::Horizontal ? stretches.width() : stretches.height();
    return (isToGive && stretch > 0 ? 1 : stretch) * extent(wanted.rect, along);
  }
  double sum = 0;
  double most = 0;
  for (const Part& child : wanted.parts) {
    const double one = eagerness(child, along, isToGive);
    sum += one;
    most = std::max(most, one);
  }
  return wanted.along == along ? sum : most;
}

/// Adds `more` (or takes, below 0) by weight; nobody falls under his least. Gives back what nobody could take.
int share(int more, std::vector<int>& sizes, const std::vector<int>& leasts, std::vector<double> weights) {
  while (more != 0) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (!(sum > 0)) break;
    // Whoever would fall under his least gives what he has and is out; then the others share again.
    bool isSomebodyOut = false;
    for (std::size_t i = 0; i < sizes.size() && more < 0; ++i) {
      if (!(weights[i] > 0) || sizes[i] + more * weights[i] / sum >= leasts[i]) continue;
      more += sizes[i] - leasts[i];
      sizes[i] = leasts[i];
      weights[i] = 0;
      isSomebodyOut = true;
      break;
    }
    if (isSomebodyOut) continue;
    double before = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const double now = before + weights[i] / sum;
      sizes[i] += static_cast<int>(std::lround(more * now)) - static_cast<int>(std::lround(more * before));
      before = now;
    }
    more = 0;
  }
  return more;
}

std::vector<int> shared(const Part& wanted, const Part& shown, int room) {
  std::vector<int> sizes;
  std::vector<int> leasts;
  std::vector<double> eager;
  int more = room - between(shown);
  for (std::size_t i = 0; i < wanted.parts.size(); ++i) {
    leasts.push_back(least(shown.parts[i], shown.along));
    sizes.push_back(std::max(leasts.back(), extent(wanted.parts[i].rect, shown.along)));
    more -= sizes.back();
  }
  for (const Part& child : wanted.parts) eager.push_back(eagerness(child, shown.along, more < 0));
  more = share(more, sizes, leasts, eager);
  std::vector<double> rest(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) rest[i] = more < 0 ? sizes[i] - leasts[i] : std::max(1, sizes[i]);
  share(more, sizes, leasts, rest);
  return sizes;
}

void fit(const Part& wanted, const Part& shown, QSize size, QHash<QString, QSize>& sizes) {
  if (shown.dock != nullptr) {
    sizes.insert(shown.dock->name, size);
    return;
  }
  const std::vector<int> extents = shared(wanted, shown, extent(size, shown.along));
  for (std::size_t i = 0; i < shown.parts.size(); ++i) {
    const Part& child = shown.parts[i];
    const QSize across = child.rect.size() + size - shown.rect.size();
    const QSize given =
        shown.along == Qt::Horizontal ? QSize(extents[i], across.height()) : QSize(across.width(), extents[i]);
    fit(wanted.parts[i], child, given, sizes);
  }
}

}  // namespace

std::optional<QString> divisionOf(const QList<DockBox>& docks) {
  const std::optional<Part> part = divided(docks);
  return part ? std::optional(words(*part)) : std::nullopt;
}

std::optional<QList<QSize>> fittedSizes(const QList<DockBox>& wanted, const QList<DockBox>& shown) {
  const std::optional<Part> before = divided(wanted);
  const std::optional<Part> now = divided(shown);
  if (!before || !now || words(*before) != words(*now)) return std::nullopt;
  QHash<QString, QSize> sizes;
  fit(*before, *now, now->rect.size(), sizes);
  QList<QSize> ordered;
  for (const DockBox& dock : shown) ordered.append(sizes.value(dock.name));
  return ordered;
}

}  // namespace natscope::ui
