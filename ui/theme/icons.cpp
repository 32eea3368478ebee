// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/icons.h"

#include <QAbstractButton>
#include <QFile>
#include <QPainter>
#include <QPixmap>
#include <QSvgRenderer>

#include "ui/theme/theme.h"

// Resources of a static library are only registered when somebody asks for it; the macro must stand outside a namespace.
static void registerIcons() { Q_INIT_RESOURCE(icons); }

namespace natscope::ui {
namespace {

constexpr int iconSizes[] = {16, 20, 24, 32, 48};

QPixmap rendered(const QByteArray& svg, int size) {
  QPixmap pixmap(size, size);
  pixmap.fill(Qt::transparent);
  QSvgRenderer renderer(svg);
  QPainter painter(&pixmap);
  renderer.render(&painter);
  return pixmap;
}

QByteArray iconFile(const QString& name) {
  registerIcons();
  QFile file(QStringLiteral(":/icons/%1.svg").arg(name));
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void addSizes(QIcon& icon, const QByteArray& svg, QIcon::Mode mode) {
  for (const int size : iconSizes) icon.addPixmap(rendered(svg, size), mode);
}

}  // namespace

QIcon themedIcon(const QString& name, bool onAccent) {
  const ThemeColours& colours = ThemeSwitch::instance().colours();
  const QByteArray svg = iconFile(name);
  const auto inColour = [&svg](const QColor& colour) {
    return QByteArray(svg).replace("currentColor", colour.name().toLatin1());
  };
  QIcon icon;
  addSizes(icon, inColour(onAccent ? colours.onAccent : colours.text), QIcon::Normal);
  addSizes(icon, inColour(colours.border), QIcon::Disabled);
  return icon;
}

void showThemedIcon(QAbstractButton& button, const QString& name) {
  const auto paint = [&button, name] { button.setIcon(themedIcon(name)); };
  paint();
  QObject::connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, &button, paint);
}

QIcon programIcon() {
  QIcon icon;
  addSizes(icon, iconFile(QStringLiteral("natscope")), QIcon::Normal);
  return icon;
}

}  // namespace natscope::ui
