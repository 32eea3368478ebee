// SPDX-License-Identifier: GPL-3.0-or-later
// What the workbench shows and asks for while engines, models and texts come and go, with a made-up engine.
#include "ui/models/workbench.h"

#include <signal.h>

#include <QProcess>
#include <QSemaphore>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QThreadPool>
#include <functional>

#include "tests/ui/models/bench_on_made_up_engine.h"
#include "tests/ui/panels/made_up_session.h"
#include "tests/ui/patience.h"
#include "ui/models/figures/export_command.h"
#include "ui/models/runs/run_comparison.h"
#include "ui/models/runs/token_words.h"
#include "ui/models/session_files.h"

using namespace natscope;
using namespace natscope::ui;

Q_DECLARE_METATYPE(std::function<void(natscope::ui::Workbench&)>)

class WorkbenchTest : public BenchTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { forget(); }
  void cleanup() { bench_.reset(); }

  void anEngineThatCannotBeStartedIsNotSaidToCome() {
    QSignalSpy raised(bench_.get(), &Workbench::errorRaised);
    bench_->begin({QStringLiteral("/no/such/engine")}, QStringLiteral("m"), QStringLiteral("cpu"));
    QTRY_COMPARE_WITH_TIMEOUT(raised.count(), 1, patience);
    const QString hint = QString::fromStdString(raised[0][0].value<Error>().hint);
    QVERIFY2(!hint.contains(QStringLiteral("being started")), qPrintable(hint));
    QCOMPARE(bench_->statusText(), QStringLiteral("There is no engine."));
    // Another model is not "being opened" for ever.
    bench_->openModel(QStringLiteral("n"));
    QTRY_COMPARE_WITH_TIMEOUT(raised.count(), 2, patience);
    QCOMPARE(bench_->statusText(), QStringLiteral("There is no engine."));
  }

  void theModelThatIsBeingOpenedAndItsDeviceStand() {
    begin(60, QStringLiteral("abc"));
    bench_->openModel(QStringLiteral("n"));
    bench_->setDevice(QStringLiteral("cuda"));  // of the one that is wanted
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
    QCOMPARE(bench_->client().model()->path, std::string("n"));
    QCOMPARE(bench_->device(), QStringLiteral("cuda"));
    bench_->setDevice(QStringLiteral("cpu"));
    bench_->openModel(QStringLiteral("o"));  // where it was just chosen
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
    QCOMPARE(bench_->client().model()->path, std::string("o"));
    QCOMPARE(bench_->device(), QStringLiteral("cpu"));
    // And back, before it is there.
    bench_->setDevice(QStringLiteral("cuda"));
    bench_->setDevice(QStringLiteral("cpu"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
    QCOMPARE(bench_->device(), QStringLiteral("cpu"));
  }

  void aTextThatWasStoppedIsBegunAgain() {
    begin(20, QStringLiteral("ab"));
    stopWhileItReads(QStringLiteral("abcdefghijklmnopqrst"));
    QVERIFY(bench_->client().record().size() < 20);
    PromptOptions options = bench_->options();
    options.maxNewTokens = 2;
    bench_->setOptions(options);
    QSignalSpy finished(&bench_->client(), &EngineClient::finished);
    bench_->continueGenerating();
    QVERIFY(finished.wait(patience));
    QCOMPARE(bench_->client().promptTokens(), 20);
    QCOMPARE(bench_->client().record().size(), 22);
    QVERIFY(!bench_->client().record().frame(TokenPos(19)).generated);
    QVERIFY(bench_->client().record().frame(TokenPos(20)).generated);
  }

  void whatIsReadAgainIsWholeHoweverOftenItIsAskedFor() {
    begin(20, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.maxNewTokens = 4;
    bench_->setOptions(options);
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 8, patience);
    std::vector<std::int32_t> tokens;
    for (const TokenFrame& frame : bench_->client().record().frames()) tokens.push_back(frame.token);
    options.maxNewTokens = 1;  // says nothing of what is shown
    bench_->setOptions(options);
    bench_->selection().pin(TokenPos(6));
    RoleChanges changes;
    changes.window = 3;
    bench_->changeRoles(changes);
    // While a part of it is there, once more.
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().record().size() < 8, patience);
    changes.window = 4;
    bench_->changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 8, patience);
    QTest::qWait(50);
    QVERIFY(bench_->analysedChanges() == changes);
    QCOMPARE(bench_->client().promptTokens(), 4);
    QCOMPARE(bench_->client().promptText(), std::string("abcd"));
    for (std::size_t n = 0; n < tokens.size(); ++n)
      QCOMPARE(bench_->client().record().frame(TokenPos(static_cast<std::int32_t>(n))).token, tokens[n]);
    QVERIFY(bench_->selection().isPinned(TokenPos(6)));
    QCOMPARE(bench_->prefillRate(), 8 / bench_->client().prefillSeconds());  // of all that was read
    // It says that the tokens were given, and that nobody drew them under this W.
    const Provenance provenance = bench_->client().provenance();
    QCOMPARE(provenance.prompt_sha256, prompt_digest(tokens));
    QVERIFY(!provenance.sampling);
    // The previous run is the one that was written, not the part that was replaced.
    QVERIFY(bench_->runBefore() != nullptr);
    QCOMPARE(bench_->runBefore()->record.size(), 8);
    bench_->showRunBefore();
    QVERIFY(bench_->roleChanges().isEmpty());
    QCOMPARE(bench_->client().record().size(), 8);
    QVERIFY(bench_->client().record().frame(TokenPos(5)).generated);
    QCOMPARE(bench_->client().provenance().prompt_sha256, prompt_digest("abcd"));
    QVERIFY(bench_->client().provenance().sampling);
  }

  /// Else the field would name another policy than the run has.
  void aPolicyThatIsChosenMeanwhileIsTried() {
    begin(20, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.maxNewTokens = 1000;
    const auto choose = [&](const char* policy) {
      options.policy = QLatin1String(policy);
      bench_->setOptions(options);
      bench_->tryPolicy();
    };
    const auto isTried = [&] {
      return bench_->canAnalyse() && bench_->client().policy() == options.policy.toStdString();
    };
    choose("full");
    QTRY_VERIFY_WITH_TIMEOUT(isTried(), patience);
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().record().size() > 6, patience);
    // What was written until then stays, though two are chosen one after the other.
    choose("window:3");
    choose("streaming:4,64");
    QTRY_VERIFY_WITH_TIMEOUT(isTried(), patience);
    const std::int64_t written = bench_->client().record().size();
    QVERIFY(written > 6 && written < 1000);
    QCOMPARE(bench_->client().promptTokens(), 4);
    // No engine is there, and the next one has what is shown first.
    ::kill(static_cast<pid_t>(bench_->client().processId()), SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(!bench_->canAnalyse(), patience);
    choose("window:5");
    QTRY_VERIFY_WITH_TIMEOUT(isTried(), patience);
    QCOMPARE(bench_->client().record().size(), written);
  }

  void whatWasSetByHandAndDidNotBeginIsTakenBack_data() {
    QTest::addColumn<bool>("isKilled");
    QTest::newRow("stopped") << false;
    QTest::newRow("the engine died") << true;
  }
  void whatWasSetByHandAndDidNotBeginIsTakenBack() {
    QFETCH(bool, isKilled);
    begin(20, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.maxNewTokens = 1000;
    bench_->setOptions(options);
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().record().size() > 6, patience);
    RoleChanges changes;
    changes.window = 3;
    bench_->changeRoles(changes);
    if (isKilled) {
      ::kill(static_cast<pid_t>(bench_->client().processId()), SIGKILL);
    } else {
      bench_->stop();
    }
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->hasEngineSequence(), patience);
    // Where the engine was quicker both are the new ones.
    QVERIFY(bench_->roleChanges() == bench_->analysedChanges());
    // Nothing is asked for beside a policy that is none.
    options.policy = QStringLiteral("window:some");
    bench_->setOptions(options);
    changes.window = 5;
    bench_->changeRoles(changes);
    QVERIFY(bench_->roleChanges() == bench_->analysedChanges());
  }

  void aWindowThatIsSetWhileTheEngineIsGoneHoldsOnceAnotherIsThere() {
    begin(5, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.maxNewTokens = 6;
    bench_->setOptions(options);
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 10, patience);
    ::kill(static_cast<pid_t>(bench_->client().processId()), SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(!bench_->canAnalyse(), patience);
    RoleChanges changes;
    changes.window = 3;
    bench_->changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->analysedChanges() == changes, patience);
    QVERIFY(bench_->client().setByHand().window == 3);
    // What was written is still there.
    QCOMPARE(bench_->client().record().size(), 10);
    QCOMPARE(bench_->client().promptTokens(), 4);
  }

  void whatIsPinnedInAMapIsPinnedAgain() {
    begin(1, QStringLiteral("abcdef"));
    bench_->selection().pin(TokenPos(2));
    bench_->selection().pinQuery(TokenPos(4));
    RoleChanges changes;
    changes.window = 3;
    bench_->changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->analysedChanges() == changes, patience);
    QVERIFY(bench_->selection().isPinned(TokenPos(2)));
    QVERIFY(bench_->selection().pinnedQuery() == TokenPos(4));
  }

  void whatCameOfAFollowUpThatGaveWayIsNotSaidOfAnother() {
    begin(5, QStringLiteral("abcd"));
    bench_->followUp(QString(2000, QChar(u'x')), false);
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().record().size() > 20, patience);
    PromptOptions options = bench_->options();
    options.text = QString(2000, QChar(u'y'));
    bench_->setOptions(options);
    bench_->analyseInstead();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().promptTokens() == 2000 && bench_->client().record().size() > 20,
                             patience);
    bench_->stop();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
    QVERIFY2(!bench_->statusText().contains(QStringLiteral("follow-up")), qPrintable(bench_->statusText()));
  }

  void aSessionIsItsModelsWhicheverIsOpen() {
    Session session = madeUpSession(
        1, 2, 20, [](std::int32_t) { return 0.25; }, 20);
    session.provenance.model_sha256 = std::string(64, 'c');
    session.provenance.heads = 6;
    session.provenance.global_bias = 0.5;
    session.provenance.by_hand.forced = {{LayerId(0), KvHeadId(1), TokenPos(3), Role::global}};
    // Shown before the engine says which weights are open; they turn out to be others of the same shape.
    bench_->begin(slow(1), QStringLiteral("m"), QStringLiteral("cpu"));
    bench_->showSession(session);
    QVERIFY(!bench_->roleChanges().isEmpty());
    QTRY_VERIFY_WITH_TIMEOUT(bench_->client().isOfAnotherModel(), patience);
    QCOMPARE(bench_->client().model()->heads, 4);
    QCOMPARE(bench_->selection().heads(), 6);
    const auto scores = tokenScores(*bench_, TokenPos(2));
    QVERIFY(scores && scores->bias);
    QCOMPARE(*scores->bias, 0.5);
    // What was set by hand there is not asked for of the model that is open.
    QVERIFY(bench_->roleChanges().isEmpty());
    QVERIFY(!bench_->analysedChanges().isEmpty());
    bench_->openModel(QStringLiteral("missing"));
    QSignalSpy failed(bench_.get(), &Workbench::errorRaised);
    QTRY_COMPARE_WITH_TIMEOUT(failed.count(), 1, patience);
    QVERIFY(bench_->roleChanges().isEmpty());
  }

  /// A large file takes long to read. What somebody asks for meanwhile is not taken away again when it comes.
  void whatIsAskedForWhileAFileIsReadIsNewer_data() {
    using Ask = std::function<void(Workbench&)>;
    QTest::addColumn<Ask>("asked");
    QTest::newRow("analyse") << Ask([](Workbench& bench) { bench.analyse(); });
    QTest::newRow("generate") << Ask([](Workbench& bench) { bench.generate(); });
    QTest::newRow("continue") << Ask([](Workbench& bench) { bench.continueGenerating(); });
    QTest::newRow("step") << Ask([](Workbench& bench) { bench.step(); });
    QTest::newRow("policy") << Ask([](Workbench& bench) { bench.tryPolicy(); });
    QTest::newRow("roles") << Ask([](Workbench& bench) { bench.changeRoles({.window = 3}); });
    QTest::newRow("model") << Ask([](Workbench& bench) { bench.openModel(QStringLiteral("n")); });
    QTest::newRow("another file") << Ask([](Workbench& bench) { (void)bench.beginReading(QStringLiteral("b")); });
  }
  void whatIsAskedForWhileAFileIsReadIsNewer() {
    using Ask = std::function<void(Workbench&)>;
    QFETCH(Ask, asked);
    begin(1, QStringLiteral("abcd"));
    const quint64 number = bench_->beginReading(QStringLiteral("/somewhere/huge.safetensors"));
    QVERIFY2(bench_->statusText().contains(QStringLiteral("huge.safetensors")), qPrintable(bench_->statusText()));
    asked(*bench_);
    QVERIFY(!bench_->statusText().contains(QStringLiteral("huge.safetensors")));
    QVERIFY(!bench_->endReading(number));
  }

  void whatGoesOnWhileAFileIsReadIsNot() {
    begin(1, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.text = QStringLiteral("abcdefgh");  // has to be read before anything is written
    options.maxNewTokens = 3;
    bench_->setOptions(options);
    bench_->step();
    const quint64 number = bench_->beginReading(QStringLiteral("huge.safetensors"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 9, patience);
    QVERIFY(bench_->statusText().contains(QStringLiteral("huge.safetensors")));
    QVERIFY(bench_->endReading(number));
    QVERIFY(!bench_->endReading(number));
    QVERIFY(!bench_->statusText().contains(QStringLiteral("huge.safetensors")));
  }

  void aSessionThatIsReadTooLateIsLeftAside() {
    begin(1, QStringLiteral("abcd"));
    const QString path = folder_.filePath(QStringLiteral("late.safetensors"));
    QVERIFY(write_session(path.toStdString(), bench_->client().session()));
    SessionFiles files(*bench_);
    int opened = 0;
    connect(&files, &SessionFiles::opened, this, [&opened] { ++opened; });
    QThreadPool& pool = *QThreadPool::globalInstance();
    const int threads = pool.maxThreadCount();
    pool.setMaxThreadCount(1);
    QSemaphore gate;
    pool.start([&gate] { gate.acquire(); });  // it is read behind this
    files.open(path);
    bench_->step();
    gate.release();
    QVERIFY(pool.waitForDone(patience));
    pool.setMaxThreadCount(threads);
    QTRY_COMPARE_WITH_TIMEOUT(bench_->client().record().size(), 5, patience);
    QTest::qWait(20);
    QCOMPARE(opened, 0);
    files.open(path);
    QTRY_COMPARE_WITH_TIMEOUT(opened, 1, patience);
  }

  void aWindowThatWasSetIsTakenBackWhereThePolicyHasNone() {
    begin(1, QStringLiteral("abcd"));
    bench_->changeRoles({.window = 3});
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->analysedChanges().window == 3, patience);
    PromptOptions options = bench_->options();
    options.policy = QStringLiteral("h2o:1,2");
    bench_->setOptions(options);
    bench_->tryPolicy();
    QVERIFY(!bench_->roleChanges().window);
  }

  /// What is said of two runs while one of them grows must not read its prompt.
  void aPromptIsHashedOnceHoweverOftenItsModelIsNamed() {
    begin(1, QStringLiteral("abcd"));
    RunComparison comparison(*bench_);
    comparison.keep();
    PromptOptions options = bench_->options();
    options.maxNewTokens = 20;
    bench_->setOptions(options);
    int said = 0;
    connect(bench_.get(), &Workbench::stateChanged, &comparison,
            [&] { said += comparison.inWords().isEmpty() ? 0 : 1; });
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 24, patience);
    QVERIFY(said > 1);
    (void)bench_->client().session();
    QCOMPARE(bench_->client().promptsHashed(), 1);
    // Another one has another checksum.
    ask(QStringLiteral("abcde"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 5, patience);
    QCOMPARE(bench_->client().provenance().prompt_sha256, prompt_digest("abcde"));
  }

  /// A command without them would write another figure than the one on screen.
  void rolesThatOnlyASessionHasStandInTheCommand() {
    Session session = madeUpSession(
        1, 2, 20, [](std::int32_t) { return 0.25; }, 20);
    session.provenance.by_hand.roles_sha256 = std::string(64, 'd');
    bench_->showSession(session);
    QVERIFY(
        exportOrigin(*bench_, QStringLiteral("s.safetensors")).roleOptions.contains(QStringLiteral("s.safetensors")));
    // Tokens were added since: the file is not what is shown any more.
    const QStringList options = exportOrigin(*bench_).roleOptions;
    QVERIFY2(options.contains(QStringLiteral("--roles")), qPrintable(options.join(u' ')));
    // The file that it names is still to be written, which is said.
    const QString command = exportCommand({}, exportOrigin(*bench_), 20);
    QVERIFY2(command.startsWith(QStringLiteral("# THIS-RUN.safetensors")), qPrintable(command));
  }

  void aCommandIsTakenApartAsItWas() {
    for (const QStringList& command :
         {QStringList{QStringLiteral("ssh"), QStringLiteral("gpubox"), QStringLiteral("natscope-engine")},
          QStringList{QStringLiteral("/opt/my programs/natscope-engine"), QStringLiteral("--x=a b")},
          QStringList{QStringLiteral("say"), QStringLiteral("\"a b\""), QStringLiteral("c\"d"),
                      QStringLiteral("\"")}}) {
      settings_->setEngineCommand(command);
      QCOMPARE(QProcess::splitCommand(settings_->engineCommandLine()), command);
    }
  }
};

QTEST_MAIN(WorkbenchTest)
#include "workbench_test.moc"
