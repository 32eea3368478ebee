// SPDX-License-Identifier: GPL-3.0-or-later
// What the bar makes of messages that other programs had a hand in.
#include "ui/panels/error_bar.h"

#include <QTest>

using namespace natscope;
using namespace natscope::ui;

class ErrorBarTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void severalLinesAreOneParagraph() {
    ErrorBar bar;
    bar.showError(make_error(ErrorCode::io_failure, "first\n\nsecond\n", "do\nthis"));
    QVERIFY2(bar.text().contains(QStringLiteral("<b>First · second.</b> Do · this.")), qPrintable(bar.text()));
  }

  void neitherTagsNorControlCharactersCount() {
    ErrorBar bar;
    bar.showError(make_error(ErrorCode::io_failure, "a<i>b\x1b[31m", "<a href=x>"));
    QVERIFY2(bar.text().contains(QStringLiteral("A&lt;i&gt;b\\x1B[31m")), qPrintable(bar.text()));
    QVERIFY(!bar.text().contains(QStringLiteral("<a")));
  }
};

QTEST_MAIN(ErrorBarTest)
#include "error_bar_test.moc"
