// SPDX-License-Identifier: GPL-3.0-or-later
// Runs in the window, against the real engine and a small random model: the table of heads, a recording, two runs side
// by side, the export dialog, roles set by hand, the Help menu.
#include <QApplication>
#include <QComboBox>
#include <QFileInfo>
#include <QInputDialog>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QPointer>
#include <QPushButton>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <QThreadPool>
#include <algorithm>
#include <cmath>

#include "core/session/trace_sequence.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/export_command.h"
#include "ui/models/run_facts.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/text_sheet.h"
#include "ui/views/cache_chart_view.h"
#include "ui/views/fitting_words.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int patience = 30'000;

}  // namespace

class RunsWindowTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    tiny_.forget();
    window_ = tiny_.makeRead(QLatin1String(WindowOnTinyModel::alice));
    QVERIFY(window_);
  }

  void cleanup() {
    if (window_) window_->close();
    window_.reset();
  }

  void aRecordingShowsWhatWasRecordedAndNoEngineRuns() {
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    const MapId map{LayerId(1), HeadId(2)};
    const QString path = recordPresentRun(map);
    const SequenceRecord before = bench().sequence().record();
    const auto engineTile = engineTileOf(map);
    QVERIFY(engineTile);

    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
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
  }

  void aRecordingGivesTheRunOfBeforeBack() {
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = 5;
    options.sampling.greedy = true;
    window_->prompt().setOptions(options);
    const qint64 prompt = bench().client().promptTokens();
    const QString path = recordPresentRun({LayerId(0), HeadId(0)});
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
    const QString path = recordPresentRun({LayerId(0), HeadId(0)});
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
    for (const char* ending : {"json", "npy", "png", "svg", "pdf"}) QVERIFY(writes(FigureKind::overview, {}, ending));
    QVERIFY(!writes(FigureKind::overview, {}, "csv"));
    for (const FigureKind kind : {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv})
      QVERIFY(writes(kind, {LayerId(0), HeadId(0)}, "json"));
    for (const FigureKind kind : {FigureKind::heads, FigureKind::statistics}) {
      for (const char* ending : {"csv", "json", "npy", "png"}) QVERIFY(writes(kind, {}, ending));
    }
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

  void aRoleSetByHandIsRunAgain() {
    const LayerId layer(1);
    const KvHeadId kvHead(1);
    const TokenPos position(3);
    const auto role = [&] { return bench().sequence().record().roles(layer, kvHead)[3]; };
    const Role learned = role();
    const Role other = learned == Role::global ? Role::sliding : Role::global;
    const SequenceRecord before = bench().sequence().record();
    auto* const words = window_->roles().findChild<QLabel*>(QStringLiteral("roleChanges"));
    QVERIFY(words->text().startsWith(QStringLiteral("Roles as policy and model decide")));
    const int lineTop = words->y();
    const int mapTop = window_->roles().map().y();
    QMenu menu;
    window_->roles().fillRoleMenu(menu, layer, kvHead, position);
    bench().selection().pin(position);
    actionOf(menu, other)->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && role() == other, patience);
    QVERIFY(bench().selection().pinned() == std::vector<TokenPos>{position});
    QCOMPARE(words->text(), QStringLiteral("Changed: 1 role set by hand"));
    // What was clicked stays under the cursor.
    QCOMPARE(words->y(), lineTop);
    QCOMPARE(window_->roles().map().y(), mapTop);
    // Nothing else is another role because of it in the same layer, nor in the layer before.
    for (int head = 0; head < before.geometry().kv_heads; ++head) {
      for (int l = 0; l <= 1; ++l) {
        const auto was = before.roles(LayerId(l), KvHeadId(head));
        const auto is = bench().sequence().record().roles(LayerId(l), KvHeadId(head));
        for (std::size_t n = 0; n < was.size(); ++n) {
          if (l != 1 || head != 1 || n != 3) QVERIFY(was[n] == is[n]);
        }
      }
    }
    const QString command = exportCommand({}, exportOrigin(bench()), bench().sequence().size());
    QVERIFY2(command.contains(QStringLiteral("--force 1.1.3=")), qPrintable(command));
    window_->roles().findChild<QPushButton*>(QStringLiteral("takeRolesBack"))->click();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && role() == learned, patience);
    QVERIFY(words->text().startsWith(QStringLiteral("Roles as policy and model decide")));
    QVERIFY(bench().analysedChanges().isEmpty());
  }

  void theWindowSetByHandHoldsAndWhatWasWrittenIsWrittenAgain() {
    PromptOptions options = bench().options();
    options.maxNewTokens = 6;
    options.sampling.greedy = true;
    bench().setOptions(options);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    const QList<QAction*> actions = window_->actions();
    const auto set = std::ranges::find_if(
        actions, [](const QAction* action) { return action->text() == QStringLiteral("Set &window W …"); });
    QVERIFY(set != actions.end());
    (*set)->trigger();
    auto* const input = window_->findChild<QInputDialog*>(QStringLiteral("windowInput"));
    QVERIFY(input != nullptr);
    QCOMPARE(input->intValue(), static_cast<int>(bench().sequence().record().window().value_or(-1)));
    input->setIntValue(2);
    input->accept();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().record().window().value_or(-1), 2, patience);
    RoleChanges changes = bench().roleChanges();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    // A session that was opened is no exception, and says itself that W was set.
    const QString path = tiny_.filePath(QStringLiteral("window-2.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    bench().changeRoles({});
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().isEmpty(), patience);
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    QVERIFY(bench().roleChanges() == changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().hasEngineSequence(), patience);
    QCOMPARE(bench().sequence().record().window().value_or(-1), 2);
    // What it was made with is what the fields say.
    QCOMPARE(window_->prompt().options().maxNewTokens, 6);
    QVERIFY(window_->prompt().options().sampling.greedy);
    changes.window = 3;
    bench().changeRoles(changes);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().record().window().value_or(-1), 3, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == bench().client().promptTokens() + 6,
                             patience);
    // What the engine refuses is taken back, and what is shown stays.
    changes.forced.push_back({LayerId(77), KvHeadId(0), TokenPos(0), Role::local});
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(bench().roleChanges().forced.empty());
    QCOMPARE(bench().roleChanges().window.value_or(-1), 3);
    QCOMPARE(bench().sequence().record().window().value_or(-1), 3);
  }

  void rolesOfAFileAreTaken() {
    const QString path = recordPresentRun({LayerId(0), HeadId(0)});
    QVERIFY(!path.isEmpty());
    const SequenceRecord before = bench().sequence().record();
    window_->openRoles(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges().roles != nullptr, patience);
    for (int layer = 0; layer < before.geometry().layers; ++layer) {
      for (int head = 0; head < before.geometry().kv_heads; ++head) {
        QVERIFY(std::ranges::equal(before.roles(LayerId(layer), KvHeadId(head)),
                                   bench().sequence().record().roles(LayerId(layer), KvHeadId(head))));
      }
    }
    QVERIFY(bench().roleChanges().inWords().startsWith(QStringLiteral("roles of run-")));
    // One token more than the file has roles for.
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    window_->openRoles(tiny_.filePath(QStringLiteral("nowhere.safetensors")));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QVERIFY(bench().roleChanges().roles != nullptr);
  }

 private:
  static QAction* actionOf(const QMenu& menu, Role role) {
    const QString text = role == Role::global  ? QStringLiteral("Global")
                         : role == Role::local ? QStringLiteral("Local")
                                               : QStringLiteral("Sliding");
    const QList<QAction*> actions = menu.actions();
    const auto found = std::ranges::find_if(actions, [&](const QAction* action) { return action->text() == text; });
    return found == actions.end() ? nullptr : *found;
  }
  [[nodiscard]] Workbench& bench() { return window_->workbench(); }

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

  /// What `trace --attention` would write of the present run.
  QString recordPresentRun(const MapId& map) {
    const SequenceRecord record = bench().sequence().record();
    std::optional<WeightsMessage> weights;
    WeightsRequestMessage request;
    request.layer = map.layer;
    request.head = map.head;
    request.first_query = request.first_key = TokenPos(0);
    request.queries = request.keys = static_cast<std::int32_t>(record.size());
    bench().weights().ask(request, [&](const Expected<WeightsMessage>& answer) {
      if (answer) weights = *answer;
    });
    if (!QTest::qWaitFor([&] { return weights.has_value(); }, patience)) return {};
    TraceContent content;
    content.record = &record;
    content.provenance = bench().client().provenance();
    content.provenance.maps = {map};
    content.prompt_tokens = bench().client().promptTokens();
    content.with_scores = true;
    content.map_rows = [&](const MapId&, TokenPos first, std::int64_t n, std::span<float> values,
                           std::span<std::uint8_t> visible) -> Expected<void> {
      const auto from = static_cast<std::ptrdiff_t>(first.value * record.size());
      const auto count = static_cast<std::ptrdiff_t>(n * record.size());
      std::copy_n(weights->weights.begin() + from, count, values.begin());
      std::copy_n(weights->visible.begin() + from, count, visible.begin());
      return {};
    };
    const QString path = tiny_.filePath(QStringLiteral("run-%1.safetensors").arg(++files_));
    return write_trace(path.toStdString(), content) ? path : QString();
  }

  WindowOnTinyModel tiny_;
  std::unique_ptr<MainWindow> window_;
  int files_ = 0;
};

QTEST_MAIN(RunsWindowTest)
#include "runs_window_test.moc"
