// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window against the real engine and a small random model, offscreen.
#include "ui/main_window.h"

#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QSplitter>
#include <QTest>
#include <QToolBar>
#include <QToolButton>
#include <QUrl>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <numeric>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/figures/preview_maker.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/parts/facts_line.h"
#include "ui/panels/parts/preview_frame.h"
#include "ui/panels/token_panel.h"
#include "ui/views/charts/cache_chart_view.h"

using namespace natscope;
using namespace natscope::ui;

class MainWindowTest : public WindowTest {
  Q_OBJECT

 public:
  MainWindowTest() : WindowTest(nlohmann::json{{"temperature", 0.7}, {"top_k", 20}, {"do_sample", true}}) {}

 private Q_SLOTS:
  void init() {
    QVERIFY(begin());
    QTRY_VERIFY_WITH_TIMEOUT(window_->attention().map().isSharp(), patience);
  }
  void cleanup() { end(); }

  void opensWithThePromptAnalysed() {
    QVERIFY(bench().sequence().size() > 5);
    QCOMPARE(bench().sequence().size(), bench().client().promptTokens());
    QVERIFY(window_->attention().map().isSharp());
    QVERIFY(window_->attention().map().range().high > 0);
    QCOMPARE(window_->prompt().options().sampling.top_k, 20);
    QCOMPARE(window_->prompt().options().sampling.temperature, 0.7);
    QVERIFY(!window_->errorBar().isVisible());
  }

  void generateStreamsAndTheChartGrows() {
    auto* const chart = window_->findChild<CacheChartView*>();
    QVERIFY(chart != nullptr);
    const int before = chart->points();
    setLength(12);
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    bench().generate();
    QVERIFY(finished.wait(patience));
    QTRY_COMPARE_WITH_TIMEOUT(static_cast<qint64>(chart->points()), bench().sequence().size(), patience);
    QVERIFY(chart->points() > before);
    const qint64 after = bench().sequence().size();

    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    bench().step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), after + 1, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    setLength(3);
    bench().continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench().sequence().size() > after + 1, patience);
    QVERIFY(bench().decodeRate() > 0);
  }

  void theIconOfGenerateIsSeenInMenuAndToolBar() {
    QAction* generate = nullptr;
    for (QAction* const action : window_->findChildren<QAction*>())
      if (action->text() == QStringLiteral("&Generate")) generate = action;
    QVERIFY(generate != nullptr);
    auto* const bar = window_->findChild<QToolBar*>(QStringLiteral("runBar"));
    const auto* const button = qobject_cast<QToolButton*>(bar->widgetForAction(generate));
    QVERIFY(button != nullptr);
    for (const Theme theme : {Theme::dark, Theme::light}) {
      window_->setTheme(theme);
      generate->setEnabled(false);
      generate->setEnabled(true);
      const auto colourOf = [](const QIcon& icon) { return icon.pixmap(16).toImage().pixelColor(7, 8); };
      QCOMPARE(colourOf(generate->icon()), colours(theme).text);
      QCOMPARE(colourOf(button->icon()), colours(theme).onAccent);
    }
  }

  void stopEndsAGeneration() {
    setLength(100'000);
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().isRunning(), patience);
    bench().stop();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().isRunning() && bench().canAnalyse(), patience);
  }

  /// Maps of all heads come when somebody looks, wait while text is written, and are another text's after that.
  void mapsOfAllHeadsComeWhenTheyAreLookedAt() {
    HeadGridView& grid = window_->overview().grid();
    const int heads = bench().selection().layers() * bench().selection().heads();
    QTest::qWait(400);
    QCOMPARE(grid.progress(), std::pair(0, heads));  // behind the attention map
    window_->showOverview();
    QTRY_COMPARE_WITH_TIMEOUT(grid.progress(), std::pair(heads, heads), patience);
    QVERIFY(window_->overview().words().contains(tr("%1 maps of %2 tokens").arg(heads).arg(bench().sequence().size())));

    // A click chooses the head for every view.
    const MapId last{LayerId(bench().selection().layers() - 1), HeadId(bench().selection().heads() - 1)};
    QSignalSpy headChanged(&bench().selection(), &Selection::headChanged);
    QTest::mouseClick(grid.viewport(), Qt::LeftButton, {}, grid.rectOf(last).center());
    QCOMPARE(headChanged.count(), 1);
    QVERIFY((MapId{bench().selection().layer(), bench().selection().head()} == last));
    QTest::keyClick(&grid, Qt::Key_Left);
    QCOMPARE(bench().selection().head(), HeadId(last.head.value - 1));

    // While text is written the engine draws no map that can wait; afterwards all of the longer text.
    setLength(60);
    int during = 0;
    const auto watch = connect(&bench().tiles(), &TileSource::arrivedLater, this,
                               [&] { during += bench().client().state() == EngineClient::State::generating ? 1 : 0; });
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    bench().generate();
    QVERIFY(finished.wait(patience));
    QCOMPARE(during, 0);
    QTRY_COMPARE_WITH_TIMEOUT(grid.progress(), std::pair(heads, heads), patience);
    QVERIFY(disconnect(watch));
    const MapId first{LayerId(0), HeadId(0)};
    QVERIFY(!grid.describe(first).contains(QStringLiteral("first")));
    QVERIFY2(grid.describe(first).contains(QRegularExpression(
                 QStringLiteral("; entropy \\d\\.\\d\\d nats, \\d+\\.\\d % on token 0, \\d+\\.\\d % on itself$"))),
             qPrintable(grid.describe(first)));
    QVERIFY(grid.describe(first, true).contains(QStringLiteral("; H ")));

    // Another text forgets them at once.
    QSignalSpy begun(&bench().client(), &EngineClient::sequenceStarted);
    bench().analyse();
    QVERIFY(begun.wait(patience));
    QCOMPARE(grid.progress().first, 0);
    QTRY_COMPARE_WITH_TIMEOUT(grid.progress(), std::pair(heads, heads), patience);

    // Out of sight nothing is fetched; Enter shows the chosen head's own map.
    QTest::keyClick(&grid, Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->attention().visibleRegion().isEmpty(), patience);
    begun.clear();
    bench().analyse();
    QVERIFY(begun.wait(patience));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QTest::qWait(400);
    QCOMPARE(grid.progress(), std::pair(0, heads));

    // An engine that dies takes what it was asked for with it; the next one is asked again.
    QSignalSpy restored(&bench().client(), &EngineClient::sequenceRestored);
    ::kill(static_cast<pid_t>(bench().client().processId()), SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(!bench().hasEngineSequence(), patience);
    window_->showOverview();
    QTest::qWait(300);
    QVERIFY(restored.count() > 0 || restored.wait(patience));
    QTRY_COMPARE_WITH_TIMEOUT(grid.progress(), std::pair(heads, heads), patience);
  }

  void aWindowMayGoWhileItIsShown() {
    window_->showOverview();
    QTRY_VERIFY_WITH_TIMEOUT(window_->overview().grid().progress().first > 0, patience);
    // Views ask their models to the last, and so does the field that has the keyboard, in a bar with no room.
    window_->showHeads();
    window_->showExport(FigureKind::attention);
    window_->text().followUp().setRoom(0);
    window_->beginFollowUp();
    window_.reset();
    window_ = tiny_.make(QLatin1String(WindowOnTinyModel::alice));
  }

  void everyViewFollowsOneSelection() {
    bench().selection().pin(TokenPos(3));
    bench().selection().setLayer(LayerId(1));
    bench().selection().setKvHead(KvHeadId(1));
    const QImage one = window_->grab().toImage();
    QTest::keyClick(window_.get(), Qt::Key_Escape);
    QVERIFY(!bench().selection().token());
    QVERIFY(window_->grab().toImage() != one);
  }

  void exportsEveryKind() {
    const auto size = static_cast<std::int32_t>(bench().sequence().size());
    for (const FigureKind kind : {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv}) {
      for (const char* ending : {"png", "svg", "pdf", "csv", "npy"}) {
        const QString path = tiny_.filePath(
            QStringLiteral("%1-%2.%3").arg(tiny_.runs()).arg(static_cast<int>(kind)).arg(QLatin1String(ending)));
        QSignalSpy written(&window_->figureExport(), &FigureExport::written);
        QSignalSpy failed(&window_->figureExport(), &FigureExport::failed);
        ExportRequest request;
        request.kind = kind;
        request.queries = request.keys = {0, size};
        request.path = path.toStdString();
        window_->figureExport().start(request);
        QTRY_VERIFY_WITH_TIMEOUT(written.count() + failed.count() > 0, patience);
        QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : failed[0][0].value<Error>().message.c_str());
        QVERIFY(QFileInfo(path).size() > 100);
      }
    }
  }

  /// Of every kind, by the code that writes it; its numbers are made once for however many looks.
  void anExportIsSeenBeforeItIsWritten() {
    for (const FigureKind kind : {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv}) {
      window_->showExport(kind);
      auto* const dialog = window_->findChild<ExportDialog*>();
      auto* const frame = dialog->findChild<PreviewFrame*>();
      QTRY_VERIFY_WITH_TIMEOUT(frame->hasPicture(), patience);
      const QImage before = dialog->findChild<QLabel*>(QStringLiteral("preview"))->pixmap(Qt::ReturnByValue).toImage();
      const ExportRequest request = dialog->request(dialog->proposedName());
      dialog->findChild<QDoubleSpinBox*>(QStringLiteral("fontSize"))->setValue(14);
      const auto now = [&] {
        return dialog->findChild<QLabel*>(QStringLiteral("preview"))->pixmap(Qt::ReturnByValue).toImage();
      };
      QTRY_VERIFY_WITH_TIMEOUT(now() != before, patience);
      QCOMPARE(dialog->findChild<PreviewMaker*>()->madeFigures(), 1);
      delete dialog;
    }
  }

  void theRulesOfARunAreInSight() {
    auto* const facts = window_->findChild<FactsLine*>();
    QVERIFY(facts != nullptr && facts->isVisible());
    // The last one is how well the prompt is predicted.
    const auto rules = [facts] { return facts->text().section(QStringLiteral(" · perplexity "), 0, 0); };
    QCOMPARE(rules(), QStringLiteral("policy learned roles · W 4 · bias b 0.1"));
    const auto perplexity = prompt_perplexity(bench().sequence().record(), bench().client().promptTokens());
    QVERIFY(perplexity);
    QCOMPARE(facts->text().section(QStringLiteral(" perplexity "), 1), QString::number(*perplexity, 'f', 3));
    PromptOptions options = bench().options();
    options.policy = QStringLiteral("streaming:2,8");
    bench().setOptions(options);
    bench().analyse();
    QTRY_COMPARE_WITH_TIMEOUT(rules(), QStringLiteral("policy StreamingLLM, 2 sinks · W 8"), patience);
    options.policy = QStringLiteral("full");
    bench().setOptions(options);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    bench().analyse();
    QTRY_COMPARE_WITH_TIMEOUT(rules(), QStringLiteral("policy full attention"), patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    const RunFact cache = cacheFact(bench().client().record());
    QVERIFY2(cache.value.startsWith(QStringLiteral("100.0 %  ")), qPrintable(cache.value));
  }

  void aTextFileBecomesThePrompt() {
    const QString path = tiny_.filePath(QStringLiteral("text.txt"));
    const auto write = [&path](const QByteArray& bytes) {
      QFile file(path);
      return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size();
    };
    const QString before = window_->prompt().options().text;
    const qint64 shown = bench().sequence().size();
    QVERIFY(
        write("gr\xf6\xdf"
              "er"));
    dropFile(window_.get(), path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("bad-text")));
    QCOMPARE(window_->prompt().options().text, before);
    QCOMPARE(bench().sequence().size(), shown);
    QVERIFY(write("Down the hole.\n"));
    // On the editor, too, it is opened rather than spelled out, and stops what runs.
    setLength(100'000);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().isRunning(), patience);
    dropFile(window_->findChild<PromptEdit*>()->viewport(), path);
    QTRY_COMPARE_WITH_TIMEOUT(bench().analysedText(), QStringLiteral("Down the hole.\n"), patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("Down the hole.\n"));
    QCOMPARE(bench().sequence().size(), bench().client().promptTokens());
    QVERIFY(!window_->errorBar().isVisible());
    // The bytes that the command line reads, those that a field does not show among them, which is said.
    const QByteArray marked(
        "\xef\xbb\xbf"
        "One.\r\nTwo\xc2\xa0three.\r\n");
    QVERIFY(window_->prompt().note().isEmpty() && write(marked));
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(bench().client().promptText(), marked.toStdString(), patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().isOfPrompt(), patience);
    QVERIFY2(window_->prompt().note().contains(QStringLiteral("byte order mark")),
             qPrintable(window_->prompt().note()));
    window_->prompt().setPrompt(QStringLiteral("One."));
    QVERIFY(window_->prompt().note().isEmpty());
  }

  void findsTokensFromTheKeyboard() {
    auto* const field = window_->findChild<QLineEdit*>(QStringLiteral("search"));
    QVERIFY(field != nullptr && !field->isVisible());
    QTest::keyClick(window_.get(), Qt::Key_F, Qt::ControlModifier);
    QTRY_VERIFY(field->isVisible());
    QTRY_VERIFY(field->hasFocus());
    QTest::keyClicks(field, QStringLiteral("alice"));
    QCOMPARE(bench().search().matches().size(), std::size_t{1});
    const TokenPos first = bench().search().matches()[0].first;
    QTest::keyClick(field, Qt::Key_Return);
    QVERIFY(bench().selection().isPinned(first));
    const QImage marked = window_->grab().toImage();
    QTest::keyClick(field, Qt::Key_Escape);
    QVERIFY(!field->isVisible());
    QVERIFY(bench().search().matches().empty());
    QVERIFY(bench().selection().isPinned(first));  // Esc ended the search, no more
    QVERIFY(window_->grab().toImage() != marked);
  }

  void fitsASmallScreen() {
    QVERIFY2(window_->minimumSizeHint().width() <= 1280 && window_->minimumSizeHint().height() <= 740,
             qPrintable(QStringLiteral("%1 x %2")
                            .arg(window_->minimumSizeHint().width())
                            .arg(window_->minimumSizeHint().height())));
    window_->resize(1280, 800);
    QTest::qWait(50);
    QCOMPARE(window_->size(), QSize(1280, 800));
    setLength(12);
    bench().generate();  // the numbers of a run are the longest text in the bar
    QTRY_VERIFY_WITH_TIMEOUT(bench().decodeRate() > 0 && bench().canContinue(), patience);
    QVERIFY2(firstCut(*window_).isEmpty(), qPrintable(firstCut(*window_)));
    window_->beginSearch();
    QVERIFY2(firstCut(*window_).isEmpty(), qPrintable(firstCut(*window_)));
    window_->showJobs();
    QTest::qWait(50);
    QVERIFY2(firstCut(*window_).isEmpty(), qPrintable(firstCut(*window_)));
    QCOMPARE(window_->size(), QSize(1280, 800));
  }

  /// However low the panel of a token is, nothing in it is cut across.
  void aLowTokenPanelShowsWholeRows() {
    TokenPanel panel(bench(), window_->comparison());
    bench().selection().pin(TokenPos(4));
    QTest::qWait(300);  // until it is known who attends to the token
    for (const int width : {300, 460, 700}) {
      for (int height = panel.minimumSizeHint().height(); height < 260; ++height) {
        panel.resize(width, height);
        const QImage image = panel.grab().toImage();
        for (int y = height - 3; y < height; ++y) {
          for (int x = 0; x < width; ++x)
            QVERIFY2(image.pixelColor(x, y) == colours(Theme::light).panel,
                     qPrintable(QStringLiteral("%1 x %2, at %3, %4").arg(width).arg(height).arg(x).arg(y)));
        }
      }
    }
  }

  /// Where it ends within a pixel of the screen, that one is its own, too.
  void nothingOfBeforeStaysAtTheEdgeOfTheTokenPanel() {
    TokenPanel panel(bench(), window_->comparison());
    bench().selection().pin(TokenPos(4));
    for (int height = 101; height < 105; ++height) {
      constexpr double scale = 1.25;
      panel.resize(301, height);
      QImage screen((QSizeF(panel.size()) * scale).toSize() + QSize(1, 1), QImage::Format_RGB32);
      screen.setDevicePixelRatio(scale);
      screen.fill(Qt::magenta);
      panel.render(&screen, QPoint(), QRegion(), QWidget::DrawChildren);
      const int bottom = qRound(panel.height() * scale) - 1;
      QCOMPARE(screen.pixelColor(100, bottom), colours(Theme::light).panel);
    }
  }

  void aSessionIsSavedAndShownAgain() {
    step();
    const qint64 shown = bench().sequence().size();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    const QString path = tiny_.filePath(QStringLiteral("session.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    window_->prompt().setPrompt(QStringLiteral("Something else"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() != shown, patience);

    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), shown, patience);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("Oh, you wicked little thing! cried Alice."));
    // The model that made it is open, and goes on with it.
    QTRY_VERIFY_WITH_TIMEOUT(bench().hasEngineSequence() && bench().canContinue(), patience);
    step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), shown + 1, patience);
  }

  void themesAndSettingsAreRemembered() {
    window_->setTheme(Theme::dark);
    QCOMPARE(tiny_.settings().theme(), Theme::dark);
    const QImage dark = window_->grab().toImage();
    window_->setTheme(Theme::light);
    QVERIFY(window_->grab().toImage() != dark);
    QCOMPARE(tiny_.settings().recentModels().size(), 1);
    auto* const parts = window_->findChild<QSplitter*>(QStringLiteral("cacheParts"));
    const double first = shareOfFirst(*parts);
    parts->setSizes({300, 500, 300});
    const double share = shareOfFirst(*parts);
    QVERIFY2(share < first - 0.05, qPrintable(QStringLiteral("%1, at first %2").arg(share).arg(first)));
    window_->close();
    QVERIFY(!tiny_.settings().windowState().isEmpty());
    // The next window stands as this one did.
    window_ = tiny_.make({});
    window_->show();
    const auto* const again = window_->findChild<QSplitter*>(QStringLiteral("cacheParts"));
    // As far as what stands in it now has room.
    const auto isNearer = [&] {
      return std::abs(shareOfFirst(*again) - share) < std::abs(shareOfFirst(*again) - first);
    };
    QTRY_VERIFY2(
        isNearer(),
        qPrintable(QStringLiteral("%1 after %2, at first %3").arg(shareOfFirst(*again)).arg(share).arg(first)));
  }

 private:
  void step() {
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
  }
  static double shareOfFirst(const QSplitter& splitter) {
    const QList<int> sizes = splitter.sizes();
    return static_cast<double>(sizes[0]) / std::max(1, std::accumulate(sizes.begin(), sizes.end(), 0));
  }
  /// What is seen is not cut. A dock behind another one is not seen, but says that it is visible.
  static QString firstCut(const QWidget& window) {
    for (const QWidget* const widget : window.findChildren<QWidget*>()) {
      if (!widget->isVisible() || widget->visibleRegion().isEmpty()) continue;
      const auto* const label = qobject_cast<const QLabel*>(widget);
      const auto* const button = qobject_cast<const QAbstractButton*>(widget);
      const auto* const box = qobject_cast<const QComboBox*>(widget);
      if (label != nullptr && !label->wordWrap() && !label->text().isEmpty() &&
          label->width() < label->sizeHint().width())
        return label->text();
      if (button != nullptr && !button->text().isEmpty() && button->width() < button->sizeHint().width())
        return button->text();
      if (box != nullptr && !box->isEditable() && box->width() < box->minimumSizeHint().width())
        return box->currentText();
    }
    return {};
  }
  void setLength(qint64 tokens) {
    PromptOptions options = bench().options();
    options.maxNewTokens = tokens;
    bench().setOptions(options);
  }
};

QTEST_MAIN(MainWindowTest)
#include "main_window_test.moc"
