// SPDX-License-Identifier: GPL-3.0-or-later
// What the bar makes of messages that other programs had a hand in.
#include "ui/panels/parts/error_bar.h"

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

  void sentencesBeginLargeAndNamesStay() {
    ErrorBar bar;
    for (const auto& [message, shown] : {std::pair{"there is no layer 9", "<b>There is no layer 9."},
                                         {"config.json: no heads", "<b>config.json: no heads."},
                                         {"it's late", "<b>It&#39;s late."},
                                         {"314 tokens", "<b>314 tokens."},
                                         {"rope_theta is 0", "<b>rope_theta is 0."}}) {
      bar.showError(make_error(ErrorCode::bad_config, message, "do this"));
      const QString text = bar.text().replace(QStringLiteral("'"), QStringLiteral("&#39;"));
      QVERIFY2(text.contains(QLatin1String(shown)), qPrintable(bar.text()));
    }
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
