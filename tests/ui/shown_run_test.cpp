// SPDX-License-Identifier: GPL-3.0-or-later
// What the window says of the run that it shows: whose it is, under which rules it was made, and where it stays.
#include <sys/stat.h>

#include <QApplication>
#include <QComboBox>
#include <QDateTime>
#include <QFile>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <QThreadPool>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/figures/export_command.h"
#include "ui/models/run_facts.h"

using namespace natscope;
using namespace natscope::ui;

class ShownRunTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    QVERIFY(begin());
    QTRY_VERIFY_WITH_TIMEOUT(knowsWeights(), patience);
  }
  void cleanup() { end(); }

  void anotherModelsRunSaysSoAndIsNotReplacedByAStep() {
    QVERIFY(!window_->recordingBar().isVisible());
    const qint64 tokens = bench().sequence().size();
    const QString session = tiny_.filePath(QStringLiteral("of-the-first.safetensors"));
    window_->saveSession(session);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(session), patience);
    const std::string first = bench().client().shownModel();

    const QString other = tiny_.filePath(QStringLiteral("another"));
    std::filesystem::create_directories(other.toStdString());
    test::TinyModel(nlohmann::json{{"max_position_embeddings", 256}}, DType::f32, 7).write(other.toStdString());
    window_->openModel(other);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().modelPath() == other && knowsWeights(), patience);
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(session);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().client().isOfAnotherModel(), patience);
    QVERIFY(window_->recordingBar().isVisible());
    QVERIFY2(window_->recordingBar().text().contains(QStringLiteral("/model.</b>")),
             qPrintable(window_->recordingBar().text()));
    QVERIFY(window_->recordingBar().text().contains(QStringLiteral("Open: another")));
    QVERIFY(!bench().tiles().whyNoMap(LayerId(0), HeadId(0)).isEmpty());
    // One token more would have to begin again with the other model.
    QVERIFY(bench().canAnalyse());
    QVERIFY(!bench().canContinue());
    bench().step();
    bench().continueGenerating();
    QTest::qWait(100);
    QVERIFY(bench().client().isOfAnotherModel());
    QCOMPARE(bench().sequence().size(), tokens);
    const QString command = exportCommand({}, exportOrigin(bench()), tokens);
    QVERIFY2(command.contains(QString::fromStdString(first)), qPrintable(command));
    QVERIFY2(!command.contains(other), qPrintable(command));
    // Two models' runs are called by their models.
    window_->comparison().keep();
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && !bench().client().isOfAnotherModel(), patience);
    QVERIFY2(window_->comparison().inWords().contains(QStringLiteral("<b>another: ")),
             qPrintable(window_->comparison().inWords()));
    window_->openPath(session);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 2, patience);
    QTRY_VERIFY_WITH_TIMEOUT(window_->recordingBar().isVisible(), patience);
    // Its own model goes on with it.
    window_->recordingBar().leave().click();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    QCOMPARE(bench().sequence().size(), tokens);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->recordingBar().isVisible(), patience);
    bench().step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), tokens + 1, patience);
  }

  void aPolicysOwnWindowEndsTheOneSetByHand() {
    RoleChanges changes;
    changes.window = 9;
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges() == changes, patience);
    QVERIFY(window_->comparison().presentName().contains(QStringLiteral("W 9 set by hand")));
    analyseUnder(QStringLiteral("streaming:1,3"));
    QCOMPARE(bench().sequence().record().window().value_or(-1), 3);
    QVERIFY(bench().roleChanges().isEmpty());
    // Asked for under that policy it holds.
    bench().changeRoles(changes);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().record().window().value_or(-1), 9, patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QCOMPARE(window_->comparison().presentName(), QStringLiteral("streaming:1,3 (W 9 set by hand)"));
    // The command line has no W beside such a policy.
    const QString command = exportCommand({}, exportOrigin(bench()), bench().sequence().size());
    QVERIFY2(command.contains(QStringLiteral("--policy streaming:1,9")), qPrintable(command));
    QVERIFY2(!command.contains(QStringLiteral("--window")), qPrintable(command));
  }

  void h2oHasNoRoles() {
    QVERIFY(bench().sequence().hasRoles());
    analyseUnder(QStringLiteral("h2o:2,3"));
    QVERIFY(!bench().sequence().hasRoles());
    QMenu menu;
    window_->roles().fillRoleMenu(menu, LayerId(0), KvHeadId(0), TokenPos(2));
    QCOMPARE(menu.actions().size(), 1);
    QVERIFY(!menu.actions().front()->isEnabled());
    for (const RunFact& fact : runFacts(bench().client())) QVERIFY(fact.label != QLatin1String("W"));
    // What is set by hand waits for another policy, and no figure says that it was there.
    RoleChanges changes;
    changes.forced = {{LayerId(0), KvHeadId(0), TokenPos(2), Role::global}};
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedChanges() == changes, patience);
    QVERIFY(!window_->errorBar().isVisible());
    QVERIFY(bench().client().setByHand().empty());
    const QString command = exportCommand({}, exportOrigin(bench()), bench().sequence().size());
    QVERIFY2(!command.contains(QStringLiteral("--force")), qPrintable(command));
    analyseUnder(QStringLiteral("streaming:1,3"));
    QCOMPARE(bench().client().setByHand().forced.size(), std::size_t{1});
  }

  void whatAClosedWindowShowedCanBeOpenedAgain() {
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = 5;
    options.sampling.greedy = true;
    window_->prompt().setOptions(options);
    bench().generate();
    const qint64 tokens = bench().client().promptTokens() + 5;
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == tokens, patience);
    window_->close();
    const QString kept = tiny_.settings().lastRunPath();
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(kept), patience);
    const QDateTime written = QFileInfo(kept).lastModified();
    // A window in which nothing was done leaves it alone.
    open();
    window_->close();
    QVERIFY(QThreadPool::globalInstance()->waitForDone(patience));
    QCOMPARE(QFileInfo(kept).lastModified(), written);
    open();
    window_->openPath(kept);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), tokens, patience);
    QVERIFY(tiny_.settings().lastFolder() != QFileInfo(kept).path());
    QCOMPARE(window_->prompt().options().maxNewTokens, 5);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
  }

  void aFileThatIsRefusedLeavesItsMessage() {
    const QString bad = tiny_.filePath(QStringLiteral("bad.safetensors"));
    const QString empty = tiny_.filePath(QStringLiteral("empty.txt"));
    for (const QString& path : {bad, empty, tiny_.filePath(QStringLiteral("nowhere.txt"))}) {
      if (!path.contains(QStringLiteral("nowhere"))) {
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        if (path == bad) file.write("no session");
      }
      window_ = tiny_.make({}, path);
      window_->show();
      QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && knowsWeights() && window_->errorBar().isVisible(), patience);
      QTest::qWait(300);
      QVERIFY2(window_->errorBar().isVisible(), qPrintable(path));
      QVERIFY(bench().sequence().isEmpty());
      // The window is whole: another model analyses as ever.
      window_->prompt().setPrompt(QLatin1String(WindowOnTinyModel::alice));
      window_->openModel(tiny_.modelFolder());
      QTRY_VERIFY_WITH_TIMEOUT(bench().sequence().size() > 5 && !window_->errorBar().isVisible(), patience);
    }
    QFile file(empty);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("Down the hole.");
    file.close();
    window_ = tiny_.make({}, empty);
    QTRY_COMPARE_WITH_TIMEOUT(bench().analysedText(), QStringLiteral("Down the hole."), patience);
    QVERIFY(!window_->errorBar().isVisible());
  }

  void aPathThatIsNotThereEndsTheProgram() {
    QProcess program;
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("QT_QPA_PLATFORM"), QStringLiteral("offscreen"));
    program.setProcessEnvironment(environment);
    program.start(QStringLiteral(NATSCOPE_BIN_DIR "/natscope"), {tiny_.filePath(QStringLiteral("nowhere"))});
    QVERIFY(program.waitForFinished(patience));
    QCOMPARE(program.exitStatus(), QProcess::NormalExit);
    QCOMPARE(program.exitCode(), 3);
    // Qt may have a word on the environment before it.
    const QList<QByteArray> lines = program.readAllStandardError().trimmed().split('\n');
    QVERIFY(lines.last().startsWith("error: file-not-found: there is no file"));
  }

  void aSessionKeepsWhatWasChosenAndTheKeptRun() {
    window_->comparison().keep();
    const QString kept = window_->comparison().kept()->name;
    analyseUnder(QStringLiteral("window:3"));
    const QString words = window_->comparison().inWords();
    bench().selection().setLayerAndHead(LayerId(1), HeadId(3));
    bench().selection().pin(TokenPos(4));
    bench().selection().pin(TokenPos(2), true);
    const QString path = tiny_.filePath(QStringLiteral("chosen.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    window_->close();
    const qint64 tokens = bench().sequence().size();
    // Before the model is open, and in its place too.
    window_ = tiny_.make({}, path);
    window_->show();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), tokens, patience);
    const auto isAsChosen = [&] {
      return bench().selection().layer() == LayerId(1) && bench().selection().head() == HeadId(3) &&
             bench().selection().pinned() == std::vector<TokenPos>{TokenPos(4), TokenPos(2)};
    };
    QVERIFY(isAsChosen());
    QVERIFY(window_->comparison().kept() != nullptr);
    QCOMPARE(window_->comparison().kept()->name, kept);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    QVERIFY(isAsChosen());
    QCOMPARE(window_->comparison().inWords(), words);
    // A run that is kept here is not thrown away for a file's.
    analyseUnder(QStringLiteral("full"));
    window_->comparison().keep();
    const QString here = window_->comparison().kept()->name;
    QVERIFY(here != kept);
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().client().policy() == "window:3" && isAsChosen(), patience);
    QCOMPARE(window_->comparison().kept()->name, here);
  }

  /// Its numbers stay in the fields when its model is opened after it, and so do those that were typed when the device
  /// changes.
  void aSessionsSamplingIsNotTheModelsDefaults() {
    PromptOptions options = window_->prompt().options();
    options.sampling.greedy = false;
    options.sampling.temperature = 0.3;
    options.sampling.top_p = 0.5;
    options.maxNewTokens = 2;
    window_->prompt().setOptions(options);
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().sequence().size() == bench().client().promptTokens() + 2,
                             patience);
    bench().selection().pin(TokenPos(3));
    const QString path = tiny_.filePath(QStringLiteral("sampled.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    window_->close();
    window_ = tiny_.make({}, path);
    QSignalSpy opened(&bench(), &Workbench::modelOpened);
    QSignalSpy weights(&bench().client(), &EngineClient::weightsArrived);
    window_->show();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    QCOMPARE(opened.count(), 1);
    QCOMPARE(window_->prompt().options().sampling.temperature, 0.3);
    QCOMPARE(bench().options().sampling.top_p, 0.5);
    // Who attends to the pinned token is asked when there is somebody who knows.
    QTRY_VERIFY_WITH_TIMEOUT(weights.count() > 0, patience);

    options.sampling.temperature = 0.4;
    window_->prompt().setOptions(options);
    bench().setDevice(QStringLiteral("auto"));
    QTRY_VERIFY_WITH_TIMEOUT(opened.count() == 2 && bench().canAnalyse(), patience);
    QCOMPARE(window_->prompt().options().sampling.temperature, 0.4);
  }

  void theRunBeforeASessionComesBack() {
    const QString path = tiny_.filePath(QStringLiteral("looked-at.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    window_->prompt().setPrompt(QStringLiteral("Something else"));
    analyseUnder(QStringLiteral("streaming:1,3"));
    const qint64 tokens = bench().sequence().size();
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    QVERIFY(bench().client().policy() == "model" && bench().runBefore() != nullptr);
    bench().showRunBefore();
    QCOMPARE(bench().sequence().size(), tokens);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("Something else"));
    QCOMPARE(window_->prompt().options().policy, QStringLiteral("streaming:1,3"));
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    bench().step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), tokens + 1, patience);
  }

  void rolesSetByHandAreSaidWhileTheirRunIsShown() {
    RoleChanges changes;
    for (const int layer : {0, 1}) changes.force({LayerId(layer), KvHeadId(0), TokenPos(2), Role::global});
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().analysedChanges() == changes, patience);
    const QString path = tiny_.filePath(QStringLiteral("forced.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(path), patience);
    QSignalSpy shown(&bench(), &Workbench::sessionShown);
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 1, patience);
    auto* const said = window_->roles().findChild<QLabel*>(QStringLiteral("roleChanges"));
    auto* const back = window_->roles().findChild<QPushButton*>(QStringLiteral("takeRolesBack"));
    QVERIFY(said != nullptr && back != nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence(), patience);
    QCOMPARE(said->text(), QStringLiteral("Changed: 2 roles set by hand"));
    QVERIFY(!back->isHidden());
    const QString other = tiny_.filePath(QStringLiteral("third"));
    std::filesystem::create_directories(other.toStdString());
    test::TinyModel(nlohmann::json{{"max_position_embeddings", 256}}, DType::f32, 9).write(other.toStdString());
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(shown.count(), 2, patience);
    window_->openModel(other);
    QTRY_VERIFY_WITH_TIMEOUT(bench().modelPath() == other && bench().client().isOfAnotherModel(), patience);
    QCOMPARE(said->text(), QStringLiteral("Made with: 2 roles set by hand"));
    QVERIFY(back->isHidden());
    // Once their own model is open again they hold, whichever of the two was opened first: the next one comes to them.
    for (const bool isFileLast : {false, true}) {
      if (isFileLast) {
        window_->openModel(other);
        QTRY_VERIFY_WITH_TIMEOUT(bench().modelPath() == other && bench().canAnalyse() && knowsWeights(), patience);
        window_->openPath(path);
        QTRY_VERIFY_WITH_TIMEOUT(shown.count() == 3 && bench().client().isOfAnotherModel(), patience);
        QVERIFY(bench().roleChanges().isEmpty());
      }
      bench().openModelOfShown();
      QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().hasEngineSequence() && knowsWeights(), patience);
      QVERIFY(bench().roleChanges() == changes);
      QCOMPARE(said->text(), QStringLiteral("Changed: 2 roles set by hand"));
      QVERIFY(!back->isHidden());
    }
    changes.force({LayerId(1), KvHeadId(1), TokenPos(3), Role::local});
    RoleChanges next = bench().roleChanges();
    next.force(changes.forced.back());
    bench().changeRoles(next);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().analysedChanges() == changes, patience);
    window_->openModel(other);
    QTRY_VERIFY_WITH_TIMEOUT(bench().modelPath() == other && bench().canContinue(), patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    QVERIFY2(said->text().startsWith(QStringLiteral("Roles as")), qPrintable(said->text()));
  }

  void whatIsSaidInPassingEnds() {
    Q_EMIT window_->jobDesk().said(QStringLiteral("Opening something"));
    QCOMPARE(window_->statusBar()->currentMessage(), QStringLiteral("Opening something"));
    QTRY_COMPARE_WITH_TIMEOUT(window_->statusBar()->currentMessage(), bench().statusText(), 7000);
  }

  void aTextThatIsTooLongIsOfferedToBeCut() {
    const qint64 context = bench().client().model()->context;
    const QString path = tiny_.filePath(QStringLiteral("long.txt"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    for (int line = 0; line < 20'000; ++line) file.write(QStringLiteral("line %1: é and 日本\n").arg(line).toUtf8());
    file.close();
    const qint64 shown = bench().sequence().size();
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible() && bench().canAnalyse(), patience);
    QCOMPARE(bench().sequence().size(), shown);
    QVERIFY2(window_->errorBar().text().contains(QStringLiteral("characters of long.txt")),
             qPrintable(window_->errorBar().text()));
    // No megabytes in the field.
    QVERIFY(window_->prompt().options().text.size() <= 64 << 10);
    QVERIFY(window_->errorBar().offered().isVisible());
    QCOMPARE(window_->errorBar().offered().text(), QStringLiteral("Take the first %1 tokens").arg(context));
    QTest::mouseClick(&window_->errorBar().offered(), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() > context - 5, patience);
    QVERIFY(bench().sequence().size() <= context);
    QVERIFY(!window_->errorBar().isVisible());
    const QString taken = window_->prompt().options().text;
    QVERIFY(taken.startsWith(QStringLiteral("line 0: é")) && taken.size() < 4096);
    QCOMPARE(bench().analysedText(), taken);
    QCOMPARE(bench().client().promptText(), taken.toStdString());
    // The same text again is the same run.
    const qint64 tokens = bench().sequence().size();
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() == tokens, patience);
    QVERIFY(!window_->errorBar().isVisible());
    // Another error has no such button.
    window_->openPath(tiny_.filePath(QStringLiteral("nowhere.txt")));
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(!window_->errorBar().offered().isVisible());
  }

  void aTextThatIsReadTooLateIsLeftAside() {
    const QString path = tiny_.filePath(QStringLiteral("late.txt"));
    QCOMPARE(::mkfifo(path.toLocal8Bit().constData(), 0600), 0);
    window_->openPath(path);  // is read once somebody writes
    QTRY_VERIFY_WITH_TIMEOUT(window_->statusBar()->currentMessage().contains(QStringLiteral("late.txt")), patience);
    window_->prompt().setPrompt(QStringLiteral("Alice"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().analysedText() == QStringLiteral("Alice"), patience);
    QFile writer(path);
    QVERIFY(writer.open(QIODevice::WriteOnly));
    writer.write("A text that took long.");
    writer.close();
    QVERIFY(QThreadPool::globalInstance()->waitForDone(patience));
    QTest::qWait(20);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("Alice"));
    QVERIFY(bench().canAnalyse());
    QCOMPARE(bench().analysedText(), QStringLiteral("Alice"));
  }

  void arrowsPinTokensLinesAndHeads() {
    Selection& selection = bench().selection();
    selection.pin(TokenPos(3));
    QTest::keyClick(&window_->roles().map(), Qt::Key_Right);
    QVERIFY(selection.pinned() == std::vector<TokenPos>{TokenPos(4)});
    // A cursor that rests on a token is where the first key starts from, and no more than that.
    selection.hover(TokenPos(6));
    QTest::keyClick(&window_->roles().map(), Qt::Key_Left);
    QTest::keyClick(&window_->roles().map(), Qt::Key_Left);
    QVERIFY(selection.token() == TokenPos(4));
    const int row = selection.layer().value * selection.kvHeads() + selection.kvHead().value;
    QTest::keyClick(&window_->roles().map(), Qt::Key_Down);
    QCOMPARE(selection.layer().value * selection.kvHeads() + selection.kvHead().value, row + 1);
    QVERIFY(selection.pinned() == std::vector<TokenPos>{TokenPos(4)});
    QTest::keyClick(&window_->roles().map(), Qt::Key_Home);
    QTest::keyClick(&window_->roles().map(), Qt::Key_Left);
    QVERIFY(selection.pinned() == std::vector<TokenPos>{TokenPos(0)});
    auto* const text = window_->findChild<TokenTextView*>();
    QTest::keyClick(text, Qt::Key_End);
    QCOMPARE(selection.pinned().front().value, static_cast<int>(bench().sequence().size()) - 1);
    QTest::keyClick(text, Qt::Key_Right);
    QTest::keyClick(text, Qt::Key_Left);
    QCOMPARE(selection.pinned().front().value, static_cast<int>(bench().sequence().size()) - 2);
  }

  void theFieldOfThePolicyGivesTheKeyboardBack() {
    auto* const policy = window_->prompt().findChild<QComboBox*>();
    QVERIFY(policy != nullptr && policy->isEditable());
    policy->lineEdit()->setFocus();
    policy->lineEdit()->selectAll();
    QTest::keyClicks(policy->lineEdit(), QStringLiteral("full"));
    QTest::keyClick(policy->lineEdit(), Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().client().policy() == "full", patience);
    QVERIFY(policy->lineEdit()->hasFocus());
    QTest::keyClick(policy->lineEdit(), Qt::Key_Escape);
    QVERIFY(!policy->lineEdit()->hasFocus());
    QVERIFY(!policy->hasFocus());
    // For the next policy it is one key away, with its caret.
    policy->lineEdit()->setCursorPosition(2);
    QTest::keyClick(window_.get(), Qt::Key_Tab);
    QVERIFY(policy->hasFocus() && !policy->lineEdit()->hasSelectedText());
    QCOMPARE(policy->lineEdit()->cursorPosition(), 2);
    QTest::keyClick(policy->lineEdit(), Qt::Key_Tab);
    QVERIFY(!policy->hasFocus());
  }

 private:
  [[nodiscard]] bool knowsWeights() { return bench().client().model() && !bench().client().model()->sha256.empty(); }

  void open() {
    window_ = tiny_.makeRead(QLatin1String(WindowOnTinyModel::alice));
    QVERIFY(window_);
    QTRY_VERIFY_WITH_TIMEOUT(knowsWeights(), patience);
  }

  void analyseUnder(const QString& policy) {
    PromptOptions options = bench().options();
    options.policy = policy;
    bench().setOptions(options);
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().client().policy() == policy.toStdString(), patience);
  }
};

QTEST_MAIN(ShownRunTest)
#include "shown_run_test.moc"
