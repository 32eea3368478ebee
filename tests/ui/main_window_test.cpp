// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window against the real engine and a small random model, offscreen.
#include "ui/main_window.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <csignal>

#include "tests/support/tiny_model.h"
#include "ui/theme/theme.h"
#include "ui/views/cache_chart_view.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int patience = 30'000;

QString engineProgram() { return QStringLiteral(NATSCOPE_BIN_DIR) + QStringLiteral("/natscope-engine"); }

}  // namespace

class MainWindowTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    test::TinyModel model(nlohmann::json{{"max_position_embeddings", 256}});
    model.generation = nlohmann::json{{"temperature", 0.7}, {"top_k", 20}, {"do_sample", true}};
    std::filesystem::create_directories(modelFolder());
    model.write(modelFolder());
  }

  void init() {
    settings_ = std::make_unique<Settings>(folder_.filePath(QStringLiteral("settings-%1.ini").arg(++runs_)));
    WindowStart start;
    start.model = QString::fromStdString(modelFolder().string());
    start.device = QStringLiteral("cpu");
    start.engineCommand = {engineProgram()};
    start.prompt = QStringLiteral("Oh, you wicked little thing! cried Alice.");
    QElapsedTimer clock;
    clock.start();
    window_ = std::make_unique<MainWindow>(*settings_, start);
    window_->resize(1300, 850);
    QSignalSpy picture(window_.get(), &MainWindow::firstPicture);
    window_->show();
    window_->activateWindow();
    opened_ = clock.elapsed();
    QVERIFY(picture.count() > 0 || picture.wait(patience));
    pictured_ = clock.elapsed();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
  }

  void cleanup() {
    window_->close();
    window_.reset();
  }

  void opensWithThePromptAnalysed() {
    QVERIFY(bench().sequence().size() > 5);
    QCOMPARE(bench().sequence().size(), bench().client().promptTokens());
    QVERIFY(window_->attention().map().isSharp());
    QVERIFY(window_->attention().map().range().high > 0);
    QCOMPARE(window_->prompt().options().sampling.top_k, 20);
    QCOMPARE(window_->prompt().options().sampling.temperature, 0.7);
    QVERIFY(!window_->errorBar().isVisible());
    qInfo("window after %lld ms, first picture after %lld ms", static_cast<long long>(opened_),
          static_cast<long long>(pictured_));
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

  void stopEndsAGeneration() {
    setLength(100'000);
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().isRunning(), patience);
    bench().stop();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().isRunning() && bench().canAnalyse(), patience);
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
        const QString path = folder_.filePath(
            QStringLiteral("%1-%2.%3").arg(runs_).arg(static_cast<int>(kind)).arg(QLatin1String(ending)));
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

  void aBadModelIsACalmBar() {
    window_->openModel(folder_.filePath(QStringLiteral("nowhere")));
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(QApplication::activeModalWidget() == nullptr);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("file-not-found")));
    QTest::keyClick(window_.get(), Qt::Key_Escape);
    QVERIFY(!window_->errorBar().isVisible());
    window_->openModel(QString::fromStdString(modelFolder().string()));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() > 5, patience);
  }

  void anEmptyPromptIsACalmBar() {
    window_->prompt().setPrompt(QString());
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("bad-text")));
    window_->prompt().setPrompt(QStringLiteral("Alice was here"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->errorBar().isVisible() && bench().canAnalyse(), patience);
  }

  void aDeadEngineIsReplacedAndWhatWasShownStays() {
    const qint64 shown = bench().sequence().size();
    const qint64 process = bench().client().processId();
    QSignalSpy lost(&bench().client(), &EngineClient::engineLost);
    QVERIFY(process > 0);
    ::kill(static_cast<pid_t>(process), SIGKILL);
    QVERIFY(lost.count() > 0 || lost.wait(patience));
    QVERIFY(window_->errorBar().isVisible());
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("engine-lost")));
    QCOMPARE(bench().sequence().size(), shown);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QVERIFY(bench().client().processId() != process);
    QCOMPARE(bench().sequence().size(), shown);
    QTRY_VERIFY_WITH_TIMEOUT(bench().hasEngineSequence() && bench().canContinue(), patience);
    QVERIFY(!window_->errorBar().isVisible());
    step();  // goes on from the last token that was shown
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), shown + 1, patience);
  }

  void aSessionIsSavedAndShownAgain() {
    step();
    const qint64 shown = bench().sequence().size();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().client().model()->sha256.empty(), patience);
    const QString path = folder_.filePath(QStringLiteral("session.safetensors"));
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

  void aBadSessionIsACalmBar() {
    const QString path = folder_.filePath(QStringLiteral("bad.safetensors"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("no session");
    file.close();
    const qint64 shown = bench().sequence().size();
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QCOMPARE(bench().sequence().size(), shown);
  }

  void themesAndSettingsAreRemembered() {
    window_->setTheme(Theme::dark);
    QCOMPARE(settings_->theme(), Theme::dark);
    const QImage dark = window_->grab().toImage();
    window_->setTheme(Theme::light);
    QVERIFY(window_->grab().toImage() != dark);
    QCOMPARE(settings_->recentModels().size(), 1);
    window_->close();
    QVERIFY(!settings_->windowState().isEmpty());
  }

 private:
  [[nodiscard]] std::filesystem::path modelFolder() const {
    return std::filesystem::path(folder_.path().toStdString()) / "model";
  }
  [[nodiscard]] Workbench& bench() { return window_->workbench(); }
  void step() {
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
  }
  void setLength(qint64 tokens) {
    PromptOptions options = bench().options();
    options.maxNewTokens = tokens;
    bench().setOptions(options);
  }

  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<MainWindow> window_;
  int runs_ = 0;
  qint64 opened_ = 0;
  qint64 pictured_ = 0;
};

QTEST_MAIN(MainWindowTest)
#include "main_window_test.moc"
