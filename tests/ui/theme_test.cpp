// SPDX-License-Identifier: GPL-3.0-or-later
// Can one read it, can one tell it apart: colours as widgets really paint them, in both themes.
#include "ui/theme/theme.h"

#include <QtTest/qtestspontaneevent.h>
#include <QApplication>
#include <QComboBox>
#include <QDockWidget>
#include <QFileDialog>
#include <QImage>
#include <QMainWindow>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>
#include <QVBoxLayout>
#include <QWheelEvent>
#include <array>
#include <cmath>

#include "ui/theme/icons.h"
#include "ui/theme/wheel_guard.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

double linear(int value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

double luminance(const QColor& c) {
  return 0.2126 * linear(c.red()) + 0.7152 * linear(c.green()) + 0.0722 * linear(c.blue());
}

/// WCAG 2.1, 1.4.3: 1 … 21.
double contrast(const QColor& a, const QColor& b) {
  const double dark = std::min(luminance(a), luminance(b));
  return (std::max(luminance(a), luminance(b)) + 0.05) / (dark + 0.05);
}

std::array<double, 3> lab(const QColor& c) {
  const double r = linear(c.red());
  const double g = linear(c.green());
  const double b = linear(c.blue());
  const auto bent = [](double t) { return t > 216.0 / 24389.0 ? std::cbrt(t) : (24389.0 / 27.0 * t + 16) / 116; };
  const double x = bent((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const double y = bent(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const double z = bent((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

/// How far two colours are apart to the eye (CIE 1976); 2 is just seen side by side.
double distance(const QColor& a, const QColor& b) {
  const auto p = lab(a);
  const auto q = lab(b);
  return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/// Of a widget's picture the colour that is most often there, and the one that stands out most from it.
std::pair<QColor, QColor> paperAndInk(QWidget& widget) {
  const QImage image = widget.grab().toImage();
  QHash<QRgb, int> counts;
  for (int y = 4; y < image.height() - 4; ++y)
    for (int x = 6; x < image.width() - 6; ++x) ++counts[image.pixel(x, y)];
  QColor paper;
  int most = 0;
  for (auto one = counts.begin(); one != counts.end(); ++one) {
    if (one.value() > most) paper = QColor(one.key());
    most = std::max(most, one.value());
  }
  QColor ink = paper;
  for (auto one = counts.begin(); one != counts.end(); ++one)
    if (contrast(QColor(one.key()), paper) > contrast(ink, paper)) ink = QColor(one.key());
  return {paper, ink};
}

}  // namespace

class ThemeTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void rolesOfDroppedTokensAreToldApart() {
    const Role roles[] = {Role::global, Role::local, Role::sliding};
    for (const Role one : roles) {
      for (const Role other : roles) {
        if (one == other) continue;
        QVERIFY(distance(roleFill(one, Theme::dark, true), roleFill(other, Theme::dark, true)) > 25);
        QVERIFY(distance(roleFill(one, Theme::light, true), roleFill(other, Theme::light, true)) > 15);
      }
      for (const Theme theme : {Theme::light, Theme::dark}) {
        QVERIFY(distance(roleFill(one, theme, true), roleFill(one, theme)) > 30);
        QVERIFY(distance(roleFill(one, theme, true), colours(theme).panel) > 12);
      }
    }
  }

  void rolesStandOutFromAPanelAndCanBeReadThere() {
    for (const Theme theme : {Theme::light, Theme::dark}) {
      for (const Role role : {Role::global, Role::local, Role::sliding}) {
        QVERIFY(contrast(roleFill(role, theme), colours(theme).panel) > 2.1);
        QVERIFY(contrast(roleInk(role, theme), colours(theme).panel) > 3);  // WCAG 2.1, 1.4.11
        QVERIFY(contrast(roleFill(role, theme), inkOn(roleFill(role, theme))) > 4.5);
      }
    }
  }

  void aDefaultButtonCanBeReadWhenItIsOff() {
    for (const Theme theme : {Theme::light, Theme::dark}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      QWidget window;
      QPushButton button(QStringLiteral("Submit MMM"), &window);
      button.setDefault(true);
      for (const bool isOn : {true, false}) {
        button.setEnabled(isOn);
        button.adjustSize();
        const auto [paper, ink] = paperAndInk(button);
        QVERIFY2(contrast(paper, ink) > 4, qPrintable(paper.name() + QLatin1Char(' ') + ink.name()));
        QCOMPARE(paper == colours(theme).accent, isOn);
      }
    }
  }

  void aFramedButtonShowsThatItHasTheKeyboard() {
    for (const Theme theme : {Theme::light, Theme::dark}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      for (const char* const name : {"framed", "wholeMap", ""}) {
        QWidget window;
        auto* const button = new QToolButton(&window);
        auto* const other = new QToolButton(&window);
        button->setObjectName(QLatin1String(name));
        button->setText(QStringLiteral("copy"));
        button->adjustSize();
        other->move(0, 100);
        window.show();
        window.activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(&window));
        const auto edge = [button] {
          const QImage image = button->grab().toImage();
          return image.pixelColor(image.width() / 2, 0);
        };
        other->setFocus(Qt::TabFocusReason);
        const QColor before = edge();
        button->setFocus(Qt::TabFocusReason);
        QVERIFY2(edge() == colours(theme).accent && edge() != before, name);
        other->setFocus(Qt::TabFocusReason);
        button->setDown(true);
        QVERIFY2(edge() == colours(theme).accent, name);
      }
    }
  }

  /// What merely comes to lie under the pointer keeps what it says, and the form goes on scrolling.
  void theWheelTurnsOnlyTheFieldThatHasTheKeyboard() {
    WheelGuard::install(*qApp);
    WheelGuard::install(*qApp);
    QScrollArea area;
    auto* const form = new QWidget;
    auto* const lines = new QVBoxLayout(form);
    auto* const number = new QSpinBox;
    auto* const choice = new QComboBox;
    choice->addItems({QStringLiteral("one"), QStringLiteral("two"), QStringLiteral("three")});
    auto* const typed = new QComboBox;
    typed->addItems({QStringLiteral("one"), QStringLiteral("two")});
    typed->setEditable(true);
    for (QWidget* const field : std::initializer_list<QWidget*>{number, choice, typed}) lines->addWidget(field);
    lines->addSpacing(2000);
    area.setWidget(form);
    area.resize(300, 300);
    area.show();
    area.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&area));
    form->setFocus();
    const auto turn = [&](QWidget* field) {
      area.verticalScrollBar()->setValue(0);
      const QPoint at = field->rect().center();
      QWheelEvent wheel(at, field->mapToGlobal(at), QPoint(), QPoint(0, -120), Qt::NoButton, Qt::NoModifier,
                        Qt::NoScrollPhase, false);
      QSpontaneKeyEvent::setSpontaneous(&wheel);  // as a real one, which goes on to what the field stands in
      qApp->notify(field, &wheel);
      return area.verticalScrollBar()->value() > 0;
    };
    for (QWidget* const field : std::initializer_list<QWidget*>{number, choice, typed}) {
      QVERIFY2(turn(field), field->metaObject()->className());
      QVERIFY(!field->hasFocus());
    }
    QVERIFY(number->value() == 0 && choice->currentIndex() == 0 && typed->currentIndex() == 0);
    choice->setFocus();
    QVERIFY(!turn(choice));
    QCOMPARE(choice->currentIndex(), 1);
    typed->setFocus();
    QVERIFY(!turn(typed));
    QCOMPARE(typed->currentIndex(), 1);
  }

  /// Drawn for the screen's pixels, not for half as many, and to be seen on both grounds.
  void theButtonThatTearsADockOffIsSharp() {
    (void)programIcon();  // as the window does, before it has docks
    for (const Theme theme : {Theme::light, Theme::dark}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      QMainWindow window;
      auto* const dock = new QDockWidget(QStringLiteral("Token"), &window);
      dock->setWidget(new QWidget);
      window.addDockWidget(Qt::TopDockWidgetArea, dock);
      window.show();
      const auto* const button = dock->findChild<QAbstractButton*>(QStringLiteral("qt_dockwidget_floatbutton"));
      QVERIFY(button != nullptr && button->isVisible());
      const QPixmap drawn = button->icon().pixmap(QSize(16, 16), 2);
      QCOMPARE(drawn.width(), 32);
      QColor ink = colours(theme).window;
      const QImage image = drawn.toImage();
      for (int x = 0; x < image.width(); ++x)
        for (int y = 0; y < image.height(); ++y)
          if (image.pixelColor(x, y).alpha() == 255) ink = image.pixelColor(x, y);
      QVERIFY2(contrast(ink, colours(theme).window) > 3, qPrintable(ink.name()));
    }
  }

  void fileDialogsHaveIconsOneCanSee() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    QFileDialog dialog;
    dialog.setOption(QFileDialog::DontUseNativeDialog);
    dialog.show();
    auto* const up = dialog.findChild<QToolButton*>(QStringLiteral("toParentButton"));
    QVERIFY(up != nullptr);
    const QImage image = up->grab().toImage();
    const QRgb paper = image.pixel(1, 1);
    QRect icon;
    for (int y = 0; y < image.height(); ++y)
      for (int x = 0; x < image.width(); ++x)
        if (image.pixel(x, y) != paper) icon |= QRect(x, y, 1, 1);
    QVERIFY2(icon.width() >= 10 && icon.height() >= 10, qPrintable(QString::number(icon.width())));
  }
};

QTEST_MAIN(ThemeTest)
#include "theme_test.moc"
