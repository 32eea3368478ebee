// SPDX-License-Identifier: GPL-3.0-or-later
// Baselines read with one key, and the table and chart of runs, against the real engine and a small random model.
#include <QAction>
#include <QMenu>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <nlohmann/json.hpp>

#include "core/cache/policy_budget.h"
#include "core/explore/run_figures.h"
#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/views/charts/trade_off_view.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int allRows = static_cast<int>(budget_kinds.size()) + 2;  // with full attention and what is shown

}  // namespace

class BaselinesWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { QVERIFY(begin()); }
  void cleanup() { end(); }

  void oneKeyReadsTheTextUnderEveryBaselineAndShowsTheRunAgain() {
    writeSome(4);
    const SequenceRecord before = bench().sequence().record();
    const qint64 prompt = bench().client().promptTokens();
    const double own = window_->baselines().ownBudget();
    QCOMPARE(own, run_figures(before, prompt).fraction);
    bench().selection().pin(TokenPos(3));
    bench().selection().setLayerAndHead(LayerId(1), HeadId(2));

    QTest::keyClick(window_.get(), Qt::Key_B, Qt::ControlModifier);
    QVERIFY(window_->baselines().isRunning());
    QVERIFY(window_->runs().words().contains(QStringLiteral("1 of %1").arg(allRows - 1)));
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);

    // What was shown is shown again, as it was: with who wrote what, what was pinned, and able to go on.
    const SequenceRecord& after = bench().sequence().record();
    QCOMPARE(after.size(), before.size());
    for (std::int32_t n = 0; n < before.size(); ++n) {
      QVERIFY(after.frame(TokenPos(n)).roles == before.frame(TokenPos(n)).roles);
      QCOMPARE(after.frame(TokenPos(n)).probability, before.frame(TokenPos(n)).probability);
    }
    QCOMPARE(bench().client().policy(), "model");
    QCOMPARE(bench().client().promptTokens(), prompt);
    QVERIFY(bench().selection().isPinned(TokenPos(3)));
    QVERIFY(bench().selection().head() == HeadId(2));
    QCOMPARE(window_->prompt().options().policy, QStringLiteral("model"));

    // Each kept run is what the same policy gives when it is chosen: the numbers are those of one that was read alone.
    const auto& runs = window_->comparison().runs();
    QCOMPARE(runs.size(), budget_kinds.size() + 1);
    QStringList policies;
    for (const auto& run : runs) policies << QString::fromStdString(run->provenance.policy);
    QStringList expected{QStringLiteral("full")};
    for (const Policy::Kind kind : budget_kinds)
      expected << QString::fromStdString(to_string(policy_at_budget(kind, own, prompt)));
    QCOMPARE(policies, expected);
    PromptOptions options = window_->prompt().options();
    options.policy = policies.back();
    bench().setOptions(options);
    bench().tryPolicy();
    QTRY_VERIFY_WITH_TIMEOUT(bench().client().policy() == options.policy.toStdString() && bench().canContinue(),
                             patience);
    const RunOutcome alone = run_outcome(bench().sequence().record(), prompt);
    const RunOutcome kept = run_outcome(runs.back()->record, runs.back()->promptTokens);
    QCOMPARE(kept.figures.entries, alone.figures.entries);
    QCOMPARE(*kept.perplexity, *alone.perplexity);
    QCOMPARE(kept.mean_fraction, alone.mean_fraction);
  }

  void whatIsKeptAlreadyIsNotReadAgain() {
    window_->baselines().begin(0.5);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    constexpr std::size_t kinds = budget_kinds.size();
    QCOMPARE(window_->comparison().runs().size(), kinds + 1);
    QSignalSpy read(&bench().client(), &EngineClient::analysed);
    window_->baselines().begin(0.5);
    QVERIFY(!window_->baselines().isRunning());
    window_->baselines().begin(0.25);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    QCOMPARE(read.count(), std::ssize(budget_kinds));  // full attention needs no budget
    QCOMPARE(window_->comparison().runs().size(), 2 * kinds + 1);
  }

  void rolesSetByHandStayAndAreNoBaselines() {
    RoleChanges changes;
    changes.window = 2;
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().client().setByHand().window == 2, patience);
    window_->baselines().begin(0.5);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    QVERIFY(bench().roleChanges() == changes);
    QVERIFY(bench().client().setByHand().window == 2);
    const auto& runs = window_->comparison().runs();
    QCOMPARE(runs.size(), budget_kinds.size() + 2);  // its own roles, too, as the model decides them
    for (const auto& run : runs) QVERIFY(run->provenance.by_hand.empty());
    QCOMPARE(runs.front()->provenance.policy, std::string("model"));
  }

  void stoppingShowsTheRunAgain() {
    writeSome(3);
    const SequenceRecord before = bench().sequence().record();
    window_->baselines().begin(0.5);
    bench().stop();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    QVERIFY(!bench().isAside());
    QCOMPARE(bench().sequence().size(), before.size());
    QCOMPARE(bench().client().policy(), "model");
    // It can go on.
    bench().step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), before.size() + 1, patience);
  }

  void anotherWishComesFirstAndTheRunCanBeHadBack() {
    writeSome(3);
    const SequenceRecord before = bench().sequence().record();
    window_->baselines().begin(0.5);
    window_->prompt().setPrompt(QStringLiteral("Another text that somebody wants to see."));
    bench().analyseInstead();
    QVERIFY(!bench().isAside());
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().client().promptText().starts_with("Another"), patience);
    QVERIFY(!window_->baselines().isRunning());
    QVERIFY(bench().runBefore() != nullptr);
    bench().showRunBefore();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    QCOMPARE(bench().sequence().size(), before.size());
    QCOMPARE(QString::fromStdString(bench().client().policy()), QStringLiteral("model"));
  }

  void aSessionStaysTheFileThatItIs() {
    writeSome(3);
    const QString path = tiny_.filePath(QStringLiteral("session.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(path), patience);
    window_->openPath(path);
    QTRY_COMPARE_WITH_TIMEOUT(bench().sessionFile(), path, patience);
    QTRY_VERIFY_WITH_TIMEOUT(window_->baselines().canBegin(), patience);
    window_->baselines().begin(0.5);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    QCOMPARE(bench().sessionFile(), path);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().sessionFile().isEmpty(), patience);
  }

  void theTableAndTheChartSayWhatWasMeasured() {
    window_->baselines().begin(0.5);
    window_->showRuns();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    RunsPanel& panel = window_->runs();
    QTRY_COMPARE(panel.model().rowCount(), allRows);
    const FigureTable& table = panel.model().table();
    const auto& runs = window_->comparison().runs();
    const qint64 prompt = bench().client().promptTokens();
    const RunOutcome own = run_outcome(bench().sequence().record(), prompt);
    for (std::size_t row = 1; row < 6; ++row) {
      const RunOutcome outcome = run_outcome(runs[row - 1]->record, prompt);
      QCOMPARE(*table.at(row, table.column_at("policy")).text(), runs[row - 1]->provenance.policy);
      QCOMPARE(*table.at(row, table.column_at("kv_fraction")).number(), outcome.figures.fraction);
      QCOMPARE(*table.at(row, table.column_at("perplexity")).number(), *outcome.perplexity);
      QCOMPARE(*table.at(row, table.column_at("perplexity_of_first")).number(), *outcome.perplexity / *own.perplexity);
    }
    // These dropped once all was read: they hold as much, and how well they predict the prompt nobody has measured.
    for (std::size_t row = 6; row < std::size_t{allRows}; ++row) {
      const RunOutcome compressed = run_outcome(runs[row - 1]->record, prompt);
      QVERIFY(compressed.drops_after_reading);
      QCOMPARE(*table.at(row, table.column_at("policy")).text(), runs[row - 1]->provenance.policy);
      QCOMPARE(*table.at(row, table.column_at("kv_fraction")).number(), compressed.figures.fraction);
      QVERIFY(table.at(row, table.column_at("perplexity")).number() == nullptr);
    }
    // A point, or a row, is compared with.
    TradeOffView& chart = panel.chart();
    QCOMPARE(chart.points(), 6);  // those behind a prompt have no perplexity of it
    QTRY_VERIFY(chart.pointOf(1).has_value());
    QVERIFY(chart.wordsAt(*chart.pointOf(1)).contains(QStringLiteral("full")));
    QTest::mouseClick(&chart, Qt::LeftButton, {}, *chart.pointOf(1));
    QVERIFY(window_->comparison().kept() == runs[0]);
    QTest::mouseClick(panel.table().viewport(), Qt::LeftButton, {},
                      panel.table().visualRect(panel.table().model()->index(3, 0)).center());
    QVERIFY(window_->comparison().kept() == runs[2]);

    // A run of another text has a row, but neither ratio nor point.
    window_->prompt().setPrompt(QStringLiteral("Another text that somebody wants to see."));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().client().promptText().starts_with("Another"), patience);
    QTRY_COMPARE(chart.points(), 1);
    QCOMPARE(panel.model().rowCount(), allRows);
    QVERIFY(panel.model().table().at(2, table.column_at("perplexity_of_first")).number() == nullptr);
  }

  void runsAreWrittenAsTableAndFigure() {
    window_->baselines().begin(0.5);
    window_->showRuns();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning() && bench().canContinue(), patience);
    QTRY_COMPARE(window_->runs().model().rowCount(), allRows);
    const QString table = tiny_.filePath(QStringLiteral("runs.csv"));
    const QString figure = tiny_.filePath(QStringLiteral("runs.svg"));
    window_->writeRuns(table);
    window_->writeRuns(figure);
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(table) && QFile::exists(figure), patience);
    const auto contents = [](const QString& path) {
      QFile file(path);
      return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
    };
    QVERIFY(contents(table).startsWith(QStringLiteral("run,policy,model,tokens,kv_fraction,")));
    QCOMPARE(contents(table).count(u'\n'), allRows + 1);
    QVERIFY(contents(figure).contains(QStringLiteral("StreamingLLM")));
    const std::string provenance = window_->runs().figure().provenance;
    QCOMPARE(nlohmann::json::parse(provenance).at("runs").size(), std::size_t{6});  // those that are drawn
    // One that cannot be written is said.
    window_->writeRuns(tiny_.filePath(QStringLiteral("no/such/folder/runs.png")));
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
  }

 private:
  void writeSome(int tokens) {
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = tokens;
    options.sampling.greedy = true;
    window_->prompt().setOptions(options);
    const qint64 prompt = bench().client().promptTokens();
    bench().generate();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().sequence().size() == prompt + tokens, patience);
  }
};

QTEST_MAIN(BaselinesWindowTest)
#include "baselines_window_test.moc"
