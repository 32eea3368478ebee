// SPDX-License-Identifier: GPL-3.0-or-later
// The command that the export dialog shows writes what the window writes, byte for byte.
#include "ui/models/figures/export_command.h"
#include "core/export/data_files.h"

#include <QApplication>
#include <QFileInfo>
#include <QProcess>
#include <QSignalSpy>
#include <QTest>

#include "core/export/data_files.h"
#include "tests/support/temporary_folder.h"
#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

class ExportCommandTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    QVERIFY(begin(QStringLiteral("“It's late,” said Alice; $HOME & co.\nA second line.")));
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
  }

  void cleanupTestCase() { end(); }

  void wordsAreQuotedForAShell() {
    QCOMPARE(shellWord(QStringLiteral("a/b-1.2,3:4")), QStringLiteral("a/b-1.2,3:4"));
    QCOMPARE(shellWord(QStringLiteral("it's $x")), QStringLiteral("'it'\\''s $x'"));
    QCOMPARE(shellWord(QString()), QStringLiteral("''"));
  }

  void aContextThatWasAskedForIsTheModelsAndStandsInTheCommand() {
    Settings settings(tiny_.filePath(QStringLiteral("context.ini")));
    Workbench other(settings);
    PromptOptions options;
    options.text = QLatin1String(WindowOnTinyModel::alice);
    other.setOptions(options);
    other.begin({QStringLiteral(NATSCOPE_BIN_DIR "/natscope-engine")}, tiny_.modelFolder(), QStringLiteral("cpu"), 100);
    QTRY_VERIFY_WITH_TIMEOUT(other.canContinue(), patience);
    QCOMPARE(other.client().model()->context, 100);
    ExportRequest request = wanted(FigureKind::roles, QStringLiteral("csv"));
    QVERIFY(exportCommand(request, exportOrigin(other), other.sequence().size())
                .contains(QStringLiteral(" --context 100 ")));
    QVERIFY(!exportCommand(request, exportOrigin(bench()), bench().sequence().size())
                 .contains(QStringLiteral("--context")));
    QCOMPARE(other.contextOf(QStringLiteral("another")), 0);
  }

  void theCommandWritesTheSameNumbers_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("ending");
    for (const FigureKind kind :
         {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv, FigureKind::heads,
          FigureKind::overview, FigureKind::text, FigureKind::vocabulary, FigureKind::statistics}) {
      for (const char* ending : {"csv", "json", "npy", "svg"}) {
        if (!check_format(kind, *export_format(std::string("x.") + ending))) continue;
        QTest::addRow("%s.%s", name(kind), ending) << static_cast<int>(kind) << QString::fromLatin1(ending);
      }
    }
  }

  void theCommandWritesTheSameNumbers() {
    QFETCH(const int, kind);
    QFETCH(const QString, ending);
    ExportRequest request = wanted(static_cast<FigureKind>(kind), ending);
    request.options.scale.normalise = Normalise::row;
    request.options.scale.hide_sink = true;
    request.options.scale.kind = ScaleKind::log;
    request.options.scale.clip_percentile = 97.5;
    request.options.theme = Theme::dark;
    request.options.colours = ColourMap::magma;
    request.options.texts = AxisTexts::tokens;
    const auto [mine, theirs] = bothFiles(request, ending);
    QVERIFY(!mine.empty());
    QVERIFY(mine == theirs);
  }

  void oneLayerOfTheOverviewIsAnOption() {
    ExportRequest request = wanted(FigureKind::overview, QStringLiteral("npy"));
    const std::string all = bothFiles(request, QStringLiteral("npy")).first;
    request.layer = LayerId(1);
    QVERIFY(commandOf(request).contains(QStringLiteral("--kind overview")));
    QVERIFY(commandOf(request).contains(QStringLiteral("--layer 1")));
    const auto [mine, theirs] = bothFiles(request, QStringLiteral("npy"));
    QVERIFY(!mine.empty() && mine.size() < all.size());
    QVERIFY(mine == theirs);
    const auto rows = [](const std::string& npy) { return npy.substr(npy.find('\n') + 1); };
    QVERIFY(rows(all).ends_with(rows(mine)) || rows(all).find(rows(mine)) != std::string::npos);
  }

  void rolesSetByHandAreOptions() {
    RoleChanges changes;
    changes.window = 3;
    changes.force({LayerId(0), KvHeadId(1), TokenPos(4), Role::local});
    changes.force({LayerId(1), KvHeadId(0), TokenPos(0), Role::sliding});
    changes.force({LayerId(0), KvHeadId(1), TokenPos(4), Role::global});
    QCOMPARE(changes.forced.size(), std::size_t{2});
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges() == changes, patience);
    // The figure says so itself: svg's title and metadata. The token in front has no text, but a name.
    ExportRequest drawn = wanted(FigureKind::roles, QStringLiteral("svg"));
    drawn.options.texts = AxisTexts::tokens;
    const std::string svg = bothFiles(drawn, QStringLiteral("svg")).first;
    QVERIFY(svg.find("&lt;s&gt;") != std::string::npos);
    QVERIFY(svg.find("W 3 set by hand, 2 roles set by hand") != std::string::npos);
    QVERIFY(svg.find("1.0.0=S,0.1.4=G") != std::string::npos);
    for (const FigureKind kind : {FigureKind::roles, FigureKind::attention}) {
      const ExportRequest request = wanted(kind, QStringLiteral("csv"));
      QVERIFY(commandOf(request).contains(QStringLiteral("--window 3 --force 1.0.0=S --force 0.1.4=G")));
      const auto [mine, theirs] = bothFiles(request, QStringLiteral("csv"));
      QVERIFY(!mine.empty());
      QVERIFY(mine == theirs);
    }
    // A session's file says itself which roles there were.
    const QString session = tiny_.filePath(QStringLiteral("by-hand.safetensors"));
    window_->saveSession(session);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(session), patience);
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(session);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    // … and which of them were set by hand: what is analysed next is analysed with them.
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().hasEngineSequence(), patience);
    QVERIFY(bench().roleChanges() == changes);
    QVERIFY(bench().analysedChanges() == changes);
    const auto [mine, theirs] =
        bothFiles(wanted(FigureKind::attention, QStringLiteral("csv")), QStringLiteral("csv"), session);
    QVERIFY(!mine.empty());
    QVERIFY(mine == theirs);
    changes.window = 4;
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges() == changes, patience);
    bench().changeRoles({});
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().isEmpty(), patience);
  }

  void aTextOfAllHeadsIsWritten() {
    for (const char* const ending : {"csv", "svg"}) {
      ExportRequest request = wanted(FigureKind::text, QString::fromLatin1(ending));
      request.text = TextColours::held_shares;
      QVERIFY(!commandOf(request).contains(QStringLiteral("--head")));
      const auto [mine, theirs] = bothFiles(request, QString::fromLatin1(ending));
      QVERIFY(!mine.empty());
      QVERIFY(mine == theirs);
    }
  }

  void lossesAreWritten() {
    for (const char* const ending : {"csv", "json", "svg"}) {
      ExportRequest request = wanted(FigureKind::text, QString::fromLatin1(ending));
      request.text = TextColours::losses;
      request.options.scale.range = FixedRange{0.5, 6};
      request.options.width = 89 * pointsAMillimetre;
      QVERIFY(commandOf(request).contains(QStringLiteral("--surprise")));
      const auto [mine, theirs] = bothFiles(request, QString::fromLatin1(ending));
      QVERIFY(!mine.empty());
      QVERIFY(mine == theirs);
    }
  }

  void differencesToTheKeptRunAreWritten() {
    window_->comparison().keep();
    const QString kept = tiny_.filePath(QStringLiteral("kept.safetensors"));
    QVERIFY(write_session(kept.toStdString(), *window_->comparison().asSession()));
    RoleChanges changes;
    changes.window = 2;
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges() == changes, patience);
    for (const auto& [kind, ending] : {std::pair{FigureKind::text, "csv"},
                                       {FigureKind::text, "svg"},
                                       {FigureKind::roles, "csv"},
                                       {FigureKind::roles, "npy"},
                                       {FigureKind::roles, "svg"}}) {
      ExportRequest request = wanted(kind, QString::fromLatin1(ending));
      if (kind == FigureKind::text) request.text = TextColours::losses;
      request.beside = window_->comparison().kept();
      const QString alone = commandOf(request);
      QVERIFY(alone.startsWith(QStringLiteral("# Without the kept run")) &&
              !alone.section(u'\n', 1).contains(QStringLiteral("--compare")));
      const auto [mine, theirs] = bothFiles(request, QString::fromLatin1(ending), {}, kept);
      QVERIFY(!mine.empty());
      QVERIFY2(mine == theirs, ending);
      if (std::string_view(ending) == "svg") QVERIFY(mine.find("W 2 set by hand") != std::string::npos);
    }
    window_->comparison().drop();
    bench().changeRoles({});
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().isEmpty(), patience);
  }

  void generatedTokensAreGivenAsTokens() {
    const qint64 before = bench().sequence().size();
    for (int i = 0; i < 2; ++i) {
      QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
      bench().step();
      QTRY_VERIFY_WITH_TIMEOUT(bench().sequence().size() == before + i + 1 && bench().canContinue(), patience);
    }
    ExportRequest request = wanted(FigureKind::roles, QStringLiteral("npy"));
    QVERIFY(commandOf(request).contains(QStringLiteral("--tokens ")));
    const auto [mine, theirs] = bothFiles(request, QStringLiteral("npy"));
    QVERIFY(!mine.empty());
    QVERIFY(mine == theirs);
  }

 private:
  ExportRequest wanted(FigureKind kind, const QString& ending) {
    ExportRequest request;
    request.kind = kind;
    request.map = {LayerId(1), HeadId(2)};
    request.queries = {2, static_cast<std::int32_t>(bench().sequence().size())};
    request.keys = {0, 9};
    request.path = tiny_.filePath(QStringLiteral("mine-%1.").arg(++files_) + ending).toStdString();
    return request;
  }

  QString commandOf(const ExportRequest& request, const QString& session = {}, const QString& kept = {}) {
    ExportOrigin origin = exportOrigin(bench(), session);
    origin.keptFile = kept;
    return exportCommand(request, origin, bench().sequence().size());
  }

  /// What the window writes, and what a shell makes of the command.
  std::pair<std::string, std::string> bothFiles(ExportRequest request, const QString& ending,
                                                const QString& session = {}, const QString& kept = {}) {
    QSignalSpy written(&window_->figureExport(), &FigureExport::written);
    window_->figureExport().start(request);
    if (!QTest::qWaitFor([&] { return written.count() == 1; }, patience)) return {};
    const std::string mine = test::read_bytes(request.path);
    request.path = tiny_.filePath(QStringLiteral("theirs-%1.").arg(files_) + ending).toStdString();
    QString command = commandOf(request, session, kept);
    command.replace(0, QStringLiteral("natscope-cli").size(), QStringLiteral(NATSCOPE_BIN_DIR "/natscope-cli"));
    QProcess shell;
    shell.start(QStringLiteral("/bin/sh"), {QStringLiteral("-c"), command});
    if (!shell.waitForFinished(patience) || shell.exitCode() != 0) {
      qWarning("%s\n%s", qPrintable(command), shell.readAllStandardError().constData());
      return {};
    }
    return {mine, test::read_bytes(request.path)};
  }

  int files_ = 0;
};

QTEST_MAIN(ExportCommandTest)
#include "export_command_test.moc"
