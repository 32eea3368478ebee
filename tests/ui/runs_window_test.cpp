// SPDX-License-Identifier: GPL-3.0-or-later
// Runs in the window, against the real engine and a small random model: a recording, runs side by side, the export
// dialog, the Help menu.
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QPointer>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <QThreadPool>
#include <algorithm>
#include <cmath>

#include "tests/ui/patience.h"
#include "tests/ui/present_run_trace.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/run_facts.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/parts/text_sheet.h"
#include "ui/views/charts/cache_chart_view.h"
#include "ui/views/fitting_words.h"

using namespace natscope;
using namespace natscope::ui;

class RunsWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { QVERIFY(begin()); }
  void cleanup() { end(); }

  void aRecordingShowsWhatWasRecordedAndNoEngineRuns() {
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    const MapId map{LayerId(1), HeadId(2)};
    const QString path = recordPresentRun(bench(), map, tiny_.filePath(QStringLiteral("recorded.safetensors")));
    const SequenceRecord before = bench().sequence().record();
    const auto engineTile = engineTileOf(map);
    QVERIFY(engineTile);

    window_->prompt().setPrompt(QStringLiteral("Typed before"));
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
    // The prompt is that of what is shown, and the one of before comes back with its run.
    QCOMPARE(window_->prompt().options().text, QLatin1String(WindowOnTinyModel::alice));
    QVERIFY(window_->prompt().note().isEmpty());
    QVERIFY(window_->recordingBar().isVisible());
    QVERIFY(window_->recordingBar().text().contains(QStringLiteral("Recording")));
    QVERIFY(!bench().hasEngineSequence());
    QVERIFY(!bench().canContinue());
    QVERIFY(bench().recording()->hasTexts());
    const SequenceRecord& record = bench().sequence().record();
    QCOMPARE(record.size(), before.size());
    for (std::int32_t n = 0; n < record.size(); ++n) {
      const TokenFrame& frame = record.frame(TokenPos(n));
      QVERIFY(frame.roles == before.frame(TokenPos(n)).roles);
      QVERIFY(frame.entries == before.frame(TokenPos(n)).entries);
      QCOMPARE(frame.text, before.frame(TokenPos(n)).text);
      QCOMPARE(frame.counts.live_bytes, before.frame(TokenPos(n)).counts.live_bytes);
    }
    // The head that has a map is chosen, and its tile is the engine's, cell for cell.
    QVERIFY((MapId{bench().selection().layer(), bench().selection().head()} == map));
    const TileKey key{map.layer, map.head, 0, 0, 0};
    QTRY_VERIFY_WITH_TIMEOUT(bench().tiles().tile(key) != nullptr, patience);
    const auto tile = bench().tiles().tile(key);
    QCOMPARE(tile->rows, engineTile->rows);
    for (std::size_t at = 0; at < tile->maximum.size(); ++at) {
      QVERIFY(std::abs(tile->maximum[at] - engineTile->maximum[at]) < 1e-5F);
      QCOMPARE(tile->visible_share[at], engineTile->visible_share[at]);
    }
    // Another head says why there is nothing to see, and writing it is a calm bar.
    QVERIFY(bench().tiles().whyNoMap(LayerId(0), HeadId(0)).contains(QStringLiteral("1.2")));
    QVERIFY(bench().tiles().whyNoMap(map.layer, map.head).isEmpty());
    for (const FigureKind kind :
         {FigureKind::attention, FigureKind::roles, FigureKind::kv, FigureKind::heads, FigureKind::overview})
      QVERIFY(writes(kind, map, "json"));
    // Of all heads the one that was recorded is drawn, the others say why not.
    window_->showOverview();
    HeadGridView& grid = window_->overview().grid();
    QTRY_COMPARE_WITH_TIMEOUT(grid.progress(), std::pair(1, 1), patience);
    QVERIFY(!grid.describe(map).contains(QStringLiteral("not")));
    QVERIFY(grid.describe({LayerId(0), HeadId(0)}).contains(QStringLiteral("not recorded")));
    QVERIFY(!writes(FigureKind::attention, {LayerId(0), HeadId(0)}, "json"));

    QTest::mouseClick(&window_->recordingBar().leave(), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() == nullptr && bench().hasEngineSequence(), patience);
    QVERIFY(!window_->recordingBar().isVisible());
    QCOMPARE(window_->prompt().options().text, QStringLiteral("Typed before"));
  }

  void aRecordingGivesThePreviousRunBack() {
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = 5;
    options.sampling.greedy = true;
    window_->prompt().setOptions(options);
    const qint64 prompt = bench().client().promptTokens();
    const QString path =
        recordPresentRun(bench(), {LayerId(0), HeadId(0)}, tiny_.filePath(QStringLiteral("recorded.safetensors")));
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().sequence().size() == prompt + 5, patience);
    const SequenceRecord before = bench().sequence().record();
    bench().selection().setLayerAndHead(LayerId(1), HeadId(2));
    bench().selection().pin(TokenPos(static_cast<std::int32_t>(prompt) + 1));

    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
    QCOMPARE(bench().sequence().size(), prompt);
    QVERIFY(bench().runBefore() != nullptr);
    window_->prompt().setPrompt(QStringLiteral("typed meanwhile"));
    QTest::mouseClick(&window_->recordingBar().leave(), Qt::LeftButton);
    QVERIFY(!bench().recording());
    QCOMPARE(bench().sequence().size(), before.size());
    QVERIFY(bench().selection().pinned() == std::vector<TokenPos>{TokenPos(static_cast<std::int32_t>(prompt) + 1)});
    QCOMPARE(bench().selection().head(), HeadId(2));
    QVERIFY(bench().runBefore() == nullptr);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("typed meanwhile"));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    for (std::int32_t n = 0; n < before.size(); ++n)
      QVERIFY(bench().sequence().record().frame(TokenPos(n)).roles == before.frame(TokenPos(n)).roles);
    QVERIFY(!window_->recordingBar().isVisible());
    // It goes on, where the prompt is the one that it began with.
    window_->prompt().setPrompt(QLatin1String(WindowOnTinyModel::alice));
    bench().step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), before.size() + 1, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);

    // Closed behind a recording, it is the last run all the same.
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
    window_->close();
    QVERIFY(QThreadPool::globalInstance()->waitForDone(patience));
    const auto last = read_session(tiny_.settings().lastRunPath().toStdString());
    QVERIFY(last);
    QCOMPARE(last->record.size(), before.size() + 1);
  }

  void aBadRecordingIsACalmBarAndWhatIsShownStays() {
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    const QString path =
        recordPresentRun(bench(), {LayerId(0), HeadId(0)}, tiny_.filePath(QStringLiteral("recorded.safetensors")));
    QFile file(path);
    QVERIFY(file.resize(file.size() - 7));
    const qint64 shown = bench().sequence().size();
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(!bench().recording());
    QCOMPARE(bench().sequence().size(), shown);
    QVERIFY(bench().hasEngineSequence());
  }

  void aKeptRunStaysBesideAnotherOne() {
    QVERIFY(window_->cache().comparedWords().isEmpty());
    window_->comparison().keep();
    const auto kept = window_->comparison().kept();
    QVERIFY(kept);
    // It gets tokens of its own at once: else the next one that is written would copy them all while the window waits.
    QTRY_VERIFY(!kept->record.shares_with(bench().sequence().record()));
    QCOMPARE(kept->record.size(), bench().sequence().size());
    QCOMPARE(window_->cache().chart().keptPoints(), static_cast<int>(bench().sequence().size()));
    PromptOptions options = bench().options();
    options.policy = QStringLiteral("streaming:1,2");
    bench().setOptions(options);
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().client().policy() == "streaming:1,2", patience);
    const SequenceRecord& now = bench().sequence().record();
    const QString words = window_->comparison().inWords();
    QVERIFY2(words.contains(QStringLiteral("streaming:1,2")), qPrintable(words));
    QVERIFY(words.contains(QStringLiteral("learned roles")));
    const qint64 entries = now.frames().back().counts.entries;
    QVERIFY2(words.contains(QString::number(entries)), qPrintable(words));
    QVERIFY2(words.contains(QStringLiteral("perplexity of the prompt")), qPrintable(words));
    // A model with learned roles was not trained for a baseline.
    QVERIFY2(words.contains(QStringLiteral("trained with its learned roles")), qPrintable(words));
    QVERIFY(runFacts(bench().client()).first().meaning.contains(QStringLiteral("trained with its learned roles")));
    QVERIFY(kept->untrained.isEmpty());
    // In a narrow window it is said shorter, never cut: what is fair is the last that may go.
    auto* const line = window_->cache().findChild<QLabel*>(QStringLiteral("compared"));
    QVERIFY(line != nullptr && line->toolTip() == words);
    window_->resize(1180, 850);
    QTRY_VERIFY(window_->cache().comparedWords().contains(QStringLiteral("▲ not trained under streaming:1,2")));
    QTRY_VERIFY(richWidth(window_->cache().comparedWords(), line->font()) <= line->width());
    QVERIFY(line->toolTip().contains(QStringLiteral("trained with its learned roles")));
    window_->resize(1300, 850);
    const auto perplexity = prompt_perplexity(now, now.size());
    QVERIFY(perplexity && words.contains(QString::number(*perplexity, 'f', 3)));

    // Which cache holds what adds up to what each of them holds.
    window_->roles().map().setShows(RoleMapShows::difference);
    const auto difference = window_->roles().map().difference();
    QVERIFY(difference);
    QCOMPARE(difference->both + difference->first, entries);
    QCOMPARE(difference->both + difference->second, kept->record.frames().back().counts.entries);
    const QImage picture = window_->roles().map().grab().toImage();
    window_->roles().map().setShows(RoleMapShows::kept);
    QVERIFY(window_->roles().map().grab().toImage() != picture);

    window_->comparison().drop();
    QVERIFY(window_->cache().comparedWords().isEmpty());
    QCOMPARE(window_->cache().chart().keptPoints(), 0);
    QCOMPARE(window_->roles().map().shows(), RoleMapShows::now);
  }

  void severalKeptRunsAreSwitchedBetween() {
    auto* const which = window_->cache().findChild<QComboBox*>(QStringLiteral("keptRuns"));
    QVERIFY(which != nullptr && !which->isVisible());
    RunComparison& comparison = window_->comparison();
    const auto analyse = [&](const char* policy) {
      PromptOptions options = bench().options();
      options.policy = QLatin1String(policy);
      bench().setOptions(options);
      bench().analyse();
      QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().client().policy() == policy, patience);
    };
    comparison.keep();
    comparison.keep();  // the same one is there once
    QCOMPARE(comparison.runs().size(), std::size_t{1});
    QVERIFY(!which->isVisible());
    analyse("window:3");
    comparison.keep();
    analyse("streaming:1,2");
    QCOMPARE(comparison.runs().size(), std::size_t{2});
    QVERIFY(which->isVisible());
    QCOMPARE(which->currentIndex(), 1);
    QVERIFY2(which->currentText().startsWith(QStringLiteral("2: window:3")), qPrintable(which->currentText()));
    for (int i = 0; i < which->count(); ++i)
      QVERIFY(which->width() > which->fontMetrics().horizontalAdvance(which->itemText(i)) + 16);
    QVERIFY(comparison.inWords().contains(QStringLiteral("against <b>window:3")));
    // Every view follows the one that is chosen.
    which->setCurrentIndex(0);
    Q_EMIT which->activated(0);
    QVERIFY(comparison.inWords().contains(QStringLiteral("against <b>learned roles")));
    QCOMPARE(comparison.losses().tokens(), bench().sequence().size());
    comparison.keep();
    QCOMPARE(which->count(), 3);
    QCOMPARE(which->currentIndex(), 2);
    // What is dropped is the one that is compared with.
    comparison.choose(0);
    comparison.drop();
    QCOMPARE(which->count(), 2);
    QCOMPARE(comparison.kept()->name, QStringLiteral("streaming:1,2"));
    comparison.drop();
    QVERIFY(!which->isVisible() && comparison.kept()->name.startsWith(QStringLiteral("window:3")));
    comparison.drop();
    QVERIFY(!comparison.kept() && comparison.runs().empty());
  }

  void keptRunsAreNotWithoutEnd() {
    RunComparison& comparison = window_->comparison();
    for (std::size_t i = 0; i < RunComparison::mostKept + 2; ++i) {
      bench().step();
      QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
      comparison.keep();
      if (i == 0) comparison.choose(0);
    }
    QCOMPARE(comparison.runs().size(), RunComparison::mostKept);
    QCOMPARE(comparison.kept(), comparison.runs().back());

    // Neither in number nor in memory; and it is said which one goes.
    const QString oldest = comparison.runs().front()->name;
    const QSignalSpy gone(&comparison, &RunComparison::letGo);
    comparison.setMostBytes(1);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    comparison.keep();
    QCOMPARE(comparison.runs().size(), std::size_t{2});
    QCOMPARE(gone.size(), qsizetype(RunComparison::mostKept) - 1);
    QCOMPARE(gone.first().first().toString(), oldest);
    QVERIFY(window_->statusBar()->currentMessage().contains(QStringLiteral("was let go")));
  }

  void theExportDialogOffersWhatTheCommandLineWrites() {
    window_->showExport(FigureKind::attention);
    auto* dialog = window_->findChild<ExportDialog*>();
    QVERIFY(dialog);
    for (const char* ending : {"png", "svg", "pdf", "csv", "json", "npy"}) {
      dialog->setFormat(QLatin1String(ending));
      QVERIFY(dialog->proposedName().endsWith(QLatin1Char('.') + QLatin1String(ending)));
      QVERIFY(dialog->command().contains(dialog->proposedName()));
    }
    QVERIFY(dialog->command().startsWith(QStringLiteral("natscope-cli export --kind attention --out ")));
    QVERIFY(dialog->command().contains(QStringLiteral("--prompt 'Oh, you wicked little thing! cried Alice.'")));
    delete dialog;
    window_->showExport(FigureKind::vocabulary);
    dialog = window_->findChild<ExportDialog*>();
    dialog->setFormat(QStringLiteral("npy"));  // words are no array
    QVERIFY(dialog->proposedName().endsWith(QStringLiteral("vocabulary.png")));
    delete dialog;
    window_->showExport(FigureKind::overview);
    dialog = window_->findChild<ExportDialog*>();
    dialog->setFormat(QStringLiteral("npy"));
    QVERIFY(dialog->proposedName().endsWith(QStringLiteral("/overview.npy")));
    dialog->setFormat(QStringLiteral("csv"));  // maps make no table
    QVERIFY(dialog->proposedName().endsWith(QStringLiteral("/overview.npy")));
    dialog->findChild<QComboBox*>(QStringLiteral("layers"))->setCurrentIndex(1);
    QVERIFY(dialog->proposedName().endsWith(QStringLiteral("/overview-l0.npy")));
    QVERIFY(dialog->command().contains(QStringLiteral("--layer 0")));
    QVERIFY(!dialog->command().contains(QStringLiteral("--head")));
    delete dialog;
    // The format that was chosen last is that of the next figure which has it.
    for (const bool isFirst : {true, false}) {
      window_->showExport(FigureKind::attention);
      dialog = window_->findChild<ExportDialog*>();
      auto* const format = dialog->findChild<QComboBox*>(QStringLiteral("format"));
      QCOMPARE(format->currentText(), isFirst ? QStringLiteral("png") : QStringLiteral("svg"));
      format->setFocus();
      QTest::keyClick(format, Qt::Key_Down);
      delete dialog;
    }
    for (const char* ending : {"json", "npy", "png", "svg", "pdf"}) QVERIFY(writes(FigureKind::overview, {}, ending));
    QVERIFY(!writes(FigureKind::overview, {}, "csv"));
    for (const FigureKind kind : {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv})
      QVERIFY(writes(kind, {LayerId(0), HeadId(0)}, "json"));
    for (const FigureKind kind : {FigureKind::heads, FigureKind::statistics}) {
      for (const char* ending : {"csv", "json", "npy", "png"}) QVERIFY(writes(kind, {}, ending));
    }
  }

  /// The command names it, so it must be the kept run that is in it.
  void theKeptRunsFileIsOnlyWhatItWasSavedAs() {
    window_->comparison().keep();
    window_->showExport(FigureKind::kv);
    const auto dialog = QPointer(window_->findChild<ExportDialog*>());
    QVERIFY(dialog);
    const QString path = tiny_.filePath(QStringLiteral("kept.safetensors"));
    Q_EMIT dialog->keptRunToSave(path);
    QTRY_COMPARE_WITH_TIMEOUT(window_->comparison().file(), path, patience);
    QTRY_VERIFY_WITH_TIMEOUT(dialog->command().contains(path), patience);
    // Another session is saved over it: nothing has the kept run any more.
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->comparison().file().isEmpty(), patience);
    QVERIFY(!dialog->command().contains(path));
    QTest::qWait(50);
    QVERIFY(window_->comparison().file().isEmpty());
    // The dialog need not be there when the file is.
    Q_EMIT dialog->keptRunToSave(path);
    dialog->close();
    QTRY_COMPARE_WITH_TIMEOUT(window_->comparison().file(), path, patience);
    QVERIFY(!dialog);
  }

  /// It would write another text under the command and positions of this one.
  void anExportDialogGoesWithItsText() {
    window_->showExport(FigureKind::attention);
    const QPointer<ExportDialog> dialog = window_->findChild<ExportDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    QVERIFY(dialog && dialog->isVisible());  // the text is longer, and the same
    window_->prompt().setPrompt(QStringLiteral("Something else"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(!dialog, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QVERIFY2(window_->statusBar()->currentMessage().contains(QStringLiteral("export is closed")),
             qPrintable(window_->statusBar()->currentMessage()));
  }

  void helpSaysWhatTheWordsMeanAndWhatRuns() {
    QTest::keyClick(window_.get(), Qt::Key_F1);
    auto* sheet = window_->findChild<TextSheet*>();
    QVERIFY(sheet);
    QVERIFY(sheet->findChild<QLabel*>()->text().contains(QStringLiteral("2502.13251")));
    delete sheet;
    triggered(QStringLiteral("&About NAtScope"));
    sheet = window_->findChild<TextSheet*>();
    QVERIFY(sheet);
    const QString text = sheet->findChild<QLabel*>()->text();
    for (const char* word : {NATSCOPE_VERSION, "LibTorch 2.", "cpu", "General Public License"})
      QVERIFY2(text.contains(QLatin1String(word)), word);
  }

 private:
  /// Chooses an entry of the Help menu, which is the last one.
  void triggered(const QString& text) {
    const auto menus = window_->findChildren<QMenu*>();
    for (QMenu* const menu : menus) {
      for (QAction* const action : menu->actions()) {
        if (action->text() == text) return action->trigger();
      }
    }
    QFAIL("no such entry");
  }

  bool writes(FigureKind kind, const MapId& map, const char* ending) {
    const auto size = static_cast<std::int32_t>(bench().sequence().size());
    ExportRequest request;
    request.kind = kind;
    request.map = map;
    request.queries = request.keys = {0, size};
    request.path = tiny_.filePath(QStringLiteral("f%1.%2").arg(++files_).arg(QLatin1String(ending))).toStdString();
    QSignalSpy written(&window_->figureExport(), &FigureExport::written);
    QSignalSpy failed(&window_->figureExport(), &FigureExport::failed);
    window_->figureExport().start(request);
    (void)QTest::qWaitFor([&] { return written.count() + failed.count() > 0; }, patience);
    return written.count() == 1;
  }

  std::shared_ptr<const AttentionTile> engineTileOf(const MapId& map) {
    const TileKey key{map.layer, map.head, 0, 0, 0};
    std::shared_ptr<const AttentionTile> tile;
    (void)QTest::qWaitFor([&] { return (tile = bench().tiles().tile(key)) != nullptr; }, patience);
    return tile;
  }

  int files_ = 0;
};

QTEST_MAIN(RunsWindowTest)
#include "runs_window_test.moc"
