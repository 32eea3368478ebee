// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QHash>
#include <QMap>
#include <QSizeF>

#include "ui/dock_fit.h"

class QDockWidget;
class QMainWindow;

namespace natscope::ui {

/// Docks keep the sizes that a person gave them. Qt shares room that is new or gone by rules of its own and keeps what
/// came of it: a bar that is shown and hidden again leaves every dock under it smaller. Here what was wanted is
/// remembered, and after every change of the room the docks get what fits of that; when the room is back, so are they.
class DockSizes {
 public:
  explicit DockSizes(QMainWindow& window) : window_(window) {}

  /// How eagerly a dock takes new room, in width and height (DockBox::stretch); 1, 1 unless said.
  void setStretch(QDockWidget* dock, QSizeF stretch);

  /// As the docks lie now, they are wanted.
  void remember();
  /// As they lie now, they are wanted for a while: until giveBack(), and not in the next run. If remember() or want()
  /// is called before giveBack(), the lent sizes become permanent.
  void lend();
  void giveBack();
  /// Sizes that are wanted from now on, by the docks' object names; of docks behind each other by the name that sorts
  /// first. They need not add up to the window's. Empty: as the docks are found at the next settle().
  void want(const QMap<QString, QRect>& docks);
  /// Gives the docks what fits of the wanted sizes; docks that are divided in another way than was remembered are
  /// remembered as they are. Call it when a layout is done. Costs little when all is as it should be.
  void settle();

  /// Like settle(), but retries even after Qt ignored the last requests.
  void settleAnew();

  /// What is wanted, for the next run. Anything else than what save() gave changes nothing.
  [[nodiscard]] QByteArray save() const;
  void restore(const QByteArray& saved);

 private:
  /// A dock that is seen, and its place. Docks behind each other have one place, whichever of them is in front.
  struct Shown {
    QDockWidget* dock;
    DockBox box;
  };
  [[nodiscard]] QList<Shown> shown() const;
  [[nodiscard]] int tabsOver(QDockWidget* dock) const;
  [[nodiscard]] static QList<DockBox> boxesOf(const QList<Shown>& docks);

  QMainWindow& window_;
  QHash<const QDockWidget*, QSizeF> stretches_;
  QList<DockBox> wanted_;
  QList<DockBox> beforeLoan_;  // what was wanted; empty: nothing is lent
  QList<QSize> tried_;         // what Qt was asked for last, and what it did then: it is not asked for ever
  QList<QRect> triedAt_;
  int tries_ = 0;
  bool isSettling_ = false;
};

}  // namespace natscope::ui
