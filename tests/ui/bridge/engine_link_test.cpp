// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of an engine's process: when the next one comes, and what it wrote on stderr.
#include "ui/bridge/engine_link.h"

#include <QElapsedTimer>
#include <QSignalSpy>
#include <QTest>

namespace natscope::ui {
namespace {

QStringList shell(const QString& script) { return {QStringLiteral("/bin/sh"), QStringLiteral("-c"), script}; }

class EngineLinkTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void pausesDoubleWhileEnginesKeepDying() {
    EngineLink link;
    link.setCommandLine(shell(QStringLiteral("exit 3")));
    QElapsedTimer clock;
    std::vector<qint64> starts;
    connect(&link, &EngineLink::starting, this, [&] { starts.push_back(clock.elapsed()); });
    clock.start();
    link.start();
    QTRY_COMPARE_WITH_TIMEOUT(starts.size(), std::size_t{5}, 20'000);
    const auto pause = [&](std::size_t i) { return starts[i + 1] - starts[i]; };
    QVERIFY2(pause(0) < 250, "the first new engine comes at once");
    // Timers of this kind keep to a twentieth.
    QVERIFY(pause(1) >= 230);
    QVERIFY(pause(2) >= 460);
    QVERIFY(pause(3) >= 920);

    // Who cannot wait does not, and the pauses begin anew.
    QTRY_VERIFY(link.isComingBack());
    link.hurry();
    const qint64 hurried = clock.elapsed();
    QTRY_COMPARE_WITH_TIMEOUT(starts.size(), std::size_t{7}, 20'000);
    QVERIFY2(starts[6] - hurried < 2000, "two starts without the two seconds that were next");
    link.shutdown();
    QVERIFY(!link.isComingBack());
  }

  void aLongLineBecomesSeveral() {
    EngineLink link;
    link.setCommandLine(
        shell(QStringLiteral("head -c 10000 /dev/zero | tr '\\0' x >&2; printf '\\nsecond\\n\\nlast' >&2; exit 3")));
    QStringList lines;
    QString reason;
    connect(&link, &EngineLink::logLine, this, [&](const QString& line) { lines << line; });
    connect(&link, &EngineLink::lost, this, [&](const QString& why) {
      if (reason.isEmpty()) reason = why;
      link.shutdown();
    });
    link.start();
    QTRY_VERIFY(!reason.isEmpty());
    qsizetype all = 0;
    while (!lines.isEmpty() && lines.first().startsWith(QLatin1Char('x'))) {
      QVERIFY(lines.first().size() <= 4096);
      all += lines.takeFirst().size();
    }
    QCOMPARE(all, 10'000);
    QCOMPARE(lines, (QStringList{QStringLiteral("second"), QStringLiteral("last")}));
    QVERIFY2(reason.contains(QStringLiteral("code 3")) && reason.contains(QStringLiteral("(last)")),
             qPrintable(reason));
  }
};

}  // namespace
}  // namespace natscope::ui

QTEST_GUILESS_MAIN(natscope::ui::EngineLinkTest)
#include "engine_link_test.moc"
